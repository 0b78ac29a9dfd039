/** What a reader has chosen for this browser: keys and the left button. Kept under the reader's name. */
import { Signal } from "../../core/signal";
import type { Command, Keymap } from "../../core/keymap";
import { keyLabel, KEYMAPS, keymapOf } from "../../core/keymap";
import type { Tool } from "../../viewer";
import { element } from "../shared/dom";
import { words } from "../../words";

const LEFT_TOOLS: readonly Tool[] = ["window", "scroll", "pan", "zoom", "length"];

export const LEFT_BUTTON: readonly { readonly tool: Tool; readonly text: string }[] = LEFT_TOOLS.map((tool) => ({
  tool,
  text: words.tools.left[tool] ?? tool,
}));

/** Chromium knows on https what stands on the keys. */
interface KeyboardApi {
  getLayoutMap(): Promise<ReadonlyMap<string, string>>;
}

export class Preferences {
  readonly changed = new Signal();
  private keys: Keymap = KEYMAPS.right;
  private tool: Tool = "window";
  private layout: ReadonlyMap<string, string> | null = null;
  private place = "";

  constructor(private readonly storage: Storage | null) {}

  open(reader: string): void {
    this.place = `turing-ward reading room of ${reader}`;
    const kept = this.kept();
    this.keys = keymapOf(kept.keys) ?? KEYMAPS.right;
    this.tool = LEFT_BUTTON.find(({ tool }) => tool === kept.leftButton)?.tool ?? "window";
    this.changed.emit();
    const { keyboard } = navigator as { keyboard?: KeyboardApi };
    void keyboard?.getLayoutMap().then(
      (layout) => {
        this.layout = layout;
        this.changed.emit();
      },
      () => undefined,
    );
  }

  get keymap(): Keymap {
    return this.keys;
  }

  set keymap(keys: Keymap) {
    this.keys = keys;
    this.keep();
  }

  get leftButton(): Tool {
    return this.tool;
  }

  set leftButton(tool: Tool) {
    this.tool = tool;
    this.keep();
  }

  reset(): void {
    this.keys = KEYMAPS.right;
    this.tool = "window";
    this.keep();
  }

  label(command: Command): string {
    return keyLabel(this.keys[command], words.keys.names, this.layout);
  }

  /** A picture of the key beside what it does, on a button that does the same. */
  cap(command: Command, on?: HTMLElement): HTMLElement {
    const made = element("kbd", {});
    const write = (): void => {
      made.textContent = this.label(command);
      on?.setAttribute("aria-keyshortcuts", this.label(command));
    };
    write();
    this.changed.listen(write);
    return made;
  }

  private kept(): { readonly keys?: unknown; readonly leftButton?: unknown } {
    try {
      const kept: unknown = JSON.parse(this.storage?.getItem(this.place) ?? "{}");
      return typeof kept === "object" && kept !== null ? kept : {};
    } catch {
      // What is no JSON counts as nothing kept.
      return {};
    }
  }

  /** A browser that keeps nothing still does as it is told until the page is closed. */
  private keep(): void {
    try {
      this.storage?.setItem(this.place, JSON.stringify({ keys: this.keys, leftButton: this.tool }));
    } catch {
      // said nowhere: a chosen key is no answer
    }
    this.changed.emit();
  }
}

export function browserStorage(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    // Forbidden by the browser's settings.
    return null;
  }
}

/** Ends with the tab. */
export function sittingStorage(): Storage | null {
  try {
    return window.sessionStorage;
  } catch {
    // Forbidden by the browser's settings.
    return null;
  }
}
