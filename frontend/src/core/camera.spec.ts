import { describe, expect, it } from "vitest";

import { fieldCamera, fitCamera, pan, scaleBarMm, toPixel, toScreen, zoomAt } from "./camera";

const frame = { columns: 200, rows: 100, columnSpacingMm: 0.8, rowSpacingMm: 2.5 };
const screen = { width: 600, height: 500 };

describe("camera", () => {
  it("fits the whole image, in millimetres, in the middle", () => {
    const camera = fitCamera(frame, screen);
    expect(camera.pxPerMm).toBeCloseTo(Math.min(600 / 160, 500 / 250));
    expect(toScreen(frame, screen, camera, { column: 100, row: 50 })).toEqual({ x: 300, y: 250 });
    expect(toScreen(frame, screen, camera, { column: 0, row: 0 }).y).toBeCloseTo(0);
  });

  it("shows the field it was asked for", () => {
    const camera = fieldCamera(frame, screen, { column: 100, row: 40 }, 120);
    const left = toPixel(frame, screen, camera, { x: 50, y: 250 });
    const right = toPixel(frame, screen, camera, { x: 550, y: 250 });
    expect((right.column - left.column) * frame.columnSpacingMm).toBeCloseTo(120);
    expect(toScreen(frame, screen, camera, { column: 100, row: 40 })).toEqual({ x: 300, y: 250 });
  });

  it("fills the view with image when the image is as large as the field", () => {
    const patch = { columns: 96, rows: 96, columnSpacingMm: 0.57, rowSpacingMm: 0.57 };
    const square = { width: 700, height: 700 };
    // The marked pixel's centre lies half a pixel beside the middle of an even number of pixels.
    const camera = fieldCamera(patch, square, { column: 48.5, row: 48.5 }, 54.5);
    expect(toScreen(patch, square, camera, { column: 96, row: 96 }).x).toBeGreaterThanOrEqual(700);
    expect(toScreen(patch, square, camera, { column: 0, row: 0 }).x).toBeLessThanOrEqual(0);
  });

  it("stays on a place at the border of an image that is smaller than the view", () => {
    const camera = fieldCamera(frame, screen, { column: 0, row: 50 }, 400);
    expect(toScreen(frame, screen, camera, { column: 0, row: 50 }).x).toBeCloseTo(300);
  });

  it("goes from pixel to screen and back", () => {
    const camera = zoomAt(frame, screen, pan(fitCamera(frame, screen), 33, -21), { x: 100, y: 400 }, 2.7);
    const pixel = toPixel(frame, screen, camera, { x: 123, y: 45 });
    const back = toScreen(frame, screen, camera, pixel);
    expect(back.x).toBeCloseTo(123);
    expect(back.y).toBeCloseTo(45);
  });

  it("keeps the place under the pointer while zooming", () => {
    const before = fitCamera(frame, screen);
    const point = { x: 420, y: 130 };
    const place = toPixel(frame, screen, before, point);
    const after = toScreen(frame, screen, zoomAt(frame, screen, before, point, 1.7), place);
    expect(after.x).toBeCloseTo(point.x);
    expect(after.y).toBeCloseTo(point.y);
  });

  it("moves the image with the hand", () => {
    const before = fitCamera(frame, screen);
    const pixel = { column: 20, row: 30 };
    const start = toScreen(frame, screen, before, pixel);
    const end = toScreen(frame, screen, pan(before, 15, -7), pixel);
    expect(end.x - start.x).toBeCloseTo(15);
    expect(end.y - start.y).toBeCloseTo(-7);
  });

  it("does not get lost in either direction", () => {
    let camera = fitCamera(frame, screen);
    for (let i = 0; i < 200; i += 1) camera = zoomAt(frame, screen, camera, { x: 300, y: 250 }, 0.5);
    expect(camera.pxPerMm).toBeCloseTo(fitCamera(frame, screen).pxPerMm / 4);
    for (let i = 0; i < 200; i += 1) camera = zoomAt(frame, screen, camera, { x: 300, y: 250 }, 2);
    expect(500 / camera.pxPerMm).toBeCloseTo(8);
  });

  it("draws a scale bar of a round length that fits", () => {
    expect(scaleBarMm({ centreXMm: 0, centreYMm: 0, pxPerMm: 2 }, 150)).toBe(50);
    expect(scaleBarMm({ centreXMm: 0, centreYMm: 0, pxPerMm: 20 }, 150)).toBe(5);
  });
});
