/** The one place that a reader marks in a case: what stands there, and how mouse and keys change it. */
import type { Answer } from "../../api/contract";
import type { Mark, Marked } from "../../core/marking";
import { button, element } from "../shared/dom";
import type { CrosshairHooks } from "./crosshair";
import { Crosshair } from "./crosshair";
import type { CaseDisplay } from "./display";
import type { Marking } from "./marking";

// Of two lines at most, so that no button moves when they change.
const ASKED = "Mark the place: click it, or Enter and the arrow keys.";
export const PLACING = "Arrows move the cross (Shift: faster), Enter sets it.";

export class OnePlace implements Marking {
  readonly element = element("div", { class: "room-mark", role: "group", "aria-label": "Marked place" });
  private readonly words = element("p", { class: "room-mark-words", role: "status" });
  private readonly clears: HTMLButtonElement;
  private readonly crosshair: Crosshair;
  private placed: Mark | null = null;

  constructor(
    private readonly requiredWith: readonly Answer[],
    private readonly display: CaseDisplay,
    private readonly hooks: CrosshairHooks,
  ) {
    const begins = button("By keys ", { class: "room-tool" }, () => {
      this.crosshair.begin();
    });
    begins.append(element("kbd", {}, "Enter"));
    this.clears = button("Clear ", { class: "room-tool" }, () => {
      this.clear();
    });
    this.clears.append(element("kbd", {}, "Del"));
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
    this.words.textContent = this.crosshair.at !== null ? PLACING : placed === null ? ASKED : this.standing(placed);
    this.clears.disabled = placed === null;
    this.display.redraw();
  }

  private standing({ slice }: Mark): string {
    return this.display.stacked ? `A place is marked on slice ${slice + 1}.` : "A place is marked.";
  }
}
