import { fileURLToPath } from "node:url";
import { Child } from "./child.ts";
import type { LoadJob, LoadOutcome } from "./job.ts";

type Answer = { readonly result: LoadOutcome } | { readonly error: string };

const script = fileURLToPath(new URL("./load-client.ts", import.meta.url));

/** The client, in a process of its own. */
export class LoadProcess implements AsyncDisposable {
  readonly #child = new Child("the load client", script);

  /** Runs a job; one at a time. @throws what went wrong in the client, or that it ended */
  async run(job: LoadJob): Promise<LoadOutcome> {
    const answered = this.#child.message<Answer>();
    this.#child.process.send(job);
    const answer = await answered;
    if ("error" in answer) throw new Error(answer.error);
    return answer.result;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#child[Symbol.asyncDispose]();
  }
}
