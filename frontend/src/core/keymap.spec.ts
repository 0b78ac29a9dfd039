import { describe, expect, it } from "vitest";

import { COMMANDS, KEYMAPS, keyLabel, keymapOf, rebound } from "./keymap";
import { wordsOf } from "./words/words";

const NAMES = wordsOf("en").keys.names;

describe("keys of a reader's own", () => {
  it.each(["right", "left"] as const)("has no key with two meanings for the %s hand", (hand) => {
    expect(keymapOf(KEYMAPS[hand])).toEqual(KEYMAPS[hand]);
  });

  it("takes a free key and refuses a taken one, saying by what", () => {
    const changed = rebound(KEYMAPS.right, "answer1", "KeyA");
    expect(changed).toEqual({ keymap: { ...KEYMAPS.right, answer1: "KeyA" } });
    expect(rebound(KEYMAPS.right, "answer1", "Digit2")).toEqual({ takenBy: "answer2" });
    expect(rebound(KEYMAPS.right, "reset", "Digit3")).toEqual({ takenBy: "level3" });
    expect(rebound(KEYMAPS.right, "level1", "KeyQ")).toEqual({ takenBy: "liver" });
  });

  it("lets answer and confidence share keys, which are asked one after the other", () => {
    expect(rebound(KEYMAPS.right, "level1", "Digit1")).toEqual({ keymap: KEYMAPS.right });
    const changed = rebound(KEYMAPS.left, "answer1", "Digit5");
    expect(changed).toEqual({ keymap: { ...KEYMAPS.left, answer1: "Digit5" } });
  });

  it.each(["Tab", "Enter", "Space", "F5", "ShiftLeft", "ControlRight", "MetaLeft", "CapsLock", ""])(
    "leaves %s to browser and system",
    (code) => {
      expect(rebound(KEYMAPS.right, "pause", code)).toEqual({ takenBy: "reserved" });
    },
  );

  it.each(["ArrowDown", "Escape", "Backspace"])("keeps the meaning of %s", (code) => {
    expect(rebound(KEYMAPS.right, "pause", code)).toEqual({ takenBy: "fixed" });
  });

  it("does not believe what was kept when it makes no sense", () => {
    expect(keymapOf(null)).toBeNull();
    expect(keymapOf("Digit1")).toBeNull();
    expect(keymapOf({ ...KEYMAPS.right, pause: undefined })).toBeNull();
    expect(keymapOf({ ...KEYMAPS.right, pause: "KeyQ" })).toBeNull();
    expect(keymapOf({ ...KEYMAPS.right, more: "KeyX" })).toEqual(KEYMAPS.right);
  });

  it("gives what had no key yet its usual one", () => {
    const { cannotTell, scale1, ...before } = { ...KEYMAPS.left, pause: "KeyV" };
    expect(keymapOf(before)).toEqual({ ...before, cannotTell: KEYMAPS.right.cannotTell, scale1 });
    expect(cannotTell).toBe("KeyH");
  });

  it("calls keys by what stands on them", () => {
    expect(COMMANDS.map((command) => keyLabel(KEYMAPS.right[command], NAMES)).every((label) => label.length < 10)).toBe(
      true,
    );
    expect(keyLabel("KeyZ", NAMES)).toBe("Z");
    expect(keyLabel("KeyZ", NAMES, new Map([["KeyZ", "y"]]))).toBe("Y");
    expect(keyLabel("Minus", NAMES, new Map([["Minus", "ß"]]))).toBe("ß");
    expect(keyLabel("KeyZ", wordsOf("de").keys.names)).toBe("Y");
    // The digits are the same keys wherever Shift is needed for them.
    expect(keyLabel("Digit1", NAMES, new Map([["Digit1", "&"]]))).toBe("1");
  });
});
