/** One further question about the case, after its answer: buttons with keys, a number, or words. */
import type { FurtherQuestion } from "../../api/contract";
import type { KeyedChoice } from "../../core/keyboard";
import { scaleCommand } from "../../core/keyboard";
import { button, element } from "../shared/dom";
import { NumberField } from "./number-field";
import type { Preferences } from "./preferences";
import { words } from "../../words";

export type FurtherValue = number | string;

export interface FurtherHooks {
  answer(value: FurtherValue): void;
  stepBack(): void;
}

export class FurtherPanel {
  readonly element = element("div", { class: "room-further", role: "group" });
  number: NumberField | null = null;
  choices: readonly KeyedChoice<number>[] = [];

  constructor(
    private readonly preferences: Preferences,
    private readonly hooks: FurtherHooks,
  ) {}

  /** `written` stands in the field for text at first. */
  show(item: FurtherQuestion, position: string, written = ""): void {
    this.choices = item.choices.map(({ value }, index) => ({ value, command: scaleCommand(index) }));
    this.number =
      item.scale === null
        ? null
        : new NumberField(item.scale, item.question, () => {
            this.give();
          });
    const field = item.text ? this.textField(item.question, written) : [];
    this.element.setAttribute("aria-label", item.question);
    this.element.replaceChildren(
      element("p", { class: "room-note" }, position),
      element("h3", {}, item.question),
      ...item.choices.map(({ value, label }, index) => this.choiceButton(value, label, index)),
      ...(this.number === null ? [] : [this.number.element]),
      ...field,
      button(words.room.stepBack, { class: "room-quiet" }, () => {
        this.hooks.stepBack();
      }),
    );
    this.element.querySelector("textarea")?.focus();
  }

  /** What stands in the field for text by now. */
  get words(): string {
    return this.element.querySelector("textarea")?.value ?? "";
  }

  clear(): void {
    this.number = null;
    this.choices = [];
    this.element.replaceChildren();
  }

  /** The number that stands there is the answer. */
  give(): void {
    const value = this.number?.value ?? null;
    if (value !== null) this.hooks.answer(value);
  }

  private choiceButton(value: number, label: string, index: number): HTMLButtonElement {
    const made = button("", { class: "room-answer", "data-further": value }, () => {
      this.hooks.answer(value);
    });
    made.append(this.preferences.cap(scaleCommand(index), made), element("span", {}, label));
    return made;
  }

  private textField(label: string, written: string): HTMLElement[] {
    const field = element("textarea", { class: "room-words", rows: 4, maxlength: 2000, "aria-label": label });
    field.value = written;
    const done = button("", { class: "room-answer", "aria-keyshortcuts": "Control+Enter" }, () => {
      this.hooks.answer(field.value.trim());
    });
    done.append(element("kbd", {}, words.keys.controlEnter), element("span", {}, words.room.goOn));
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.hooks.stepBack();
      else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) done.click();
      else return;
      event.preventDefault();
    });
    return [field, done];
  }
}
