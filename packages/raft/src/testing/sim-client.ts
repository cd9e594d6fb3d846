import { RaftError } from "../errors.ts";
import type { FSM } from "../fsm.ts";
import { ClientSession, type SessionResult } from "../node/sessions.ts";
import type { Referee } from "./referee/referee.ts";
import { hold } from "./referee/violation.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimHost } from "./sim-host.ts";
import type { VirtualLoop } from "./virtual-loop.ts";
import type { SimulationWorkload, WorkloadCall, WorkloadQuery } from "./workload.ts";

/** What a {@link SimClient} works with. */
export interface SimClientDeps {
  readonly loop: VirtualLoop;
  readonly random: SeededRandom;
  readonly referee: Referee;
  readonly hosts: readonly SimHost[];
  readonly workload: SimulationWorkload<FSM>;
  readonly thinkMsMean: number;
  readonly queryRate: number;
}

/** What a client waits for. */
type Call =
  | {
      readonly kind: "command";
      readonly input: Uint8Array;
      readonly bytes: Uint8Array;
      readonly calledAt: number;
    }
  | { readonly kind: "query"; readonly query: WorkloadQuery<FSM>; readonly calledAt: number };

/**
 * A client that does one thing after another, on any node, and repeats each until it knows what came of it: commands
 * in a session, so that repeating is safe.
 */
export class SimClient {
  /** What it called and was told, in order. */
  readonly calls: WorkloadCall[] = [];
  readonly #deps: SimClientDeps;
  readonly #session: ClientSession;
  #serial = 0;
  #call: Call | undefined;
  /** Counts attempts; an answer to an older one comes too late. */
  #attempt = 0;
  #stopped = false;

  constructor(id: string, deps: SimClientDeps) {
    this.#deps = deps;
    this.#session = new ClientSession(id);
  }

  /** Whether it waits for an answer. */
  get busy(): boolean {
    return this.#call !== undefined;
  }

  /** Begins to work. */
  start(): void {
    this.#think();
  }

  /** Begins nothing new, but goes on until it knows what came of what it does. */
  finish(): void {
    this.#stopped = true;
  }

  #think(): void {
    const { loop, random, thinkMsMean } = this.#deps;
    loop.schedule(random.exponential(thinkMsMean), () => {
      if (!this.#stopped) {
        this.#call = this.#next();
        this.#try();
      }
    });
  }

  #next(): Call {
    const { loop, queryRate, random, workload } = this.#deps;
    const calledAt = loop.now;
    if (random.chance(queryRate)) {
      const query = workload.query?.(random) ?? { input: undefined, run: () => undefined };
      return { kind: "query", query, calledAt };
    }
    const input = workload.command(random);
    this.#serial++;
    return { kind: "command", input, bytes: this.#session.command(input), calledAt };
  }

  #try(): void {
    const { hosts, loop, random } = this.#deps;
    const call = this.#call!;
    const attempt = ++this.#attempt;
    const again = (): void => {
      if (attempt === this.#attempt) {
        this.#try();
      }
    };
    const running = hosts.filter(({ node }) => node !== undefined);
    if (running.length === 0) {
      loop.schedule(RETRY_MS, again);
      return;
    }
    loop.schedule(ATTEMPT_TIMEOUT_MS, again);
    const host = random.pick(running);
    const failed = (error: unknown): void => {
      if (attempt === this.#attempt && error instanceof RaftError) {
        loop.schedule(random.exponential(RETRY_MS), again);
      }
    };
    host.call((node) => {
      if (attempt !== this.#attempt) {
        return;
      }
      if (call.kind === "query") {
        this.#ask(call.query, host, attempt).catch(failed);
      } else {
        node.propose(call.bytes).then((applied) => {
          this.#deps.referee.answered(applied);
          if (attempt === this.#attempt) {
            this.#told(call, applied.result);
          }
        }, failed);
      }
    });
  }

  async #ask(query: WorkloadQuery<FSM>, host: SimHost, attempt: number): Promise<void> {
    const { loop, referee } = this.#deps;
    const floor = referee.acknowledged;
    const calledAt = loop.now;
    const { output, revision } = await host.node!.read(() => {
      const { machine, revision } = host.state;
      return { output: query.run(machine), revision };
    });
    referee.wasRead(floor, revision);
    if (attempt === this.#attempt) {
      const { input } = query;
      this.#done({
        kind: "query",
        input,
        output,
        calledAt,
        returnedAt: loop.now,
        revision: revision + 0.5,
      });
    }
  }

  #told(call: Call & { kind: "command" }, result: SessionResult<unknown>): void {
    const { loop, referee } = this.#deps;
    const request = requestName(this.#session.clientId, this.#serial);
    const returnedAt = loop.now;
    referee.later(() => {
      hold(
        result.kind === "applied",
        "each request once",
        () => `expected ${request} to be applied, got ${result.kind}`,
      );
    });
    if (result.kind === "applied") {
      const { calledAt, input } = call;
      const output = result.result;
      // The books know where it took effect only at the end of this step.
      referee.later(() => {
        const revision = referee.machines.indexOf(request);
        this.calls.push({ kind: "command", input, output, calledAt, returnedAt, revision });
      });
    }
    this.#done(undefined);
  }

  #done(call: WorkloadCall | undefined): void {
    if (call !== undefined) {
      this.calls.push(call);
    }
    this.#attempt++;
    this.#call = undefined;
    this.#think();
  }
}

/** Names a command of a session. */
export function requestName(clientId: string, serial: number): string {
  return `${clientId}/${serial}`;
}

const RETRY_MS = 100;
const ATTEMPT_TIMEOUT_MS = 5000;
