/** Answers that the server has not yet confirmed.

An answer is written to storage before the page shows it as given, and leaves storage only with the server's
receipt for exactly this answer. Answers go out one at a time in the order of their numbers, because a later one may
supersede an earlier one. The server recognises a repeated event id, so sending twice is harmless. */
import type { GivenAnswer, Problem } from "./judgement";
import { judge } from "./judgement";
import { HELD_CHECK_MS, LOGIN_CHECK_MS, retryDelayMs } from "./retry";

export type EntryState = "waiting" | "held" | "conflict" | "refused";

/** The number of an answer from before answers had numbers. */
export const UNNUMBERED = 0;

export interface AnswerBody {
  readonly client_event_id: string;
  readonly counter: number;
  readonly supersedes: string | null;
}

export interface OutboxEntry {
  readonly clientEventId: string;
  /** The session that gave the answer; a page sends its own session's answers first. */
  readonly session: string;
  readonly presentation: string;
  /** The case had been answered before: this answer supersedes the earlier one. */
  readonly revisit: boolean;
  readonly url: string;
  readonly body: AnswerBody;
  readonly state: EntryState;
  readonly message: string;
  /** With state "conflict": the answer that the server has. */
  readonly current: GivenAnswer | null;
}

export interface OutboxStorage {
  put(entry: OutboxEntry): Promise<void>;
  remove(clientEventId: string): Promise<void>;
  all(): Promise<OutboxEntry[]>;
}

export interface SendReply {
  /** 0 when no answer came back. */
  readonly status: number;
  readonly body: unknown;
  readonly message: string;
}

export interface OutboxStatus {
  readonly waiting: number;
  /** Of the waiting ones: in this page's memory only, because the browser's storage failed. */
  readonly unkept: number;
  /** Turned away for good, or for as long as the study is closed. */
  readonly kept: readonly OutboxEntry[];
  /** The last answer of each case of which the server has another one. */
  readonly conflicts: readonly OutboxEntry[];
  /** This reader's answers of other sittings that lie in this browser and have no receipt. */
  readonly ofOthers: number;
  readonly problem: Problem;
}

export interface OutboxParts {
  readonly session: string;
  /** How this session's server speaks when it refuses. */
  readonly voice: string;
  readonly storage: OutboxStorage;
  send(entry: OutboxEntry, unsent: number): Promise<SendReply>;
  later(delayMs: number, action: () => void): () => void;
  random(): number;
  onAccepted(entry: OutboxEntry, body: unknown): void;
  /** The server did not take it: refused, held (the code says why), or another answer stands there. A copy stays here. */
  onTurnedAway(entry: OutboxEntry, code: string): void;
  onStatus(status: OutboxStatus): void;
}

export class Outbox {
  private entries: OutboxEntry[] = [];
  private readonly unkept = new Set<string>();
  private problem: Problem = "none";
  private attempt = 0;
  private leftoversDue = true;
  private running: Promise<void> | null = null;
  private cancelRetry: () => void = () => undefined;

  constructor(private readonly parts: OutboxParts) {}

  /** Entries of this session that are still on their way, in the order of their numbers. */
  get pending(): readonly OutboxEntry[] {
    return this.own.filter((entry) => entry.state === "waiting");
  }

  private get own(): OutboxEntry[] {
    const own = this.entries.filter((entry) => entry.session === this.parts.session);
    return own.sort((a, b) => a.body.counter - b.body.counter);
  }

  /** The highest number among this session's entries. */
  get lastCounter(): number {
    return Math.max(0, ...this.own.map((entry) => entry.body.counter));
  }

  /** What was stored before; a storage that does not answer has nothing to say. */
  async load(lastCounter: number): Promise<void> {
    const onlyHere = this.entries.filter((entry) => this.unkept.has(entry.clientEventId));
    const stored = [...(await this.parts.storage.all().catch(() => [])), ...onlyHere];
    let last = Math.max(lastCounter, ...stored.map((entry) => entry.body.counter));
    this.entries = stored.map((entry) => {
      const counter = entry.body.counter === UNNUMBERED ? (last += 1) : entry.body.counter;
      // The study may have been opened again, and of two answers one may have been chosen elsewhere: ask once more.
      const state = entry.state === "refused" ? entry.state : "waiting";
      return { ...entry, state, body: { ...entry.body, counter } };
    });
    this.announce();
  }

  /** True when the answer is on this computer's disk; otherwise only the server's receipt makes it safe. */
  async add(entry: OutboxEntry): Promise<boolean> {
    const kept = await this.store(entry);
    if (!kept) this.unkept.add(entry.clientEventId);
    this.entries.push(entry);
    this.announce();
    return kept;
  }

  /** Sends what waits; calls while a sending is under way share it. */
  flush(): Promise<void> {
    this.cancelRetry();
    this.running ??= this.sendAll().finally(() => {
      this.running = null;
      // An answer may have been added after the last look at the queue.
      if (this.pending.length > 0 && this.problem === "none") void this.flush();
    });
    return this.running;
  }

