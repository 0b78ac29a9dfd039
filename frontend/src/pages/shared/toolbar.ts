/** Tools, window presets and mask switches of the viewer pages. */
import { Signal } from "../../core/signal";
import type { Window } from "../../core/windows";
import { WINDOW_PRESETS } from "../../core/windows";
import type { Tool } from "../../viewer";
import { button, element, isShortcut, keyButton } from "./dom";

const TOOL_NAMES: Record<Tool, { readonly text: string; readonly key: string; readonly help: string }> = {
  window: { text: "Window", key: "w", help: "Drag sideways for width, up and down for level" },
  scroll: { text: "Scroll", key: "s", help: "Drag up and down through the slices" },
  pan: { text: "Pan", key: "h", help: "Drag the image (also: middle button, or Shift and drag)" },
  zoom: { text: "Zoom", key: "z", help: "Drag up to enlarge (also: right button, or Ctrl and wheel)" },
  length: { text: "Length", key: "l", help: "Drag a line to measure it; Delete removes all lines" },
  point: { text: "Point", key: "p", help: "Click a place to choose it" },
  brush: { text: "Brush", key: "b", help: "Drag to paint or erase in a mask" },
};

export class ToolChoice {
  readonly changed = new Signal<Tool>();
  readonly element = element("div", { class: "viewer-group", role: "group", "aria-label": "Tool of the left button" });
  private readonly buttons = new Map<Tool, HTMLButtonElement>();
  private chosen: Tool;

  constructor(tools: readonly Tool[], keys: Shortcuts) {
    this.chosen = tools[0] ?? "window";
    for (const tool of tools) {
      const { text, key, help } = TOOL_NAMES[tool];
      const choose = (): void => {
        this.choose(tool);
      };
      const made = keyButton(
        text,
        key,
        { class: "tool", title: `${help} (${key.toUpperCase()})`, "data-tool": tool },
        choose,
      );
      keys.on(key, choose);
      this.buttons.set(tool, made);
      this.element.append(made);
    }
    this.choose(this.chosen);
  }

  get tool(): Tool {
    return this.chosen;
  }

  choose(tool: Tool): void {
    this.chosen = tool;
    for (const [name, made] of this.buttons) made.setAttribute("aria-pressed", String(name === tool));
    this.changed.emit(tool);
  }
}

/** One listener for all keys of a page. */
export class Shortcuts {
  private readonly actions = new Map<string, () => void>();

  constructor() {
    document.addEventListener("keydown", (event) => {
      if (!isShortcut(event) || event.repeat) return;
      const action = this.actions.get(event.key.toLowerCase());
      if (!action) return;
      event.preventDefault();
      action();
    });
  }

  on(key: string, action: () => void): void {
    this.actions.set(key.toLowerCase(), action);
  }
}

export function presetButtons(original: Window, keys: Shortcuts, apply: (window: Window) => void): HTMLElement {
  const group = element("div", { class: "viewer-group", role: "group", "aria-label": "Grey-value window" });
  const presets = [...WINDOW_PRESETS, { name: "As set", key: "0", ...original }];
  for (const preset of presets) {
    const choose = (): void => {
      apply({ center: preset.center, width: preset.width });
    };
    const title = `Level ${preset.center} HU, width ${preset.width} HU (${preset.key})`;
    group.append(keyButton(preset.name, preset.key, { class: "tool", title }, choose));
    keys.on(preset.key, choose);
  }
  return group;
}

/** A switch with the colour of what it shows. */
export function maskSwitch(
  text: string,
  kind: string,
  shown: boolean,
  onChange: (visible: boolean) => void,
): HTMLButtonElement {
  const made = button(text, { class: "tool mask-switch", "data-mask": kind, "aria-pressed": String(shown) }, () => {
    const visible = made.getAttribute("aria-pressed") !== "true";
    made.setAttribute("aria-pressed", String(visible));
    onChange(visible);
  });
  made.prepend(element("span", { class: `mask-chip mask-${kind}`, "aria-hidden": "true" }));
  return made;
}

export const MASK_COLOURS: Record<string, string> = {
  liver: "#4fc3f7",
  lesion: "#ffb74d",
  vessel: "#ef7f8e",
  changed: "#e985f5",
};
