/** How far the making of a broker has come. */
export type ScaleOutState =
  /** Decided. Nothing was asked of the provider. */
  | "planned"
  /** The provider was asked, or is about to be. */
  | "creating"
  /** It is there and has not come to the cluster. */
  | "booting"
  /** It is a member that has no share of the ring. */
  | "joining"
  /** It has a share, and is given what belongs to it. */
  | "rebalancing"
  | "active"
  /** Something went wrong; what was made is being taken down, to be tried again. */
  | "discarding"
  | "failed";

/** How far the removal of a broker has come. */
export type ScaleInState =
  /** Decided. */
  | "cordoned"
  /** It was asked to leave, and hands over what it has. */
  | "draining"
  /** It is out of the ring and has nothing that others lack. */
  | "left"
  /** The provider was asked to take it down, or is about to be. */
  | "deleting"
  | "gone"
  /** It did not hand over in time, and stays. */
  | "kept";

/**
 * The making or removal of one broker, as the cluster's state holds it. Every state is committed before what it stands
 * for is begun, so that a new leader finds all that the one before may have begun, and begins it again: what is asked of a
 * provider carries {@link ScalingAction.key}, and asking twice is asking once.
 */
export type ScalingAction = {
  /** Names the broker to its provider; never used again. */
  readonly key: string;
  readonly nodeId: string;
  /** When the state was entered. */
  readonly sinceMs: number;
  /** Times that making it was begun. */
  readonly attempts: number;
  /** What went wrong last. */
  readonly failure?: string;
} & (
  | { readonly kind: "out"; readonly state: ScaleOutState }
  | { readonly kind: "in"; readonly state: ScaleInState }
);

/** What is known of an action's broker. */
export interface ScalingWorld {
  /** What the provider says; unknown when it does not answer. */
  readonly instance: "absent" | "present" | "failed" | "unknown";
  /** What the cluster says; undefined when it does not know the node. */
  readonly member: "joining" | "active" | "leaving" | "left" | "down" | undefined;
  /** Whether something is being handed over to or from it. */
  readonly isHandingOver: boolean;
}

/** How long steps may take, and how often they are tried. */
export interface ScalingActionOptions {
  /** From asking until it is a member with a share, 300,000 ms; 900,000 suits machines that are rented. */
  readonly provisionTimeoutMs: number;
  /** From asking it to leave until it has, 600,000 ms. */
  readonly drainTimeoutMs: number;
  /** Times that making it is tried, 3. */
  readonly attemptsMax: number;
  /** The wait before it is tried again, 30,000 ms; twice that the next time. */
  readonly retryDelayMs: number;
}

/** What holds where an option is not given. */
export const defaultScalingActionOptions: ScalingActionOptions = Object.freeze({
  provisionTimeoutMs: 300_000,
  drainTimeoutMs: 600_000,
  attemptsMax: 3,
  retryDelayMs: 30_000,
});

/** What is to be done next: something outside, to be repeated until the world has changed, or a state to be committed. */
export type ScalingStep =
  | { readonly do: "create" | "delete" | "leave" | "return" | "wait" }
  | { readonly do: "commit"; readonly action: ScalingAction };

/** Whether nothing more will be done. */
export function isOver({ state }: ScalingAction): boolean {
  return state === "active" || state === "failed" || state === "gone" || state === "kept";
}

/** What to do next. Pure; the caller does it, and asks again. */
export function stepOf(
  action: ScalingAction,
  world: ScalingWorld,
  nowMs: number,
  options: ScalingActionOptions = defaultScalingActionOptions,
): ScalingStep {
  return action.kind === "out"
    ? stepOut(action, world, nowMs, options)
    : stepIn(action, world, nowMs, options);
}

type ScaleOut = Extract<ScalingAction, { kind: "out" }>;
type ScaleIn = Extract<ScalingAction, { kind: "in" }>;

function stepOut(
  action: ScaleOut,
  { instance, member, isHandingOver }: ScalingWorld,
  nowMs: number,
  { provisionTimeoutMs, attemptsMax, retryDelayMs }: ScalingActionOptions,
): ScalingStep {
  const to = (
    state: ScaleOutState,
    more: Partial<Pick<ScaleOut, "attempts" | "failure">> = {},
  ): ScalingStep => ({
    do: "commit",
    action: { ...action, state, sinceMs: nowMs, ...more },
  });
  const discard = (failure: string): ScalingStep => to("discarding", { failure });
  const waitedMs = nowMs - action.sinceMs;
  switch (action.state) {
    case "planned": {
      const delayMs = action.attempts === 0 ? 0 : retryDelayMs * 2 ** (action.attempts - 1);
      return waitedMs < delayMs ? { do: "wait" } : to("creating", { attempts: action.attempts + 1 });
    }
    case "creating":
      if (instance === "present") return to("booting");
      if (instance === "failed") return discard("the provider could not make it");
      return waitedMs >= provisionTimeoutMs
        ? discard(`expected the provider to make it within ${provisionTimeoutMs} ms`)
        : { do: "create" };
    case "booting":
    case "joining": {
      if (member === "active") return to("rebalancing");
      if (instance === "absent" || instance === "failed") return discard("it ended before it had joined");
      if (waitedMs >= provisionTimeoutMs) {
        return discard(
          `expected it to be ${action.state === "booting" ? "a member" : "active"} within ${provisionTimeoutMs} ms`,
        );
      }
      return member === "joining" && action.state === "booting" ? to("joining") : { do: "wait" };
    }
    case "rebalancing":
      // It is a member like any other now: what happens to it is the cluster's to deal with.
      return isHandingOver && member === "active" ? { do: "wait" } : to("active");
    case "discarding":
      if (instance !== "absent") return { do: "delete" };
      return action.attempts < attemptsMax ? to("planned") : to("failed");
    case "active":
    case "failed":
      return { do: "wait" };
    default:
      return action.state satisfies never;
  }
}

function stepIn(
  action: ScaleIn,
  { instance, member, isHandingOver }: ScalingWorld,
  nowMs: number,
  { drainTimeoutMs }: ScalingActionOptions,
): ScalingStep {
  const to = (state: ScaleInState, failure?: string): ScalingStep => ({
    do: "commit",
    action: { ...action, state, sinceMs: nowMs, ...(failure === undefined ? {} : { failure }) },
  });
  const hasLeft = (member === "left" || member === undefined) && !isHandingOver;
  switch (action.state) {
    case "cordoned":
      return to("draining");
    case "draining":
      if (hasLeft) return to("left");
      if (nowMs - action.sinceMs >= drainTimeoutMs) {
        // Back in the ring before it is let be: a broker without a share would only look like one.
        if (member === "leaving") return { do: "return" };
        return to("kept", `expected it to hand over within ${drainTimeoutMs} ms`);
      }
      return { do: "leave" };
    case "left":
      return to("deleting");
    case "deleting":
      return instance === "absent" ? to("gone") : { do: "delete" };
    case "gone":
    case "kept":
      return { do: "wait" };
    default:
      return action.state satisfies never;
  }
}
