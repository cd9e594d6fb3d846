import { type ConfState, isJoint, sameConf } from "../../conf-state.ts";
import type { Status } from "../../core/status.ts";
import type { Entry, LogIndex, LogPosition, NodeId, Term } from "../../entry.ts";
import { initialHardState } from "../../hard-state.ts";
import type { LogBatch } from "../../log-store.ts";
import type { LogImage } from "../../memory/log-image.ts";
import type { AppendResponse, Message } from "../../message.ts";
import type { SnapshotPoint } from "../../snapshot.ts";
import { CommitBook } from "./commit-book.ts";
import { ElectionBook } from "./election-book.ts";
import { EntryBook, isSame, termIn } from "./entry-book.ts";
import { MachineBook } from "./machine-book.ts";
import { hold, violate } from "./violation.ts";

/** What a node must keep to. */
export interface RefereeLimits {
  readonly maxInflightMessages: number;
  readonly maxUncommittedBytes: number;
  readonly maxEntryBytes: number;
  readonly maxPendingReads: number;
}

/** A node as the referee knows it. */
interface View {
  readonly id: NodeId;
  /** Counts the disks it had. */
  life: number;
  /** What is durable. */
  image: LogImage;
  /** What was durable on disks that are lost; what they vouched for still counts as vouched for. */
  readonly lost: LogImage[];
  /** Of the present run. */
  term: Term;
  committed: LogIndex;
  applied: LogIndex;
  leads: boolean;
  conf: ConfState | undefined;
  /** The membership that was compared with its entry. */
  ruledConf: ConfState | undefined;
}

/**
 * Watches a cluster from outside: what its nodes write, send, apply and answer, and what they say of themselves.
 * Knows what is durable, and checks after each step what that step may have broken; the cost does not grow with the
 * length of the logs or the number of nodes.
 */
export class Referee {
  readonly elections: ElectionBook = new ElectionBook();
  readonly entries: EntryBook = new EntryBook();
  readonly commits: CommitBook = new CommitBook(this.entries);
  readonly machines: MachineBook = new MachineBook();
  readonly #limits: RefereeLimits;
  readonly #views = new Map<NodeId, View>();
  /** What happened in the present step. */
  #batches: { readonly id: NodeId; readonly batch: LogBatch }[] = [];
  #messages: { readonly id: NodeId; readonly messages: readonly Message[] }[] = [];
  #checks: (() => void)[] = [];
  #acknowledged: LogIndex = 0;

  /** @param bootstrap - what the logs of the first members begin with */
  constructor(bootstrap: LogBatch, limits: RefereeLimits) {
    this.#limits = limits;
    for (const entry of bootstrap.entries) {
      this.entries.record(entry, 0).ruled = true;
      this.commits.commit(entry.index, entry.term);
    }
  }

  /** The newest index that a caller was told of: what begins now must see it. */
  get acknowledged(): LogIndex {
    return this.#acknowledged;
  }

