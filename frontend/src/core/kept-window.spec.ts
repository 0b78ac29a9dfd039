import { describe, expect, it } from "vitest";

import type { SittingStorage } from "./kept-window";
import { KeptWindow } from "./kept-window";

function memory(): SittingStorage {
  const held = new Map<string, string>();
  return {
    getItem: (key) => held.get(key) ?? null,
    setItem: (key, value) => void held.set(key, value),
    removeItem: (key) => void held.delete(key),
  };
}

const BONE = { center: 400, width: 1800 };
const LUNG = { center: -600, width: 1500 };

describe("kept window", () => {
  it("is the one that was set last, through a reload, until the reader wants none", () => {
    const storage = memory();
    const first = new KeptWindow(storage, "/s/1/", true);
    first.follow(BONE);
    expect(first.window).toBeNull();
    first.keep(BONE);
    first.follow(LUNG);
    const again = new KeptWindow(storage, "/s/1/", true);
    expect(again.window).toEqual(LUNG);
    again.keep(null);
    expect(new KeptWindow(storage, "/s/1/", true).window).toBeNull();
  });

  it("is of its sitting alone, and of none whose study doesn't allow it", () => {
    const storage = memory();
    new KeptWindow(storage, "/s/1/", true).keep(BONE);
    expect(new KeptWindow(storage, "/s/2/", true).window).toBeNull();
    const refused = new KeptWindow(storage, "/s/1/", false);
    refused.keep(LUNG);
    refused.follow(LUNG);
    expect(refused.window).toBeNull();
  });

  it("needs no storage, and trusts none", () => {
    const fails = (): never => {
      throw new DOMException("no", "SecurityError");
    };
    for (const storage of [null, { getItem: fails, setItem: fails, removeItem: fails }]) {
      const kept = new KeptWindow(storage, "/s/1/", true);
      kept.keep(BONE);
      expect(kept.window).toEqual(BONE);
    }
    for (const text of ["{", "null", "[]", '{"center":"a","width":1}']) {
      const storage = { ...memory(), getItem: () => text };
      expect(new KeptWindow(storage, "/s/1/", true).window).toBeNull();
    }
    const wild = { ...memory(), getItem: () => '{"center":1e9,"width":-5}' };
    expect(new KeptWindow(wild, "/s/1/", true).window).toEqual({ center: 4000, width: 2 });
  });
});
