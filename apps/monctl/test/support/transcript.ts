/** A command line of a transcript, and what it printed. */
interface Step {
  command: string;
  output: string;
}

/** Finds the ```console blocks of a Markdown text and splits them at their `$ ` lines. */
export function transcriptSteps(markdown: string): Step[] {
  return [...markdown.matchAll(/^```console\n(.*?)^```$/gms)].flatMap(([, block]) =>
    block!
      .split(/^\$ /m)
      .slice(1)
      .map((step) => {
        const end = step.indexOf("\n");
        return { command: step.slice(0, end), output: step.slice(end + 1) };
      }),
  );
}

/** Splits a command line into words at spaces, as a shell does; single quotes keep theirs. */
export function wordsOf(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
}