  /**
   * A node begins a run.
   *
   * @param life - counts its disks
   * @param image - what is durable on the present one
   */
  booted(id: NodeId, life: number, image: LogImage): void {
    const before = this.#views.get(id);
    const lost = before?.lost ?? [];
    if (before !== undefined && before.life !== life) {
      lost.push(before.image);
    }
    this.#views.set(id, {
      id,
      life,
      image,
      lost,
      term: 0,
      committed: 0,
      applied: 0,
      leads: false,
      conf: undefined,
      ruledConf: undefined,
    });
  }

  /** A node gave a batch to its log. */
  appending(id: NodeId, batch: LogBatch): void {
    this.#batches.push({ id, batch });
  }

  /** Messages left a node. */
  sent(id: NodeId, messages: readonly Message[]): void {
    this.#messages.push({ id, messages });
  }

  /** Runs a check at the end of the step. */
  later(check: () => void): void {
    this.#checks.push(check);
  }

  /** A caller was told that a proposal was applied. */
  answered({ index, term }: LogPosition): void {
    this.later(() => {
      hold(
        this.commits.term(index) === term,
        "acknowledged is committed",
        () => `expected entry ${index}/${term} to be committed when it is acknowledged`,
      );
      this.#acknowledged = Math.max(this.#acknowledged, index);
    });
  }

  /**
   * A read returned.
   *
   * @param floor - {@link acknowledged} when it was asked for
   * @param revision - the last command that the state machine had applied
   */
  wasRead(floor: LogIndex, revision: LogIndex): void {
    this.later(() => {
      hold(
        revision >= floor,
        "reads are linearizable",
        () => `expected a read to see entry ${floor}, got a state of ${revision}`,
      );
      this.#acknowledged = Math.max(this.#acknowledged, revision);
    });
  }

  /** A snapshot was taken or is being sent. */
  snapshotSeen(point: SnapshotPoint): void {
    hold(
      this.commits.term(point.index) === point.term,
      "a snapshot is its log",
      () => `expected a snapshot of a committed entry, got ${point.index}/${point.term}`,
    );
    const conf = this.commits.confAt(point.index)?.conf;
    hold(
      conf !== undefined && sameConf(conf, point.conf),
      "a snapshot is its log",
      () =>
        `expected the membership as of ${point.index}, ${JSON.stringify(conf)}, got ${JSON.stringify(point.conf)}`,
    );
  }

  /**
   * Checks what a step did.
   *
   * @param status - of the node whose code ran; undefined when it does not run or was nobody's
   */
  afterStep(status: Status | undefined): void {
    const batches = this.#batches;
    const sent = this.#messages;
    const checks = this.#checks;
    for (const { id, batch } of batches) {
      this.#recordBatch(this.#views.get(id)!, batch);
    }
    for (const { messages } of sent) {
      this.#recordEntries(messages);
    }
    if (status !== undefined) {
      this.#checkStatus(this.#views.get(status.id)!, status);
    }
    if (batches.length > 0) {
      this.#batches = [];
      for (const { id, batch } of batches) {
        this.#checkBatch(this.#views.get(id)!, batch);
      }
    }
    if (sent.length > 0) {
      this.#messages = [];
      for (const { id, messages } of sent) {
        const view = this.#views.get(id)!;
        for (const message of messages) {
          this.#checkMessage(view, message);
        }
      }
    }
    if (checks.length > 0) {
      this.#checks = [];
      for (const check of checks) {
        check();
      }
    }
  }

  /**
   * Looks at every entry that is durable anywhere, and not only at what changed: whether it is one that is known, and
   * what is committed where a node knows of a commit. O(nodes × entries): for every 64th step or so.
   */
  sweep(): void {
    for (const { id, image } of this.#views.values()) {
      const commit = image.hardState?.commit ?? 0;
      for (const entry of image.entries) {
        const fact = this.entries.find(entry.index, entry.term);
        if (fact === undefined || (fact.entry !== entry && !isSame(fact.entry, entry))) {
          violate("log matching", `expected ${id} to hold a known entry at ${entry.index}/${entry.term}`);
        }
        if (entry.index <= commit && entry.term !== this.commits.term(entry.index)) {
          violate(
            "state machine safety",
            `expected ${id} to hold ${entry.index}/${this.commits.term(entry.index)}, got ${entry.term}`,
          );
        }
      }
    }
  }

  // ── Writes ────────────────────────────────────────────────────────────────────────────────────────────────────

  #recordBatch({ image }: View, { entries, reset }: LogBatch): void {
    let prevTerm: Term | undefined;
    if (entries.length > 0) {
      prevTerm = reset === undefined ? termIn(image, entries[0]!.index - 1) : reset.term;
    }
    for (const entry of entries) {
      this.entries.record(entry, prevTerm);
      prevTerm = entry.term;
    }
  }

  #recordEntries(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.type !== "append") {
        continue;
      }
      let { prevTerm } = message;
      for (const entry of message.entries) {
        this.entries.record(entry, prevTerm);
        prevTerm = entry.term;
      }
    }
  }

  #checkBatch(view: View, batch: LogBatch): void {
    const { id, image } = view;
    const before = image.hardState ?? initialHardState;
    const { commit, term, votedFor } = batch.hardState;
    hold(
      term > before.term ||
        (term === before.term && (before.votedFor === undefined || votedFor === before.votedFor)),
      "term, vote and commit never go back",
      () => `expected ${id} to keep ${before.term}/${before.votedFor}, got ${term}/${votedFor}`,
    );
    hold(
      commit >= before.commit && commit <= this.commits.last,
      "term, vote and commit never go back",
      () =>
        `expected ${id} to write a commit index from ${before.commit} to ${this.commits.last}, got ${commit}`,
    );
    this.#checkOverwritten(view, batch);
    for (const entry of batch.entries) {
      if (entry.type === "config") {
        this.#checkChange(view, batch, entry);
      }
    }
  }

  /** What is committed and durable on a node must stay there, and a leader overwrites nothing. */
  #checkOverwritten({ id, image }: View, { entries, hardState, reset }: LogBatch): void {
    const from = reset?.index ?? entries[0]?.index ?? image.lastIndex + 1;
    hold(
      this.elections.leader(hardState.term) !== id || (reset === undefined && from > image.lastIndex),
      "leaders only append",
      () => `expected leader ${id} of term ${hardState.term} to append after ${image.lastIndex}, got ${from}`,
    );
    if (reset !== undefined) {
      hold(
        this.commits.term(reset.index) === reset.term,
        "a snapshot is its log",
        () => `expected ${id} to reset its log to a committed entry, got ${reset.index}/${reset.term}`,
      );
    }
    const last = Math.min(image.lastIndex, this.commits.last);
    for (let index = Math.max(from, image.base.index + 1); index <= last; index++) {
      const committed = this.commits.term(index);
      if (termIn(image, index) !== committed) {
        continue;
      }
      const first = entries[0]?.index ?? index + 1;
      const now = reset !== undefined && index <= reset.index ? committed : entries[index - first]?.term;
      hold(
        now === committed,
        "state machine safety",
        () => `expected ${id} to keep committed entry ${index}/${committed}, got ${now}`,
      );
    }
  }

  /**
   * Two memberships in a row share a quorum, and the first is committed before the second is appended (§6), by a leader
   * that committed an entry of its own term (the bug of 2015 in the thesis).
   */
  #checkChange({ id, image }: View, batch: LogBatch, entry: Entry): void {
    const fact = this.entries.record(entry, undefined);
    if (fact.ruled) {
      return;
    }
    fact.ruled = true;
    hold(
      this.commits.hasCommitted(entry.term),
      "one change of membership at a time",
      () =>
        `expected the leader of term ${entry.term} to commit an entry of its term before it changes the ` +
        `membership at ${entry.index}`,
    );
    const before =
      findConfig(batch.entries, entry.index) ??
      (batch.reset === undefined ? findConfig(image.entries, batch.entries[0]!.index) : undefined);
    const previous =
      before === undefined
        ? this.commits.confAt(batch.reset?.index ?? image.base.index)
        : { index: before.index, conf: this.entries.record(before, undefined).conf! };
    if (previous === undefined) {
      return;
    }
    hold(
      previous.index <= this.commits.last,
      "one change of membership at a time",
      () =>
        `expected ${previous.index} to be committed before ${id} changes the membership at ${entry.index}`,
    );
    hold(
      follows(previous.conf, fact.conf!),
      "one change of membership at a time",
      () => `expected a membership after ${JSON.stringify(previous.conf)}, got ${JSON.stringify(fact.conf)}`,
    );
  }

  // ── What a node says of itself ────────────────────────────────────────────────────────────────────────────────

  #checkStatus(view: View, status: Status): void {
    const { applied, committed, conf, role, term } = status;
    const leads = role === "leader";
    if (leads) {
      this.#checkBounds(status);
    }
    if (
      term === view.term &&
      committed === view.committed &&
      applied === view.applied &&
      leads === view.leads &&
      conf === view.conf
    ) {
      return;
    }
    if (
      term < Math.max(view.term, view.image.hardState?.term ?? 0) ||
      committed < view.committed ||
      applied < view.applied
    ) {
      violate(
        "term, vote and commit never go back",
        `expected ${view.id} to stay at term ${view.term}, commit ${view.committed}, applied ${view.applied}, ` +
          `got ${term}, ${committed}, ${applied}`,
      );
    }
    this.#checkConf(view, status);
    if (leads && this.elections.led(term, view.id)) {
      this.#checkComplete(view, term);
    }
    // It may have committed and stepped down in one turn, to a later term even.
    if (view.leads && committed > (view.term === term ? view.committed : this.commits.last)) {
      this.#checkCommit(view, committed, view.term, conf);
    }
    if (committed > this.commits.last) {
      violate(
        "commit by a quorum of the term",
        `expected ${view.id} to know of commits up to ${this.commits.last}, got ${committed}`,
      );
    }
    this.#checkApplied(view, status);
    view.term = term;
    view.committed = committed;
    view.applied = applied;
    view.leads = leads;
    view.conf = conf;
  }

  /** Looks at a membership once its entry is durable: only then is it known which of its index and which term it is. */
  #checkConf(view: View, { base, conf, confIndex, stable }: Status): void {
    const { id, image, ruledConf } = view;
    const isBefore = confIndex <= Math.max(base.index, image.base.index);
    if (ruledConf === conf || isBefore || confIndex > stable) {
      return;
    }
    view.ruledConf = conf;
    const fact = this.entries.find(confIndex, termIn(image, confIndex) ?? 0);
    if (fact?.conf === undefined || !sameConf(fact.conf, conf)) {
      violate(
        "one change of membership at a time",
        `expected ${id} to follow the membership at ${confIndex}, got ${JSON.stringify(conf)}`,
      );
    }
  }

  #checkComplete({ id, image }: View, term: Term): void {
    const last = this.commits.lastBefore(term);
    hold(
      image.base.index >= last || termIn(image, last) === this.commits.term(last),
      "leader completeness",
      () => `expected leader ${id} of term ${term} to have entry ${last}/${this.commits.term(last)}`,
    );
  }

  #checkCommit(view: View, committed: LogIndex, term: Term, conf: ConfState | undefined): void {
    hold(
      this.entries.find(committed, term) !== undefined,
      "commit by a quorum of the term",
      () => `expected leader ${view.id} of term ${term} to commit an entry of its term, got ${committed}`,
    );
    // In one turn a leader may commit under one membership and append the next.
    hold(
      (conf !== undefined && this.#isDurable(conf, committed, term)) ||
        (view.conf !== undefined && this.#isDurable(view.conf, committed, term)),
      "commit by a quorum of the term",
      () => `expected entry ${committed}/${term} to be durable on a quorum of ${JSON.stringify(conf)}`,
    );
    this.commits.commit(committed, term);
  }

  #isDurable(conf: ConfState, index: LogIndex, term: Term): boolean {
    const isMajority = (voters: readonly NodeId[]): boolean => {
      const count = voters.filter((id) => this.#vouchesFor(id, index, term)).length;
      return count > voters.length / 2;
    };
    return isMajority(conf.voters) && (!isJoint(conf) || isMajority(conf.votersOutgoing));
  }

  #vouchesFor(id: NodeId, index: LogIndex, term: Term): boolean {
    const view = this.#views.get(id);
    const has = (image: LogImage): boolean => image.base.index >= index || termIn(image, index) === term;
    return view !== undefined && (has(view.image) || view.lost.some(has));
  }

  #checkApplied({ applied: before, id, image }: View, { applied, base, committed }: Status): void {
    if (applied > committed && applied >= base.index) {
      violate(
        "state machine safety",
        `expected ${id} to apply what is committed, ${committed}, got ${applied}`,
      );
    }
    // Up to its base a snapshot speaks for the log, which may not say so durably yet.
    for (let index = Math.max(before, image.base.index, base.index) + 1; index <= applied; index++) {
      const term = termIn(image, index);
      if (term === undefined || term !== this.commits.term(index)) {
        violate(
          "state machine safety",
          `expected ${id} to apply ${index}/${this.commits.term(index)}, got ${term}`,
        );
      }
    }
  }

  #checkBounds({ id, pendingReads, progress, uncommittedBytes }: Status): void {
    const { maxEntryBytes, maxInflightMessages, maxPendingReads, maxUncommittedBytes } = this.#limits;
    if (uncommittedBytes > Math.max(maxUncommittedBytes, maxEntryBytes) || pendingReads > maxPendingReads) {
      violate(
        "bounds",
        `expected ${id} to hold its bounds, got ${uncommittedBytes} bytes and ${pendingReads} reads`,
      );
    }
    for (const { inflightMessages, match, next } of progress) {
      if (inflightMessages > maxInflightMessages || match >= next) {
        violate(
          "bounds",
          `expected ${id} to hold its window, got ${inflightMessages} messages, ${match} to ${next}`,
        );
      }
    }
  }

  // ── What leaves a node ────────────────────────────────────────────────────────────────────────────────────────

  #checkMessage(view: View, message: Message): void {
    const { id, image, life } = view;
    const durable = image.hardState ?? initialHardState;
    const { from, term, to, type } = message;
    // A pre-vote speaks of a term that nobody joined; a fingerprint of none.
    if (durable.term < term && type !== "preVote" && type !== "preVoteResponse" && type !== "stateHash") {
      violate(
        "sent is durable",
        `expected term ${term} to be durable before ${id} sends ${type}, got ${durable.term}`,
      );
    }
    switch (message.type) {
      case "vote":
        this.#checkVote(view, term, from, type);
        this.elections.voted(`${id}#${life}`, term, from);
        return;
      case "voteResponse":
        if (message.granted) {
          this.#checkVote(view, term, to, type);
          this.elections.voted(`${id}#${life}`, term, to);
        }
        return;
      case "appendResponse":
        this.#checkAccepted(view, message);
        return;
      case "append":
        this.elections.led(term, id);
        // The last words of a node that fails tell of commits that nobody could ask it about.
        if (message.commit > this.commits.last) {
          this.#checkCommit(view, message.commit, term, view.conf);
        }
        return;
      case "heartbeat":
        this.elections.led(term, id);
        return;
      case "snapshot":
        this.elections.led(term, id);
        this.snapshotSeen(message.snapshot);
        return;
      default:
        return;
    }
  }

  #checkVote({ id, image }: View, term: Term, candidate: NodeId, type: string): void {
    const durable = image.hardState ?? initialHardState;
    hold(
      durable.term !== term || durable.votedFor === candidate,
      "sent is durable",
      () =>
        `expected the vote of ${id} in term ${term} to be durable before ${type}, got ${durable.votedFor}`,
    );
  }

  #checkAccepted({ id, image }: View, { hint, index, term }: AppendResponse): void {
    if (hint === undefined && image.hardState?.term === term) {
      hold(
        image.lastIndex >= index,
        "sent is durable",
        () => `expected entry ${index} to be durable before ${id} acknowledges it, got ${image.lastIndex}`,
      );
    }
  }
}

/** Whether a membership may come after another (§6). */
function follows(before: ConfState, after: ConfState): boolean {
  const same = (a: readonly NodeId[], b: readonly NodeId[]): boolean => a.join("\n") === b.join("\n");
  if (isJoint(before)) {
    return !isJoint(after) && same(after.voters, before.voters);
  }
  return same(isJoint(after) ? after.votersOutgoing : after.voters, before.voters);
}

/** The newest membership in a log before `index`. */
function findConfig(entries: readonly Entry[], index: LogIndex): Entry | undefined {
  return entries.findLast((entry) => entry.type === "config" && entry.index < index);
}
