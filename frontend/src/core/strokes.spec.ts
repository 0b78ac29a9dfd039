import { describe, expect, it } from "vitest";

import { lengthsOf, Strokes } from "./strokes";

/** The same numbers in every run. */
const randomly = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647;
  };
};

const VOXELS = 1000;

function scribble(strokes: Strokes, random: () => number): void {
  strokes.begin();
  const value = random() < 0.5 ? 0 : 1;
  const start = Math.floor(random() * VOXELS);
  for (let i = 0; i < 300; i += 1) strokes.write((start + Math.floor(random() * 200)) % VOXELS, value);
  strokes.end();
}

const someMask = (random: () => number): Uint8Array =>
  Uint8Array.from({ length: VOXELS }, () => (random() < 0.4 ? 1 : 0));

describe("strokes", () => {
  it("are undone and done again bit for bit", () => {
    for (let seed = 1; seed <= 6; seed += 1) {
      const random = randomly(seed);
      const strokes = new Strokes(someMask(random));
      const states = [strokes.voxels.slice()];
      for (let i = 0; i < 8; i += 1) {
        scribble(strokes, random);
        states.push(strokes.voxels.slice());
      }
      for (let i = 7; i >= 0; i -= 1) {
        strokes.undo();
        expect(strokes.voxels).toEqual(states[i]);
      }
      expect(strokes.canUndo).toBe(false);
      expect(strokes.turned().length).toBe(0);
      for (let i = 1; i <= 8; i += 1) {
        strokes.redo();
        expect(strokes.voxels).toEqual(states[i]);
      }
      expect(strokes.canRedo).toBe(false);
    }
  });

  it("forget what was undone when another one follows, and count nothing that changed nothing", () => {
    const strokes = new Strokes(new Uint8Array(10));
    strokes.begin();
    strokes.write(3, 1);
    strokes.end();
    strokes.undo();
    strokes.begin();
    strokes.write(3, 0);
    strokes.end();
    expect([strokes.canUndo, strokes.canRedo]).toEqual([false, true]);
    strokes.begin();
    strokes.write(4, 1);
    strokes.end();
    expect([strokes.canUndo, strokes.canRedo]).toEqual([true, false]);
  });

  it("taken back while they are drawn leave no trace, and what was undone before can be done again", () => {
    for (let seed = 1; seed <= 6; seed += 1) {
      const random = randomly(seed);
      const strokes = new Strokes(someMask(random));
      scribble(strokes, random);
      scribble(strokes, random);
      strokes.undo();
      const before = strokes.voxels.slice();
      strokes.begin({ axis: 0, index: 3 });
      for (let i = 0; i < 300; i += 1) strokes.write(Math.floor(random() * VOXELS), random() < 0.5 ? 0 : 1);
      strokes.takeBack();
      expect(strokes.voxels).toEqual(before);
      expect([strokes.canUndo, strokes.canRedo, strokes.drawnOn()]).toEqual([true, true, []]);
      strokes.takeBack();
      expect(strokes.voxels).toEqual(before);
    }
  });

  it("say what differs from the mask that was saved, whatever was painted twice", () => {
    for (let seed = 1; seed <= 6; seed += 1) {
      const random = randomly(seed);
      const strokes = new Strokes(someMask(random));
      const saved = strokes.voxels.slice();
      for (let i = 0; i < 12; i += 1) {
        scribble(strokes, random);
        if (i % 4 === 3) strokes.undo();
      }
      const differing = [...saved.keys()].filter((offset) => saved[offset] !== strokes.voxels[offset]);
      expect([...strokes.turned()]).toEqual(differing);
    }
  });

  it("are put onto another version of the mask with what they painted and erased", () => {
    const random = randomly(5);
    const strokes = new Strokes(someMask(random));
    const saved = strokes.voxels.slice();
    for (let i = 0; i < 4; i += 1) scribble(strokes, random);
    const other = someMask(random);
    const carried = strokes.onto(other.slice());
    for (let offset = 0; offset < VOXELS; offset += 1) {
      const touched = saved[offset] !== strokes.voxels[offset];
      expect(carried.voxels[offset]).toBe(touched ? strokes.voxels[offset] : other[offset]);
    }
    carried.undo();
    expect(carried.voxels).toEqual(other);
  });
});

describe("lengths", () => {
  /** As the server reads them. */
  const read = (lengths: readonly number[]): number[] => {
    const offsets: number[] = [];
    let at = 0;
    lengths.forEach((length, index) => {
      if (index % 2 === 1) for (let i = 0; i < length; i += 1) offsets.push(at + i);
      at += length;
    });
    return offsets;
  };

  it("say the same voxels again, with no empty run but the first", () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const random = randomly(seed);
      const share = random();
      const offsets = [...Array(500).keys()].filter(() => random() < share);
      const lengths = lengthsOf(Uint32Array.from(offsets));
      expect(read(lengths)).toEqual(offsets);
      expect(lengths.slice(1).every((length) => length > 0)).toBe(true);
      expect(lengths.length % 2).toBe(0);
    }
    expect(lengthsOf(Uint32Array.from([0, 1, 5]))).toEqual([0, 2, 3, 1]);
    expect(lengthsOf(new Uint32Array())).toEqual([]);
  });
});
