import { parseArgs } from "node:util";
import { type CorpusName, corpusNames } from "./corpus.ts";

/** What a run of the benchmark does. */
export interface BenchOptions {
  readonly corpus: CorpusName;
  /** Cases, `batch-100/broker` and the like, that take part. */
  readonly only: RegExp;
  /** How long each measurement takes, in seconds. */
  readonly seconds: number;
  /** How long a server is under load before it is measured, in seconds: a cold broker takes one to reach its rate. */
  readonly warmSeconds: number;
  /** How long each shape of load is tried, in search of the one that gets most, in seconds. */
  readonly trialSeconds: number;
  readonly rounds: number;
  /** Hosts that the case `loop` has a week of data of. */
  readonly weekHosts: number;
  readonly profile: boolean;
  /** Where the figures go as JSON. */
  readonly json: string | undefined;
  /** Whether the result goes to `docs/benchmarks/end-to-end.md`. */
  readonly write: boolean;
}

export const help = `Measures reports from end to end on this machine: the broker beside bare servers and VictoriaMetrics, in one run.

usage: npm run bench -- [options]

  --corpus <name>   what a report holds: compact (545 bytes, default) or agent (as the reference agent reports)
  --only <regexp>   cases to run, by name:
                      batch-<1|100>/<broker|connect|grpc-js|raw-http2>   rate, processor time, latency
                      batch-100/victoria-metrics                         likewise; needs Debian's victoria-metrics
                      memory                                             of the broker, 10,000 hosts
                      loop                                               delay of the broker's main loop, with a week of
                                                                         20 hosts in it, while it packs and answers
  --seconds <n>     length of each measurement (default 5)
  --rounds <n>      rounds over all servers, of which the medians count (default 5)
  --quick           a look at whether all works: 1 round of 1 s, a week of 2 hosts; no figures to keep
  --profile         profiles the broker instead: where its time goes, by package and function
  --json <file>     writes all figures to a file
  --write           writes the result of a whole run to docs/benchmarks/end-to-end.md
  --help            shows this

The temporary directory (TMPDIR) holds the servers' data, up to some GB in the case loop; on a tmpfs an fsync costs nothing.

examples:
  npm run bench                                            all of it, about 20 minutes
  npm run bench -- --quick                                 about 3 minutes
  npm run bench -- --only 'batch-100/(broker|connect)'     two servers, one size of batch
  npm run bench -- --only batch-100/                       all servers, VictoriaMetrics among them
  npm run bench -- --only 'batch|memory' --rounds 3        all but the case loop
  npm run bench -- --only loop                             only that, about 4 minutes
  npm run bench -- --rounds 9 --json bench.json --write    for the record
  npm run bench -- --profile --only batch-100/ --seconds 10`;

/** A mistake on the command line: its message is all that the user needs. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** @returns undefined when help is asked for. @throws {UsageError} naming what is wrong */
export function readOptions(argv: readonly string[]): BenchOptions | undefined {
  const values = parse(argv);
  if (values.help === true) return undefined;
  const quick = values.quick === true;
  if (values.write === true && (quick || values.only !== undefined || values.profile === true))
    throw new UsageError("--write: expected a whole run, without --quick, --only or --profile");
  const corpus = corpusNames.find((name) => name === (values.corpus ?? "compact"));
  if (corpus === undefined)
    throw new UsageError(`--corpus: expected ${corpusNames.join(" or ")}, got ${values.corpus}`);
  return {
    corpus,
    only: pattern(values.only ?? ""),
    seconds: number("--seconds", values.seconds, quick ? 1 : 5, 0.1),
    warmSeconds: quick ? 1.5 : 3,
    trialSeconds: quick ? 0.25 : 1,
    rounds: Math.floor(number("--rounds", values.rounds, quick ? 1 : 5, 1)),
    weekHosts: quick ? 2 : 20,
    profile: values.profile === true,
    json: values.json,
    write: values.write === true,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        corpus: { type: "string" },
        only: { type: "string" },
        seconds: { type: "string" },
        rounds: { type: "string" },
        quick: { type: "boolean" },
        profile: { type: "boolean" },
        json: { type: "string" },
        write: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function number(name: string, value: string | undefined, otherwise: number, min: number): number {
  if (value === undefined) return otherwise;
  const parsed = Number(value);
  if (value.trim() !== "" && Number.isFinite(parsed) && parsed >= min) return parsed;
  throw new UsageError(`${name}: expected a number of at least ${min}, got ${JSON.stringify(value)}`);
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new UsageError(`--only: ${error instanceof Error ? error.message : String(error)}`);
  }
}
