import { describe, expect, it } from "vitest";

import type { Grid } from "../core/geometry";
import { plainStack, PlaneStack } from "./image-stack";
import type { FetchSlice } from "./volume";
import { LoadingVolume } from "./volume";

const grid: Grid = {
  sizeZyx: [9, 2, 3],
  spacingZyxMm: [2, 1, 1],
  originLpsMm: [0, 0, 0],
  direction: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
};

/** Slices that arrive when the test says so. */
class Line {
  readonly asked: number[] = [];
  private readonly answers = new Map<number, (bytes: ArrayBuffer) => void>();
  private readonly failures = new Map<number, (error: Error) => void>();
  readonly fetch: FetchSlice = (index) => {
    this.asked.push(index);
    return new Promise((resolve, reject) => {
      this.answers.set(index, resolve);
      this.failures.set(index, reject);
    });
  };

  async deliver(index: number, values = Int16Array.from({ length: 6 }, (_, i) => index * 10 + i)): Promise<void> {
    this.answers.get(index)?.(values.buffer);
    await new Promise((resolve) => setTimeout(resolve));
  }

  async fail(index: number): Promise<void> {
    this.failures.get(index)?.(new Error("line cut"));
    await new Promise((resolve) => setTimeout(resolve));
  }
}

describe("loading volume", () => {
  it("asks for the slice that is looked at first and then for its neighbours", async () => {
    const line = new Line();
    const volume = LoadingVolume.ofHu(grid, line.fetch, 4);
    expect(line.asked).toEqual([4, 5, 3, 6, 2, 7]);
    await line.deliver(4);
    expect(line.asked).toEqual([4, 5, 3, 6, 2, 7, 1]);
    expect(volume.has(4)).toBe(true);
    expect([...volume.voxels.subarray(24, 30)]).toEqual([40, 41, 42, 43, 44, 45]);
  });

  it("turns to where the person looks now", async () => {
    const line = new Line();
    const volume = LoadingVolume.ofHu(grid, line.fetch, 0);
    expect(line.asked).toEqual([0, 1, 2, 3, 4, 5]);
    volume.prefer(8);
    await line.deliver(0);
    expect(line.asked.at(-1)).toBe(8);
  });

  it("shows axial images at once and the other planes when everything has arrived", async () => {
    const line = new Line();
    const volume = LoadingVolume.ofHu(grid, line.fetch, 4);
    const [axial, coronal, plain] = [
      new PlaneStack(volume, "axial"),
      new PlaneStack(volume, "coronal"),
      plainStack(volume),
    ];
    await line.deliver(4);
    expect(axial.pixels(4)?.[0]).toBe(40);
    expect(plain.pixels(4)?.[5]).toBe(45);
    expect(axial.pixels(3)).toBeNull();
    expect(coronal.pixels(0)).toBeNull();
    for (const index of [5, 3, 6, 2, 7, 1, 8, 0]) await line.deliver(index);
    expect(volume.complete).toBe(true);
    // The head on top: the highest slice is the first row.
    expect([...(coronal.pixels(1) ?? [])].slice(0, 3)).toEqual([83, 84, 85]);
  });

  it("says what went wrong and asks for nothing more", async () => {
    for (const cause of ["failure", "size"]) {
      const line = new Line();
      const volume = LoadingVolume.ofHu(grid, line.fetch, 4);
      const errors: string[] = [];
      volume.failed.listen((error) => errors.push(error.message));
      if (cause === "failure") await line.fail(4);
      else await line.deliver(4, new Int16Array(5));
      expect(errors).toEqual([cause === "failure" ? "line cut" : "Slice 5 arrived with the wrong size."]);
      await line.deliver(5);
      expect(line.asked.length).toBe(6);
    }
  });
});
