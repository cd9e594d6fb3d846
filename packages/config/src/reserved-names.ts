/** Names that mean something to every JavaScript object; refused as keys wherever they appear. */
export const reservedNames: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);
