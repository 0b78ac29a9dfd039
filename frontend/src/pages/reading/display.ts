/** The image of a case, as the study shows it, and a record of what the reader does with it. */
import type { ReadingSession } from "../../api/contract";
import type { Camera, ScreenPoint, ScreenSize } from "../../core/camera";
import { fieldCamera, fitCamera } from "../../core/camera";
import { Alike } from "../../core/alike";
import type { Mark, PictureSize } from "../../core/marking";
import { ARROWS, pixelUnder } from "../../core/marking";
import { KeptWindow } from "../../core/kept-window";
import { Signal } from "../../core/signal";
import { ViewingRecord } from "../../core/viewing";
import type { Window } from "../../core/windows";
import type { DrawingStage, DrawnMark, Measurement, Tool } from "../../viewer";
import {
  attachGestures,
  attachTaps,
  LEGIBLE_PX,
  magnify,
  markerPainter,
  marksPainter,
  measurementPainter,
  orientationPainter,
  pixelCentre,
} from "../../viewer";
import { Pane } from "../shared/pane";
import type { LoadedCase, LoadedImage } from "./cases";
import { sittingStorage } from "./preferences";
import { tiled } from "./tiles";
import { words } from "../../words";

/** Of studies that were locked before rings had sizes: wide enough to run around nearly every liver lesion. */
const MARKER_RADIUS_MM = 20;
const MARKER_REACH_SLICES = 2;

const SIDES = { left: "R", right: "L", top: "A", bottom: "P" };

export interface InteractionCounts {
  scrolls: number;
  windowings: number;
  zooms: number;
}

export class CaseDisplay {
  readonly counts: InteractionCounts = { scrolls: 0, windowings: 0, zooms: 0 };
  /** Something about what stands on the screen has changed. */
  readonly changed = new Signal();
  /** A place of the picture was pressed. */
  readonly tapped = new Signal<Mark>();
  record: ViewingRecord;
  tool: Tool = "window";
  /** The first of several, which the others look like. */
  private readonly pane: Pane;
  private readonly panes: readonly Pane[];
  private readonly alike: Alike;
  private readonly kept: KeptWindow;
  private shown: LoadedCase | null = null;
  private markerVisible = true;
  private readonly measurements = new Map<Pane, Measurement[]>();
  private lastSlice = 0;
  private startScale = 1;

  constructor(
    stage: HTMLElement,
    private readonly options: ReadingSession["display"],
    sitting: string,
    private readonly now: () => number,
  ) {
    this.record = new ViewingRecord(now, false);
    this.kept = new KeptWindow(sittingStorage(), sitting, options.window_may_stay);
    const { images } = options;
    this.panes = Array.from(
      { length: images },
      (_, n) => new Pane(stage, images > 1 ? words.view.imageNumber(n + 1) : words.view.image),
    );
    [this.pane] = this.panes as [Pane, ...Pane[]];
    this.alike = new Alike(this.panes.map((pane) => pane.view));
    this.panes.forEach((pane, number) => {
      this.equip(pane, number);
    });
    if (images > 1) tiled(stage, images);
    const { view } = this.pane;
    view.changed.listen(() => {
      if (view.slice !== this.lastSlice) {
        this.counts.scrolls += 1;
        for (const { volume } of this.shown?.images ?? []) volume.prefer(view.slice);
      }
      this.lastSlice = view.slice;
      if (this.shown !== null) this.kept.follow(view.window);
      this.noteLook();
      this.changed.emit();
    });
  }

  /** Drawings and gestures on the image with this number. */
  private equip(pane: Pane, number: number): void {
    const { view } = pane;
    const image = (): LoadedImage | undefined => this.shown?.images[number];
    view.addPainter(
      markerPainter(
        () => this.markerOf(image()),
        () => image()?.presentation.marker?.radius_mm ?? MARKER_RADIUS_MM,
        () => this.markerVisible,
        MARKER_REACH_SLICES,
      ),
    );
    view.addPainter(
      measurementPainter(
        () => this.measurements.get(pane) ?? [],
        () => view.frame(),
      ),
    );
    // Every stimulus is cut so that the patient's left is on the right and the front on top.
    if (this.options.mode !== "patch") view.addPainter(orientationPainter(() => SIDES));
    attachGestures(view, {
      tool: () => this.tool,
      counted: (interaction) => {
        if (interaction === "window") this.counts.windowings += 1;
        if (interaction === "zoom") this.counts.zooms += 1;
      },
      drawn: (_, stage, point) => {
        this.measure(pane, stage, point);
      },
    });
    attachTaps(view, (point) => {
      const pixel = view.pixelAt(point);
      const mark = pixel === null ? null : pixelUnder(pixel, view.slice, this.size);
      if (mark !== null) this.tapped.emit(mark);
    });
    view.host.addEventListener("pointermove", (event) => {
      this.readOut(pane, image(), { x: event.offsetX, y: event.offsetY });
    });
    view.changed.listen(() => {
      this.alike.changed(number);
    });
    view.painted.listen(() => {
      this.noteLook();
      this.changed.emit();
    });
  }

