const valid = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Whether a broker takes this host id. */
export function isHostId(text: string): boolean {
  return valid.test(text);
}

/** A host id made of a host name: other characters become "-", at most 128 remain, and the first is a letter or digit. */
export function hostIdFromName(name: string): string {
  const id = name
    .replace(/[^A-Za-z0-9._-]/g, "-")
    .replace(/^[._-]+/, "")
    .slice(0, 128);
  return id === "" ? "host" : id;
}
