import { Argument, type Command } from "commander";
import { completionScript, shells } from "../completion.ts";
import { type Choose, commonFormats, showOnce } from "../context.ts";
import { examples } from "../help.ts";
import type { View } from "../view.ts";

/** Adds `completion`: a script for the user's shell. */
export function addCompletion(program: Command, choose: Choose): void {
  program
    .command("completion")
    .summary("a completion script for a shell")
    .description("Prints a script that makes a shell complete commands, options and their values.")
    .addArgument(new Argument("<shell>", "which shell").choices(shells))
    .addHelpText(
      "after",
      examples(
        "source <(monctl completion bash)",
        "source <(monctl completion zsh)",
        "monctl completion fish > ~/.config/fish/completions/monctl.fish",
      ),
    )
    .action((shell: string) =>
      choose(commonFormats, (context) =>
        showOnce(context, async () => scriptView(shell, completionScript(program, shell))),
      ),
    );
}

function scriptView(shell: string, script: string): View {
  const document = { shell, script };
  return { document, rows: [document], ids: [shell], notes: [], table: () => script };
}
