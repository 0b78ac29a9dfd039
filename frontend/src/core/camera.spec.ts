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
    const camera = fieldCamera(frame, screen, { column: 60, row: 40 }, 120);
    const left = toPixel(frame, screen, camera, { x: 50, y: 250 });
    const right = toPixel(frame, screen, camera, { x: 550, y: 250 });
    expect((right.column - left.column) * frame.columnSpacingMm).toBeCloseTo(120);
    expect(toScreen(frame, screen, camera, { column: 60, row: 40 })).toEqual({ x: 300, y: 250 });
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