  /** Resolves when all images stand on the screen. */
  async show(wanted: LoadedCase): Promise<void> {
    this.shown = wanted;
    this.lastSlice = wanted.presentation.start_slice;
    this.markerVisible = true;
    this.measurements.clear();
    this.alike.pause();
    const window = this.kept.window ?? this.options.window;
    await Promise.all(
      this.panes.map(async (pane, number) => {
        const image = wanted.images[number];
        pane.say("");
        if (image === undefined) return;
        const { presentation, stack } = image;
        await pane.show(stack, presentation.start_slice, window, (screen) => this.startCamera(image, screen));
      }),
    );
    if (this.shown !== wanted) return;
    this.alike.begin(this.startCameras);
    Object.assign(this.counts, { scrolls: 0, windowings: 0, zooms: 0 });
    this.record = new ViewingRecord(this.now, this.markerOf(wanted) !== null);
    this.startScale = this.pane.view.camera.pxPerMm;
    this.noteLook();
    this.pane.host.focus({ preventScroll: true });
  }

  /** Why an answer would be about something that is not on the screen; null when it can be given. */
  get obstacle(): string | null {
    const { shown } = this;
    if (shown === null) return words.view.notShownYet;
    const [width, height] = this.sizePx;
    if (Math.min(width, height) < LEGIBLE_PX) return words.view.noRoom;
    if (!shown.images.every(({ volume }) => volume.complete)) {
      const slices = shown.presentation.slices * shown.images.length;
      const arrived = shown.images.reduce(
        (sum, { volume }) => sum + volume.fractionLoaded * shown.presentation.slices,
        0,
      );
      return words.view.arrived(Math.round(arrived), slices);
    }
    return this.panes.every(({ view }) => view.legible) ? null : words.view.sliceNotShown;
  }

  /** The wanted slice has not arrived. */
  get waiting(): boolean {
    return this.panes.some(({ view }) => view.waiting);
  }

  get markerSlice(): number | null {
    return this.markerOf(this.shown)?.slice ?? null;
  }

  get sizePx(): readonly [number, number] {
    const { width, height } = this.pane.view.screen;
    return [width, height];
  }

  get stacked(): boolean {
    return this.pane.view.slices > 1;
  }

  /** The arrows to the sides change a number that is asked for. */
  leaveSideArrows(): void {
    for (const pane of this.panes) for (const key of ["ArrowLeft", "ArrowRight"]) pane.keysOfOthers.add(key);
  }

  /** Of the picture, in pixels. */
  get size(): PictureSize {
    const { rows, columns } = this.pane.view.frame() ?? { rows: 0, columns: 0 };
    return { rows, columns };
  }

  /** The pixel in the middle of what is seen. */
  get middle(): Mark {
    const { view } = this.pane;
    const { rows, columns } = this.size;
    const pixel = view.pixelAt({ x: view.screen.width / 2, y: view.screen.height / 2 });
    const at = { slice: view.slice, row: Math.floor(rows / 2), column: Math.floor(columns / 2) };
    return (pixel && pixelUnder(pixel, view.slice, this.size)) ?? at;
  }

  drawMarks(placed: () => readonly DrawnMark[], moving: () => Mark | null): void {
    const cross = (): DrawnMark[] => [moving()].filter((one) => one !== null);
    this.pane.view.addPainter(marksPainter(placed, false));
    this.pane.view.addPainter(marksPainter(cross, true));
  }

  redraw(): void {
    for (const { view } of this.panes) view.redraw();
  }

  focus(): void {
    this.pane.host.focus({ preventScroll: true });
  }

