import { describe, expect, it } from "vitest";

import { KeyBounce } from "./bounce";
import type { Pressed, ReadingKeys } from "./keyboard";
import { readingAction } from "./keyboard";
import { KEYMAPS } from "./keymap";

/** As an English keyboard sends it. */
const typed = (key: string): Pressed => ({
  key,
  code: /^\d$/.test(key) ? `Digit${key}` : /^[a-z]$/i.test(key) ? `Key${key.toUpperCase()}` : key,
});

describe("keys", () => {
  const answers = [
    { value: "real", command: "answer1" },
    { value: "synthetic", command: "answer2" },
  ] as const;
  const levels = [1, 2, 3].map((value) => ({ value, label: String(value), key: String(value) }));
  const keys = (answerChosen: boolean, withLevels = true): ReadingKeys<string> => ({
    answers,
    levels: withLevels ? levels : null,
    answerChosen,
    number: "none",
    keymap: KEYMAPS.right,
  });

  it("means the answer first and the confidence then", () => {
    expect(readingAction(typed("2"), keys(false))).toEqual({ kind: "answer", value: "synthetic" });
    expect(readingAction(typed("2"), keys(true))).toEqual({ kind: "confidence", value: 2 });
    expect(readingAction(typed("3"), keys(false))).toBeNull();
    expect(readingAction(typed("3"), keys(false, false))).toBeNull();
  });

  it("leads back to the answer before it leads back to the case before", () => {
    for (const key of ["z", "Z", "Backspace"]) {
      expect(readingAction(typed(key), keys(false))).toEqual({ kind: "back" });
      expect(readingAction(typed(key), keys(true))).toEqual({ kind: "withdraw" });
    }
    expect(readingAction(typed("Escape"), keys(true))).toEqual({ kind: "withdraw" });
    expect(readingAction(typed("Escape"), keys(false))).toEqual({ kind: "return" });
  });

  it("does not care about capitals and ignores what it does not know", () => {
    expect(readingAction(typed("R"), keys(false))).toEqual({ kind: "reset" });
    expect(readingAction(typed("x"), keys(false))).toBeNull();
    expect(readingAction(typed("ArrowDown"), keys(true))).toEqual({ kind: "scroll", slices: 1 });
  });

  it.each([
    ["French, unshifted", "&", "Digit1"],
    ["Arabic", "١", "Digit1"],
    ["an input method is active", "Process", "Digit1"],
    ["a key that the browser can't name", "Unidentified", "Digit1"],
    ["number pad", "1", "Numpad1"],
    ["no code, as some remote desktops send it", "1", ""],
  ])("reads digits from the place of the key: %s", (_, key, code) => {
    expect(readingAction({ key, code }, keys(false))).toEqual({ kind: "answer", value: "real" });
    expect(readingAction({ key, code }, keys(true))).toEqual({ kind: "confidence", value: 1 });
  });

  it("lets a number pad without its lock move, and not answer", () => {
    expect(readingAction({ key: "ArrowDown", code: "Numpad2" }, keys(false))).toEqual({ kind: "scroll", slices: 1 });
    expect(readingAction({ key: "End", code: "Numpad1" }, keys(false))).toBeNull();
  });

  it("reads letters from the place of the key too", () => {
    expect(readingAction({ key: "w", code: "KeyZ" }, keys(false))).toEqual({ kind: "back" });
    expect(readingAction({ key: "я", code: "KeyZ" }, keys(false))).toEqual({ kind: "back" });
    expect(readingAction({ key: "+", code: "NumpadAdd" }, keys(false))).toEqual({ kind: "zoom", factor: 1.25 });
  });

  it("answers with the keys of the right hand when the mouse is in the left one", () => {
    const left = { ...keys(false), keymap: KEYMAPS.left };
    expect(readingAction(typed("9"), left)).toEqual({ kind: "answer", value: "real" });
    expect(readingAction(typed("0"), left)).toEqual({ kind: "answer", value: "synthetic" });
    expect(readingAction(typed("1"), left)).toBeNull();
    expect(readingAction(typed("6"), { ...left, answerChosen: true })).toEqual({ kind: "confidence", value: 2 });
    expect(readingAction(typed("n"), left)).toEqual({ kind: "back" });
  });
});

describe("keys of a scale", () => {
  const keys = (number: ReadingKeys<string>["number"]): ReadingKeys<string> => ({
    answers: [
      { value: "lowest", command: "scale1" },
      { value: "tenth", command: "scale10" },
      { value: "unsure", command: "cannotTell" },
    ],
    levels: null,
    answerChosen: false,
    number,
    keymap: KEYMAPS.left,
  });

  it("are the digits for either hand, the tenth level 0", () => {
    expect(readingAction(typed("1"), keys("none"))).toEqual({ kind: "answer", value: "lowest" });
    expect(readingAction(typed("0"), keys("none"))).toEqual({ kind: "answer", value: "tenth" });
    expect(readingAction(typed("h"), keys("none"))).toEqual({ kind: "answer", value: "unsure" });
  });

  it("make a number where one is asked for; Enter gives it, and only where it stands there", () => {
    expect(readingAction(typed("7"), keys("empty"))).toEqual({ kind: "digit", digit: 7 });
    expect(readingAction(typed("ArrowLeft"), keys("empty"))).toEqual({ kind: "step", by: -1 });
    expect(readingAction(typed("ArrowDown"), keys("entered"))).toEqual({ kind: "scroll", slices: 1 });
    expect(readingAction(typed("Enter"), keys("empty"))).toBeNull();
    expect(readingAction(typed("Enter"), keys("entered"))).toEqual({ kind: "give" });
    expect(readingAction(typed("Backspace"), keys("empty"))).toEqual({ kind: "back" });
    expect(readingAction(typed("Backspace"), keys("entered"))).toEqual({ kind: "erase" });
    expect(readingAction(typed("h"), keys("entered"))).toEqual({ kind: "answer", value: "unsure" });
  });
});

describe("a key that bounces", () => {
  it("counts once; another key, and the same one later, count", () => {
    let now = 0;
    const bounce = new KeyBounce(() => now);
    expect(bounce.accepts("Digit1")).toBe(true);
    now = 30;
    expect(bounce.accepts("Digit1")).toBe(false);
    now = 60;
    expect(bounce.accepts("Digit2")).toBe(true);
    now = 60 + 199;
    expect(bounce.accepts("Digit2")).toBe(false);
    now = 60 + 199 + 200;
    expect(bounce.accepts("Digit2")).toBe(true);
  });
});
