import { Agent, request } from "node:http";
import type { ReportTemplate } from "./corpus.ts";
import { InfluxBatch, InfluxTemplate } from "./influx-batch.ts";
import type { LoadJob } from "./job.ts";
import type { Lane, Lanes, Settled, Slot } from "./lane.ts";

const writePath = "/write?precision=ms";
/** What a server answers that has taken all lines. */
const noContent = 204;

interface InfluxSlot extends Slot {
  readonly batch: InfluxBatch;
}

/** One HTTP/1.1 connection that is kept alive, with one request at a time. */
class InfluxLane implements Lane {
  readonly slots: readonly [InfluxSlot];
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #settled: Settled;
  readonly #failed: (reason: Error) => void;

  constructor(port: number, batch: InfluxBatch, settled: Settled, failed: (reason: Error) => void) {
    this.slots = [{ lane: this, batch, dueAtMs: 0 }];
    this.#port = port;
    this.#settled = settled;
    this.#failed = failed;
  }

  cork(): void {}

  uncork(): void {}

  send(): void {
    const [slot] = this.slots;
    const body = slot.batch.bytes;
    const headers = { "content-length": body.length };
    request(
      { host: "127.0.0.1", port: this.#port, method: "POST", path: writePath, agent: this.#agent, headers },
      (response) => {
        response.on("error", this.#failed);
        response.on("end", () => this.#settled(slot, response.statusCode === noContent));
        response.resume();
      },
    )
      .on("error", this.#failed)
      .end(body);
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** The connections of a load that sends Influx lines. */
export class InfluxLanes implements Lanes {
  readonly lanes: readonly InfluxLane[];
  readonly failure: Promise<never>;

  /** @throws {RangeError} when the job has more than one stream a connection, or more than one batch a stream */
  constructor(job: LoadJob, template: ReportTemplate, settled: Settled) {
    const { connections, streams, window } = job.shape;
    if (streams !== 1 || window !== 1)
      throw new RangeError(`expected one request at a time on a connection, got ${streams} × ${window}`);
    const { promise, reject } = Promise.withResolvers<never>();
    // Whoever waits for the load hears of it; nobody may be waiting just now.
    promise.catch(() => {});
    this.failure = promise;
    const lines = new InfluxTemplate(template);
    this.lanes = Array.from({ length: connections }, (_, index) => {
      const batch = new InfluxBatch(lines, job.reports, index + 1);
      return new InfluxLane(job.port, batch, settled, reject);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const lane of this.lanes) lane.close();
  }
}
