import { parseArgs } from "node:util";
import { measureFloor } from "./floor.ts";
import { measureGrowth } from "./growth.ts";
import { measureThroughput } from "./throughput.ts";

// What the core and the driver cost, three members in this process: `npm run bench -- [throughput|floor|growth]`.
// Prints one line of JSON for each figure; `npm run bench:raft` at the root makes tables of them, beside other systems.

const { values, positionals } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    proposers: { type: "string", default: "1,64,256" },
    entries: { type: "string", default: "1000000" },
  },
  allowPositionals: true,
});
const seconds = Number(values.seconds);
const wanted = new Set(positionals.length === 0 ? ["throughput", "floor", "growth"] : positionals);

if (wanted.delete("floor")) print("floor", { perSecond: measureFloor(seconds) });
if (wanted.delete("throughput")) {
  for (const proposers of values.proposers.split(",").map(Number)) {
    print("throughput", await measureThroughput(proposers, seconds));
  }
}
if (wanted.delete("growth")) {
  for (const stage of await measureGrowth(Number(values.entries))) print("growth", stage);
}
if (wanted.size > 0) throw new RangeError(`expected throughput, floor or growth, got ${[...wanted].join()}`);

function print(kind: string, figures: object): void {
  console.log(JSON.stringify({ kind, ...figures }));
}
