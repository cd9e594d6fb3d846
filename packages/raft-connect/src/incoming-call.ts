import { type Clock, type NodeId, RaftError } from "@mon/raft";

/** The requests of a call that a peer made, one by one, until they end or the call is ended from here. */
export class IncomingCall<Request> {
  readonly #requests: AsyncIterator<Request>;
  readonly #clock: Clock;
  /** Who calls, once it is known. */
  peer: NodeId | undefined;
  #ended: RaftError | undefined;
  #reject: ((error: RaftError) => void) | undefined;

  constructor(requests: AsyncIterable<Request>, clock: Clock) {
    this.#requests = requests[Symbol.asyncIterator]();
    this.#clock = clock;
  }

  /**
   * Waits for the next request, one call at a time; undefined when there are no more.
   *
   * @param limitMs - how long to wait at most; for ever when it is left out
   * @throws {RaftError} what {@link end} was given; RAFT_TIMEOUT
   * @throws {ConnectError} when the connection broke, or what came is no request
   */
  next(limitMs?: number): Promise<Request | undefined> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const { promise, resolve, reject } = Promise.withResolvers<Request | undefined>();
    this.#reject = reject;
    const timer =
      limitMs === undefined
        ? undefined
        : this.#clock.setTimeout(
            () => reject(new RaftError("RAFT_TIMEOUT", `expected more within ${limitMs} ms`)),
            limitMs,
          );
    this.#requests
      .next()
      .then(({ done, value }) => resolve(done === true ? undefined : value), reject)
      .finally(() => timer?.cancel());
    return promise;
  }

  /** Ends the call: whoever waits for a request, or asks for one later, gets the error. */
  end(error: RaftError): void {
    this.#ended ??= error;
    this.#reject?.(error);
  }
}
