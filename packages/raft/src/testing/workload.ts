import type { FSM } from "../fsm.ts";
import { checkLinearizability, type Operation } from "./linearizability.ts";
import {
  type RegisterCommand,
  type RegisterInput,
  RegisterMachine,
  registerModel,
} from "./register-machine.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** A query that a client runs by `RaftNode.read`. */
export interface WorkloadQuery<Machine> {
  /** What is asked, for {@link SimulationWorkload.judge}. */
  readonly input: unknown;
  /** Must not change the machine. */
  run(machine: Machine): unknown;
}

/** A call of a client and what came of it. */
export type WorkloadCall =
  | ({ readonly kind: "command"; readonly input: Uint8Array } & CallTimes)
  | ({ readonly kind: "query"; readonly input: unknown } & CallTimes);

interface CallTimes {
  readonly output: unknown;
  readonly calledAt: number;
  readonly returnedAt: number;
  /** See {@link Operation.revision}. */
  readonly revision: number | undefined;
}

/**
 * What clients do to the cluster. Give your own state machine to see that it stays the same on all members, through
 * snapshots and restarts, whatever happens. Keeps nothing between calls, or a run could not be repeated.
 */
export interface SimulationWorkload<Machine extends FSM = FSM> {
  /** Makes the state machine of a node that starts. */
  createFsm(): Machine;
  /** The next command of a client. */
  command(random: SeededRandom): Uint8Array;
  /** The next query of a client; without it queries only look how new the state is. */
  query?(random: SeededRandom): WorkloadQuery<Machine>;
  /**
   * Looks at all calls when a run has ended and the outcome of each is known. Commands took effect once each, queries saw what was acknowledged
   * before them: that is checked already.
   *
   * @returns what is wrong, if something is
   */
  judge?(calls: readonly WorkloadCall[]): string | undefined;
}

/** Registers that are read, written and written if they hold what they did; judged by their linearizability. */
export class RegisterWorkload implements SimulationWorkload<RegisterMachine> {
  createFsm(): RegisterMachine {
    return new RegisterMachine();
  }

  command(random: SeededRandom): Uint8Array {
    const command: RegisterCommand = { key: random.pick(KEYS), value: `${random.below(VALUES)}` };
    const expected = random.chance(0.3) ? { expected: `${random.below(VALUES)}` } : {};
    return encoder.encode(JSON.stringify({ ...command, ...expected }));
  }

  query(random: SeededRandom): WorkloadQuery<RegisterMachine> {
    const key = random.pick(KEYS);
    return { input: key, run: (machine) => machine.get(key) };
  }

  judge(calls: readonly WorkloadCall[]): string | undefined {
    const histories = new Map<string, Operation<RegisterInput, string | null>[]>();
    for (const call of calls) {
      const { calledAt, output, returnedAt, revision } = call;
      const { key, input } = call.kind === "command" ? inputOf(call.input) : readOf(call.input);
      const history = histories.get(key) ?? [];
      histories.set(key, history);
      history.push({ input, output: output as string | null | undefined, calledAt, returnedAt, revision });
    }
    for (const [key, history] of histories) {
      const verdict = checkLinearizability(history, registerModel);
      if (verdict !== "linearizable") {
        return `expected the history of register ${key} to be linearizable, got ${verdict}`;
      }
    }
    return undefined;
  }
}

function inputOf(command: Uint8Array): { key: string; input: RegisterInput } {
  const { expected, key, value } = JSON.parse(decoder.decode(command)) as RegisterCommand;
  return { key, input: { kind: "write", value, expected } };
}

function readOf(key: unknown): { key: string; input: RegisterInput } {
  return { key: String(key), input: { kind: "read" } };
}

const KEYS = ["x", "y", "z"];
/** Few enough for conditions to hold now and then. */
const VALUES = 50;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
