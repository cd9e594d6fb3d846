/** Classes of a byte; a bit each. */
const hostFirst = 1;
const hostRest = 2;
const nameFirst = 4;
const nameRest = 8;
const labelFirst = 16;
const labelRest = 32;
const otelFirst = 64;
const otelRest = 128;

const classes = new Uint8Array(256);
const anywhere = hostRest | nameRest | labelRest | otelRest;
mark("AZ", anywhere | hostFirst | nameFirst | labelFirst | otelFirst);
mark("az", anywhere | hostFirst | nameFirst | labelFirst | otelFirst);
mark("09", anywhere | hostFirst);
mark("__", anywhere | nameFirst | labelFirst);
mark("::", nameFirst | nameRest);
mark("..", hostRest | otelRest);
mark("--", hostRest | otelRest);
mark("//", otelRest);

function mark(range: string, bits: number): void {
  for (let code = range.charCodeAt(0); code <= range.charCodeAt(1); code++) classes[code]! |= bits;
}

const underscore = 0x5f;

/** Whether bytes are a host id: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`. */
export function isHostId(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start <= 128 && isWord(bytes, start, end, hostFirst, hostRest);
}

/** Whether bytes are a metric's name, but for its length: `[a-zA-Z_:][a-zA-Z0-9_:]*`. */
export function isMetricName(bytes: Uint8Array, start: number, end: number): boolean {
  return isWord(bytes, start, end, nameFirst, nameRest);
}

/** Whether bytes are a label's name, but for its length: `[a-zA-Z_][a-zA-Z0-9_]*`, not beginning with `__`. */
export function isLabelName(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] === underscore && bytes[start + 1] === underscore && end - start > 1) return false;
  return isWord(bytes, start, end, labelFirst, labelRest);
}

/** Whether bytes are a name as OpenTelemetry has them, of a metric or an attribute: `[a-zA-Z][a-zA-Z0-9_./-]*`. */
export function isOpenTelemetryName(bytes: Uint8Array, start: number, end: number): boolean {
  return isWord(bytes, start, end, otelFirst, otelRest);
}

function isWord(bytes: Uint8Array, start: number, end: number, first: number, rest: number): boolean {
  if (start >= end || (classes[bytes[start]!]! & first) === 0) return false;
  for (let i = start + 1; i < end; i++) if ((classes[bytes[i]!]! & rest) === 0) return false;
  return true;
}

const strictDecoder = new TextDecoder("utf-8", { fatal: true });

/** Whether bytes are UTF-8. O(bytes); no allocation for ASCII. */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let i = start;
  while (i < end && bytes[i]! < 0x80) i++;
  if (i === end) return true;
  try {
    strictDecoder.decode(bytes.subarray(i, end));
    return true;
  } catch {
    // The decoder throws for nothing else: that is its answer.
    return false;
  }
}
