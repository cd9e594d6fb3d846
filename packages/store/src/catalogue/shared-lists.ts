/** What all lists remembered may weigh; beyond it all are forgotten, and those that have a list keep it for themselves. */
const weightMax = 4_194_304;

/** What a list takes: its numbers, and as much as so many for itself. */
function weightOf(list: Int32Array): number {
  return list.length + 64;
}

/**
 * Lists of whole numbers, and what was made of each, so that hosts with equal lists share both. Programs are few, and
 * their hosts many: it pays to compare.
 */
export class SharedLists {
  /** By hash; of two lists with one hash the newer is remembered. */
  readonly #byHash = new Map<number, { readonly list: Int32Array; readonly made: Int32Array }>();
  #weight = 0;

  /** What was made of an equal list, or is made now: as long as the list, and kept as that is. */
  made(list: Int32Array, make: (list: Int32Array) => Int32Array): Int32Array {
    const hash = hashOf(list);
    const known = this.#byHash.get(hash);
    if (known !== undefined && isEqual(known.list, list)) return known.made;
    if (known !== undefined) this.#weight -= weightOf(known.list);
    if (this.#weight + weightOf(list) > weightMax) this.clear();
    const made = make(list);
    this.#byHash.set(hash, { list, made });
    this.#weight += weightOf(list);
    return made;
  }

  /** What was made of an equal list; undefined when that is not remembered. */
  find(list: Int32Array): Int32Array | undefined {
    const known = this.#byHash.get(hashOf(list));
    return known !== undefined && isEqual(known.list, list) ? known.made : undefined;
  }

  clear(): void {
    this.#byHash.clear();
    this.#weight = 0;
  }
}

function hashOf(list: Int32Array): number {
  let hash = list.length;
  for (let i = 0; i < list.length; i++) {
    hash = Math.imul(hash ^ list[i]!, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}

function isEqual(a: Int32Array, b: Int32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
