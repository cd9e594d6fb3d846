import type { MessageInitShape } from "@bufbuild/protobuf";
import type { BackupProgress, RestoreRequestSchema } from "@mon/proto";
import { type BackupSummary, verifyBackup } from "@mon/store/backup";
import type { Command } from "commander";
import { assertAbsent, backupError, readPieces, sizeOf, writeWhole } from "../backup-file.ts";
import { backupView, restoreView } from "../backup-view.ts";
import { eachMessageWithin, sendWithin } from "../broker.ts";
import { type Choose, type Context, commonFormats, showOnce } from "../context.ts";
import { examples } from "../help.ts";
import { formatBytes } from "../units.ts";

/** Adds `backup create`, `backup verify` and `backup restore`. */
export function addBackup(program: Command, choose: Choose): void {
  const backup = program
    .command("backup")
    .summary("back a broker's store up to a file, check it, restore it")
    .description("Backs a broker's whole store up to a file, checks such a file, and restores it.")
    .addHelpText(
      "after",
      examples(
        "monctl backup create mon.backup",
        "monctl backup verify mon.backup",
        "monctl backup restore mon.backup --dry-run",
      ),
    );
  addCreate(backup, choose);
  addVerify(backup, choose);
  addRestore(backup, choose);
}

function addCreate(backup: Command, choose: Choose): void {
  backup
    .command("create")
    .summary("write a broker's store to a file")
    .description(
      "Writes a broker's whole store to a file, while the broker goes on. What was acknowledged before is in it. The " +
        "file stands only once it is whole, checked and synced. Exits 1 when the store could not be read in full; the " +
        "file then has what could be read.",
    )
    .argument("<file>", "where to write it")
    .option("--force", "replace the file when there is one")
    .addHelpText(
      "after",
      examples(
        "monctl backup create mon.backup",
        "monctl backup create /backups/mon-$(date +%F).backup --broker https://mon-1:7400 --ca ca.pem",
        "monctl backup create mon.backup --force --json | jq .fragments",
      ),
    )
    .action((file: string, options: { force?: boolean }) =>
      choose(commonFormats, (context) => create(context, file, options.force ?? false)),
    );
}

function addVerify(backup: Command, choose: Choose): void {
  backup
    .command("verify")
    .summary("check a backup, without a broker")
    .description(
      "Reads a backup to its end and says what it holds. Exits 1, and names the byte, when the file is no backup, is cut " +
        "short or has changed. Needs no broker.",
    )
    .argument("<file>", "the backup")
    .addHelpText(
      "after",
      examples("monctl backup verify mon.backup", "monctl backup verify mon.backup --json"),
    )
    .action((file: string) => choose(commonFormats, (context) => verify(context, file)));
}

function addRestore(backup: Command, choose: Choose): void {
  backup
    .command("restore")
    .summary("add what a backup holds to a broker's store")
    .description(
      "Checks a backup and adds what it holds to a broker's store, but for what is past the broker's retention. Nothing " +
        "that is stored is changed or removed, so it can be done again, also after a restore that was cut.",
    )
    .argument("<file>", "the backup")
    .option("--dry-run", "say what would be restored, and write nothing")
    .addHelpText(
      "after",
      examples(
        "monctl backup restore mon.backup --dry-run",
        "monctl backup restore mon.backup",
        "monctl backup restore mon.backup --broker https://mon-2:7400 --ca ca.pem",
      ),
    )
    .action((file: string, options: { dryRun?: boolean }) =>
      choose(commonFormats, (context) => restore(context, file, options.dryRun ?? false)),
    );
}

async function create(context: Context, file: string, force: boolean): Promise<number> {
  if (!force) await assertAbsent(file);
  const { settings, output, stop } = context;
  const broker = await context.broker();
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    const messages = eachMessageWithin(settings.timeoutMs, (silence) =>
      broker.admin.backup({}, { signal: AbortSignal.any([silence, stop]) }),
    );
    for await (const { chunk, progress } of messages) {
      if (progress !== undefined) output.progress(progressText(progress), context.now());
      yield chunk;
    }
  };
  const summary = await checked(context, file, () => writeWhole(file, pieces(), verifyBackup));
  await showOnce(context, async () => backupView(file, summary));
  return summary.partitionsDamaged === 0 ? 0 : 1;
}

async function verify(context: Context, file: string): Promise<number> {
  const summary = await readWhole(context, file, await sizeOf(file));
  return await showOnce(context, async () => backupView(file, summary));
}

async function restore(context: Context, file: string, dryRun: boolean): Promise<number> {
  const size = await sizeOf(file);
  // A damaged file is noticed before anything of it is stored.
  await readWhole(context, file, size);
  const broker = await context.broker();
  const { settings, output, stop } = context;
  const requests = async function* (): AsyncGenerator<MessageInitShape<typeof RestoreRequestSchema>> {
    for await (const chunk of withProgress(context, "sent", file, size)) yield { dryRun, chunk };
  };
  const answer = await sendWithin(settings.timeoutMs, requests(), (messages, silence) =>
    broker.admin.restore(messages, { signal: AbortSignal.any([silence, stop]) }),
  ).finally(() => output.endProgress());
  return await showOnce(context, async () => restoreView(file, dryRun, answer));
}

function readWhole(context: Context, file: string, size: number): Promise<BackupSummary> {
  return checked(context, file, () => verifyBackup(withProgress(context, "checked", file, size)));
}

/** Runs what reads or writes a backup, and says what is wrong with the backup by its file. */
async function checked<T>({ output }: Context, file: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw backupError(error, file);
  } finally {
    output.endProgress();
  }
}

async function* withProgress(
  { output, now, stop }: Context,
  done: string,
  file: string,
  size: number,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of readPieces(file)) {
    stop.throwIfAborted();
    bytes += piece.length;
    output.progress(`${done} ${formatBytes(bytes)} of ${formatBytes(size)}`, now());
    yield piece;
  }
}

function progressText({ bytes, partitions, fragments }: BackupProgress): string {
  return `written ${formatBytes(Number(bytes))}: ${fragments} reports in ${partitions} partitions`;
}
