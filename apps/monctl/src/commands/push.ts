import { createReadStream } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { Kind, type Report, ReportSchema } from "@mon/proto";
import { type Command, Option } from "commander";
import { Batcher, type PlacedReport } from "../batcher.ts";
import type { Broker } from "../broker.ts";
import { type Choose, type Context, commonFormats, showOnce } from "../context.ts";
import { MonctlError } from "../errors.ts";
import { examples, gather } from "../help.ts";
import { PushLedger } from "../push-ledger.ts";
import { type ReadReport, readReports } from "../report-reader.ts";
import { parseAssignment } from "../selector.ts";
import { parseInstant } from "../time.ts";

interface PushOptions {
  host?: string;
  label?: string[];
  kind?: "gauge" | "counter";
  time?: string;
  file?: string;
}

const kinds = { gauge: Kind.GAUGE, counter: Kind.COUNTER } as const;

/** Adds `push`: stores a few samples, or reports from a file. Exits 1 when anything was not stored. */
export function addPush(program: Command, choose: Choose): void {
  program
    .command("push")
    .summary("store samples")
    .description("Stores samples of a host, or reports from a file, and says how safe they are.")
    .argument("[samples...]", 'name=value or name{label="value"}=value')
    .option("--host <id>", "the host that the samples describe")
    .option("--label <name=value>", "a label of every sample; may be repeated", gather)
    .addOption(new Option("--kind <kind>", "how the values behave").choices(Object.keys(kinds)))
    .option("--time <when>", "when they were measured: RFC 3339, milliseconds or -5m (default: now)")
    .addOption(
      new Option("--file <path>", "reports as JSON or NDJSON; - for standard input").conflicts([
        "host",
        "label",
        "kind",
        "time",
      ]),
    )
    .addHelpText(
      "after",
      examples(
        "monctl push room_temperature_celsius=21.5 --host kitchen",
        "monctl push jobs_total=1042 jobs_failed_total=3 --host worker-1 --kind counter --label queue=mail",
        `monctl push 'room_temperature_celsius{sensor="window"}=18' --host kitchen --time -5m`,
        "monctl push --file reports.ndjson",
      ),
    )
    .action((samples: string[], options: PushOptions) =>
      choose(commonFormats, (context) => push(context, reportsGiven(context, samples, options))),
    );
}

async function push(context: Context, reports: AsyncIterable<ReadReport>): Promise<number> {
  const ledger = new PushLedger();
  try {
    await sendAll(context, reports, ledger);
  } catch (error) {
    if (ledger.samplesStored > 0)
      context.output.note(`${ledger.samplesStored} samples were stored before this failed`);
    throw error;
  }
  await showOnce(context, async () => ledger.view());
  return ledger.complete ? 0 : 1;
}

async function sendAll(
  context: Context,
  reports: AsyncIterable<ReadReport>,
  ledger: PushLedger,
): Promise<void> {
  const batcher = new Batcher();
  for await (const read of reports) {
    if ("report" in read) {
      const full = batcher.add(read);
      if (full !== undefined) await send(await context.broker(), full, ledger);
    } else {
      const { place, message } = read;
      ledger.addRejection({ place, host: "", name: "", reason: "unreadable", field: "", message });
    }
  }
  const rest = batcher.take();
  if (rest.length > 0) await send(await context.broker(), rest, ledger);
}

async function send(broker: Broker, batch: readonly PlacedReport[], ledger: PushLedger): Promise<void> {
  const { outcome } = await broker.monitor.push({ reports: batch.map(({ report }) => report) }, broker.call);
  if (outcome === undefined)
    throw new MonctlError("MONCTL_FAILURE", "expected an outcome from the broker, got none");
  ledger.addOutcome(
    outcome,
    batch.map(({ place }) => place),
  );
}

function reportsGiven(context: Context, samples: string[], options: PushOptions): AsyncIterable<ReadReport> {
  if (options.file !== undefined) {
    if (samples.length > 0) {
      throw new MonctlError(
        "MONCTL_USAGE",
        `expected samples or --file, got both "${samples[0]}" and --file`,
      );
    }
    return readReports(options.file === "-" ? context.stdin : createReadStream(options.file));
  }
  if (samples.length === 0) {
    throw new MonctlError("MONCTL_USAGE", "expected samples as name=value, or --file, got neither", {
      hint: "for example: monctl push room_temperature_celsius=21.5 --host kitchen",
    });
  }
  return one(reportFromSamples(samples, options, context.now()));
}

/**
 * Builds the report that the samples on a command line make.
 *
 * @throws {MonctlError} MONCTL_USAGE, naming what cannot be read
 */
export function reportFromSamples(samples: readonly string[], options: PushOptions, nowMs: number): Report {
  if (options.host === undefined) {
    throw new MonctlError("MONCTL_USAGE", "expected --host, got none", {
      hint: "name the host that the samples describe",
    });
  }
  const shared = (options.label ?? []).map(parseLabel);
  const kind = options.kind === undefined ? Kind.UNSPECIFIED : kinds[options.kind];
  return create(ReportSchema, {
    hostId: options.host,
    timestampMs: BigInt(parseInstant(options.time ?? "now", nowMs, "--time")),
    samples: samples.map((text) => {
      const { name, labels, value } = parseAssignment(text);
      return { name, value, labels: [...labels, ...shared], kind };
    }),
  });
}

function parseLabel(text: string): { name: string; value: string } {
  const split = text.indexOf("=");
  if (split > 0) return { name: text.slice(0, split), value: text.slice(split + 1) };
  throw new MonctlError("MONCTL_USAGE", `expected --label name=value, got "${text}"`);
}

async function* one(report: Report): AsyncGenerator<ReadReport> {
  yield { place: "report", report };
}
