import type { ConfChangeStep, ConfState, Entry, LogPosition, Message, Ready } from "../../src/index.ts";
import { Cluster, type Options, type TestNode, text } from "./cluster.ts";

/**
 * Plays a story: stanzas of commands, each with the output that they made. Returns the text with the output of now
 * in its place.
 *
 *     propose a x
 *     settle
 *     ----
 *     a: append 3/2 "x"
 *     …
 */
export function play(story: string): string {
  const player = new Player();
  return `${story
    .trim()
    .split(/\n{2,}/)
    .map((stanza) => {
      const commands = stanza.split("\n----")[0]!;
      const output: string[] = [];
      for (const line of commands.split("\n").filter((line) => !line.startsWith("#"))) {
        try {
          player.run(line.trim(), (shown) => output.push(shown));
        } catch (error) {
          output.push(`${(error as { code?: string }).code ?? "error"}: ${(error as Error).message}`);
        }
      }
      return output.length === 0 ? `${commands}` : `${commands}\n----\n${output.join("\n")}`;
    })
    .join("\n\n")}\n`;
}

class Player {
  #cluster = new Cluster([]);
  #show: (line: string) => void = () => {};

  run(line: string, show: (line: string) => void): void {
    this.#show = show;
    const [verb, ...words] = line.split(/\s+/);
    const node = (): TestNode => this.#cluster.get(words[0]!);
    switch (verb) {
      case "cluster":
        this.#begin(words);
        return;
      case "add":
        this.#watch(this.#cluster.addNode(words[0]!));
        return;
      case "campaign":
        node().raw.campaign();
        return;
      case "tick":
        for (let ticks = Number(words[1] ?? 1); ticks > 0; ticks--) {
          node().raw.tick();
        }
        return;
      case "propose":
        this.#cluster.propose(words[0]!, ...words.slice(1));
        return;
      case "change":
        this.#cluster.change(words[0]!, ...words.slice(1).map(stepFrom));
        return;
      case "transfer":
        node().raw.transferLeadership(words[1]!);
        return;
      case "read":
        node().raw.readIndex(Number(words[1]));
        return;
      case "snapshot":
        show(
          `${words[0]}: snapshot at ${node().takeSnapshot().index}, log after ${node().status.base.index}`,
        );
        return;
      case "restart":
        this.#cluster.restart(words[0]!);
        return;
      case "slow-disk":
        node().slowDisk = true;
        return;
      case "write":
        node().finishWrite();
        return;
      case "partition":
        this.#cluster.partition(
          ...words
            .join(" ")
            .split("|")
            .map((group) => group.trim().split(" ")),
        );
        return;
      case "heal":
        this.#cluster.heal();
        return;
      case "process":
        this.#cluster.process();
        return;
      case "deliver":
        this.#deliver();
        return;
      case "settle":
        while (this.#cluster.process() || this.#cluster.network.length > 0) {
          this.#deliver();
        }
        return;
      case "status":
        for (const { id, status } of this.#cluster.nodes.values()) {
          show(
            `${id}: ${status.role} term ${status.term} leader ${status.leaderId ?? "-"} ` +
              `last ${at(status.last)} committed ${status.committed} applied ${status.applied} ${confText(status.conf)}`,
          );
        }
        return;
      case "progress":
        for (const each of node().status.progress) {
          show(
            `${each.id}: ${each.state} match ${each.match} next ${each.next} inflight ${each.inflightMessages}` +
              `${each.paused ? " paused" : ""}`,
          );
        }
        return;
      default:
        throw new Error(`unknown command ${line}`);
    }
  }

  #begin(words: readonly string[]): void {
    const options = Object.fromEntries(
      words
        .filter((word) => word.includes("="))
        .map((word) => {
          const [name, value] = word.split("=");
          return [name, value === "false" ? false : Number(value)];
        }),
    );
    this.#cluster = new Cluster(
      words.filter((word) => !word.includes("=")),
      options as Options,
    );
    for (const node of this.#cluster.nodes.values()) {
      this.#watch(node);
    }
  }

  #watch(node: TestNode): void {
    node.onReady = (ready) => {
      for (const line of readyText(ready)) {
        this.#show(`${node.id}: ${line}`);
      }
    };
  }

  #deliver(): void {
    const messages = this.#cluster.network;
    this.#cluster.network = [];
    for (const message of messages) {
      const passes = this.#cluster.passes(message);
      this.#show(`${passes ? "" : "lost "}${messageText(message)}`);
      this.#cluster.deliverOne(message);
    }
  }
}

