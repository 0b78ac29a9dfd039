/** The course of a sitting: show a case, take the answer, keep it, go on. */
import type { RatingReply, ReadingSession } from "../../api/contract";
import { getJson } from "../../api/http";
import { BOUNCE_MS } from "../../core/bounce";
import type { ReadingAction } from "../../core/keyboard";
import { UNMARKED } from "../../core/marking";
import type { OutboxEntry, OutboxStatus } from "../../core/outbox";
import { noDrawer } from "../../core/outbox-storage";
import { DISPLAY_NOT_CHECKED } from "../../core/judgement";
import { classifyStatus } from "../../core/retry";
import { sealedStorage } from "../../core/sealing";
import type { ServerView, Sitting } from "../../core/sitting";
import { comingCases, currentCase, lastCase, phase, previousCase, progress, serverView } from "../../core/sitting";
import { BreakReminder, describeTimeLeft, median, millisecondsLeft, ReadingClock } from "../../core/timing";
import { isShortcut } from "../shared/dom";
import type { WholeAnswer } from "./answering";
import { Answering } from "./answering";
import type { Decision } from "./answers";
import { attend } from "./attention";
import { Beginning } from "./beginning";
import { CaseLoader } from "./cases";
import { Desk } from "./desk";
import { CaseDisplay } from "./display";
import type { Marking } from "./marking";
import { markingOf } from "./marking";
import { Interruption } from "./interruption";
import { ReadingLayout } from "./layout";
import { untilAnswered } from "./patience";
import { rehearsed } from "./rehearsal";
import { browserStorage, Preferences } from "./preferences";
import { Pressing } from "./pressing";
import type { ShownCase } from "./rating";
import { chosenImage, ratingBody } from "./rating";
import { SolePage } from "./sole-page";
import { Telling } from "./told";
import { ViewTools } from "./tools";
import type { RoomParts } from "./parts";
import { endWords, revisitWords, ringWords, savingWords } from "./words";
import { words } from "../../words";

const BREAK_AFTER_MINUTES = 25;
const COVERED = new Set(["busy", "told", "welcome", "paused"]);

const now = (): number => performance.now();

export class ReadingRoom {
  private readonly layout: ReadingLayout;
  private readonly cases = new CaseLoader();
  private readonly reminder = new BreakReminder(now, BREAK_AFTER_MINUTES * 60_000);
  private readonly pressing = new Pressing(now);
  private readonly preferences = new Preferences(browserStorage());
  private readonly caseTimesMs: number[] = [];
  private readonly page: SolePage;
  private session!: ReadingSession;
  private display!: CaseDisplay;
  private tools!: ViewTools;
  private desk!: Desk;
  private beginning!: Beginning;
  private server!: ServerView;
  private status: OutboxStatus | null = null;
  private revisiting: string | null = null;
  private clock: ReadingClock | null = null;
  private shown: ShownCase | null = null;
  private showing: string | null = null;
  private answering!: Answering;
  private interruption!: Interruption;
  private telling!: Telling;
  /** Of a study that asks for a place. */
  private marking: Marking | null = null;
  private answersTaken = 0;
  private checking = false;

  constructor(
    root: HTMLElement,
    private readonly parts: RoomParts,
  ) {
    this.layout = new ReadingLayout(root, parts.loginUrl, parts.leaveUrl, this.preferences, {
      answer: (decision) => void this.answering.decide(decision),
      give: () => void this.answering.give(),
      confidence: (level) => void this.answering.sure(level),
      further: (value) => void this.answering.add(value),
      withdraw: () => {
        this.answering.withdraw();
      },
      back: () => {
        this.back();
      },
      pause: () => {
        this.interruption.toggle();
      },
      pauseDismissed: () => {
        this.reminder.dismissed();
      },
      resolve: (presentation, mine) => void this.desk.resolve(presentation, mine),
    });
    this.page = new SolePage(this.layout, parts.presence, {
      left: () => {
        this.leaveCase();
      },
      back: () => void this.comeBack(),
    });
  }

