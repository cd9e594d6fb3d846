import { connect, type Socket } from "node:net";

const frameHeaderBytes = 9;
const [typeData, typeHeaders, typeReset, typeSettings, typePing, typeGoAway, typeWindow] = [
  0, 1, 3, 4, 6, 7, 8,
];
const [flagEndStream, flagAck, flagEndHeaders] = [1, 1, 4];
const [settingTableSize, settingPush, settingWindow] = [1, 2, 4];
const defaultWindow = 65_535;
/** What this side lets the other send: more than is ever under way. */
const receiveWindow = 1 << 30;
const maxFrameBytes = 16_384;

/** Told what comes on a stream. */
export interface StreamHandler {
  /** A piece of the body; valid during the call. */
  data(bytes: Buffer): void;
  /** @param ok - whether the other side ended it, rather than broke it off */
  end(ok: boolean): void;
}

interface OpenStream {
  readonly handler: StreamHandler;
  /** How much may still be sent on it. */
  window: number;
  /** What waits for a window, framed. */
  waiting: { readonly bytes: Buffer; readonly end: boolean }[];
}

/**
 * A client's connection for gRPC in the clear, of the least HTTP/2 that can drive a server: requests' headers are always the
 * same bytes, those of answers are not looked at, and all frames of a turn of the event loop leave in one write. A unary call
 * costs it some microseconds, where node:http2 takes a hundred and would be what is measured.
 */
export class Http2Link {
  readonly #socket: Socket;
  readonly #streams = new Map<number, OpenStream>();
  /** Streams that have something to send and no window, in their order. */
  readonly #blocked = new Set<number>();
  #out: Buffer[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #nextStream = 1;
  #window = defaultWindow;
  #initialWindow = defaultWindow;
  #received = 0;
  #isFlushDue = false;
  #failure: Error | undefined;
  readonly #onFailure: (error: Error) => void;

