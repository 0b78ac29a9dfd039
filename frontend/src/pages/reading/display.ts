/** The image of a case, as the study shows it, and a count of what the reader does with it. */
import type { ReadingSession } from "../../api/contract";
import type { Camera, ScreenSize } from "../../core/camera";
import { fieldCamera, fitCamera } from "../../core/camera";
import { attachGestures, magnify, markerPainter, orientationPainter, pixelCentre } from "../../viewer";
import { Pane } from "../shared/pane";
import type { LoadedCase } from "./cases";

/** Wide enough to run around nearly every liver lesion that is put before readers. */
const MARKER_RADIUS_MM = 20;

const SIDES = { left: "R", right: "L", top: "A", bottom: "P" };

export interface InteractionCounts {
  scrolls: number;
  windowings: number;
  zooms: number;
}

export class CaseDisplay {
  readonly counts: InteractionCounts = { scrolls: 0, windowings: 0, zooms: 0 };
  private readonly pane: Pane;
  private shown: LoadedCase | null = null;
  private markerVisible = true;
  private lastSlice = 0;

  constructor(
    stage: HTMLElement,
    private readonly options: ReadingSession["display"],
  ) {
    this.pane = new Pane(stage, "Image");
    const { view } = this.pane;
    view.addPainter(
      markerPainter(
        () => this.marker,
        MARKER_RADIUS_MM,
        () => this.markerVisible,
      ),
    );
    // Every stimulus is cut so that the patient's left is on the right and the front on top.
    if (options.mode !== "patch") view.addPainter(orientationPainter(() => SIDES));
    attachGestures(view, {
      tool: () => "window",
      counted: (interaction) => {
        if (interaction === "window") this.counts.windowings += 1;
        if (interaction === "zoom") this.counts.zooms += 1;
      },
    });
    view.changed.listen(() => {
      if (view.slice !== this.lastSlice) this.counts.scrolls += 1;
      this.lastSlice = view.slice;
    });
  }

  /** Resolves when the image stands on the screen. */
  async show(wanted: LoadedCase): Promise<void> {
    this.shown = wanted;
    const { presentation, stack } = wanted;
    this.lastSlice = presentation.start_slice;
    this.markerVisible = true;
    await this.pane.show(stack, presentation.start_slice, this.options.window, (screen) => this.startCamera(screen));
    Object.assign(this.counts, { scrolls: 0, windowings: 0, zooms: 0 });
    this.pane.host.focus({ preventScroll: true });
  }

  get markerSlice(): number | null {
    return this.marker?.slice ?? null;
  }

  get sizePx(): readonly [number, number] {
    const { width, height } = this.pane.view.screen;
    return [width, height];
  }

  scroll(slices: number): void {
    this.pane.view.setSlice(this.pane.view.slice + slices);
  }

  zoom(factor: number): void {
    this.counts.zooms += 1;
    magnify(this.pane.view, null, factor);
  }

  reset(): void {
    const { view } = this.pane;
    view.setWindow(this.options.window);
    view.setCamera(this.startCamera(view.screen));
  }

  /** Back to the slice with the marked place. */
  home(): void {
    if (this.shown) this.pane.view.setSlice(this.marker?.slice ?? this.shown.presentation.start_slice);
  }

  toggleMarker(): void {
    this.markerVisible = !this.markerVisible;
    this.pane.view.redraw();
  }

  /** A patch is the place itself: there is nothing to point at. */
  private get marker(): { column: number; row: number; slice: number } | null {
    return this.options.mode === "patch" ? null : (this.shown?.presentation.marker ?? null);
  }

  private startCamera(screen: ScreenSize): Camera {
    const frame = this.shown?.stack.frame;
    if (!frame) return { centreXMm: 0, centreYMm: 0, pxPerMm: 1 };
    const field = this.options.field_of_view_mm;
    if (field === null) return fitCamera(frame, screen);
    const marker = this.shown?.presentation.marker;
    const centre = marker ? pixelCentre(marker) : { column: frame.columns / 2, row: frame.rows / 2 };
    return fieldCamera(frame, screen, centre, field);
  }
}
