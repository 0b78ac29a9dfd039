/** The answers of a sitting on their way: numbered, kept, sent, and what is known of those given before. */
import type { RatingBody, RatingReply, ReadingSession } from "../../api/contract";
import { postJson } from "../../api/http";
import type { Marked } from "../../core/marking";
import type { OutboxEntry, OutboxStatus, OutboxStorage } from "../../core/outbox";
import { Outbox } from "../../core/outbox";
import type { Decision } from "./answers";
import { eventsUrl } from "./cases";

export interface DeskHooks {
  /** False while another page of this browser reads: that page sends what waits. */
  active(): boolean;
  accepted(reply: RatingReply): void;
  turnedAway(entry: OutboxEntry, code: string): void;
  status(status: OutboxStatus): void;
}

interface Kept {
  readonly revisit: boolean;
  /** Whether the server must have it before the reading goes on. */
  readonly taken: boolean;
}

interface Given extends Marked {
  readonly clientEventId: string;
  readonly decision: Decision;
}

const markedIn = ({ mark, marks }: Marked): Marked => ({ mark, marks });

export class Desk {
  private readonly outbox: Outbox;
  private readonly given = new Map<string, Given>();
  private readonly confirmations = new Map<string, () => void>();
  private counter = 0;

  constructor(
    private readonly sessionUrl: string,
    session: ReadingSession,
    storage: OutboxStorage,
    hooks: DeskHooks,
  ) {
    this.outbox = new Outbox({
      session: sessionUrl,
      voice: session.voice,
      storage,
      send: async (entry, unsent) => {
        if (!hooks.active()) return { status: 0, body: null, message: "" };
        return postJson(entry.url, { ...entry.body, sent_at: new Date().toISOString(), unsent });
      },
      later: (delayMs, action) => {
        const timer = setTimeout(action, delayMs);
        return () => {
          clearTimeout(timer);
        };
      },
      random: Math.random,
      onAccepted: (entry, body) => {
        this.confirm(entry);
        this.learn(body as RatingReply);
        hooks.accepted(body as RatingReply);
      },
      onTurnedAway: (entry, code) => {
        this.confirm(entry);
        this.forget(entry);
        hooks.turnedAway(entry, code);
      },
      onStatus: (status) => {
        hooks.status(status);
      },
    });
  }

  get pending(): readonly OutboxEntry[] {
    return this.outbox.pending;
  }

  /** What an earlier visit left here goes first: the server's word on what is next then counts it. */
  async open(session: ReadingSession): Promise<void> {
    this.learn(session);
    await this.outbox.load(this.counter);
    for (const entry of this.outbox.pending) this.remember(entry.presentation, entry.body as RatingBody);
    await this.outbox.flush();
  }

  /** The page is being closed: the server then knows whether anything of it can still arrive. */
  leave(): void {
    void postJson(`${this.sessionUrl}left/`, { unsent: this.pending.length });
  }

  flush(): Promise<void> {
    return this.outbox.flush();
  }

  resolve(presentation: string, mine: boolean): Promise<void> {
    return this.outbox.resolve(presentation, mine);
  }

  /** What the server says of this sitting's answers. */
  learn({ counter, previous, previous_answer: last }: Partial<ReadingSession>): void {
    this.counter = Math.max(this.counter, counter ?? 0);
    const pending = this.pending.some((entry) => entry.presentation === previous);
    if (previous && last && !pending)
      this.given.set(previous, { clientEventId: last.client_event_id, decision: last, ...markedIn(last) });
  }

  answerTo(token: string): Given | undefined {
    return this.given.get(token);
  }

  nextCounter(): number {
    return Math.max(this.counter, this.outbox.lastCounter) + 1;
  }

  /** Resolves when the answer is safe: on this computer's disk, or else on the server, as `taken` wants it in any case.
  `chosen`: the image it is about. */
  async keep(token: string, chosen: string, body: RatingBody, { revisit, taken }: Kept): Promise<void> {
    const confirmed = new Promise<void>((resolve) => this.confirmations.set(body.client_event_id, resolve));
    const kept = await this.outbox.add({
      clientEventId: body.client_event_id,
      session: this.sessionUrl,
      presentation: token,
      revisit,
      url: eventsUrl(chosen),
      body,
      state: "waiting",
      message: "",
      current: null,
    });
    this.remember(token, body);
    const sending = this.outbox.flush();
    if (!kept || taken) await Promise.all([sending, confirmed]);
  }

  private remember(token: string, body: RatingBody): void {
    this.counter = Math.max(this.counter, body.counter);
    this.given.set(token, { clientEventId: body.client_event_id, decision: body, ...markedIn(body) });
  }

  /** What the server did not take is not what a next answer replaces. */
  private forget({ presentation, body, current, state }: OutboxEntry): void {
    if (state === "held") return;
    const stands = state === "conflict" ? current?.client_event_id : body.supersedes;
    const decision = (current ?? body) as Decision & Marked;
    if (stands) this.given.set(presentation, { clientEventId: stands, decision, ...markedIn(decision) });
    else this.given.delete(presentation);
  }

  private confirm(entry: OutboxEntry): void {
    this.confirmations.get(entry.clientEventId)?.();
    this.confirmations.delete(entry.clientEventId);
  }
}
