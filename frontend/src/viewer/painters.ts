/** Drawings on top of an image. They are made of screen lines, never of altered pixels. */
import type { PixelPoint } from "../core/camera";
import { scaleBarMm } from "../core/camera";
import { maskOutline } from "../core/outline";
import type { PlaneGeometry, PlanePoint } from "../core/planes";
import type { PaintTarget, Painter } from "./stack-view";
import { decimal } from "../core/words/words";
import { words } from "../words";

const FONT = "system-ui, 'DejaVu Sans', sans-serif";
const INK = "#dfe7ee";
const CROSSHAIR = "#ffd54a";
const MARKER = "#9df0bd";
/** The caption of a view runs along its upper edge. */
const CAPTION_PX = 36;
/** The slice slider stands at the right edge. */
const SLIDER_PX = 34;
const HALO = "rgba(0, 0, 0, 0.75)";

/** Lines stay readable on white bone and on black air: a dark halo below a bright line. */
function strokeTwice(context: CanvasRenderingContext2D, colour: string, width: number, trace: () => void): void {
  for (const [style, lineWidth] of [
    [HALO, width + 2],
    [colour, width],
  ] as const) {
    context.strokeStyle = style;
    context.lineWidth = lineWidth;
    context.beginPath();
    trace();
    context.stroke();
  }
}

export function label(
  context: CanvasRenderingContext2D,
  text: string,
  x: number,
  y: number,
  align: CanvasTextAlign,
): void {
  // Large monitors are looked at from farther away.
  const size = Math.round(Math.min(20, Math.max(12, context.canvas.clientHeight / 90)));
  context.font = `${size}px ${FONT}`;
  context.textAlign = align;
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.strokeStyle = HALO;
  context.lineWidth = 3;
  context.strokeText(text, x, y);
  context.fillStyle = INK;
  context.fillText(text, x, y);
}

export interface MaskLayer {
  readonly colour: string;
  readonly visible: () => boolean;
  /** The mask on the shown slice, or null while it is not loaded. */
  readonly pixels: (slice: number) => Uint8Array | null;
  /** Another number when the mask has changed; one that never changes has none. */
  readonly version?: () => number;
}

/** Outlines along voxel edges: what lies inside stays visible. */
export function maskPainter(layer: MaskLayer, frame: () => { columns: number; rows: number } | null): Painter {
  let cached: { slice: number; columns: number; version: number; segments: number[] } | null = null;
  return (target) => {
    const size = frame();
    if (!layer.visible() || size === null) return;
    const { slice } = target;
    const version = layer.version?.() ?? 0;
    if (cached?.slice !== slice || cached.columns !== size.columns || cached.version !== version) {
      const pixels = layer.pixels(slice);
      if (pixels === null) return;
      cached = { slice, columns: size.columns, version, segments: maskOutline(pixels, size.columns, size.rows) };
    }
    strokeSegments(target, cached.segments, layer.colour);
  };
}

function strokeSegments(target: PaintTarget, segments: readonly number[], colour: string): void {
  const { context } = target;
  const origin = target.toScreen({ column: 0, row: 0 });
  const unit = target.toScreen({ column: 1, row: 1 });
  const [scaleX, scaleY] = [unit.x - origin.x, unit.y - origin.y];
  const path = new Path2D();
  for (let i = 0; i + 3 < segments.length; i += 4) {
    path.moveTo(origin.x + (segments[i] ?? 0) * scaleX, origin.y + (segments[i + 1] ?? 0) * scaleY);
    path.lineTo(origin.x + (segments[i + 2] ?? 0) * scaleX, origin.y + (segments[i + 3] ?? 0) * scaleY);
  }
  context.lineCap = "square";
  context.lineWidth = 1.5;
  context.strokeStyle = colour;
  context.stroke(path);
}

const FILL_ALPHA = 0.4;

/** The mask as it is at this moment, half transparent: the picture is seen through it while it is painted. */
export function maskFillPainter(layer: MaskLayer, frame: () => { columns: number; rows: number } | null): Painter {
  const canvas = document.createElement("canvas");
  return ({ context, slice, toScreen }) => {
    const size = frame();
    const pixels = layer.visible() && size !== null ? layer.pixels(slice) : null;
    if (pixels === null || size === null) return;
    const { columns, rows } = size;
    colourPixels(canvas, pixels, columns, rows, layer.colour);
    const [from, to] = [toScreen({ column: 0, row: 0 }), toScreen({ column: columns, row: rows })];
    context.save();
    context.globalAlpha = FILL_ALPHA;
    context.imageSmoothingEnabled = false;
    context.drawImage(canvas, from.x, from.y, to.x - from.x, to.y - from.y);
    context.restore();
  };
}

function colourPixels(
  canvas: HTMLCanvasElement,
  pixels: Uint8Array,
  columns: number,
  rows: number,
  colour: string,
): void {
  [canvas.width, canvas.height] = [columns, rows];
  const image = new ImageData(columns, rows);
  const rgba = new Uint32Array(image.data.buffer);
  const bytes = [...[1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)), 255];
  const ink = new Uint32Array(Uint8Array.from(bytes).buffer)[0] ?? 0;
  for (let i = 0; i < rgba.length; i += 1) if ((pixels[i] ?? 0) > 0) rgba[i] = ink;
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}

/** The brush where the pointer is, as large as it paints. */
export function brushPainter(brush: () => { readonly at: PixelPoint; readonly radiusMm: number } | null): Painter {
  return ({ context, camera, toScreen }) => {
    const shown = brush();
    if (!shown) return;
    const { x, y } = toScreen(shown.at);
    strokeTwice(context, INK, 1.25, () => {
      context.arc(x, y, shown.radiusMm * camera.pxPerMm, 0, 2 * Math.PI);
    });
  };
}

