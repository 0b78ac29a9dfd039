/** The arithmetic of a scatter plot: what part of the plane is in sight, and where a point comes to lie. */

export interface Point2 {
  readonly x: number;
  readonly y: number;
}

/** The part of the plane in sight, in the units of the data. */
export interface Sight {
  readonly centre: Point2;
  readonly width: number;
  readonly height: number;
}

export interface Sheet {
  readonly width: number;
  readonly height: number;
}

const MARGIN = 1.12;
const SMALLEST = 1e-6;

/** Everything in sight, with a margin. */
export function sightOf(points: readonly Point2[]): Sight {
  if (points.length === 0) return { centre: { x: 0, y: 0 }, width: 1, height: 1 };
  const xs = points.map(({ x }) => x);
  const ys = points.map(({ y }) => y);
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  return {
    centre: { x: (left + right) / 2, y: (low + high) / 2 },
    width: Math.max((right - left) * MARGIN, SMALLEST),
    height: Math.max((high - low) * MARGIN, SMALLEST),
  };
}

/** Data to sheet; y of the data points up, y of the sheet down. */
export function toSheet(sight: Sight, sheet: Sheet, point: Point2): Point2 {
  return {
    x: ((point.x - sight.centre.x) / sight.width + 0.5) * sheet.width,
    y: (0.5 - (point.y - sight.centre.y) / sight.height) * sheet.height,
  };
}

export function toData(sight: Sight, sheet: Sheet, point: Point2): Point2 {
  return {
    x: (point.x / sheet.width - 0.5) * sight.width + sight.centre.x,
    y: (0.5 - point.y / sheet.height) * sight.height + sight.centre.y,
  };
}

export function isOnSheet(sheet: Sheet, { x, y }: Point2): boolean {
  return x >= 0 && x <= sheet.width && y >= 0 && y <= sheet.height;
}

/** Closer (factor above 1) or further, with the data under `at` (on the sheet) staying where it is. */
export function zoomAbout(sight: Sight, sheet: Sheet, at: Point2, factor: number): Sight {
  const fixed = toData(sight, sheet, at);
  return {
    centre: {
      x: fixed.x + (sight.centre.x - fixed.x) / factor,
      y: fixed.y + (sight.centre.y - fixed.y) / factor,
    },
    width: sight.width / factor,
    height: sight.height / factor,
  };
}

export function panBy(sight: Sight, sheet: Sheet, dx: number, dy: number): Sight {
  return {
    ...sight,
    centre: {
      x: sight.centre.x - (dx / sheet.width) * sight.width,
      y: sight.centre.y + (dy / sheet.height) * sight.height,
    },
  };
}

/** The nearest point in a direction of the keyboard's arrows, or null when there is none. */
export function neighbour(points: readonly Point2[], from: number, dx: number, dy: number): number | null {
  const start = points[from];
  if (!start) return null;
  let best: number | null = null;
  let least = Infinity;
  points.forEach((point, index) => {
    const along = (point.x - start.x) * dx + (point.y - start.y) * dy;
    const across = Math.abs((point.x - start.x) * dy - (point.y - start.y) * dx);
    if (index === from || along <= 0 || across > 2 * along) return;
    const distance = along + 2 * across;
    if (distance < least) {
      least = distance;
      best = index;
    }
  });
  return best;
}
