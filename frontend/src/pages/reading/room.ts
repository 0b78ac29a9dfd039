/** The course of a sitting: show a case, take the answer, keep it, go on. */
import type { Answer, RatingBody, RatingReply, ReadingSession } from "../../api/contract";
import { getJson, postJson } from "../../api/http";
import type { ReadingAction } from "../../core/keyboard";
import { readingAction } from "../../core/keyboard";
import type { OutboxEntry, OutboxStorage } from "../../core/outbox";
import { Outbox } from "../../core/outbox";
import { classifyStatus } from "../../core/retry";
import type { ServerView, Sitting } from "../../core/sitting";
import { comingCase, currentCase, phase, previousCase, progress } from "../../core/sitting";
import { BreakReminder, describeTimeLeft, millisecondsLeft, ReadingClock } from "../../core/timing";
import { isShortcut } from "../shared/dom";
import { CaseLoader, eventsUrl } from "./cases";
import { CaseDisplay } from "./display";
import { ReadingLayout } from "./layout";
import { untilAnswered } from "./patience";
import type { ShownCase } from "./rating";
import { ratingBody } from "./rating";
import { closedWords, finishedWords, revisitWords, savingWords, welcomeWords } from "./words";

/** Nobody reads a case in less; a key that bounces must not rate the next one. */
const KEY_BOUNCE_MS = 200;
const BREAK_AFTER_MINUTES = 25;

const now = (): number => performance.now();

export class ReadingRoom {
  private readonly layout: ReadingLayout;
  private readonly outbox: Outbox;
  private readonly cases = new CaseLoader();
  private readonly reminder = new BreakReminder(now, BREAK_AFTER_MINUTES * 60_000);
  private readonly confirmations = new Map<string, () => void>();
  private readonly given = new Map<string, Answer>();
  private readonly caseTimesMs: number[] = [];
  private session!: ReadingSession;
  private display!: CaseDisplay;
  private server!: ServerView;
  private revisiting: string | null = null;
  private clock: ReadingClock | null = null;
  private shown: ShownCase | null = null;
  private showing: string | null = null;
  private chosen: Answer | null = null;
  private answersTaken = 0;

  constructor(
    root: HTMLElement,
    private readonly sessionUrl: string,
    loginUrl: string,
    leaveUrl: string,
    storage: OutboxStorage,
  ) {
    this.layout = new ReadingLayout(root, loginUrl, leaveUrl, {
      answer: (value) => void this.answer(value),
      confidence: (level) => void this.submit(level),
      withdraw: () => {
        this.withdraw();
      },
      back: () => {
        this.back();
      },
      pauseDismissed: () => {
        this.reminder.dismissed();
      },
    });
    this.outbox = new Outbox({
      session: sessionUrl,
      storage,
      send: (entry) => postJson(entry.url, entry.body),
      later: (delayMs, action) => {
        const timer = setTimeout(action, delayMs);
        return () => {
          clearTimeout(timer);
        };
      },
      random: Math.random,
      onAccepted: (entry, body) => {
        this.accepted(entry, body as RatingReply);
      },
      onKept: (entry) => {
        this.confirm(entry);
        if (entry.state === "closed") this.closed();
      },
      onStatus: (status) => {
        if (!this.preview) this.layout.outbox(status);
      },
    });
  }

  async start(): Promise<void> {
    await this.outbox.load();
    // Answers of an earlier visit go first: the server's word on what is next then counts them.
    await this.outbox.flush();
    this.session = await this.currentSession();
    this.server = this.session;
    this.layout.describe(this.session);
    if (this.preview) this.layout.nothingStored();
    this.display = new CaseDisplay(this.layout.stage, this.session.display);
    this.listen();
    const first = currentCase(this.sitting);
    if (this.session.study.instructions && this.server.progress.done === 0 && first !== null) this.welcome(first);
    else this.refresh();
  }

  /** The server's word on what is next, asked for again when an answer was taken while it was on its way. */
  private async currentSession(): Promise<ReadingSession> {
    for (;;) {
      const before = this.answersTaken;
      const session = await untilAnswered(this.layout, () => getJson<ReadingSession>(this.sessionUrl));
      if (this.answersTaken === before) return session;
    }
  }

  private get preview(): boolean {
    // The session is not known yet while earlier answers are sent.
    return (this.session as ReadingSession | undefined)?.preview ?? false;
  }

  private get sitting(): Sitting {
    return { server: this.server, pending: this.outbox.pending, revisiting: this.revisiting };
  }

