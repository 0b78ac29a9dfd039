/** The furniture of the reading room: what stands where, and what it says. It decides nothing. */
import type { ReadingSession } from "../../api/contract";
import type { OutboxStatus } from "../../core/outbox";
import { button, element } from "../shared/dom";
import { savedWords } from "../../core/saved";
import { levelCommand, scaleCommand } from "../../core/keyboard";
import type { Command } from "../../core/keymap";
import { COMMANDS } from "../../core/keymap";
import type { Decision, NamedChoice } from "./answers";
import { choicesOf, sameDecision } from "./answers";
import { Banner } from "./banner";
import { KeysPanel } from "./keys-panel";
import { markingKeys, mostMarkChoices } from "./marking";
import { NumberField } from "./number-field";
import type { FurtherValue } from "./further-panel";
import { FurtherPanel } from "./further-panel";
import type { Preferences } from "./preferences";
import type { ViewTools } from "./tools";
import { conflictWords, keptWords, paragraphs } from "./words";
import { words } from "../../words";

export type RoomState =
  | "loading"
  | "welcome"
  | "reading"
  | "confidence"
  | "further"
  | "busy"
  | "told"
  | "paused"
  | "elsewhere"
  | "saving"
  | "finished"
  | "closed"
  | "logged-out"
  | "error";

export interface RoomActions {
  answer(decision: Decision): void;
  /** The number that stands there is the answer. */
  give(): void;
  confidence(level: number): void;
  /** To the further question that is asked. */
  further(value: FurtherValue): void;
  withdraw(): void;
  back(): void;
  pause(): void;
  pauseDismissed(): void;
  resolve(presentation: string, mine: boolean): void;
}

/** More buttons are made smaller. */
const FEW = 4;
const OF_ANSWERS = /^(?:answer|level|scale|cannotTell)/;

export class ReadingLayout {
  readonly stage = element("div", { class: "room-stage" });
  private readonly cover = element("div", { class: "room-cover", role: "status" });
  private readonly title = element("span", { class: "room-title" });
  private readonly count = element("span", { class: "room-count" });
  private readonly bar = element("progress", { max: 1, value: 0, "aria-label": words.room.read });
  private readonly timeLeft = element("span", { class: "room-time" });
  private readonly saved = element("span", { class: "room-saved", role: "status" });
  private readonly banner = new Banner();
  private readonly question = element("h2", { class: "room-question" });
  private readonly note = element("p", { class: "room-note" });
  private readonly obstacle = element("p", { class: "room-obstacle", role: "status", hidden: true });
  private readonly reader = element("span", { class: "room-reader" });
  private session: ReadingSession | null = null;
  private choices: readonly NamedChoice[] = [];
  /** Of a study whose scale has no keys. */
  number: NumberField | null = null;
  private readonly answers = element("div", { class: "room-answers", role: "group" });
  private readonly levels = element("div", { class: "room-levels", role: "group", "aria-label": words.room.howSure });
  readonly further: FurtherPanel;
  /** What a case was. */
  readonly told = element("div", { class: "room-told", role: "status" });
  private readonly backButton: HTMLButtonElement;
  private readonly aside = element("div", { class: "room-aside" });
  private readonly pause = element("div", { class: "room-pause", role: "status", hidden: true });

  constructor(
    private readonly root: HTMLElement,
    private readonly loginUrl: string,
    readonly leaveUrl: string,
    private readonly preferences: Preferences,
    private readonly actions: RoomActions,
  ) {
    this.further = new FurtherPanel(preferences, {
      answer: (value) => {
        actions.further(value);
      },
      stepBack: () => {
        actions.withdraw();
      },
    });
    this.backButton = button(words.room.previous, { class: "room-quiet" }, () => {
      actions.back();
    });
    this.backButton.append(" ", preferences.cap("back", this.backButton));
    const pause = button(`${words.room.pause} `, { class: "room-quiet" }, () => {
      actions.pause();
    });
    pause.append(preferences.cap("pause", pause));
    root.classList.add("room");
    root.replaceChildren(
      element(
        "header",
        { class: "room-top" },
        this.title,
        element("div", { class: "room-progress" }, this.count, this.bar, this.timeLeft),
        this.saved,
        this.reader,
        pause,
        element("a", { class: "room-quiet", href: leaveUrl }, words.room.stop),
      ),
      this.banner.element,
      element("div", { class: "room-main" }, this.stage, this.panel()),
    );
    this.stage.append(this.cover);
    this.state("loading");
    this.presentation(null, "", false);
  }

  state(state: RoomState): void {
    this.root.dataset.state = state;
  }

  get currentState(): RoomState {
    return this.root.dataset.state as RoomState;
  }