  async start(): Promise<void> {
    this.session = await this.currentSession();
    this.server = this.session;
    this.preferences.open(this.session.reader);
    this.layout.describe(this.session);
    this.answering = new Answering(this.session, this.layout, {
      keymap: () => this.preferences.keymap,
      // Nobody reads a case in less; a key that bounces must not rate the next one.
      ready: () => this.shown !== null && now() - this.shown.paintedAt >= BOUNCE_MS && !this.isBlocked(),
      allows: ({ answer }) => this.marking?.allows(answer) ?? true,
      last: () => lastCase(this.server) === this.shown?.token,
      ending: (asked) => this.clock?.asideChanged(asked),
      answered: (answer) => this.submit(answer),
    });
    if (this.preview) this.layout.nothingStored(this.session.practice);
    else this.page.begin();
    this.display = new CaseDisplay(this.layout.stage, this.session.display, this.parts.sessionUrl, now);
    const { scale, further } = this.session.study;
    if ([scale, ...further.map((item) => item.scale)].some((one) => one !== null)) this.display.leaveSideArrows();
    this.tools = new ViewTools(this.display, this.preferences);
    this.layout.addTools(this.tools);
    this.marking = markingOf(this.session, this.display, this.preferences, {
      ready: () => this.interruptible && !this.interruption.under,
      undecided: () => this.layout.currentState === "reading",
    });
    if (this.marking !== null) this.layout.addMarking(this.marking.element);
    this.interruption = new Interruption(this.layout, this.session.reader, this.parts.leaveUrl, {
      possible: () => this.interruptible,
      changed: (under) => {
        this.interrupted(under);
      },
    });
    this.telling = new Telling(this.session, this.layout, this.parts.sessionUrl, () => {
      this.server = { ...this.server, previous: null };
      this.leaveCase();
    });
    this.listen();
    await this.openDesk();
    if (this.elsewhere()) return;
    const first = currentCase(this.sitting);
    this.beginning = new Beginning(this.session, this.layout, this.preferences, this.parts);
    if (first !== null) await this.beginning.displayChecked(this.session);
    if (this.elsewhere()) return;
    const begun = this.server.progress.done > 0 || this.desk.pending.length > 0;
    if (first === null || begun || !this.beginning.hasWords) this.refresh();
    else this.welcome(first);
  }

  /** Answers of an earlier visit go first: the server's word on what is next then counts them. */
  private async openDesk(): Promise<void> {
    const storage = sealedStorage(this.preview ? noDrawer() : this.parts.drawer, this.session.drawer_key, crypto);
    this.desk = new Desk(this.parts.sessionUrl, this.session, storage, {
      active: () => !this.elsewhere(),
      accepted: (reply) => {
        this.accepted(reply);
      },
      turnedAway: (entry, code) => {
        this.turnedAway(entry, code);
      },
      status: (status) => {
        const another = status.ofOthers !== this.status?.ofOthers;
        this.status = status;
        if (!this.preview) this.layout.outbox(status);
        if (another && ["finished", "closed"].includes(this.layout.currentState)) this.refresh();
      },
    });
    await this.desk.open(this.session);
  }

  /** Another page may have answered, and left answers behind, or the server has seen no check of the display passed. */
  private async comeBack(): Promise<void> {
    if ((this.desk as Desk | undefined) === undefined) return;
    this.layout.state("loading");
    await this.askAgain();
    if (this.checking) await this.beginning.displayChecked(this.session);
    this.checking = false;
    await this.desk.open(this.session);
    this.refresh();
  }

  private async askAgain(): Promise<void> {
    this.session = await this.currentSession();
    this.server = this.session;
    this.desk.learn(this.session);
  }

  /** The server's word on what is next, asked for again when an answer was taken while it was on its way. */
  private async currentSession(): Promise<ReadingSession> {
    for (;;) {
      const before = this.answersTaken;
      const session = await untilAnswered(this.layout, () => getJson<ReadingSession>(this.parts.sessionUrl));
      if (this.answersTaken === before) return session;
    }
  }

  private get preview(): boolean {
    return this.session.preview;
  }

  /** Another page may take over during any wait. */
  private elsewhere(): boolean {
    return !this.preview && this.page.elsewhere;
  }

