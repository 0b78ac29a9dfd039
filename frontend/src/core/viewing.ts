/** What of a case stood on the screen, and for how long: few numbers, no film. */
import type { Window } from "./windows";

export interface Look {
  readonly slice: number;
  readonly window: Window;
  /** Relative to the picture as it was first shown. */
  readonly zoom: number;
  /** The marked place lies within the picture on the screen, on this slice. */
  readonly placeInView: boolean;
}

/** In the form in which the server takes it. */
export interface ViewingSummary {
  readonly slices: number[][];
  readonly windows: number[][];
  readonly zoom_range: number[];
  /** Of pictures with a ring alone: without one no place is marked. */
  readonly place_ms?: number;
}

const MOST_WINDOWS = 20;

export class ViewingRecord {
  private readonly bySlice = new Map<number, number>();
  private readonly windows: { window: Window; ms: number }[] = [];
  private zoomLow = 1;
  private zoomHigh = 1;
  private placeMs = 0;
  private look: Look | null = null;
  private since: number;

  constructor(
    private readonly now: () => number,
    private readonly ringed: boolean,
  ) {
    this.since = now();
  }

  /** From now on this is what the person sees; null while nothing of the case is to be seen. */
  shows(look: Look | null): void {
    this.settle();
    this.look = look;
  }

  read(): ViewingSummary {
    this.settle();
    const longest = [...this.windows].sort((a, b) => b.ms - a.ms).slice(0, MOST_WINDOWS);
    return {
      slices: [...this.bySlice].sort(([a], [b]) => a - b).map(([slice, ms]) => [slice, Math.round(ms)]),
      windows: longest.map(({ window, ms }) => [round(window.center), round(window.width), Math.round(ms)]),
      zoom_range: [round(this.zoomLow), round(this.zoomHigh)],
      ...(this.ringed ? { place_ms: Math.round(this.placeMs) } : {}),
    };
  }

  private settle(): void {
    const now = this.now();
    const passed = now - this.since;
    this.since = now;
    if (this.look === null) return;
    const { slice, window, zoom, placeInView } = this.look;
    this.bySlice.set(slice, (this.bySlice.get(slice) ?? 0) + passed);
    if (placeInView) this.placeMs += passed;
    this.zoomLow = Math.min(this.zoomLow, zoom);
    this.zoomHigh = Math.max(this.zoomHigh, zoom);
    const known = this.windows.find((one) => one.window.center === window.center && one.window.width === window.width);
    if (known) known.ms += passed;
    else this.windows.push({ window, ms: passed });
  }
}

const round = (value: number): number => Math.round(value * 100) / 100;