function stepFrom(word: string): [ConfChangeStep["kind"], string] {
  const kinds = { "+": "addVoter", "~": "addLearner", "-": "remove" } as const;
  return [kinds[word[0] as keyof typeof kinds], word.slice(1)];
}

function at({ index, term }: LogPosition): string {
  return `${index}/${term}`;
}

function confText(conf: ConfState): string {
  const lists = [conf.voters.join(" ")];
  if (conf.votersOutgoing.length > 0) {
    lists.push(`outgoing ${conf.votersOutgoing.join(" ")}`);
  }
  if (conf.learners.length > 0) {
    lists.push(`learners ${conf.learners.join(" ")}`);
  }
  if (conf.learnersNext.length > 0) {
    lists.push(`to learn ${conf.learnersNext.join(" ")}`);
  }
  return `(${lists.join(", ")})`;
}

function entryText(entry: Entry): string {
  switch (entry.type) {
    case "noop":
      return `${at(entry)} noop`;
    case "config":
      return `${at(entry)} config`;
    default:
      return `${at(entry)} "${text(entry.data)}"`;
  }
}

function* readyText({ softState, append, apply, readStates }: Ready): Generator<string> {
  if (softState !== undefined) {
    yield `${softState.role}, term ${softState.term}, leader ${softState.leaderId ?? "-"}`;
  }
  if (append !== undefined) {
    const { hardState, reset, entries } = append;
    const parts = [
      `term ${hardState.term}`,
      `vote ${hardState.votedFor ?? "-"}`,
      `commit ${hardState.commit}`,
    ];
    if (reset !== undefined) {
      parts.push(`reset to ${at(reset)}`);
    }
    yield `write ${[...parts, ...entries.map(entryText)].join(", ")}`;
  }
  if (apply !== undefined) {
    yield apply.snapshot === undefined
      ? `apply ${apply.entries.map(entryText).join(", ")}`
      : `restore ${apply.index}`;
  }
  for (const { requestId, index } of readStates) {
    yield `read ${requestId} at ${index}`;
  }
}

function messageText(message: Message): string {
  const head = `${message.from}->${message.to} ${message.type} t${message.term}`;
  switch (message.type) {
    case "append": {
      const entries = message.entries.length === 0 ? "" : ` [${message.entries.map(entryText).join(", ")}]`;
      return `${head} after ${message.prevIndex}/${message.prevTerm}${entries} commit ${message.commit}`;
    }
    case "appendResponse":
      return `${head} ${message.hint === undefined ? "has" : "lacks"} ${message.index}${
        message.hint === undefined ? "" : ` hint ${at(message.hint)}`
      }`;
    case "heartbeat":
      return `${head} commit ${at(message.commit)}${message.readSequence > 0 ? ` read ${message.readSequence}` : ""}`;
    case "heartbeatResponse":
      return `${head}${message.readSequence > 0 ? ` read ${message.readSequence}` : ""}`;
    case "vote":
    case "preVote":
      return `${head} last ${message.lastIndex}/${message.lastTerm}${message.transfer ? " transfer" : ""}`;
    case "voteResponse":
    case "preVoteResponse":
      return `${head} ${message.granted ? "granted" : "refused"}`;
    case "snapshot":
      return `${head} at ${at(message.snapshot)}`;
    default:
      return head;
  }
}
