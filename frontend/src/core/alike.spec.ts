import { beforeEach, describe, expect, it } from "vitest";

import type { LookedAt } from "./alike";
import { Alike } from "./alike";
import type { Camera } from "./camera";

const camera = (centreXMm: number, centreYMm: number, pxPerMm: number): Camera => ({ centreXMm, centreYMm, pxPerMm });

/** A view that tells of each change, as the real ones do. */
class View implements LookedAt {
  slice = 0;
  window = { center: 60, width: 400 };
  told = 0;
  changed: () => void = () => undefined;

  constructor(
    public camera: Camera,
    public screen = { width: 400, height: 300 },
  ) {}

  setSlice(slice: number): void {
    this.slice = slice;
    this.tell();
  }

  setWindow(window: { center: number; width: number }): void {
    this.window = window;
    this.tell();
  }

  setCamera(wanted: Camera): void {
    this.camera = wanted;
    this.tell();
  }

  private tell(): void {
    this.told += 1;
    this.changed();
  }
}

describe("several views with one look", () => {
  const starts = [camera(10, 20, 4), camera(70, 5, 4), camera(0, 0, 4)];
  let views: [View, View, View];
  let alike: Alike;

  beforeEach(() => {
    views = [new View(camera(10, 20, 4)), new View(camera(70, 5, 4)), new View(camera(0, 0, 4))];
    alike = new Alike(views);
    views.forEach((view, number) => {
      view.changed = () => {
        alike.changed(number);
      };
    });
    alike.begin(starts);
  });

  it("scrolls and windows all, whichever is touched, and each once", () => {
    views[1].setSlice(5);
    expect(views.map(({ slice }) => slice)).toEqual([5, 5, 5]);
    views[2].setWindow({ center: -600, width: 1500 });
    expect(views.map(({ window }) => window.center)).toEqual([-600, -600, -600]);
    expect(views.map(({ told }) => told)).toEqual([2, 2, 2]);
  });

  it("moves every image by as much from its own place, and enlarges all alike", () => {
    views[0].setCamera(camera(13, 18, 8));
    expect(views[1].camera).toEqual(camera(73, 3, 8));
    expect(views[2].camera).toEqual(camera(3, -2, 8));
  });

  it("shows as much of the image where a screen is smaller", () => {
    views[1].screen = { width: 200, height: 150 };
    views[0].setCamera(camera(10, 20, 8));
    expect(views[1].camera.pxPerMm).toBe(4);
  });

  it("passes nothing on while images change", () => {
    alike.pause();
    views[0].setSlice(3);
    expect(views[1].slice).toBe(0);
  });
});
