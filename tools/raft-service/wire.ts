/** The messages of key-value.proto. */
import { FieldReader, FieldWriter, varintLength } from "./protobuf.ts";

/** Field of {@link https://protobuf.dev Protobuf}'s `oneof call` in `Request`. */
const callFields = { put: 2, get: 3, compareAndSet: 4 } as const;
export type CallKind = keyof typeof callFields;
const kindOfField: Readonly<Record<number, CallKind>> = { 2: "put", 3: "get", 4: "compareAndSet" };

/** One call: what is asked, and where. */
export interface Call {
  readonly kind: CallKind;
  readonly key: Uint8Array;
  /** Of writes. */
  readonly value?: Uint8Array | undefined;
  /** Of a compareAndSet; undefined where no value is expected. */
  readonly expected?: Uint8Array | undefined;
}

/** What became of a call. */
export interface Answer {
  readonly number: number;
  readonly revision: number;
  readonly value: Uint8Array | undefined;
  readonly refused: boolean;
  readonly error: string | undefined;
}

/** A request of a message `Requests`, whose bytes stay where they are. */
export interface RequestView {
  readonly number: number;
  readonly kind: CallKind;
  /** The whole field of `Requests`, with its tag. */
  readonly field: Uint8Array;
  /** The message of the call. */
  readonly call: Uint8Array;
}

/** The requests of a message `Requests`. @throws {RangeError} when it is none */
export function decodeRequests(bytes: Uint8Array): RequestView[] {
  const requests: RequestView[] = [];
  const outer = new FieldReader(bytes);
  while (outer.next()) {
    if (outer.field !== 1) continue;
    let number = 0;
    let kind: CallKind | undefined;
    let call: Uint8Array | undefined;
    const inner = new FieldReader(bytes, outer.start, outer.end);
    while (inner.next()) {
      if (inner.field === 1) {
        number = inner.integer;
      } else if (kindOfField[inner.field] !== undefined) {
        kind = kindOfField[inner.field];
        call = inner.content();
      }
    }
    if (kind === undefined || call === undefined)
      throw new RangeError("expected a call, got an empty request");
    requests.push({ number, kind, field: bytes.subarray(outer.fieldStart, outer.end), call });
  }
  return requests;
}

/** A message `Put`, `Get` or `CompareAndSet`. @throws {RangeError} when it is none */
export function decodeCall(kind: CallKind, bytes: Uint8Array): Call {
  let key: Uint8Array | undefined;
  let value: Uint8Array | undefined;
  let expected: Uint8Array | undefined;
  const reader = new FieldReader(bytes);
  while (reader.next()) {
    if (reader.field === 1) key = reader.content();
    else if (reader.field === 2) value = reader.content();
    else if (reader.field === 3) expected = reader.content();
  }
  if (key === undefined) throw new RangeError("expected a key, got none");
  if (kind !== "get") value ??= new Uint8Array();
  return { kind, key, value, expected };
}

/** A message `Put`, `Get` or `CompareAndSet`. */
export function encodeCall({ expected, key, kind, value }: Call): Uint8Array {
  const writer = new FieldWriter(24 + key.length + (value?.length ?? 0) + (expected?.length ?? 0));
  writer.bytes(1, key);
  if (kind !== "get" && value !== undefined) writer.bytes(2, value);
  if (expected !== undefined) writer.bytes(3, expected);
  return writer.finish();
}

/** A field `requests` of a message `Requests`; a message is any number of them, one after another. */
export function encodeRequest(number: number, kind: CallKind, call: Uint8Array): Uint8Array {
  const length = 1 + varintLength(number) + 1 + varintLength(call.length) + call.length;
  const writer = new FieldWriter(8 + length);
  writer.prefix(1, length);
  writer.integer(1, number);
  writer.bytes(callFields[kind], call);
  return writer.finish();
}

/** Writes a message `Answer`. */
export function encodeAnswer({ error, number, refused, revision, value }: Answer): Buffer {
  const writer = new FieldWriter(32 + (value?.length ?? 0));
  if (number !== 0) writer.integer(1, number);
  if (revision !== 0) writer.integer(2, revision);
  if (value !== undefined) writer.bytes(3, value);
  if (refused) writer.integer(4, 1);
  if (error !== undefined) writer.bytes(5, Buffer.from(error));
  return writer.finish();
}

/** A message `Answer`. @throws {RangeError} when it is none */
export function decodeAnswer(bytes: Uint8Array): Answer {
  let [number, revision, refused] = [0, 0, false];
  let value: Uint8Array | undefined;
  let error: string | undefined;
  const reader = new FieldReader(bytes);
  while (reader.next()) {
    if (reader.field === 1) number = reader.integer;
    else if (reader.field === 2) revision = reader.integer;
    else if (reader.field === 3) value = reader.content();
    else if (reader.field === 4) refused = reader.integer !== 0;
    else if (reader.field === 5) error = Buffer.from(reader.content()).toString();
  }
  return { number, revision, value, refused, error };
}

/** The answers of a message `Answers`. @throws {RangeError} when it is none */
export function decodeAnswers(bytes: Uint8Array): Answer[] {
  const answers: Answer[] = [];
  const reader = new FieldReader(bytes);
  while (reader.next()) if (reader.field === 1) answers.push(decodeAnswer(reader.content()));
  return answers;
}

/** A message `Json`. */
export function encodeJson(value: unknown): Buffer {
  const writer = new FieldWriter();
  writer.bytes(1, Buffer.from(JSON.stringify(value)));
  return writer.finish();
}

/** The value in a message `Json`; undefined when it is empty. @throws {SyntaxError} when it is no JSON */
export function decodeJson(bytes: Uint8Array): unknown {
  const reader = new FieldReader(bytes);
  while (reader.next()) if (reader.field === 1) return JSON.parse(Buffer.from(reader.content()).toString());
  return undefined;
}