  private listen(): void {
    document.addEventListener("keydown", (event) => {
      this.key(event);
    });
    document.addEventListener("visibilitychange", () => {
      this.clock?.visibilityChanged(document.hidden);
      if (!document.hidden) void this.outbox.flush();
    });
    window.addEventListener("online", () => void this.outbox.flush());
    window.addEventListener("beforeunload", (event) => {
      if (this.outbox.pending.length > 0) event.preventDefault();
    });
  }

  private welcome(first: string): void {
    this.layout.state("welcome");
    this.updateProgress();
    this.layout.coverWith(
      ...welcomeWords(this.session, () => {
        this.refresh();
      }),
    );
    this.layout.focusCover();
    void this.cases.load(first).catch(() => undefined);
  }

  /** Brings the screen in line with where the sitting stands. */
  private refresh(): void {
    this.updateProgress();
    const stage = phase(this.sitting);
    if (stage === "reading") {
      const wanted = currentCase(this.sitting);
      if (wanted !== null && wanted !== this.showing) void this.show(wanted);
      else this.prefetch();
      return;
    }
    this.leaveCase();
    this.layout.state(stage);
    if (stage === "finished") this.layout.coverWith(...finishedWords(this.server, this.preview));
    else if (stage === "closed") this.layout.coverWith(...closedWords());
    else this.layout.coverWith(...savingWords());
  }

  private leaveCase(): void {
    this.shown = null;
    this.showing = null;
    this.clock = null;
    this.layout.presentation(null, "", previousCase(this.sitting) !== null);
  }

  private async show(token: string): Promise<void> {
    const wantedAt = now();
    this.leaveCase();
    this.showing = token;
    this.chosen = null;
    this.layout.choose(null);
    this.layout.state("loading");
    const loaded = await untilAnswered(this.layout, () => this.cases.load(token));
    if (this.showing !== token) return;
    this.layout.coverWith();
    await this.display.show(loaded);
    if (this.showing !== token) return;
    const paintedAt = now();
    this.shown = { token, at: new Date(), loadMs: Math.round(paintedAt - wantedAt), paintedAt };
    this.clock = new ReadingClock(now, document.hidden);
    this.layout.presentation(token, this.caseNote(), previousCase(this.sitting) !== null);
    this.layout.state("reading");
    this.cases.keepOnly([token, comingCase(this.sitting), previousCase(this.sitting), ...this.server.next]);
    this.prefetch();
  }

  private prefetch(): void {
    const coming = comingCase(this.sitting);
    if (coming === null || this.showing === null) return;
    void this.cases.load(this.showing).then(
      (current) => this.cases.prefetchAfter(current, coming),
      () => undefined,
    );
  }

  private caseNote(): string {
    const { revisiting } = this;
    if (revisiting === null) this.layout.say("revisit");
    else {
      const before = this.session.study.answers.find((one) => one.value === this.given.get(revisiting));
      this.layout.say("revisit", revisitWords(before?.label));
    }
    const slice = this.display.markerSlice;
    if (slice === null) return "";
    return this.session.display.mode === "stack" ? `The ring is on slice ${slice + 1}.` : "The ring shows the place.";
  }

  private key(event: KeyboardEvent): void {
    if (!isShortcut(event) || this.shown === null) return;
    const action = readingAction(event.key, {
      answers: this.session.study.answers,
      levels: this.session.study.confidence?.levels ?? null,
      answerChosen: this.chosen !== null,
    });
    // A key that is held down may scroll, but answers only once.
    if (action === null || (event.repeat && action.kind !== "scroll" && action.kind !== "zoom")) return;
    event.preventDefault();
    this.act(action);
  }

  private act(action: ReadingAction<Answer>): void {
    switch (action.kind) {
      case "answer":
        void this.answer(action.value);
        break;
      case "confidence":
        void this.submit(action.value);
        break;
      case "withdraw":
        this.withdraw();
        break;
      case "back":
        this.back();
        break;
      case "return":
        this.returnToCurrent();
        break;
      case "scroll":
        this.display.scroll(action.slices);
        break;
      case "zoom":
        this.display.zoom(action.factor);
        break;
      case "home":
        this.display.home();
        break;
      case "marker":
        this.display.toggleMarker();
        break;
      case "reset":
        this.display.reset();
        break;
    }
  }

  private async answer(value: Answer): Promise<void> {
    const state = this.layout.currentState;
    if (this.shown === null || (state !== "reading" && state !== "confidence")) return;
    if (now() - this.shown.paintedAt < KEY_BOUNCE_MS) return;
    this.chosen = value;
    this.layout.choose(value);
    if (this.session.study.confidence === null) await this.submit(null);
    else this.layout.state("confidence");
  }