  /** The reader has chosen: this page's answer takes the place of the server's, or is given up for it. */
  async resolve(presentation: string, mine: boolean): Promise<void> {
    const rivals = this.own.filter((entry) => entry.presentation === presentation && entry.state === "conflict");
    const last = rivals.at(-1);
    if (last === undefined) return;
    if (mine) await this.change(insisting(last, this.lastCounter + 1));
    for (const rival of rivals) if (!mine || rival !== last) await this.forget(rival);
    this.announce();
    await this.flush();
  }

  private async sendAll(): Promise<void> {
    for (let entry = this.pending[0]; entry !== undefined; entry = this.pending[0]) {
      if (!(await this.sendOne(entry))) return;
    }
    await this.sendLeftovers();
    if (this.own.some((entry) => entry.state === "held")) this.tryAgain(HELD_CHECK_MS);
    this.announce();
  }

  /** True when the next entry may be tried. */
  private async sendOne(entry: OutboxEntry): Promise<boolean> {
    const reply = await this.parts.send(entry, this.pending.length - 1);
    const judgement = judge(reply, entry.clientEventId, this.parts.voice);
    if (judgement.kind === "accepted") {
      await this.settle(entry, reply.body);
      return true;
    }
    if (judgement.kind !== "waiting") {
      const current = judgement.kind === "conflict" ? judgement.current : null;
      const code = judgement.kind === "held" ? judgement.code : "";
      await this.turnAway({ ...entry, state: judgement.kind, message: reply.message, current }, code);
      return true;
    }
    this.problem = judgement.problem;
    const soon = judgement.problem === "logged-out" || judgement.problem === "other-login";
    this.tryAgain(soon ? LOGIN_CHECK_MS : retryDelayMs(this.attempt, () => this.parts.random()));
    this.attempt += 1;
    this.announce();
    return false;
  }

  private tryAgain(delayMs: number): void {
    this.cancelRetry();
    this.cancelRetry = this.parts.later(delayMs, () => {
      this.entries = this.entries.map((entry) => (entry.state === "held" ? { ...entry, state: "waiting" } : entry));
      void this.flush();
    });
  }

  private get leftovers(): OutboxEntry[] {
    const others = this.entries.filter((entry) => entry.session !== this.parts.session);
    return others.sort((a, b) => a.body.counter - b.body.counter);
  }

  /** Offered when the page is opened and now and then, however often this sitting's own answers go out. */
  private async sendLeftovers(): Promise<void> {
    if (!this.leftoversDue) return;
    this.leftoversDue = false;
    for (const entry of this.leftovers.filter(({ state }) => state === "waiting")) {
      const reply = await this.parts.send(entry, 0);
      if (judge(reply, entry.clientEventId, "").kind === "accepted") await this.forget(entry);
    }
    if (!this.leftovers.some(({ state }) => state === "waiting")) return;
    this.parts.later(HELD_CHECK_MS, () => {
      this.leftoversDue = true;
      void this.flush();
    });
  }

  private async settle(entry: OutboxEntry, body: unknown): Promise<void> {
    await this.forget(entry);
    this.problem = "none";
    this.attempt = 0;
    this.parts.onAccepted(entry, body);
    this.announce();
  }

  private async forget(entry: OutboxEntry): Promise<void> {
    this.entries = this.entries.filter((other) => other.clientEventId !== entry.clientEventId);
    this.unkept.delete(entry.clientEventId);
    // What could not be removed is sent again by the next page, and the server knows it already.
    await this.parts.storage.remove(entry.clientEventId).catch(() => undefined);
  }

  private async turnAway(entry: OutboxEntry, code: string): Promise<void> {
    await this.change(entry);
    this.problem = "none";
    this.attempt = 0;
    this.announce();
    this.parts.onTurnedAway(entry, code);
  }

  private async change(entry: OutboxEntry): Promise<void> {
    this.entries = this.entries.map((other) => (other.clientEventId === entry.clientEventId ? entry : other));
    await this.store(entry);
  }

  private async store(entry: OutboxEntry): Promise<boolean> {
    return this.parts.storage.put(entry).then(
      () => true,
      () => false,
    );
  }

  private announce(): void {
    const waiting = this.pending;
    const byCase = new Map<string, OutboxEntry>();
    for (const entry of this.own) if (entry.state === "conflict") byCase.set(entry.presentation, entry);
    this.parts.onStatus({
      waiting: waiting.length,
      unkept: waiting.filter((entry) => this.unkept.has(entry.clientEventId)).length,
      kept: this.own.filter((entry) => entry.state === "refused" || entry.state === "held"),
      conflicts: [...byCase.values()],
      ofOthers: this.leftovers.length,
      problem: waiting.length > 0 ? this.problem : "none",
    });
  }
}

/** The same answer once more, now given in the knowledge of the one that stands there. */
const insisting = (entry: OutboxEntry, counter: number): OutboxEntry => ({
  ...entry,
  revisit: entry.current !== null,
  body: { ...entry.body, counter, supersedes: entry.current?.client_event_id ?? null },
  state: "waiting",
  message: "",
  current: null,
});
