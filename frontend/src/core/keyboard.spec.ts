import { describe, expect, it } from "vitest";

import type { ReadingKeys } from "./keyboard";
import { readingAction } from "./keyboard";

describe("keys", () => {
  const answers = [
    { value: "real", label: "Real", key: "1" },
    { value: "synthetic", label: "Synthetic", key: "2" },
  ] as const;
  const levels = [1, 2, 3].map((value) => ({ value, label: String(value), key: String(value) }));
  const keys = (answerChosen: boolean, withLevels = true): ReadingKeys<string> => ({
    answers,
    levels: withLevels ? levels : null,
    answerChosen,
  });

  it("means the answer first and the confidence then", () => {
    expect(readingAction("2", keys(false))).toEqual({ kind: "answer", value: "synthetic" });
    expect(readingAction("2", keys(true))).toEqual({ kind: "confidence", value: 2 });
    expect(readingAction("3", keys(false))).toBeNull();
    expect(readingAction("3", keys(false, false))).toBeNull();
  });

  it("leads back to the answer before it leads back to the case before", () => {
    for (const key of ["z", "Z", "Backspace"]) {
      expect(readingAction(key, keys(false))).toEqual({ kind: "back" });
      expect(readingAction(key, keys(true))).toEqual({ kind: "withdraw" });
    }
    expect(readingAction("Escape", keys(true))).toEqual({ kind: "withdraw" });
    expect(readingAction("Escape", keys(false))).toEqual({ kind: "return" });
  });

  it("does not care about capitals and ignores what it does not know", () => {
    expect(readingAction("R", keys(false))).toEqual({ kind: "reset" });
    expect(readingAction("q", keys(false))).toBeNull();
    expect(readingAction("ArrowDown", keys(true))).toEqual({ kind: "scroll", slices: 1 });
  });
});