  private withdraw(): void {
    if (this.layout.currentState !== "confidence") return;
    this.chosen = null;
    this.layout.choose(null);
    this.layout.state("reading");
  }

  private back(): void {
    const previous = previousCase(this.sitting);
    if (previous === null || this.layout.currentState === "busy") return;
    this.revisiting = previous;
    this.refresh();
  }

  private returnToCurrent(): void {
    if (this.revisiting === null) return;
    this.revisiting = null;
    this.layout.say("revisit");
    this.refresh();
  }

  private async submit(confidence: number | null): Promise<void> {
    const { shown, chosen, clock } = this;
    if (shown === null || chosen === null || clock === null || this.layout.currentState === "busy") return;
    const times = clock.read();
    const body = ratingBody({ answer: chosen, confidence, shown, times, display: this.display });
    this.layout.state("busy");
    try {
      await this.keep(shown.token, body);
    } catch (error) {
      this.chosen = null;
      this.layout.choose(null);
      this.layout.state("reading");
      const reason = error instanceof Error ? error.message : String(error);
      this.layout.say("trouble", `This answer could not be kept and was not counted: ${reason} Please answer again.`);
      return;
    }
    this.layout.say("trouble");
    this.given.set(shown.token, chosen);
    if (this.revisiting === null) this.caseTimesMs.push(times.readingMs + shown.loadMs);
    this.revisiting = null;
    if (this.reminder.answered()) this.layout.suggestPause(BREAK_AFTER_MINUTES);
    this.showing = null;
    this.refresh();
  }

  /** Resolves when the answer is safe: on this computer's disk, or else on the server. */
  private async keep(token: string, body: RatingBody): Promise<void> {
    if (this.preview) {
      await this.rehearse(token, body);
      return;
    }
    const entry: OutboxEntry = {
      clientEventId: body.client_event_id,
      session: this.sessionUrl,
      presentation: token,
      revisit: this.revisiting !== null,
      url: eventsUrl(token),
      queuedAt: Date.now(),
      body,
      state: "waiting",
      message: "",
    };
    const confirmed = new Promise<void>((resolve) => this.confirmations.set(entry.clientEventId, resolve));
    await this.outbox.add(entry);
    const sending = this.outbox.flush();
    if (!this.outbox.durable) await Promise.all([sending, confirmed]);
  }

  /** A preview walks through the cases as the server leads; nothing is kept on either side. */
  private async rehearse(token: string, body: RatingBody): Promise<void> {
    const reply = await postJson(eventsUrl(token), body);
    if (classifyStatus(reply.status) !== "accepted") throw new Error(reply.message);
    this.server = serverView(reply.body as RatingReply, this.server);
  }

  private accepted(entry: OutboxEntry, reply: RatingReply): void {
    this.answersTaken += 1;
    this.confirm(entry);
    // Answers of an earlier visit are sent before the session is known.
    if ((this.server as ServerView | undefined) === undefined) return;
    this.server = serverView(reply, this.server);
    if (this.layout.currentState !== "busy" && this.layout.currentState !== "welcome") this.refreshAfterReply();
  }

  private confirm(entry: OutboxEntry): void {
    this.confirmations.get(entry.clientEventId)?.();
    this.confirmations.delete(entry.clientEventId);
  }

  /** A late reply must not pull away the case that is being read. */
  private refreshAfterReply(): void {
    const open = this.server.next.includes(this.showing ?? "");
    if (this.showing !== null && (open || this.revisiting !== null) && this.server.state === "open") {
      this.updateProgress();
      this.prefetch();
    } else this.refresh();
  }

  private closed(): void {
    if ((this.server as ServerView | undefined) === undefined) return;
    this.server = { ...this.server, state: "closed" };
    this.refresh();
  }

  private updateProgress(): void {
    const { done, total } = progress(this.sitting);
    this.layout.progress(done, total, describeTimeLeft(millisecondsLeft(this.caseTimesMs, total - done)));
    document.title = `${done} of ${total} · ${this.session.study.title}`;
  }
}

const serverView = (reply: Partial<RatingReply>, last: ServerView): ServerView => ({
  progress: reply.progress ?? last.progress,
  state: reply.state ?? last.state,
  next: reply.next ?? last.next,
  previous: reply.previous === undefined ? last.previous : reply.previous,
});
