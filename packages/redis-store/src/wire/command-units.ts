/** A command, or a transaction from MULTI to EXEC, within encoded commands. */
export interface CommandUnit {
  /** Where its bytes begin and end. */
  readonly start: number;
  readonly end: number;
  /** The first of its commands among all, and how many they are: so its replies lie. */
  readonly first: number;
  readonly count: number;
}

const dollar = 0x24;

/**
 * Finds the units in commands that {@link CommandWriter} encoded: what a server redirects one by one. O(arguments).
 *
 * @param commands - trusted; what is not encoded commands gives nonsense or throws RangeError
 */
export function commandUnits(commands: Uint8Array): CommandUnit[] {
  const bytes = Buffer.from(commands.buffer, commands.byteOffset, commands.byteLength);
  const units: CommandUnit[] = [];
  let unitStart = 0;
  let unitFirst = 0;
  let command = 0;
  let inTransaction = false;
  for (let position = 0; position < bytes.length; ) {
    const parts = lineAt(bytes, position);
    position = parts.next;
    let name = "";
    for (let part = 0; part < parts.value; part++) {
      if (bytes[position] !== dollar) throw new RangeError(`expected an argument at byte ${position}`);
      const argument = lineAt(bytes, position);
      if (part === 0)
        name = bytes.toString("latin1", argument.next, argument.next + argument.value).toUpperCase();
      position = argument.next + argument.value + 2;
    }
    command++;
    if (name === "MULTI") inTransaction = true;
    else if (name === "EXEC") inTransaction = false;
    if (inTransaction) continue;
    units.push({ start: unitStart, end: position, first: unitFirst, count: command - unitFirst });
    unitStart = position;
    unitFirst = command;
  }
  return units;
}

function lineAt(bytes: Buffer, position: number): { readonly value: number; readonly next: number } {
  let value = 0;
  for (let at = position + 1; at < bytes.length; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit >= 0 && digit <= 9) value = value * 10 + digit;
    else return { value, next: at + 2 };
  }
  throw new RangeError(`expected a line at byte ${position}`);
}
