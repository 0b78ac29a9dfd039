/** Any number of places that a reader marks in a case, each with how sure and why: by mouse, and by keys. */
import type { Answer, ReadingSession } from "../../api/contract";
import { KeyBounce } from "../../core/bounce";
import { scaleCommand } from "../../core/keyboard";
import { placeOf } from "../../core/keymap";
import type { MarkList, OpenMark, Step } from "../../core/mark-list";
import {
  chosen,
  EMPTY,
  listOf,
  moveSelected,
  place,
  remove,
  say,
  select,
  selectNext,
  selectOpen,
  stepBack,
  wholeMarks,
} from "../../core/mark-list";
import type { Marked } from "../../core/marking";
import { button, element } from "../shared/dom";
import type { CrosshairHooks } from "./crosshair";
import { Crosshair } from "./crosshair";
import type { CaseDisplay } from "./display";
import type { Marking } from "./marking";
import type { Preferences } from "./preferences";
import { words } from "../../words";

type Each = NonNullable<NonNullable<ReadingSession["study"]["mark"]>["each"]>;

export class AnyPlaces implements Marking {
  readonly element = element("div", { class: "room-mark", role: "group", "aria-label": words.marks.places });
  private readonly words = element("p", { class: "room-mark-words", role: "status" });
  private readonly rows = element("ol", { class: "room-places" });
  private readonly choices: Readonly<Record<Step, HTMLElement>>;
  private readonly nexts: HTMLButtonElement;
  private readonly removes: HTMLButtonElement;
  private readonly crosshair: Crosshair;
  private readonly bounce = new KeyBounce(() => performance.now());
  private list: MarkList = EMPTY;

  constructor(
    private readonly each: Each,
    private readonly requiredWith: readonly Answer[],
    private readonly display: CaseDisplay,
    private readonly preferences: Preferences,
    private readonly hooks: CrosshairHooks,
  ) {
    this.choices = { confidence: this.group("confidence"), reason: this.group("reason") };
    const begins = this.tool(words.marks.byKeys, words.keys.enter, () => {
      this.crosshair.begin();
    });
    this.nexts = this.tool(words.marks.next, words.keys.end, () => {
      this.next();
    });
    this.removes = this.tool(words.marks.remove, words.keys.remove, () => {
      this.become(remove(this.list));
    });
    const tools = element("div", { class: "room-row" }, begins, this.nexts, this.removes);
    this.element.append(this.words, this.rows, tools, this.choices.confidence, this.choices.reason);
    this.crosshair = new Crosshair(display, hooks, {
      from: () => chosen(this.list),
      pressed: (mark) => {
        this.become(place(this.list, mark, each.most));
      },
      set: (mark) => {
        this.become(chosen(this.list) === null ? place(this.list, mark, each.most) : moveSelected(this.list, mark));
      },
      clear: () => {
        this.become(remove(this.list));
      },
      changed: () => {
        this.changed();
      },
    });
    display.drawMarks(
      () =>
        this.list.marks
          .map((mark, index) => ({ ...mark, name: String(index + 1), selected: index === this.list.selected }))
          .filter(({ selected }) => !(selected && this.crosshair.at !== null)),
      () => this.crosshair.at,
    );
    this.start(null);
  }

  get given(): Marked {
    return { mark: null, marks: wholeMarks(this.list) ?? [] };
  }

  start(given: Marked | null): void {
    this.list = listOf(given?.marks ?? []);
    this.crosshair.leave();
  }

  allows(answer: Answer): boolean {
    this.crosshair.leave();
    const some = this.list.marks.length > 0;
    const open = wholeMarks(this.list) === null;
    const fits = !open && some === this.requiredWith.includes(answer);
    if (open) this.become(selectOpen(this.list));
    else if (!fits) this.words.textContent = some ? words.marks.some : words.marks.none;
    this.element.toggleAttribute("data-missing", !fits);
    // What is missing is done in the picture: Enter is meant for it, not once more for a button that was pressed.
    if (!fits) this.display.focus();
    return fits;
  }

