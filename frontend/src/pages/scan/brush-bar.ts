/** The row of the brush: what it does, how large it is, what can be undone, and what became of it. */
import { Signal } from "../../core/signal";
import { button, element, isShortcut, keyButton } from "../shared/dom";
import type { Shortcuts } from "../shared/toolbar";

const SMALLEST_MM = 2;
const LARGEST_MM = 60;
const STEP_MM = 2;
const FIRST_MM = 12;

const HELP =
  "Drag to paint. B paints, E erases, D keeps to this slice, F fills between the slices that you drew on, [ and ] change " +
  "the size; Ctrl+Z undoes, Ctrl+Y does again, Ctrl+S saves. Shift and drag moves the picture.";

export type BrushAction = "fill" | "undo" | "redo" | "save" | "close";

export class BrushBar {
  readonly element: HTMLElement;
  readonly acted = new Signal<BrushAction>();
  /** Size, shape, or paint and erase: whoever changes them wants to paint. */
  readonly changed = new Signal();
  erases = false;
  staysInSlice = false;
  private readonly size = element("input", {
    type: "range",
    min: SMALLEST_MM,
    max: LARGEST_MM,
    step: STEP_MM,
    value: FIRST_MM,
    "aria-label": "Diameter of the brush in mm",
    "aria-keyshortcuts": "[ ]",
  });
  private readonly sizeText = element("span", { class: "brush-size" });
  private readonly status = element("span", { class: "brush-status", role: "status" });
  private readonly paint: HTMLButtonElement;
  private readonly erase: HTMLButtonElement;
  private readonly disc: HTMLButtonElement;
  private readonly byAction = new Map<BrushAction, HTMLButtonElement>();

  constructor(name: string, keys: Shortcuts) {
    const disc =
      "The brush is a disc in the slice that you paint on; otherwise a ball that reaches into its neighbours (D)";
    this.paint = this.choice(keys, "Paint", "b", "Drag to add to the mask (B)", () => {
      this.erases = false;
    });
    this.erase = this.choice(keys, "Erase", "e", "Drag to take from the mask (E)", () => {
      this.erases = true;
    });
    this.disc = this.choice(keys, "This slice only", "d", disc, () => {
      this.staysInSlice = !this.staysInSlice;
    });
    this.element = element(
      "div",
      { class: "viewer-bar brush-bar", role: "toolbar", "aria-label": name },
      element(
        "div",
        { class: "viewer-group", role: "group", "aria-label": "Brush" },
        this.paint,
        this.erase,
        this.disc,
      ),
      this.sizeGroup(keys),
      element(
        "div",
        { class: "viewer-group" },
        this.action("Fill between", "fill", "F", "Fill the slices between those that you drew on (F)"),
        this.action("Undo", "undo", "Ctrl+Z"),
        this.action("Redo", "redo", "Ctrl+Y"),
        this.action("Save", "save", "Ctrl+S"),
        this.action("Close", "close", "Esc"),
      ),
      this.status,
    );
    this.update();
    document.addEventListener("keydown", (event) => {
      this.actByKey(event);
    });
  }

  get diameterMm(): number {
    return Number(this.size.value);
  }

  /** Where there is nothing to say, how to use it. */
  say(...parts: (Node | string)[]): void {
    this.status.replaceChildren(...(parts.length > 0 ? parts : [HELP]));
  }

  allow(action: BrushAction, allowed: boolean): void {
    const made = this.byAction.get(action);
    if (made) made.disabled = !allowed;
  }

  /** Which of both buttons looks pressed: none while another tool has the left button. */
  showTool(painting: boolean): void {
    this.paint.setAttribute("aria-pressed", String(painting && !this.erases));
    this.erase.setAttribute("aria-pressed", String(painting && this.erases));
  }

  private choice(keys: Shortcuts, text: string, key: string, title: string, choose: () => void): HTMLButtonElement {
    const then = this.whileShown(choose);
    keys.on(key, then);
    return keyButton(text, key, { class: "tool", title }, then);
  }

  private sizeGroup(keys: Shortcuts): HTMLElement {
    const bySteps = (steps: number): (() => void) =>
      this.whileShown(() => {
        // The field keeps it within its limits.
        this.size.value = String(this.diameterMm + steps * STEP_MM);
      });
    keys.on("[", bySteps(-1));
    keys.on("]", bySteps(1));
    const resized = this.whileShown(() => undefined);
    this.size.addEventListener("input", resized);
    const key = (name: string): HTMLElement => element("kbd", {}, name);
    return element("div", { class: "viewer-group" }, this.sizeText, key("["), this.size, key("]"));
  }

  /** Keys stay with the page when the bar has gone. */
  private whileShown(change: () => void): () => void {
    return () => {
      if (!this.element.isConnected) return;
      change();
      this.update();
      this.changed.emit();
    };
  }

  private action(text: string, action: BrushAction, keys: string, title = `${text} (${keys})`): HTMLButtonElement {
    const made = button(text, { class: "tool", title, "aria-keyshortcuts": keys.replace("Ctrl", "Control") }, () => {
      this.acted.emit(action);
    });
    made.append(" ", element("kbd", {}, keys));
    this.byAction.set(action, made);
    return made;
  }

  private actByKey(event: KeyboardEvent): void {
    const action = this.actionOf(event);
    const { target } = event;
    const types = target instanceof HTMLElement && target.matches("textarea, select, input:not([type=range])");
    if (action === null || types || !this.element.isConnected) return;
    event.preventDefault();
    if (this.byAction.get(action)?.disabled !== true) this.acted.emit(action);
  }

  private actionOf(event: KeyboardEvent): BrushAction | null {
    if (event.key === "Escape") return "close";
    if (isShortcut(event) && !event.repeat && event.key.toLowerCase() === "f") return "fill";
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return null;
    const key = event.key.toLowerCase();
    if (key === "z") return event.shiftKey ? "redo" : "undo";
    return key === "y" ? "redo" : key === "s" ? "save" : null;
  }

  private update(): void {
    this.sizeText.textContent = `Size ${this.diameterMm} mm`;
    this.disc.setAttribute("aria-pressed", String(this.staysInSlice));
  }
}