/** Lines through a place, with a gap around it so that the place itself stays free. */
export function crosshairPainter(place: () => PlanePoint | null, gapPx = 14): Painter {
  return ({ context, screen, slice, toScreen }) => {
    const point = place();
    if (!point) return;
    const { x, y } = toScreen(pixelCentre(point));
    context.setLineDash(Math.round(point.slice) === slice ? [] : [3, 5]);
    strokeTwice(context, CROSSHAIR, 1, () => {
      context.moveTo(0, y);
      context.lineTo(x - gapPx, y);
      context.moveTo(x + gapPx, y);
      context.lineTo(screen.width, y);
      context.moveTo(x, 0);
      context.lineTo(x, y - gapPx);
      context.moveTo(x, y + gapPx);
      context.lineTo(x, screen.height);
    });
    context.setLineDash([]);
  };
}

export const pixelCentre = (point: { column: number; row: number }): PixelPoint => ({
  column: point.column + 0.5,
  row: point.row + 0.5,
});

/** A ring around the place that is asked about: wide enough to leave the place and its surroundings untouched. On so
many slices before and after it is thin and broken, so that nobody scrolls past. */
export function markerPainter(
  marker: () => PlanePoint | null,
  radiusMm: () => number,
  visible: () => boolean,
  reachSlices = 0,
): Painter {
  return ({ context, camera, slice, toScreen }) => {
    const place = marker();
    if (!place || !visible()) return;
    const away = Math.abs(place.slice - slice);
    if (away > reachSlices) return;
    const { x, y } = toScreen(pixelCentre(place));
    const radius = Math.max(18, radiusMm() * camera.pxPerMm);
    context.setLineDash(away === 0 ? [] : [9, 9]);
    strokeTwice(context, MARKER, away === 0 ? 2 : 1.5, () => {
      context.arc(x, y, radius, 0, 2 * Math.PI);
    });
    context.setLineDash([]);
  };
}

const ARM_PX = 16;
const GAP_PX = 6;

/** A marked place as it is drawn: several have a name each, and the one that is being judged stands out. */
export interface DrawnMark extends PlanePoint {
  readonly name?: string;
  readonly selected?: boolean;
}

/** Small crosses on the slices of marked places, open in the middle: a moving one is broken. */
export function marksPainter(marks: () => readonly DrawnMark[], moving: boolean): Painter {
  return ({ context, slice, toScreen }) => {
    context.setLineDash(moving ? [3, 3] : []);
    for (const place of marks().filter((one) => one.slice === slice)) {
      const { x, y } = toScreen(pixelCentre(place));
      strokeTwice(context, CROSSHAIR, place.selected === true ? 3.5 : 2, () => {
        for (const [across, down] of [
          [1, 0],
          [-1, 0],
          [0, 1],
          [0, -1],
        ] as const) {
          context.moveTo(x + across * GAP_PX, y + down * GAP_PX);
          context.lineTo(x + across * (GAP_PX + ARM_PX), y + down * (GAP_PX + ARM_PX));
        }
      });
      if (place.name !== undefined) label(context, place.name, x + ARM_PX, y - ARM_PX, "center");
    }
    context.setLineDash([]);
  };
}

export function orientationPainter(labels: () => PlaneGeometry["labels"] | null): Painter {
  return ({ context, screen }) => {
    const text = labels();
    if (!text) return;
    label(context, text.left, 12, screen.height / 2, "center");
    label(context, text.right, screen.width - SLIDER_PX, screen.height / 2, "center");
    label(context, text.top, screen.width / 2, CAPTION_PX, "center");
    label(context, text.bottom, screen.width / 2, screen.height - 12, "center");
  };
}

export const scaleBarPainter: Painter = ({ context, screen, camera }) => {
  const lengthMm = scaleBarMm(camera, screen.width * 0.25);
  const lengthPx = lengthMm * camera.pxPerMm;
  const [right, bottom] = [screen.width - 14, screen.height - 14];
  strokeTwice(context, INK, 1.5, () => {
    context.moveTo(right - lengthPx, bottom - 4);
    context.lineTo(right - lengthPx, bottom);
    context.lineTo(right, bottom);
    context.lineTo(right, bottom - 4);
  });
  label(context, `${lengthMm} mm`, right, bottom - 14, "right");
};

export interface Measurement {
  readonly slice: number;
  readonly from: PixelPoint;
  readonly to: PixelPoint;
}

export function lengthMm({ from, to }: Measurement, frame: { columnSpacingMm: number; rowSpacingMm: number }): number {
  return Math.hypot((to.column - from.column) * frame.columnSpacingMm, (to.row - from.row) * frame.rowSpacingMm);
}

export function measurementPainter(
  measurements: () => readonly Measurement[],
  frame: () => { columnSpacingMm: number; rowSpacingMm: number } | null,
): Painter {
  return ({ context, slice, toScreen }) => {
    const spacing = frame();
    if (!spacing) return;
    for (const measurement of measurements().filter((one) => one.slice === slice)) {
      const [from, to] = [toScreen(measurement.from), toScreen(measurement.to)];
      strokeTwice(context, CROSSHAIR, 1.5, () => {
        context.moveTo(from.x, from.y);
        context.lineTo(to.x, to.y);
      });
      label(context, `${decimal(words, lengthMm(measurement, spacing), 1)} mm`, to.x + 8, to.y - 10, "left");
    }
  };
}