  /** While a cross is moved the arrows don't scroll. */
  lendArrows(lent: boolean): void {
    for (const key of ARROWS) {
      if (lent) this.pane.keysOfOthers.add(key);
      else this.pane.keysOfOthers.delete(key);
    }
  }

  scroll(slices: number): void {
    this.pane.view.setSlice(this.pane.view.slice + slices);
  }

  zoom(factor: number): void {
    this.counts.zooms += 1;
    magnify(this.pane.view, null, factor);
  }

  setWindow(window: Window | null): void {
    this.counts.windowings += 1;
    this.pane.view.setWindow(window ?? this.options.window);
  }

  /** From here on the window goes along from case to case, or every case begins with the study's again. */
  toggleKeptWindow(): void {
    this.kept.keep(this.kept.window === null ? this.pane.view.window : null);
  }

  get keepsWindow(): boolean {
    return this.kept.window !== null;
  }

  get mayKeepWindow(): boolean {
    return this.kept.allowed;
  }

  reset(): void {
    const { view } = this.pane;
    this.measurements.clear();
    view.setWindow(this.options.window);
    const [start] = this.startCameras;
    if (start !== undefined) view.setCamera(start);
    this.redraw();
  }

  /** Back to the slice with the marked place. */
  home(): void {
    if (this.shown) this.pane.view.setSlice(this.markerSlice ?? this.shown.presentation.start_slice);
  }

  toggleMarker(): void {
    this.markerVisible = !this.markerVisible;
    this.redraw();
  }

  /** While the image is covered nothing of it is seen. */
  covered(covered: boolean): void {
    if (covered) this.record.shows(null);
    else this.noteLook();
  }

  /** A patch is the place itself: there is nothing to point at. */
  private markerOf(image: LoadedImage | null | undefined): { column: number; row: number; slice: number } | null {
    return this.options.mode === "patch" ? null : (image?.presentation.marker ?? null);
  }

  private measure(pane: Pane, stage: DrawingStage, point: ScreenPoint): void {
    const { view } = pane;
    const pixel = view.pixelAt(point);
    if (pixel === null) return;
    const drawn = this.measurements.get(pane) ?? [];
    this.measurements.set(pane, drawn);
    if (stage === "start") drawn.push({ slice: view.slice, from: pixel, to: pixel });
    else if (stage === "cancel") drawn.pop();
    else {
      const last = drawn.pop();
      if (last) drawn.push({ ...last, to: pixel });
    }
    view.redraw();
  }

  /** The value under the pointer. */
  private readOut(pane: Pane, image: LoadedImage | undefined, point: ScreenPoint): void {
    const { view } = pane;
    const [pixel, frame] = [view.pixelAt(point), view.frame()];
    const pixels = image?.stack.pixels(view.slice);
    if (!pixel || !frame || !pixels) return;
    const [column, row] = [Math.floor(pixel.column), Math.floor(pixel.row)];
    const inside = column >= 0 && row >= 0 && column < frame.columns && row < frame.rows;
    pane.say(inside ? `${pixels[row * frame.columns + column]} HU` : "");
  }

  private noteLook(): void {
    const { view } = this.pane;
    if (!this.panes.every((pane) => pane.view.legible) || document.hidden) {
      this.record.shows(null);
      return;
    }
    const marker = this.markerOf(this.shown);
    this.record.shows({
      slice: view.slice,
      window: view.window,
      zoom: view.camera.pxPerMm / this.startScale,
      placeInView: marker !== null && marker.slice === view.slice && this.inView(marker),
    });
  }

  private inView(place: { column: number; row: number }): boolean {
    const { view } = this.pane;
    const [from, to] = [view.pixelAt({ x: 0, y: 0 }), view.pixelAt({ x: view.screen.width, y: view.screen.height })];
    if (!from || !to) return false;
    const { column, row } = pixelCentre(place);
    return column >= from.column && column <= to.column && row >= from.row && row <= to.row;
  }

  private get startCameras(): Camera[] {
    return (this.shown?.images ?? []).map((image, number) =>
      this.startCamera(image, (this.panes[number] ?? this.pane).view.screen),
    );
  }

  private startCamera({ presentation: { marker }, stack: { frame } }: LoadedImage, screen: ScreenSize): Camera {
    const field = this.options.field_of_view_mm;
    if (field === null) return fitCamera(frame, screen);
    const centre = marker ? pixelCentre(marker) : { column: frame.columns / 2, row: frame.rows / 2 };
    return fieldCamera(frame, screen, centre, field);
  }
}