  private constructor(socket: Socket, onFailure: (error: Error) => void) {
    this.#socket = socket;
    this.#onFailure = onFailure;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("expected the connection to stay, it was closed")));
    this.#out.push(
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      settings(),
      windowUpdate(0, receiveWindow),
    );
    this.#flushSoon();
  }

  /** @param onFailure - told once when the connection is lost; its streams have ended then */
  static async open(port: number, onFailure: (error: Error) => void = () => {}): Promise<Http2Link> {
    const socket = connect({ port, host: "127.0.0.1" });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new Http2Link(socket, onFailure);
  }

  /** Begins a call; `head` is by {@link requestHead}. @returns the number of its stream */
  open(head: Buffer, handler: StreamHandler): number {
    const id = this.#nextStream;
    this.#nextStream += 2;
    if (this.#failure !== undefined) {
      queueMicrotask(() => handler.end(false));
      return id;
    }
    this.#streams.set(id, { handler, window: this.#initialWindow, waiting: [] });
    this.#push(frame(typeHeaders, flagEndHeaders, id, head));
    return id;
  }

  /** Sends a gRPC message. @param end - whether it is the call's last */
  send(id: number, message: Uint8Array, end: boolean): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    const body = Buffer.allocUnsafe(5 + message.length);
    body[0] = 0;
    body.writeUInt32BE(message.length, 1);
    body.set(message, 5);
    for (let from = 0; from < body.length; from += maxFrameBytes) {
      const bytes = body.subarray(from, from + maxFrameBytes);
      stream.waiting.push({ bytes, end: end && from + maxFrameBytes >= body.length });
    }
    this.#sendWaiting(id, stream);
  }

  close(): void {
    this.#failure ??= new Error("expected an open link, it was closed");
    this.#socket.destroy();
    this.#endAll();
  }

  #sendWaiting(id: number, stream: OpenStream): void {
    while (stream.waiting.length > 0) {
      const { bytes, end } = stream.waiting[0]!;
      if (bytes.length > stream.window || bytes.length > this.#window) {
        this.#blocked.add(id);
        return;
      }
      stream.waiting.shift();
      stream.window -= bytes.length;
      this.#window -= bytes.length;
      this.#push(frame(typeData, end ? flagEndStream : 0, id, bytes));
    }
    this.#blocked.delete(id);
  }

  #push(bytes: Buffer): void {
    this.#out.push(bytes);
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      const out = this.#out;
      this.#out = [];
      if (!this.#socket.destroyed) this.#socket.write(out.length === 1 ? out[0]! : Buffer.concat(out));
    });
  }

  #receive(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= frameHeaderBytes) {
      const length = bytes.readUIntBE(at, 3);
      const end = at + frameHeaderBytes + length;
      if (end > bytes.length) break;
      const id = bytes.readUInt32BE(at + 5) & 0x7fffffff;
      this.#handle(bytes[at + 3]!, bytes[at + 4]!, id, bytes.subarray(at + frameHeaderBytes, end));
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }

  #handle(type: number, flags: number, id: number, payload: Buffer): void {
    switch (type) {
      case typeData:
        this.#countReceived(payload.length);
        this.#streams.get(id)?.handler.data(payload);
        if (flags & flagEndStream) this.#end(id, true);
        return;
      case typeHeaders:
        if (flags & flagEndStream) this.#end(id, true);
        return;
      case typeReset:
        this.#end(id, false);
        return;
      case typeSettings:
        if (flags & flagAck) return;
        this.#settle(payload);
        this.#push(frame(typeSettings, flagAck, 0, Buffer.alloc(0)));
        return;
      case typePing:
        if (!(flags & flagAck)) this.#push(frame(typePing, flagAck, 0, Buffer.from(payload)));
        return;
      case typeWindow:
        this.#widen(id, payload.readUInt32BE(0) & 0x7fffffff);
        return;
      case typeGoAway:
        this.#fail(
          new Error(`expected the connection to stay, it was closed with code ${payload.readUInt32BE(4)}`),
        );
        return;
      default: // Continuations of headers, and priorities.
    }
  }

  #settle(payload: Buffer): void {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      if (payload.readUInt16BE(at) !== settingWindow) continue;
      const window = payload.readUInt32BE(at + 2);
      for (const stream of this.#streams.values()) stream.window += window - this.#initialWindow;
      this.#initialWindow = window;
    }
    this.#sendBlocked();
  }

  #widen(id: number, bytes: number): void {
    if (id === 0) {
      this.#window += bytes;
    } else {
      const stream = this.#streams.get(id);
      if (stream !== undefined) stream.window += bytes;
    }
    this.#sendBlocked();
  }

  #sendBlocked(): void {
    for (const id of this.#blocked) {
      const stream = this.#streams.get(id);
      if (stream === undefined) this.#blocked.delete(id);
      else this.#sendWaiting(id, stream);
    }
  }

  /** Gives back what was read, now and then. Streams never come to the end of theirs but {@link receiveWindow} bytes long ones. */
  #countReceived(bytes: number): void {
    this.#received += bytes;
    if (this.#received < receiveWindow / 4) return;
    this.#push(windowUpdate(0, this.#received));
    this.#received = 0;
  }

  #end(id: number, ok: boolean): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#streams.delete(id);
    this.#blocked.delete(id);
    stream.handler.end(ok);
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#socket.destroy();
    this.#endAll();
    this.#onFailure(error);
  }

  #endAll(): void {
    for (const id of [...this.#streams.keys()]) this.#end(id, false);
  }
}

/** The headers of a gRPC call, by HPACK without its tables and compression, so that they are the same bytes each time. */
export function requestHead(path: string): Buffer {
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  return Buffer.concat([
    Buffer.from([0x83, 0x86, 0x04]), // :method POST, :scheme http, :path
    text(path),
    Buffer.from([0x01]), // :authority
    text("127.0.0.1"),
    Buffer.from([0x0f, 0x10]), // content-type
    text("application/grpc"),
    Buffer.from([0x00]),
    text("te"),
    text("trailers"),
  ]);
}

function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeaderBytes + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(id, 5);
  bytes.set(payload, frameHeaderBytes);
  return bytes;
}

/** No table for headers, so that answers of one kind have the same bytes too; no pushes; windows beyond need. */
function settings(): Buffer {
  const payload = Buffer.alloc(18);
  [
    [settingTableSize, 0],
    [settingPush, 0],
    [settingWindow, receiveWindow],
  ].forEach(([name, value], at) => {
    payload.writeUInt16BE(name!, 6 * at);
    payload.writeUInt32BE(value!, 6 * at + 2);
  });
  return frame(typeSettings, 0, 0, payload);
}

function windowUpdate(id: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame(typeWindow, 0, id, payload);
}
