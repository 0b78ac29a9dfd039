/** A scale with more levels than keys: digits and arrows of the keyboard, or a slider. It shows no number until one is set. */
import type { ReadingSession } from "../../api/contract";
import type { NumberChange, NumberEntry } from "../../core/number-entry";
import { changed, NOTHING, set } from "../../core/number-entry";
import { button, element } from "../shared/dom";
import { words } from "../../words";

type Scale = NonNullable<ReadingSession["study"]["scale"]>;

export class NumberField {
  readonly element: HTMLElement;
  private readonly shown = element("output", { class: "room-number", for: "room-slider" });
  private readonly slider: HTMLInputElement;
  private readonly done: HTMLButtonElement;
  private entry: NumberEntry = NOTHING;

  constructor(
    private readonly scale: Scale,
    label: string,
    give: () => void,
  ) {
    const [low, high] = scale.ends;
    this.slider = element("input", {
      id: "room-slider",
      type: "range",
      min: scale.lowest,
      max: scale.highest,
      step: 1,
      "aria-label": label,
    });
    // A click where the slider stands already changes nothing, and means it all the same.
    for (const moved of ["input", "click"]) {
      this.slider.addEventListener(moved, () => {
        this.show(set(this.slider.valueAsNumber));
      });
    }
    this.done = button("", { class: "room-answer", "aria-keyshortcuts": "Enter" }, give);
    this.done.append(element("kbd", {}, words.keys.enter), element("span", {}, words.room.giveAnswer));
    const ends = [`${scale.lowest} ${low ?? ""}`, `${scale.highest} ${high ?? ""}`];
    this.element = element(
      "div",
      { class: "room-scale" },
      this.shown,
      this.slider,
      element("div", { class: "room-ends" }, ...ends.map((end) => element("span", {}, end))),
      element("p", { class: "room-note" }, words.room.typeNumber),
      this.done,
    );
    this.show(NOTHING);
  }

  get value(): number | null {
    return this.entry.value;
  }

  clear(): void {
    this.show(NOTHING);
  }

  change(change: NumberChange): void {
    this.show(changed(this.entry, change, this.scale));
  }

  private show(entry: NumberEntry): void {
    const { value } = entry;
    this.entry = entry;
    this.shown.textContent = value === null ? "–" : String(value);
    this.slider.classList.toggle("unset", value === null);
    if (value !== null) this.slider.value = String(value);
    this.slider.setAttribute("aria-valuetext", value === null ? words.room.notSet : String(value));
    this.done.disabled = value === null;
  }
}
