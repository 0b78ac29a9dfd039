/** Keys and mouse: what does what, and how to have it otherwise. */
import type { Command, Hand } from "../../core/keymap";
import { COMMANDS, KEYMAPS, placeOf, rebound } from "../../core/keymap";
import { button, element } from "../shared/dom";
import type { Preferences } from "./preferences";
import { LEFT_BUTTON } from "./preferences";
import { words } from "../../words";

const MEANINGS: Readonly<Record<Command, string>> = words.keysPanel.meanings;
const FIXED_LINES: readonly (readonly [string, string])[] = [
  [words.keys.wheelArrows, words.keysPanel.scroll],
  [words.keys.rightDrag, words.keysPanel.zoom],
  [words.keys.shiftDrag, words.keysPanel.move],
  [words.keys.stepBack, words.keysPanel.stepBack],
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
      element("summary", {}, words.keysPanel.title),
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
    const made = button("", { class: "room-key", title: words.keysPanel.choose }, () => {
      this.begin(command, made);
    });
    made.append(
      this.preferences.cap(command),
      element("span", { class: "visually-hidden" }, words.keysPanel.chooseFor),
    );
    return made;
  }

  private hands(): HTMLElement {
    const choose = (text: string, hand: Hand): HTMLElement =>
      button(text, { class: "room-tool" }, () => {
        this.preferences.keymap = KEYMAPS[hand];
        this.say(hand === "right" ? words.keysPanel.nowRight : words.keysPanel.nowLeft);
      });
    const reset = button(words.keysPanel.asAtFirst, { class: "room-tool" }, () => {
      this.preferences.reset();
      this.say(words.keysPanel.nowAsAtFirst);
    });
    return element(
      "div",
      { class: "room-tools", role: "group", "aria-label": words.keysPanel.sets },
      choose(words.keysPanel.mouseRight, "right"),
      choose(words.keysPanel.mouseLeft, "left"),
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
    return element("p", {}, element("label", { for: "room-left-button" }, words.keysPanel.leftButton), select);
  }

  private begin(command: Command, from: HTMLElement): void {
    this.stop();
    this.choosing = { command, from };
    from.classList.add("choosing");
    this.say(words.keysPanel.press(MEANINGS[command]));
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
      this.say(words.keysPanel.isNow(this.preferences.label(command), MEANINGS[command]));
    } else if (outcome.takenBy === "reserved") this.say(words.keysPanel.reserved);
    else if (outcome.takenBy === "fixed") this.say(words.keysPanel.fixed);
    else this.say(words.keysPanel.taken(MEANINGS[outcome.takenBy]));
  }

  private say(text: string): void {
    this.news.textContent = text;
  }
}
