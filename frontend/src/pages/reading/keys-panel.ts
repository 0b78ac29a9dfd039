/** Keys and mouse: what does what, and how to have it otherwise. */
import type { Command, Hand } from "../../core/keymap";
import { COMMANDS, KEYMAPS, placeOf, rebound } from "../../core/keymap";
import { button, element } from "../shared/dom";
import type { Preferences } from "./preferences";
import { LEFT_BUTTON } from "./preferences";

const MEANINGS: Readonly<Record<Command, string>> = {
  answer1: "first answer",
  answer2: "second answer",
  level1: "sureness, 1st level",
  level2: "2nd level",
  level3: "3rd level",
  level4: "4th level",
  level5: "5th level",
  level6: "6th level",
  scale1: "1st level or choice",
  scale2: "2nd level or choice",
  scale3: "3rd level or choice",
  scale4: "4th level or choice",
  scale5: "5th level or choice",
  scale6: "6th level or choice",
  scale7: "7th level or choice",
  scale8: "8th level or choice",
  scale9: "9th level or choice",
  scale10: "10th level or choice",
  cannotTell: "cannot tell",
  back: "previous case",
  liver: "liver window",
  softTissue: "soft tissue window",
  lung: "lung window",
  bone: "bone window",
  keepWindow: "keep my window from case to case",
  tool: "what the left button does",
  reset: "image and window as at first",
  marker: "hide or show the ring",
  home: "to the slice shown first",
  slicesBack: "five slices back",
  slicesOn: "five slices on",
  zoomIn: "larger",
  zoomOut: "smaller",
  fullScreen: "full screen",
  pause: "pause",
};
const FIXED_LINES: readonly (readonly [string, string])[] = [
  ["Wheel, ↑ ↓", "scroll (a single image: zoom)"],
  ["Right drag", "zoom"],
  ["Shift drag", "move the image"],
  ["Esc, Backspace", "one step back"],
];

export class KeysPanel {
  readonly element: HTMLElement;
  /** While a key is being chosen it does nothing else. */
  private choosing: { readonly command: Command; readonly from: HTMLElement } | null = null;
  private readonly news = element("p", { class: "room-keys-news", role: "status" });

  constructor(
    private readonly preferences: Preferences,
    commands: readonly Command[],
    more: readonly (readonly [string, string])[],
  ) {
    const list = element("dl", { class: "room-keys" });
    for (const [key, meaning] of [...FIXED_LINES, ...more])
      list.append(element("dt", {}, key), element("dd", {}, meaning));
    for (const command of COMMANDS.filter((one) => commands.includes(one))) {
      list.append(element("dt", {}, this.changer(command)), element("dd", {}, MEANINGS[command]));
    }
    this.element = element(
      "details",
      { class: "room-keys-panel" },
      element("summary", {}, "Keys and mouse"),
      this.leftButton(),
      this.hands(),
      this.news,
      list,
    );
    this.element.addEventListener("keydown", (event) => {
      this.pressed(event);
    });
    this.element.addEventListener("focusout", () => {
      this.stop();
    });
  }

  private changer(command: Command): HTMLButtonElement {
    const made = button("", { class: "room-key", title: "Choose another key" }, () => {
      this.begin(command, made);
    });
    made.append(this.preferences.cap(command), element("span", { class: "visually-hidden" }, ": choose another key"));
    return made;
  }

  private hands(): HTMLElement {
    const choose = (text: string, hand: Hand): HTMLElement =>
      button(text, { class: "room-tool" }, () => {
        this.preferences.keymap = KEYMAPS[hand];
        this.say(`Keys for the mouse in the ${hand} hand.`);
      });
    const reset = button("As at first", { class: "room-tool" }, () => {
      this.preferences.reset();
      this.say("Keys and left button are as at first.");
    });
    return element(
      "div",
      { class: "room-tools", role: "group", "aria-label": "Sets of keys" },
      choose("Mouse right", "right"),
      choose("Mouse left", "left"),
      reset,
    );
  }

  private leftButton(): HTMLElement {
    const select = element("select", { id: "room-left-button" });
    for (const { tool, text } of LEFT_BUTTON) select.append(element("option", { value: tool }, text));
    const show = (): void => {
      select.value = this.preferences.leftButton;
    };
    show();
    this.preferences.changed.listen(show);
    select.addEventListener("change", () => {
      const chosen = LEFT_BUTTON.find(({ tool }) => tool === select.value);
      if (chosen) this.preferences.leftButton = chosen.tool;
    });
    return element("p", {}, element("label", { for: "room-left-button" }, "Left button: "), select);
  }

  private begin(command: Command, from: HTMLElement): void {
    this.stop();
    this.choosing = { command, from };
    from.classList.add("choosing");
    this.say(`Press the key for “${MEANINGS[command]}”. Esc leaves it as it is.`);
  }

  private stop(): void {
    this.choosing?.from.classList.remove("choosing");
    this.choosing = null;
  }

  private pressed(event: KeyboardEvent): void {
    if (this.choosing === null || event.key === "Tab" || /^(?:Shift|Control|Alt|Meta)$/.test(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const { command } = this.choosing;
    if (event.key === "Escape") {
      this.stop();
      this.say("");
      return;
    }
    const outcome = rebound(this.preferences.keymap, command, placeOf(event));
    if ("keymap" in outcome) {
      this.stop();
      this.preferences.keymap = outcome.keymap;
      this.say(`${this.preferences.label(command)} is now for “${MEANINGS[command]}”.`);
    } else if (outcome.takenBy === "reserved") this.say("The browser or the system needs this key. Press another one.");
    else if (outcome.takenBy === "fixed") this.say("This key has a meaning of its own. Press another one.");
    else this.say(`This key is for “${MEANINGS[outcome.takenBy]}”. Press another one, or change that one first.`);
  }

  private say(text: string): void {
    this.news.textContent = text;
  }
}
