/** Answers that the server has not yet confirmed.

An answer is written to storage before the page shows it as given, and leaves storage only with the server's
receipt for exactly this answer. Answers go out one at a time in the order in which they were given, because a
later answer may supersede an earlier one. The server recognises a repeated event id, so sending twice is harmless. */
import { classifyStatus, LOGIN_CHECK_MS, retryDelayMs } from "./retry";

export type EntryState = "waiting" | "closed" | "refused";

export interface OutboxEntry {
  readonly clientEventId: string;
  /** The session that gave the answer; a page sends its own session's answers first. */
  readonly session: string;
  readonly presentation: string;
  /** The case had been answered before: this answer supersedes the earlier one. */
  readonly revisit: boolean;
  readonly url: string;
  readonly queuedAt: number;
  readonly body: unknown;
  readonly state: EntryState;
  readonly message: string;
}

export interface OutboxStorage {
  /** False when entries do not survive the page (no IndexedDB): the caller then waits for each receipt. */
  readonly durable: boolean;
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

export type Problem = "none" | "offline" | "logged-out";

export interface OutboxStatus {
  readonly waiting: number;
  readonly kept: readonly OutboxEntry[];
  readonly problem: Problem;
  readonly message: string;
}

export interface OutboxParts {
  readonly session: string;
  readonly storage: OutboxStorage;
  send(entry: OutboxEntry): Promise<SendReply>;
  later(delayMs: number, action: () => void): () => void;
  random(): number;
  onAccepted(entry: OutboxEntry, body: unknown): void;
  /** The server turned it away for good, or for as long as the study is closed; a copy stays in storage. */
  onKept(entry: OutboxEntry): void;
  onStatus(status: OutboxStatus): void;
}

export class Outbox {
  private entries: OutboxEntry[] = [];
  private problem: Problem = "none";
  private message = "";
  private attempt = 0;
  private leftoversOffered = false;
  private running: Promise<void> | null = null;
  private cancelRetry: () => void = () => undefined;

  constructor(private readonly parts: OutboxParts) {}

  get durable(): boolean {
    return this.parts.storage.durable;
  }

  /** Entries of this session that are still on their way, oldest first. */
  get pending(): readonly OutboxEntry[] {
    return this.entries.filter((entry) => entry.session === this.parts.session && entry.state === "waiting");
  }

  async load(): Promise<void> {
    const stored = await this.parts.storage.all();
    // A study may have been reopened: what it turned away once is offered once more.
    this.entries = stored
      .map((entry) => (entry.state === "closed" ? { ...entry, state: "waiting" as const } : entry))
      .sort((a, b) => a.queuedAt - b.queuedAt);
    this.announce();
  }

  async add(entry: OutboxEntry): Promise<void> {
    await this.parts.storage.put(entry);
    this.entries.push(entry);
    this.announce();
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

  private async sendAll(): Promise<void> {
    for (let entry = this.pending[0]; entry !== undefined; entry = this.pending[0]) {
      if (!(await this.sendOne(entry))) return;
    }
    await this.sendLeftovers();
    this.announce();
  }

  /** True when the next entry may be tried. */
  private async sendOne(entry: OutboxEntry): Promise<boolean> {
    const reply = await this.parts.send(entry);
    const outcome = classifyStatus(reply.status);
    if (outcome === "accepted" && confirms(reply.body, entry)) {
      await this.settle(entry, reply.body);
      return true;
    }
    if (outcome === "closed" || outcome === "refused") {
      await this.keep(entry, outcome, reply.message);
      return true;
    }
    // A reply without our receipt is some other machine's page (a hotel's login, a proxy): not an answer.
    this.problem = outcome === "logged-out" ? "logged-out" : "offline";
    this.message = reply.message;
    const delay = outcome === "logged-out" ? LOGIN_CHECK_MS : retryDelayMs(this.attempt, () => this.parts.random());
    this.attempt += 1;
    this.cancelRetry = this.parts.later(delay, () => void this.flush());
    this.announce();
    return false;
  }

  /** Answers of another session of this browser: offered once per page, silently left alone when turned away. */
  private async sendLeftovers(): Promise<void> {
    if (this.leftoversOffered) return;
    this.leftoversOffered = true;
    const foreign = this.entries.filter((entry) => entry.session !== this.parts.session && entry.state === "waiting");
    for (const entry of foreign) {
      const reply = await this.parts.send(entry);
      if (classifyStatus(reply.status) === "accepted" && confirms(reply.body, entry)) await this.forget(entry);
    }
  }

  private async settle(entry: OutboxEntry, body: unknown): Promise<void> {
    await this.forget(entry);
    this.problem = "none";
    this.message = "";
    this.attempt = 0;
    this.parts.onAccepted(entry, body);
    this.announce();
  }

  private async forget(entry: OutboxEntry): Promise<void> {
    await this.parts.storage.remove(entry.clientEventId);
    this.entries = this.entries.filter((other) => other.clientEventId !== entry.clientEventId);
  }

  private async keep(entry: OutboxEntry, state: "closed" | "refused", message: string): Promise<void> {
    const kept = { ...entry, state, message };
    await this.parts.storage.put(kept);
    this.entries = this.entries.map((other) => (other.clientEventId === entry.clientEventId ? kept : other));
    this.problem = "none";
    this.parts.onKept(kept);
    this.announce();
  }

  private announce(): void {
    const own = this.entries.filter((entry) => entry.session === this.parts.session);
    this.parts.onStatus({
      waiting: this.pending.length,
      kept: own.filter((entry) => entry.state !== "waiting"),
      problem: this.pending.length > 0 ? this.problem : "none",
      message: this.message,
    });
  }
}

function confirms(body: unknown, entry: OutboxEntry): boolean {
  if (typeof body !== "object" || body === null || !("receipt" in body)) return false;
  const { receipt } = body;
  return (
    typeof receipt === "object" &&
    receipt !== null &&
    "client_event_id" in receipt &&
    receipt.client_event_id === entry.clientEventId
  );
}