  private get sitting(): Sitting {
    return { server: this.server, pending: this.desk.pending, revisiting: this.revisiting };
  }

  private listen(): void {
    document.addEventListener("keydown", (event) => {
      this.key(event);
    });
    attend({
      moved: () => {
        this.interruption.moved();
        this.clock?.moved();
      },
      seen: (hidden) => {
        this.clock?.visibilityChanged(hidden);
        this.display.covered(hidden);
        if (!hidden) void this.desk.flush();
      },
      online: () => void this.desk.flush(),
      left: () => {
        this.page.leave();
        if (!this.preview) this.desk.leave();
      },
      holdsAnswers: () => this.desk.pending.length > 0,
    });
    this.display.changed.listen(() => {
      this.lookChanged();
    });
    this.cases.arrived.listen(() => {
      this.layout.say("login");
      this.lookChanged();
    });
    this.cases.troubled.listen((status) => {
      if (classifyStatus(status) === "logged-out") this.layout.askForLogin(words.login.expired, "");
    });
  }

  private lookChanged(): void {
    this.clock?.waitingChanged(this.display.waiting);
    this.layout.block(this.shown === null ? null : this.display.obstacle);
  }

  private welcome(first: string): void {
    this.updateProgress();
    this.beginning.welcome(() => {
      this.refresh();
    });
    void this.cases.load(first).catch(() => undefined); // whoever begins asks again, and is told what is wrong
  }

  /** Brings the screen in line with where the sitting stands. */
  private refresh(): void {
    if (this.elsewhere() || this.checking) return;
    this.updateProgress();
    const [stage, wanted] = [phase(this.sitting), currentCase(this.sitting)];
    if (stage === "reading") {
      if (wanted !== null && wanted !== this.showing) void this.show(wanted);
      else this.prefetch();
      return;
    }
    this.leaveCase();
    this.layout.state(stage);
    if (stage === "saving")
      this.layout.coverWith(...savingWords(this.server, progress(this.sitting).done, this.desk.pending.length));
    else {
      this.cases.keepOnly([]);
      this.layout.coverWith(...endWords(stage, this.server, this.session, this.status, this.telling));
    }
  }

  private leaveCase(): void {
    this.shown = null;
    this.showing = null;
    this.clock = null;
    const hasPrevious = (this.desk as Desk | undefined) !== undefined && previousCase(this.sitting) !== null;
    this.layout.presentation(null, "", hasPrevious);
    this.layout.block(null);
  }

  private async show(token: string): Promise<void> {
    const wantedAt = now();
    this.leaveCase();
    this.showing = token;
    this.answering.begin();
    this.marking?.start(null);
    this.layout.state("loading");
    const loaded = await untilAnswered(this.layout, () => this.cases.load(token));
    if (this.showing !== token) return;
    this.layout.coverWith();
    await this.display.show(loaded);
    if (this.showing !== token) return;
    this.marking?.start(this.desk.answerTo(token) ?? null);
    const paintedAt = now();
    this.shown = {
      token,
      images: loaded.presentation.images,
      at: new Date(),
      loadMs: Math.round(paintedAt - wantedAt),
      paintedAt,
    };
    this.clock = new ReadingClock(now, document.hidden);
    this.layout.presentation(token, this.caseNote(), previousCase(this.sitting) !== null);
    this.layout.state("reading");
    this.lookChanged();
    this.cases.keepOnly([token, ...comingCases(this.sitting), previousCase(this.sitting), ...this.server.next]);
    this.prefetch();
  }

  private prefetch(): void {
    if (this.showing !== null) this.cases.follow(this.showing, comingCases(this.sitting), median(this.caseTimesMs));
  }

  private caseNote(): string {
    const given = this.revisiting === null ? undefined : this.desk.answerTo(this.revisiting)?.decision;
    this.layout.say("revisit", ...revisitWords(this.session, this.revisiting !== null, given));
    return ringWords(this.display.markerSlice, this.session.display.mode);
  }

