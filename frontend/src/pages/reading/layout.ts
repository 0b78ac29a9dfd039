/** The furniture of the reading room: what stands where, and what it says. It decides nothing. */
import type { Answer, ReadingSession } from "../../api/contract";
import type { OutboxStatus } from "../../core/outbox";
import { button, element } from "../shared/dom";
import { Banner } from "./banner";
import { paragraphs } from "./words";

export type RoomState =
  "loading" | "welcome" | "reading" | "confidence" | "busy" | "saving" | "finished" | "closed" | "logged-out" | "error";

export interface RoomActions {
  answer(value: Answer): void;
  confidence(level: number): void;
  withdraw(): void;
  back(): void;
  pauseDismissed(): void;
}

const KEYS: readonly (readonly [string, string])[] = [
  ["Drag", "window: width sideways, level up and down"],
  ["Wheel, ↑ ↓", "scroll (a single image: zoom)"],
  ["Right drag, + −", "zoom"],
  ["Shift drag", "move the image"],
  ["R", "image and window as at first"],
  ["M", "hide or show the ring"],
  ["Home", "to the slice with the ring"],
  ["Z, Backspace", "previous case"],
];

export class ReadingLayout {
  readonly stage = element("div", { class: "room-stage" });
  private readonly cover = element("div", { class: "room-cover", role: "status" });
  private readonly title = element("span", { class: "room-title" });
  private readonly count = element("span", { class: "room-count" });
  private readonly bar = element("progress", { max: 1, value: 0, "aria-label": "Cases read" });
  private readonly timeLeft = element("span", { class: "room-time" });
  private readonly saved = element("span", { class: "room-saved", role: "status" });
  private readonly banner = new Banner();
  private readonly question = element("h2", { class: "room-question" });
  private readonly note = element("p", { class: "room-note" });
  private readonly answers = element("div", { class: "room-answers", role: "group" });
  private readonly levels = element("div", { class: "room-levels", role: "group", "aria-label": "How sure are you?" });
  private readonly backButton: HTMLButtonElement;
  private readonly aside = element("div", { class: "room-aside" });
  private readonly pause = element("div", { class: "room-pause", role: "status", hidden: true });

  constructor(
    private readonly root: HTMLElement,
    private readonly loginUrl: string,
    leaveUrl: string,
    private readonly actions: RoomActions,
  ) {
    this.backButton = button("Previous case", { class: "room-quiet", "aria-keyshortcuts": "Z" }, () => {
      actions.back();
    });
    this.backButton.append(" ", element("kbd", {}, "Z"));
    root.classList.add("room");
    root.replaceChildren(
      element(
        "header",
        { class: "room-top" },
        this.title,
        element("div", { class: "room-progress" }, this.count, this.bar, this.timeLeft),
        this.saved,
        element("a", { class: "room-quiet", href: leaveUrl }, "Stop for now"),
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
    this.root.dataset.mode = session.display.mode;
    this.title.textContent = study.title;
    this.question.textContent = study.question;
    this.answers.setAttribute("aria-label", study.question);
    this.answers.replaceChildren(
      ...study.answers.map((choice) =>
        answerButton(choice.label, choice.key, { "data-answer": choice.value }, () => {
          this.actions.answer(choice.value);
        }),
      ),
    );
    const levels = study.confidence?.levels ?? [];
    this.levels.replaceChildren(
      element("h3", {}, "How sure are you?"),
      ...levels.map((level) =>
        answerButton(level.label, level.key, { "data-level": level.value }, () => {
          this.actions.confidence(level.value);
        }),
      ),
    );
    this.levels.append(
      button("Change the answer (Esc)", { class: "room-quiet" }, () => {
        this.actions.withdraw();
      }),
    );
    this.aside.replaceChildren(...asideParts(study.instructions));
  }

  choose(answer: Answer | null): void {
    for (const made of this.answers.querySelectorAll("button")) {
      made.setAttribute("aria-pressed", String(made.dataset.answer === answer));
    }
  }

  progress(done: number, total: number, timeLeft: string): void {
    this.count.textContent = `${done} of ${total}`;
    this.bar.max = Math.max(1, total);
    this.bar.value = done;
    this.timeLeft.textContent = timeLeft;
  }

  presentation(token: string | null, note: string, hasPrevious: boolean): void {
    if (token === null) delete this.root.dataset.presentation;
    else this.root.dataset.presentation = token;
    this.note.textContent = note;
    this.backButton.disabled = !hasPrevious;
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
    const dismiss = button("Go on", { class: "room-quiet" }, () => {
      this.pause.hidden = true;
      this.actions.pauseDismissed();
    });
    const text = `You have been reading for ${minutes} minutes. A short break keeps the eye fresh; everything is saved.`;
    this.pause.replaceChildren(element("span", {}, text), dismiss);
    this.pause.hidden = false;
  }

  outbox({ waiting, kept, problem }: OutboxStatus): void {
    this.saved.dataset.waiting = String(waiting);
    this.saved.dataset.problem = problem;
    if (waiting === 0) this.saved.textContent = "All answers saved";
    else if (problem === "offline") this.saved.textContent = `No connection: ${answersAre(waiting)} kept here`;
    else this.saved.textContent = `Saving, ${waiting} waiting`;
    if (problem === "logged-out") this.askForLogin(`${answersAre(waiting)} kept in this browser.`);
    else this.say("login");
    if (kept.length > 0) this.say("kept", ...keptWords(kept));
    else this.say("kept");
  }

  nothingStored(): void {
    this.saved.textContent = "Preview: nothing is stored";
    this.say("preview", "This is a preview: it looks and works as for a reader, and nothing is stored.");
  }

  askForLogin(consequence: string): void {
    const link = element("a", { href: this.loginUrl, target: "_blank", rel: "noopener" }, "Log in again in a new tab");
    this.say("login", "Your login has expired. ", link, ` and come back: reading goes on by itself. ${consequence}`);
  }

  private panel(): HTMLElement {
    return element(
      "div",
      { class: "room-panel" },
      this.question,
      this.note,
      this.answers,
      this.levels,
      element("div", { class: "room-row" }, this.backButton),
      this.pause,
      this.aside,
    );
  }
}

function asideParts(instructions: string): HTMLElement[] {
  const keys = element("dl", { class: "room-keys" });
  for (const [key, meaning] of KEYS) keys.append(element("dt", {}, key), element("dd", {}, meaning));
  const parts = [element("details", {}, element("summary", {}, "Keys and mouse"), keys)];
  if (instructions) {
    parts.unshift(element("details", {}, element("summary", {}, "Instructions"), ...paragraphs(instructions)));
  }
  return parts;
}

function answerButton(
  text: string,
  key: string,
  attributes: Record<string, string | number>,
  onClick: () => void,
): HTMLButtonElement {
  const made = button("", { class: "room-answer", "aria-keyshortcuts": key, ...attributes }, onClick);
  made.append(element("kbd", {}, key), element("span", {}, text));
  return made;
}

function keptWords(kept: OutboxStatus["kept"]): (Node | string)[] {
  const reasons = [...new Set(kept.map((entry) => entry.message))].join(" ");
  const copies = JSON.stringify(
    kept.map((entry) => entry.body),
    null,
    1,
  );
  const details = element("details", {}, element("summary", {}, "Show"), element("pre", { tabindex: 0 }, copies));
  return [
    `The server did not take every answer: ${reasons} ${answersAre(kept.length)} kept in this browser. `,
    details,
  ];
}

const answersAre = (count: number): string => (count === 1 ? "1 answer is" : `${count} answers are`);
