/** Which key does what in the reading room, by the place of the key: a French, a German or an Arabic keyboard, or an
input method, puts other characters there, and the hand finds the key all the same. */
export const COMMANDS = [
  "answer1",
  "answer2",
  "level1",
  "level2",
  "level3",
  "level4",
  "level5",
  "level6",
  "scale1",
  "scale2",
  "scale3",
  "scale4",
  "scale5",
  "scale6",
  "scale7",
  "scale8",
  "scale9",
  "scale10",
  "cannotTell",
  "back",
  "liver",
  "softTissue",
  "lung",
  "bone",
  "keepWindow",
  "tool",
  "reset",
  "marker",
  "home",
  "slicesBack",
  "slicesOn",
  "zoomIn",
  "zoomOut",
  "fullScreen",
  "pause",
] as const;
export type Command = (typeof COMMANDS)[number];
/** The place of a key, as `KeyboardEvent.code` calls it. */
export type KeyCode = string;
export type Keymap = Readonly<Record<Command, KeyCode>>;
export type Hand = "right" | "left";

const COMMON = {
  home: "Home",
  slicesBack: "PageUp",
  slicesOn: "PageDown",
  scale1: "Digit1",
  scale2: "Digit2",
  scale3: "Digit3",
  scale4: "Digit4",
  scale5: "Digit5",
  scale6: "Digit6",
  scale7: "Digit7",
  scale8: "Digit8",
  scale9: "Digit9",
  scale10: "Digit0",
} as const;

/** The mouse in the right hand, the keys under the left one; and the other way round. */
export const KEYMAPS: Readonly<Record<Hand, Keymap>> = {
  right: {
    ...COMMON,
    ...{ answer1: "Digit1", answer2: "Digit2", level1: "Digit1", level2: "Digit2", level3: "Digit3" },
    ...{ level4: "Digit4", level5: "Digit5", level6: "Digit6", cannotTell: "KeyC", back: "KeyZ" },
    ...{ liver: "KeyQ", softTissue: "KeyW", lung: "KeyE", bone: "KeyD", keepWindow: "KeyK", tool: "KeyT" },
    ...{ reset: "KeyR", marker: "KeyM", zoomIn: "Equal", zoomOut: "Minus", fullScreen: "KeyF", pause: "KeyP" },
  },
  left: {
    ...COMMON,
    ...{ answer1: "Digit9", answer2: "Digit0", level1: "Digit5", level2: "Digit6", level3: "Digit7" },
    ...{ level4: "Digit8", level5: "Digit9", level6: "Digit0", cannotTell: "KeyH", back: "KeyN" },
    ...{ liver: "KeyP", softTissue: "KeyO", lung: "KeyI", bone: "KeyK", keepWindow: "KeyL", tool: "KeyY" },
    ...{ reset: "KeyU", marker: "KeyM", zoomIn: "Equal", zoomOut: "Minus", fullScreen: "KeyJ", pause: "KeyB" },
  },
};

/** Keys with one meaning for everybody. */
export const FIXED_KEYS: Readonly<Record<KeyCode, "down" | "up" | "withdraw">> = {
  ArrowDown: "down",
  ArrowRight: "down",
  ArrowUp: "up",
  ArrowLeft: "up",
  Escape: "withdraw",
  Backspace: "withdraw",
};
/** For the browser, screen readers and the system. */
const RESERVED = /^(?:Tab|Enter|Space|NumpadEnter|F\d+|.*(?:Shift|Control|Alt|Meta|Lock|Context).*|)$/;

/** Answer, confidence and levels of a scale are never asked at the same time and may share a key. */
const askedWith = (command: Command): string => /^(?:answer|level|scale)/.exec(command)?.[0] ?? "";
const compete = (one: Command, other: Command): boolean => {
  const [first, second] = [askedWith(one), askedWith(other)];
  return one !== other && (first === second || first === "" || second === "");
};

export type Rebound =
  { readonly keymap: Keymap } | { readonly takenBy: Command } | { readonly takenBy: "fixed" | "reserved" };

export function rebound(keymap: Keymap, command: Command, code: KeyCode): Rebound {
  if (RESERVED.test(code)) return { takenBy: "reserved" };
  if (code in FIXED_KEYS) return { takenBy: "fixed" };
  const taken = COMMANDS.find((other) => keymap[other] === code && compete(command, other));
  return taken === undefined ? { keymap: { ...keymap, [command]: code } } : { takenBy: taken };
}

/** As it was kept; null for what is none, or has two meanings for a key. What there was no key for then has its usual one. */
export function keymapOf(kept: unknown): Keymap | null {
  if (typeof kept !== "object" || kept === null) return null;
  const entries: Readonly<Record<string, unknown>> = { ...KEYMAPS.right, ...kept };
  if (!COMMANDS.every((command) => typeof entries[command] === "string")) return null;
  const keymap = Object.fromEntries(COMMANDS.map((command) => [command, entries[command]])) as unknown as Keymap;
  return COMMANDS.every((command) => "keymap" in rebound(keymap, command, keymap[command])) ? keymap : null;
}

/** The number pad does what the digits above the letters do; without its lock it moves, or does nothing. */
export function placeOf({ key, code }: { readonly key: string; readonly code: string }): KeyCode {
  const onPad = /^Numpad(\d)$/.exec(code)?.[1];
  if (onPad !== undefined) return /^\d$/.test(key) ? `Digit${onPad}` : key;
  if (code === "NumpadAdd") return "Equal";
  if (code === "NumpadSubtract") return "Minus";
  if (code !== "") return code;
  // Some remote desktops send no places.
  if (/^\d$/.test(key)) return `Digit${key}`;
  return /^[a-z]$/i.test(key) ? `Key${key.toUpperCase()}` : key;
}

/** A sign whose capital is two letters (ß) is written on its key as it is. */
function capital(sign: string): string {
  const upper = sign.toUpperCase();
  return upper.length === sign.length ? upper : sign;
}

/** What stands on a key: as the browser knows its layout, else as on the keyboard of the page's language. */
export function keyLabel(
  code: KeyCode,
  names: Readonly<Record<KeyCode, string>>,
  layout: ReadonlyMap<KeyCode, string> | null = null,
): string {
  const digit = /^Digit(\d)$/.exec(code)?.[1];
  if (digit !== undefined) return digit;
  const written = layout?.get(code);
  if (written) return capital(written);
  return names[code] ?? code.replace(/^(?:Key|Arrow)/, "");
}
