const mask = 0xffffffffn;

function multiply(a: bigint, b: bigint): bigint {
  return (a * b) & mask;
}

function rotate(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (32n - bits))) & mask;
}

function avalanche(hash: bigint): bigint {
  let h = multiply(hash ^ (hash >> 16n), 0x85ebca6bn);
  h = multiply(h ^ (h >> 13n), 0xc2b2ae35n);
  return h ^ (h >> 16n);
}

/** Each lane's constants: how its word of input is mixed, and how the lane then goes on. */
const lanes = [
  { before: 0x239b961bn, turn: 15n, after: 0xab0e9789n, laneTurn: 19n, add: 0x561ccd1bn },
  { before: 0xab0e9789n, turn: 16n, after: 0x38b34ae5n, laneTurn: 17n, add: 0x0bcaa747n },
  { before: 0x38b34ae5n, turn: 17n, after: 0xa1e38b93n, laneTurn: 15n, add: 0x96cd1c35n },
  { before: 0xa1e38b93n, turn: 18n, after: 0x239b961bn, laneTurn: 13n, add: 0x32ac3b17n },
];

/** MurmurHash3 x86-128 in exact arithmetic, word by word as its author describes it: four words, h1 first. */
export function murmur3Oracle(bytes: Uint8Array, seed = 0): bigint[] {
  const word = (at: number, end: number): bigint => {
    let value = 0n;
    for (let i = Math.min(at + 4, end) - 1; i >= at; i--) value = (value << 8n) | BigInt(bytes[i]!);
    return value;
  };
  const mixed = (lane: number, value: bigint): bigint => {
    const { before, turn, after } = lanes[lane]!;
    return multiply(rotate(multiply(value, before), turn), after);
  };
  const h = [0, 1, 2, 3].map(() => BigInt(seed));
  const tail = bytes.length - (bytes.length % 16);
  for (let block = 0; block < tail; block += 16) {
    for (const [lane, { laneTurn, add }] of lanes.entries()) {
      const turned = rotate(h[lane]! ^ mixed(lane, word(block + 4 * lane, bytes.length)), laneTurn);
      h[lane] = (multiply((turned + h[(lane + 1) % 4]!) & mask, 5n) + add) & mask;
    }
  }
  for (const lane of lanes.keys()) h[lane]! ^= mixed(lane, word(tail + 4 * lane, bytes.length));
  const spread = (): void => {
    h[0] = h.reduce((sum, each) => sum + each) & mask;
    for (const lane of [1, 2, 3]) h[lane] = (h[lane]! + h[0]!) & mask;
  };
  for (const lane of lanes.keys()) h[lane]! ^= BigInt(bytes.length);
  spread();
  for (const lane of lanes.keys()) h[lane] = avalanche(h[lane]!);
  spread();
  return h;
}