  private key(event: KeyboardEvent): void {
    if (!isShortcut(event)) return;
    if (this.marking?.pressed(event)) return;
    const action = this.answering.meaningOf(event);
    if (action === null) return;
    // Enter on a button is meant for the button.
    if (action.kind === "give" && (event.target as HTMLElement).closest("button, a, summary")) return;
    if (this.shown === null && action.kind !== "pause" && action.kind !== "full-screen") return;
    if (!this.pressing.counts(action.kind, event)) return;
    event.preventDefault();
    this.act(action);
  }

  private act(action: ReadingAction<Decision>): void {
    if (this.answering.act(action)) return;
    switch (action.kind) {
      case "back":
        this.back();
        break;
      case "return":
        this.returnToCurrent();
        break;
      case "pause":
        this.interruption.toggle();
        break;
      default:
        if (!this.interruption.under) this.tools.act(action);
    }
  }

  private get interruptible(): boolean {
    const { currentState } = this.layout;
    return this.shown !== null && ["reading", "confidence", "further"].includes(currentState);
  }

  private interrupted(under: boolean): void {
    this.clock?.pauseChanged(under);
    this.display.covered(under);
    if (!under) this.reminder.dismissed();
  }

  /** No answer is taken for pixels that are not on the screen. */
  private isBlocked(): boolean {
    const { obstacle } = this.display;
    this.layout.block(obstacle);
    return obstacle !== null;
  }

  private back(): void {
    const previous = previousCase(this.sitting);
    if (previous === null || this.layout.currentState === "busy" || this.interruption.under) return;
    this.revisiting = previous;
    this.refresh();
  }

  private returnToCurrent(): void {
    if (this.revisiting === null) return;
    this.revisiting = null;
    this.layout.say("revisit");
    this.refresh();
  }

  private async submit(answer: WholeAnswer): Promise<void> {
    const { shown, clock } = this;
    if (shown === null || clock === null) return;
    const times = clock.read();
    const body = ratingBody({
      ...answer,
      shown,
      times,
      marked: this.marking?.given ?? UNMARKED,
      display: this.display,
      counter: this.desk.nextCounter(),
      supersedes: this.desk.answerTo(shown.token)?.clientEventId ?? null,
    });
    this.layout.state("busy");
    const [chosen, taken] = [chosenImage(shown, answer.decision.side), this.telling.afterEach];
    if (this.preview) this.server = serverView(await rehearsed(this.layout, chosen, body), this.server);
    else await this.desk.keep(shown.token, chosen, body, { revisit: this.revisiting !== null, taken });
    if (!this.elsewhere()) await this.telling.ofCase(shown.token);
    // Another page may have taken over while the answer was on its way to the server.
    if (this.elsewhere()) return;
    if (this.revisiting === null) this.caseTimesMs.push(times.readingMs + shown.loadMs);
    this.revisiting = null;
    if (this.reminder.answered()) this.layout.suggestPause(BREAK_AFTER_MINUTES);
    this.showing = null;
    this.refresh();
  }

  private accepted(reply: RatingReply): void {
    this.answersTaken += 1;
    this.server = serverView(reply, this.server);
    this.updateProgress();
    if (!COVERED.has(this.layout.currentState)) this.refreshAfterReply();
  }

  /** A late reply must not pull away the case that is being read. */
  private refreshAfterReply(): void {
    const open = this.server.next.includes(this.showing ?? "");
    if (this.showing !== null && (open || this.revisiting !== null) && this.server.state === "open") {
      this.updateProgress();
      this.prefetch();
    } else this.refresh();
  }

  private turnedAway(entry: OutboxEntry, code: string): void {
    if (code === DISPLAY_NOT_CHECKED) {
      if (this.checking) return;
      this.checking = true;
      this.leaveCase();
      void this.comeBack();
    } else if (entry.state === "held") {
      this.server = { ...this.server, state: "closed" };
      this.refresh();
    } else
      void this.askAgain().then(() => {
        if (this.layout.currentState !== "busy") this.refreshAfterReply();
      });
  }

  private updateProgress(): void {
    const { done, total } = progress(this.sitting);
    this.layout.progress(done, total, describeTimeLeft(millisecondsLeft(this.caseTimesMs, total - done), words));
  }
}
