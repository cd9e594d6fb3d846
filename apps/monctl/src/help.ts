import { Option } from "commander";

/** The section of examples that ends a command's help. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join("\n")}\n`;
}

/** `--watch[=interval]`. The program turns a bare `--watch` into the default interval, so no argument is swallowed. */
export function watchOption(): Option {
  return new Option(
    "--watch [interval]",
    `show again and again until Ctrl-C, every ${watchDefault} unless told`,
  );
}

/** The interval of a bare `--watch`. */
export const watchDefault = "2s";

/** Gathers an option that may be given several times. */
export function gather(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}
