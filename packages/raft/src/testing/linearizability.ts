/** One call to a service, as its caller saw it. */
export interface Operation<Input, Output> {
  readonly input: Input;
  /** Undefined when the outcome is unknown: it may have happened, at any time after the call, or never. */
  readonly output: Output | undefined;
  readonly calledAt: number;
  /** Ignored when the outcome is unknown. */
  readonly returnedAt: number;
  /**
   * The position in the service's own order, where it tells. Only operations that change nothing may share one; a
   * read has one above that of the last write it saw and below that of the next, write 7 plus a half for example.
   */
  readonly revision?: number | undefined;
}

/** What a service does when it is asked for one thing at a time. States and outputs are not changed. */
export interface SequentialModel<State, Input, Output> {
  readonly initial: State;
  apply(state: State, input: Input): { readonly state: State; readonly output: Output };
  /** Equal for equal states, and only for them. */
  fingerprint(state: State): string;
  /** Whether two outputs are the same; by default `===`. */
  sameOutput?(a: Output, b: Output): boolean;
}

/** Whether a history can be explained. `unknown`: the search was given up, which is no proof of anything. */
export type LinearizabilityVerdict = "linearizable" | "illegal" | "unknown";

/**
 * Whether every operation can be given an instant between its call and its return at which it took effect, so that
 * all outputs are those of the model (Herlihy and Wing 1990).
 *
 * When all operations with an outcome have a revision, their order is known and checking it is a sort, unless
 * operations with unknown outcome leave gaps; then, and without revisions, all orders are tried (Wing and Gong, with
 * the memory of Lowe), which is exponential in the number of concurrent operations: give it the history of one key,
 * of at most some hundred operations.
 *
 * @param maxSteps - how far to search before giving up; default a million
 */
export function checkLinearizability<State, Input, Output>(
  history: readonly Operation<Input, Output>[],
  model: SequentialModel<State, Input, Output>,
  maxSteps = 1_000_000,
): LinearizabilityVerdict {
  const known = history.filter(({ output }) => output !== undefined);
  if (known.every(({ revision }) => revision !== undefined)) {
    const verdict = checkByRevision(known, model, known.length < history.length);
    if (verdict !== undefined) {
      return verdict;
    }
  }
  return search(history, model, maxSteps);
}

/** @returns undefined when operations with unknown outcome may explain what the others do not */
function checkByRevision<State, Input, Output>(
  known: readonly Operation<Input, Output>[],
  model: SequentialModel<State, Input, Output>,
  gaps: boolean,
): LinearizabilityVerdict | undefined {
  const ordered = [...known].sort((a, b) => a.revision! - b.revision!);
  // The latest call among operations of earlier revisions.
  let latestCall = Number.NEGATIVE_INFINITY;
  let latestOfRevision = Number.NEGATIVE_INFINITY;
  let revision = Number.NEGATIVE_INFINITY;
  for (const operation of ordered) {
    if (operation.revision! > revision) {
      revision = operation.revision!;
      latestCall = Math.max(latestCall, latestOfRevision);
    }
    if (operation.returnedAt < latestCall) {
      return "illegal";
    }
    latestOfRevision = Math.max(latestOfRevision, operation.calledAt);
  }
  let { initial: state } = model;
  for (const operation of ordered) {
    const next = model.apply(state, operation.input);
    if (!same(model, next.output, operation.output!)) {
      return gaps ? undefined : "illegal";
    }
    state = next.state;
  }
  return "linearizable";
}

/** A call or a return in the list of events; lifted out while the operation counts as done. */
interface Event {
  readonly operation: number;
  /** The return that belongs to a call. */
  readonly match: Event | undefined;
  previous: Event | undefined;
  next: Event | undefined;
}

function search<State, Input, Output>(
  history: readonly Operation<Input, Output>[],
  model: SequentialModel<State, Input, Output>,
  maxSteps: number,
): LinearizabilityVerdict {
  const head = eventsOf(history);
  let missing = history.filter(({ output }) => output !== undefined).length;
  const done = new Uint32Array(Math.ceil(history.length / 32));
  const seen = new Set<string>();
  const stack: { readonly call: Event; readonly state: State }[] = [];
  let { initial: state } = model;
  let event = head.next;
  for (let step = 0; missing > 0; step++) {
    if (step >= maxSteps) {
      return "unknown";
    }
    if (event === undefined || event.match === undefined) {
      // A return that was not explained: the last choice was wrong.
      const last = stack.pop();
      if (last === undefined) {
        return "illegal";
      }
      const { operation } = last.call;
      clear(done, operation);
      missing += history[operation]!.output === undefined ? 0 : 1;
      state = last.state;
      unlift(last.call);
      event = last.call.next;
      continue;
    }
    const { operation } = event;
    const { input, output } = history[operation]!;
    const next = model.apply(state, input);
    if (output === undefined || same(model, next.output, output)) {
      set(done, operation);
      const configuration = `${done.join()} ${model.fingerprint(next.state)}`;
      if (!seen.has(configuration)) {
        seen.add(configuration);
        stack.push({ call: event, state });
        missing -= output === undefined ? 0 : 1;
        state = next.state;
        lift(event);
        event = head.next;
        continue;
      }
      clear(done, operation);
    }
    event = event.next;
  }
  return "linearizable";
}

/** The events in order of time, after a head; calls before returns of the same instant, unknown returns last. */
function eventsOf<Input, Output>(history: readonly Operation<Input, Output>[]): Event {
  const timed: { readonly at: number; readonly rank: number; readonly event: Event }[] = [];
  for (const [operation, { calledAt, output, returnedAt }] of history.entries()) {
    const back: Event = { operation, match: undefined, previous: undefined, next: undefined };
    timed.push({
      at: calledAt,
      rank: 0,
      event: { operation, match: back, previous: undefined, next: undefined },
    });
    timed.push({ at: output === undefined ? Number.POSITIVE_INFINITY : returnedAt, rank: 1, event: back });
  }
  timed.sort((a, b) => (a.at === b.at ? a.rank - b.rank : a.at - b.at));
  const head: Event = { operation: -1, match: undefined, previous: undefined, next: undefined };
  let last = head;
  for (const { event } of timed) {
    last.next = event;
    event.previous = last;
    last = event;
  }
  return head;
}

function set(bits: Uint32Array, at: number): void {
  bits[at >>> 5] = bits[at >>> 5]! | (1 << (at & 31));
}

function clear(bits: Uint32Array, at: number): void {
  bits[at >>> 5] = bits[at >>> 5]! & ~(1 << (at & 31));
}

function lift(call: Event): void {
  for (const event of [call, call.match!]) {
    event.previous!.next = event.next;
    if (event.next !== undefined) {
      event.next.previous = event.previous;
    }
  }
}

function unlift(call: Event): void {
  for (const event of [call.match!, call]) {
    event.previous!.next = event;
    if (event.next !== undefined) {
      event.next.previous = event;
    }
  }
}

function same<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  a: Output,
  b: Output,
): boolean {
  return model.sameOutput === undefined ? a === b : model.sameOutput(a, b);
}