  describe(session: ReadingSession): void {
    const { study } = session;
    this.session = session;
    this.reader.textContent = session.reader;
    this.root.dataset.mode = session.display.mode;
    this.title.textContent = study.title;
    this.question.textContent = study.question;
    this.answers.setAttribute("aria-label", study.question);
    this.choices = choicesOf(session);
    this.number =
      study.scale === null
        ? null
        : new NumberField(study.scale, study.question, () => {
            this.actions.give();
          });
    this.answers.replaceChildren(
      ...(this.number === null ? [] : [this.number.element]),
      ...this.choices.map(({ name, command, value }) =>
        this.answerButton(name, command, { "data-answer": value.answer, "data-level": value.level }, () => {
          this.actions.answer(value);
        }),
      ),
    );
    this.answers.classList.toggle("many", this.choices.length > FEW);
    const levels = study.confidence?.levels ?? [];
    this.levels.replaceChildren(
      element("h3", {}, words.room.howSure),
      ...levels.map((level, index) =>
        this.answerButton(level.label, levelCommand(index), { "data-level": level.value }, () => {
          this.actions.confidence(level.value);
        }),
      ),
    );
    this.levels.append(
      button(words.room.changeAnswer, { class: "room-quiet" }, () => {
        this.actions.withdraw();
      }),
    );
    const most = Math.max(mostMarkChoices(study), ...study.further.map(({ choices }) => choices.length));
    const used = [
      ...this.choices.map(({ command }) => command),
      ...levels.map((_, index) => levelCommand(index)),
      ...Array.from({ length: most }, (_, index) => scaleCommand(index)),
    ];
    // A patch has no ring, nor has a study whose raters look for the place.
    const ringed = session.display.mode !== "patch" && study.mark === null;
    const unused = new Set<Command>([
      ...(ringed ? [] : (["marker"] as const)),
      ...(session.display.window_may_stay ? [] : (["keepWindow"] as const)),
    ]);
    const keys = new KeysPanel(
      this.preferences,
      COMMANDS.filter((one) => !unused.has(one) && (used.includes(one) || !OF_ANSWERS.test(one))),
      markingKeys(study),
    );
    this.aside.replaceChildren(...instructionParts(study.instructions), keys.element);
  }

  /** Tools of the view stand below the answers. */
  addTools({ element: tools }: ViewTools): void {
    this.aside.before(tools);
  }

  /** The marked place stands above the answers. */
  addMarking(marking: HTMLElement): void {
    this.answers.before(marking);
  }

  /** Why no answer can be taken at the moment; null when one can. */
  block(obstacle: string | null): void {
    this.obstacle.hidden = obstacle === null;
    this.obstacle.textContent = obstacle ?? "";
    this.root.toggleAttribute("data-blocked", obstacle !== null);
  }

  choose(decision: Decision | null): void {
    const buttons = this.answers.querySelectorAll<HTMLButtonElement>("button[data-answer]");
    buttons.forEach((made, index) => {
      made.setAttribute("aria-pressed", String(sameDecision(this.choices[index]?.value ?? null, decision)));
    });
  }

  progress(done: number, total: number, timeLeft: string): void {
    this.count.textContent = words.room.done(done, total);
    this.bar.max = Math.max(1, total);
    this.bar.value = done;
    this.timeLeft.textContent = timeLeft;
    document.title = `${words.room.done(done, total)} · ${this.title.textContent}`;
  }

  presentation(token: string | null, note: string, hasPrevious: boolean): void {
    if (token === null) delete this.root.dataset.presentation;
    else this.root.dataset.presentation = token;
    this.note.textContent = note;
    this.backButton.disabled = !hasPrevious;
    this.choose(null);
  }

  /** Covers the image with words; null uncovers it. */
  coverWith(...content: (Node | string)[]): void {
    this.cover.replaceChildren(...content);
    this.cover.hidden = content.length === 0;
  }

  focusCover(): void {
    this.cover.querySelector("button")?.focus();
  }

  get say(): Banner["say"] {
    return this.banner.say.bind(this.banner);
  }

  suggestPause(minutes: number): void {
    const dismiss = button(words.room.goOn, { class: "room-quiet" }, () => {
      this.pause.hidden = true;
      this.actions.pauseDismissed();
    });
    const text = words.room.rest(minutes);
    this.pause.replaceChildren(element("span", {}, text), dismiss);
    this.pause.hidden = false;
  }

  outbox(status: OutboxStatus): void {
    const { waiting, kept, conflicts, ofOthers, problem } = status;
    this.saved.dataset.waiting = String(waiting);
    this.saved.dataset.problem =
      conflicts.length + kept.length > 0 || (waiting === 0 && ofOthers > 0) ? "kept" : problem;
    const saved = savedWords(status, words);
    this.saved.textContent = saved;
    const reader = this.session?.reader ?? "";
    if (problem === "logged-out") this.askForLogin(words.login.expired, saved);
    else if (problem === "other-login") this.askForLogin(words.room.otherLogin(reader), saved);
    else this.say("login");
    this.say("kept", ...(kept.length > 0 ? keptWords(kept) : []));
    const [conflict] = conflicts;
    if (conflict === undefined || this.session === null) this.say("conflict");
    else {
      const choose = (mine: boolean): void => {
        this.actions.resolve(conflict.presentation, mine);
      };
      this.say("conflict", ...conflictWords(this.session, conflict, choose));
    }
  }

  nothingStored(practice: boolean): void {
    this.saved.textContent = practice ? words.room.practice : words.room.preview;
    this.say("preview", practice ? words.room.practiceNote : words.room.previewNote);
  }

  askForLogin(reason: string, consequence: string): void {
    const name = this.session?.reader;
    const again = name ? words.login.againAs(name) : words.login.again;
    const link = element("a", { href: this.loginUrl, target: "_blank", rel: "noopener" }, again);
    this.say("login", `${reason} `, link, words.login.comeBack(consequence));
  }

  private answerButton(
    text: string,
    command: Command,
    attributes: Record<string, string | number | null>,
    onClick: () => void,
  ): HTMLButtonElement {
    const made = button("", { class: "room-answer", ...attributes }, onClick);
    made.append(this.preferences.cap(command, made), element("span", {}, text));
    return made;
  }

  private panel(): HTMLElement {
    return element(
      "div",
      { class: "room-panel" },
      this.question,
      this.note,
      this.obstacle,
      this.answers,
      this.levels,
      this.further.element,
      this.told,
      element("div", { class: "room-row" }, this.backButton),
      this.pause,
      this.aside,
    );
  }
}

function instructionParts(instructions: string): HTMLElement[] {
  if (!instructions) return [];
  return [element("details", {}, element("summary", {}, words.room.instructions), ...paragraphs(instructions))];
}
