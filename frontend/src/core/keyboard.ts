/** What a pressed key means in the reading room. */
import type { Command, Keymap } from "./keymap";
import { COMMANDS, FIXED_KEYS, placeOf } from "./keymap";
import type { NumberChange } from "./number-entry";

export interface Choice<Value> {
  readonly value: Value;
}

export interface KeyedChoice<Value> extends Choice<Value> {
  readonly command: Command;
}

export type ReadingAction<Answer> =
  | { readonly kind: "answer"; readonly value: Answer }
  | { readonly kind: "confidence"; readonly value: number }
  | NumberChange
  | { readonly kind: "give" }
  | { readonly kind: "further"; readonly value: number }
  | { readonly kind: "withdraw" }
  | { readonly kind: "back" }
  | { readonly kind: "return" }
  | { readonly kind: "home" }
  | { readonly kind: "reset" }
  | { readonly kind: "marker" }
  | { readonly kind: "pause" }
  | { readonly kind: "full-screen" }
  | { readonly kind: "keep-window" }
  | { readonly kind: "tool" }
  | { readonly kind: "preset"; readonly name: string }
  | { readonly kind: "scroll"; readonly slices: number }
  | { readonly kind: "zoom"; readonly factor: number };

export interface ReadingKeys<Answer> {
  readonly answers: readonly KeyedChoice<Answer>[];
  /** Asked for after the answer; null when the study does not ask. */
  readonly levels: readonly Choice<number>[] | null;
  readonly answerChosen: boolean;
  /** Whether a number is asked for, and whether one stands there already. */
  readonly number: "none" | "empty" | "entered";
  readonly keymap: Keymap;
}

export interface Pressed {
  readonly key: string;
  readonly code: string;
}

type ViewCommand = Exclude<Command, "back" | "cannotTell" | `${"answer" | "level" | "scale"}${number}`>;

const VIEW: Readonly<Record<ViewCommand, ReadingAction<never>>> = {
  slicesOn: { kind: "scroll", slices: 5 },
  slicesBack: { kind: "scroll", slices: -5 },
  zoomIn: { kind: "zoom", factor: 1.25 },
  zoomOut: { kind: "zoom", factor: 0.8 },
  home: { kind: "home" },
  reset: { kind: "reset" },
  marker: { kind: "marker" },
  pause: { kind: "pause" },
  fullScreen: { kind: "full-screen" },
  keepWindow: { kind: "keep-window" },
  tool: { kind: "tool" },
  liver: { kind: "preset", name: "Liver" },
  softTissue: { kind: "preset", name: "Soft tissue" },
  lung: { kind: "preset", name: "Lung" },
  bone: { kind: "preset", name: "Bone" },
};

export const answerCommand = (index: number): Command => `answer${index + 1}` as Command;
export const levelCommand = (index: number): Command => `level${index + 1}` as Command;
export const scaleCommand = (index: number): Command => `scale${index + 1}` as Command;

/** With an answer chosen, its keys mean confidence and the way back leads to the answer, not to the case before. */
export function readingAction<Answer>(event: Pressed, keys: ReadingKeys<Answer>): ReadingAction<Answer> | null {
  const { keymap, answerChosen, levels } = keys;
  const place = placeOf(event);
  const asked = answerChosen && levels !== null;
  const entering = asked ? null : numberAction(place, keys.number);
  if (entering !== null) return entering;
  const fixed = FIXED_KEYS[place];
  if (fixed === "down" || fixed === "up") return { kind: "scroll", slices: fixed === "down" ? 1 : -1 };
  if (fixed === "withdraw" || place === keymap.back) return wayBack(asked, place);
  if (asked) {
    const level = levels.find((_, index) => keymap[levelCommand(index)] === place);
    if (level) return { kind: "confidence", value: level.value };
  } else {
    const answer = keys.answers.find((choice) => keymap[choice.command] === place);
    if (answer) return { kind: "answer", value: answer.value };
  }
  const command = COMMANDS.find((one): one is ViewCommand => one in VIEW && keymap[one] === place);
  return command === undefined ? null : VIEW[command];
}

/** While a number is asked for, digits make it and the arrows to the sides change it. */
function numberAction(place: string, number: ReadingKeys<unknown>["number"]): ReadingAction<never> | null {
  if (number === "none") return null;
  const digit = /^Digit(\d)$/.exec(place)?.[1];
  if (digit !== undefined) return { kind: "digit", digit: Number(digit) };
  if (place === "ArrowLeft" || place === "ArrowRight") return { kind: "step", by: place === "ArrowLeft" ? -1 : 1 };
  if (number === "empty") return null;
  if (place === "Backspace") return { kind: "erase" };
  return place === "Enter" || place === "NumpadEnter" ? { kind: "give" } : null;
}

function wayBack(asked: boolean, place: string): ReadingAction<never> {
  if (asked) return { kind: "withdraw" };
  return place === "Escape" ? { kind: "return" } : { kind: "back" };
}