  pressed(event: KeyboardEvent): boolean {
    if (this.crosshair.at === null && this.hooks.ready() && this.hooks.undecided() && this.listKey(event)) {
      event.preventDefault();
      return true;
    }
    return this.crosshair.keyed(event);
  }

  /** Keys of the marks that stand there; held down or bouncing they count once. */
  private listKey(event: KeyboardEvent): boolean {
    const act = this.meaningOf(event);
    if (act === null) return false;
    if (!event.repeat && this.bounce.accepts(event.code || event.key)) act();
    return true;
  }

  private meaningOf(event: KeyboardEvent): (() => void) | null {
    if (event.key === "End")
      return () => {
        this.next();
      };
    if (chosen(this.list) === null) return null;
    if (event.key === "Escape" || event.key === "Backspace")
      return () => {
        this.become(stepBack(this.list));
      };
    const { keymap } = this.preferences;
    const choice = this.choicesOf(this.list.step).find((_, index) => keymap[scaleCommand(index)] === placeOf(event));
    return choice === undefined
      ? null
      : () => {
          this.become(say(this.list, choice.value));
        };
  }

  private choicesOf(step: Step): Each["levels"] {
    return step === "confidence" ? this.each.levels : this.each.reasons;
  }

  private group(step: Step): HTMLElement {
    const buttons = this.choicesOf(step).map(({ value, label }, index) => {
      const made = button("", { class: "room-choice" }, () => {
        this.become(say(this.list, value));
      });
      made.append(this.preferences.cap(scaleCommand(index), made), element("span", {}, label));
      return made;
    });
    const back = button(words.room.stepBack, { class: "room-quiet" }, () => {
      this.become(stepBack(this.list));
    });
    const attributes = {
      class: "room-choices",
      role: "group",
      "aria-label": words.marks.ofThisPlace(words.marks[step]),
    };
    return element("div", attributes, ...buttons, back);
  }

  private tool(text: string, key: string, act: () => void): HTMLButtonElement {
    const made = button(`${text} `, { class: "room-tool" }, act);
    made.append(element("kbd", {}, key));
    return made;
  }

  private next(): void {
    this.become(selectNext(this.list));
    this.follow();
  }

  /** The selected mark is looked at. */
  private follow(): void {
    const mark = chosen(this.list);
    if (mark !== null) this.display.scroll(mark.slice - this.display.middle.slice);
  }

  /** Once the answer is given nothing changes. */
  private become(list: MarkList): void {
    if (!this.hooks.ready() || !this.hooks.undecided()) return;
    this.list = list;
    this.element.removeAttribute("data-missing");
    this.changed();
    // The button that was pressed may be gone.
    this.display.focus();
  }

  private changed(): void {
    const { marks, selected, step } = this.list;
    const asked = selected !== null && this.crosshair.at === null;
    this.element.dataset.marks = marks
      .map((one) => [one.slice, one.row, one.column, one.confidence, one.reason].join(","))
      .join(";");
    this.words.textContent = this.crosshair.at !== null ? words.marks.placing : this.standing();
    this.choices.confidence.hidden = !asked || step !== "confidence";
    this.choices.reason.hidden = !asked || step !== "reason";
    this.rows.replaceChildren(...marks.map((mark, index) => element("li", {}, this.row(mark, index))));
    this.nexts.disabled = this.removes.disabled = marks.length === 0;
    this.display.redraw();
  }

  private standing(): string {
    const { marks, selected, step } = this.list;
    if (selected !== null) return words.marks.ofPlace(selected + 1, words.marks[step]);
    if (marks.length === 0) return words.marks.asked;
    return words.marks.standing(marks.length);
  }

  private row(mark: OpenMark, index: number): HTMLElement {
    const labelOf = (step: Step): string =>
      this.choicesOf(step).find(({ value }) => value === mark[step])?.label ?? "–";
    const where = this.display.stacked ? [words.marks.slice(mark.slice + 1)] : [];
    const text = [...where, labelOf("confidence"), labelOf("reason")].join(", ");
    const pressed = String(index === this.list.selected);
    return button(text, { class: "room-place", "aria-pressed": pressed }, () => {
      this.become(select(this.list, index));
      this.follow();
    });
  }
}
