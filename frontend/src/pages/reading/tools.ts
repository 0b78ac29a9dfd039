/** What the left button does, window presets, and whether the window stays: small buttons with their keys. */
import type { ReadingAction } from "../../core/keyboard";
import type { Command } from "../../core/keymap";
import type { Window, WindowPreset } from "../../core/windows";
import { WINDOW_PRESETS } from "../../core/windows";
import { button, element } from "../shared/dom";
import type { CaseDisplay } from "./display";
import type { Preferences } from "./preferences";
import { LEFT_BUTTON } from "./preferences";
import { words } from "../../words";

const PRESET_COMMANDS: Readonly<Record<string, Command>> = {
  Liver: "liver",
  "Soft tissue": "softTissue",
  Lung: "lung",
  Bone: "bone",
};

export class ViewTools {
  readonly element = element("div", { class: "room-tools" });
  private readonly toolButton: HTMLButtonElement;
  private readonly toolName = element("span", {});
  private readonly keepButton: HTMLButtonElement;

  constructor(
    private readonly display: CaseDisplay,
    private readonly preferences: Preferences,
  ) {
    this.toolButton = this.tool("", "tool", {}, () => {
      this.nextTool();
    });
    this.toolButton.prepend(this.toolName);
    this.keepButton = this.tool(
      words.tools.keepWindow,
      "keepWindow",
      { "aria-pressed": String(display.keepsWindow) },
      () => {
        this.toggleKeep();
      },
    );
    const presets = WINDOW_PRESETS.map((preset) =>
      this.tool(
        words.view.windows[preset.name] ?? preset.name,
        PRESET_COMMANDS[preset.name],
        { title: described(preset) },
        () => {
          this.preset(preset.name);
        },
      ),
    );
    this.element.append(this.toolButton, ...presets, ...(display.mayKeepWindow ? [this.keepButton] : []));
    this.useTool();
    preferences.changed.listen(() => {
      this.useTool();
    });
  }

  private tool(
    text: string,
    command: Command | undefined,
    attributes: Record<string, string>,
    act: () => void,
  ): HTMLButtonElement {
    const made = button(text, { class: "room-tool", ...attributes }, act);
    if (command !== undefined) made.append(" ", this.preferences.cap(command, made));
    return made;
  }

  act(action: ReadingAction<unknown>): void {
    const { display } = this;
    switch (action.kind) {
      case "scroll":
        display.scroll(action.slices);
        break;
      case "zoom":
        display.zoom(action.factor);
        break;
      case "home":
        display.home();
        break;
      case "marker":
        display.toggleMarker();
        break;
      case "reset":
        display.reset();
        break;
      case "preset":
        this.preset(action.name);
        break;
      case "keep-window":
        this.toggleKeep();
        break;
      case "tool":
        this.nextTool();
        break;
      case "full-screen":
        void toggleFullScreen();
        break;
    }
  }

  nextTool(): void {
    const usable = LEFT_BUTTON.filter(({ tool }) => tool !== "scroll" || this.display.stacked);
    const at = usable.findIndex(({ tool }) => tool === this.display.tool);
    this.preferences.leftButton = usable[(at + 1) % usable.length]?.tool ?? "window";
  }

  preset(name: string): void {
    const chosen: Window | undefined = WINDOW_PRESETS.find((preset) => preset.name === name);
    if (chosen) this.display.setWindow({ center: chosen.center, width: chosen.width });
  }

  toggleKeep(): void {
    this.display.toggleKeptWindow();
    this.keepButton.setAttribute("aria-pressed", String(this.display.keepsWindow));
  }

  private useTool(): void {
    this.display.tool = this.preferences.leftButton;
    const text = LEFT_BUTTON.find(({ tool }) => tool === this.display.tool)?.text ?? "";
    this.toolName.textContent = words.tools.drag(text);
  }
}

async function toggleFullScreen(): Promise<void> {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await document.documentElement.requestFullscreen();
}

const described = ({ center, width }: WindowPreset): string => words.view.preset(center, width);
