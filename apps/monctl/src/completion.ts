import type { Command, Option } from "commander";

/** The shells that completions exist for. */
export const shells: readonly string[] = ["bash", "zsh", "fish"];

interface Flag {
  long: string;
  description: string;
  takesValue: boolean;
  choices: readonly string[];
}

interface Node {
  name: string;
  summary: string;
  flags: readonly Flag[];
  /** Names of the commands below it. */
  subcommands: readonly string[];
}

/** Writes a script that completes commands, options and their fixed values, made from the tree of commands itself. */
export function completionScript(program: Command, shell: string): string {
  const shared = flagsOf(program.options);
  const nodes = program.commands.map((command) => ({
    name: command.name(),
    summary: command.summary(),
    flags: flagsOf([command, ...command.commands].flatMap(({ options }) => options)),
    subcommands: command.commands.map((below) => below.name()),
  }));
  if (shell === "fish") return fishScript(nodes, shared);
  return shell === "zsh" ? zshScript(nodes, shared) : bashScript(nodes, shared);
}

function flagsOf(options: readonly Option[]): Flag[] {
  return options.map((option) => ({
    long: option.long!,
    description: option.description,
    takesValue: option.required,
    choices: option.long === "--output" ? ["table", "json", "jsonl", "csv"] : (option.argChoices ?? []),
  }));
}

function bashScript(nodes: readonly Node[], shared: readonly Flag[]): string {
  const choices = choiceCases(nodes, shared, (flag, words) => `    ${flag}) words="${words}" ;;`);
  return `_monctl() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= word words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in ${namesOf(nodes).join("|")}) command=$word; break ;; esac
  done
  case $command in
${wordCases(nodes, shared, (name, words) => `    ${name}) words="${words}" ;;`)}
  esac
  case $prev in
${choices}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _monctl monctl
`;
}

function zshScript(nodes: readonly Node[], shared: readonly Flag[]): string {
  const choices = choiceCases(nodes, shared, (flag, words) => `    (${flag}) compadd -- ${words}; return ;;`);
  return `#compdef monctl
_monctl() {
  local command word
  for word in \${words[2,CURRENT-1]}; do
    case $word in (${namesOf(nodes).join("|")}) command=$word; break ;; esac
  done
  case \${words[CURRENT-1]} in
${choices}
  esac
  case $command in
${wordCases(nodes, shared, (name, words) => `    (${name}) compadd -- ${words} ;;`)}
  esac
}
compdef _monctl monctl
`;
}

function fishScript(nodes: readonly Node[], shared: readonly Flag[]): string {
  const lines = ["complete -c monctl -f"];
  for (const flag of shared) lines.push(`complete -c monctl ${fishFlag(flag)}`);
  for (const { name, summary, flags, subcommands } of nodes) {
    lines.push(`complete -c monctl -n __fish_use_subcommand -a ${name} -d ${shellQuote(summary)}`);
    if (subcommands.length > 0)
      lines.push(`complete -c monctl -n '__fish_seen_subcommand_from ${name}' -a '${subcommands.join(" ")}'`);
    for (const flag of flags) {
      lines.push(`complete -c monctl -n '__fish_seen_subcommand_from ${name}' ${fishFlag(flag)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function fishFlag({ long, description, takesValue, choices }: Flag): string {
  const value = choices.length > 0 ? ` -x -a '${choices.join(" ")}'` : takesValue ? " -r" : "";
  return `-l ${long.slice(2)}${value} -d ${shellQuote(description)}`;
}

/** One case for each command, and one for none yet. */
function wordCases(
  nodes: readonly Node[],
  shared: readonly Flag[],
  write: (name: string, words: string) => string,
): string {
  const none = write('""', [...namesOf(nodes), ...longs(shared)].join(" "));
  const some = nodes.map(({ name, flags, subcommands }) =>
    write(name, [...subcommands, ...longs(flags), ...longs(shared)].join(" ")),
  );
  return [none, ...some].join("\n");
}

/** One case for each option with fixed values. */
function choiceCases(
  nodes: readonly Node[],
  shared: readonly Flag[],
  write: (flag: string, words: string) => string,
): string {
  const flags = [...shared, ...nodes.flatMap((node) => node.flags)].filter(
    ({ choices }) => choices.length > 0,
  );
  return flags.map(({ long, choices }) => write(long, choices.join(" "))).join("\n");
}

function namesOf(nodes: readonly Node[]): string[] {
  return nodes.map(({ name }) => name);
}

function longs(flags: readonly Flag[]): string[] {
  return flags.map(({ long }) => long);
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
