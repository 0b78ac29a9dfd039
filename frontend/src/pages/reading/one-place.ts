/** The one place that a reader marks in a case: what stands there, and how mouse and keys change it. */
import type { Answer } from "../../api/contract";
import type { Mark, Marked } from "../../core/marking";
import { button, element } from "../shared/dom";
import type { CrosshairHooks } from "./crosshair";
import { Crosshair } from "./crosshair";
import type { CaseDisplay } from "./display";
import type { Marking } from "./marking";
import { words } from "../../words";

export class OnePlace implements Marking {
  readonly element = element("div", { class: "room-mark", role: "group", "aria-label": words.marks.place });
  private readonly words = element("p", { class: "room-mark-words", role: "status" });
  private readonly clears: HTMLButtonElement;
  private readonly crosshair: Crosshair;
  private placed: Mark | null = null;

  constructor(
    private readonly requiredWith: readonly Answer[],
    private readonly display: CaseDisplay,
    private readonly hooks: CrosshairHooks,
  ) {
    const begins = button(`${words.marks.byKeys} `, { class: "room-tool" }, () => {
      this.crosshair.begin();
    });
    begins.append(element("kbd", {}, words.keys.enter));
    this.clears = button(`${words.marks.clear} `, { class: "room-tool" }, () => {
      this.clear();
    });
    this.clears.append(element("kbd", {}, words.keys.remove));
    this.element.append(this.words, element("div", { class: "room-row" }, begins, this.clears));
    const place = (mark: Mark): void => {
      this.place(mark);
    };
    this.crosshair = new Crosshair(display, hooks, {
      from: () => this.placed,
      pressed: place,
      set: place,
      clear: () => {
        this.clear();
      },
      changed: () => {
        this.changed();
      },
    });
    display.drawMarks(
      () => (this.placed === null || this.crosshair.at !== null ? [] : [this.placed]),
      () => this.crosshair.at,
    );
    this.start(null);
  }

  get given(): Marked {
    return { mark: this.placed, marks: null };
  }

  start(given: Marked | null): void {
    this.place(given?.mark ?? null);
  }

  allows(answer: Answer): boolean {
    this.crosshair.leave();
    const missing = this.placed === null && this.requiredWith.includes(answer);
    this.element.toggleAttribute("data-missing", missing);
    return !missing;
  }

  pressed(event: KeyboardEvent): boolean {
    return this.crosshair.keyed(event);
  }

  private place(mark: Mark | null): void {
    this.placed = mark;
    this.crosshair.leave();
  }

  private clear(): void {
    if (this.hooks.undecided()) this.place(null);
  }

  private changed(): void {
    const { placed } = this;
    if (placed !== null) this.element.removeAttribute("data-missing");
    this.element.dataset.mark = placed === null ? "" : [placed.slice, placed.row, placed.column].join(",");
    const at = placed === null ? words.marks.askedForOne : this.standing(placed);
    this.words.textContent = this.crosshair.at !== null ? words.marks.placing : at;
    this.clears.disabled = placed === null;
    this.display.redraw();
  }

  private standing({ slice }: Mark): string {
    return this.display.stacked ? words.marks.onSlice(slice + 1) : words.marks.isMarked;
  }
}
