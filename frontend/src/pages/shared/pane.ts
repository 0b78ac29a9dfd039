/** A view with its frame: title, slice slider, read-out, and the keys of the focused view. */
import type { Window } from "../../core/windows";
import { describeWindow } from "../../core/windows";
import type { ImageStack } from "../../viewer";
import { scaleBarPainter, StackView } from "../../viewer";
import type { Camera, ScreenSize } from "../../core/camera";
import { element } from "./dom";
import { words } from "../../words";

const SCROLL_KEYS: Record<string, number> = {
  ArrowDown: 1,
  ArrowRight: 1,
  ArrowUp: -1,
  ArrowLeft: -1,
  PageDown: 5,
  PageUp: -5,
};

export class Pane {
  readonly root: HTMLElement;
  readonly host: HTMLElement;
  /** Keys that would scroll here and mean something else on this page. */
  readonly keysOfOthers = new Set<string>();
  readonly view: StackView;
  private readonly title = element("span", { class: "pane-title" });
  private readonly caption = element("span", { class: "pane-caption" });
  private readonly readout = element("span", { class: "pane-readout" });
  private readonly slider = element("input", { type: "range", class: "pane-slider", min: 1, max: 1, value: 1 });

  constructor(
    parent: HTMLElement,
    readonly name: string,
    attributes: Record<string, string> = {},
  ) {
    this.host = element("div", { class: "view", tabindex: 0, role: "group" });
    this.root = element(
      "div",
      { class: "pane", ...attributes },
      this.host,
      element("div", { class: "pane-top" }, this.title, this.caption),
      element("div", { class: "pane-bottom" }, this.readout),
      this.slider,
    );
    parent.append(this.root);
    this.rename(name);
    this.view = new StackView(this.host);
    this.view.addPainter(scaleBarPainter);
    this.view.changed.listen(() => {
      this.update();
    });
    this.slider.addEventListener("input", () => {
      this.view.setSlice(Number(this.slider.value) - 1);
    });
    this.host.addEventListener("keydown", (event) => {
      this.scrollByKey(event);
    });
  }

  rename(name: string): void {
    this.title.textContent = name;
    this.slider.setAttribute("aria-label", words.view.slider(name));
  }

  say(text: string): void {
    this.readout.textContent = text;
  }

  async show(stack: ImageStack, slice: number, window: Window, camera?: (screen: ScreenSize) => Camera): Promise<void> {
    this.slider.max = String(stack.slices);
    this.slider.hidden = stack.slices === 1;
    await this.view.show(stack, { slice, window, ...(camera ? { camera } : {}) });
  }

  private scrollByKey(event: KeyboardEvent): void {
    const slices = SCROLL_KEYS[event.key];
    if (slices === undefined || this.keysOfOthers.has(event.key) || event.ctrlKey || event.metaKey || event.altKey)
      return;
    event.preventDefault();
    event.stopPropagation();
    this.view.setSlice(this.view.slice + slices);
  }

  private update(): void {
    const { slice, slices, window, waiting } = this.view;
    const place = slices > 1 ? `${slice + 1} / ${slices}` : "";
    this.caption.textContent = [place, describeWindow(window), waiting ? words.view.loading : ""]
      .filter(Boolean)
      .join("  ·  ");
    this.slider.value = String(slice + 1);
    this.host.setAttribute("aria-label", words.view.label(this.title.textContent, slice + 1, slices));
  }
}
