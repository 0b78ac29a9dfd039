/** One picture on the screen: an image stack, a camera, a window, and drawings on top.

The camera is ours and Cornerstone is told where to draw: its own pan, zoom and resize mix CSS and device pixels
when they render on the CPU (StackViewport.setCameraCPU, cpuFallback/rendering/resize.js in 5.14), which is wrong on
every display with a scale factor. */
import { Enums } from "@cornerstonejs/core";
import type { Types } from "@cornerstonejs/core";

import type { Camera, PixelPoint, ScreenPoint, ScreenSize } from "../core/camera";
import { fitCamera, toPixel, toScreen } from "../core/camera";
import { Signal } from "../core/signal";
import type { Window } from "../core/windows";
import { windowRange } from "../core/windows";
import { registerStack, renderingEngine } from "./engine";
import type { ImageStack } from "./image-stack";

export interface PaintTarget {
  readonly context: CanvasRenderingContext2D;
  readonly screen: ScreenSize;
  readonly slice: number;
  readonly camera: Camera;
  readonly toScreen: (pixel: PixelPoint) => ScreenPoint;
}
export type Painter = (target: PaintTarget) => void;

export interface ShowOptions {
  readonly slice: number;
  readonly window: Window;
  /** Without one the whole image is fitted. */
  readonly camera?: (screen: ScreenSize) => Camera;
}

/** Edge in CSS pixels below which nobody can judge a picture. */
export const LEGIBLE_PX = 120;

/** A slice has 512 x 512 pixels. On a screen of 5120 x 2880 most of the time until the next case went into drawing more
of them than anybody can tell apart. */
const MOST_PIXELS = 4_000_000;

let lastViewId = 0;

export class StackView {
  readonly changed = new Signal();
  readonly painted = new Signal<number>();
  private readonly surface = document.createElement("div");
  private readonly drawing = document.createElement("canvas");
  private readonly viewport: Types.IStackViewport;
  private readonly painters: Painter[] = [];
  private stack: ImageStack | null = null;
  private release: () => void = () => undefined;
  private stopListening: () => void = () => undefined;
  private shownSlice: number | null = null;
  private wantedSlice = 0;
  private currentCamera: Camera = { centreXMm: 0, centreYMm: 0, pxPerMm: 1 };
  private currentWindow: Window = { center: 40, width: 400 };
  private cameraTouched = false;
  private generation = 0;

  constructor(readonly host: HTMLElement) {
    lastViewId += 1;
    const viewportId = `view-${lastViewId}`;
    this.surface.className = "view-surface";
    this.drawing.className = "view-drawing";
    this.drawing.setAttribute("aria-hidden", "true");
    host.append(this.surface, this.drawing);
    this.fitSurface();
    renderingEngine().enableElement({ viewportId, element: this.surface, type: Enums.ViewportType.STACK });
    this.viewport = renderingEngine().getViewport<Types.IStackViewport>(viewportId);
    // Cornerstone makes its element focusable; the host is what keys and screen readers talk to.
    this.surface.removeAttribute("tabindex");
    this.surface.addEventListener(Enums.Events.IMAGE_RENDERED, () => {
      this.afterRender();
    });
    new ResizeObserver(() => {
      this.resized();
    }).observe(host);
    // Another monitor or another zoom level: the same CSS size, other device pixels.
    window.addEventListener("resize", () => {
      this.resized();
    });
  }

  get slice(): number {
    return this.wantedSlice;
  }

  get slices(): number {
    return this.stack?.slices ?? 0;
  }

  get window(): Window {
    return this.currentWindow;
  }

  get camera(): Camera {
    return this.currentCamera;
  }

  get screen(): ScreenSize {
    return { width: this.surface.clientWidth, height: this.surface.clientHeight };
  }

  /** True while the wanted image has not arrived. */
  get waiting(): boolean {
    return this.stack !== null && this.shownSlice !== this.wantedSlice;
  }

  /** The wanted image stands on the screen, and large enough to be looked at. */
  get legible(): boolean {
    const { width, height } = this.screen;
    return this.host.dataset.state === "shown" && Math.min(width, height) >= LEGIBLE_PX;
  }

  addPainter(painter: Painter): void {
    this.painters.push(painter);
  }

  /** Resolves when the image stands on the screen. */
  async show(stack: ImageStack, options: ShowOptions): Promise<void> {
    this.generation += 1;
    const generation = this.generation;
    this.stopListening();
    const releaseOld = this.release;
    const { imageIds, release } = registerStack(stack);
    this.release = release;
    this.stack = stack;
    this.shownSlice = null;
    // Until the new image has arrived the old one must not stand in its place.
    this.host.dataset.state = "waiting";
    this.wantedSlice = clampSlice(options.slice, stack.slices);
    this.currentWindow = options.window;
    this.cameraTouched = options.camera !== undefined;
    this.currentCamera = (options.camera ?? ((screen) => fitCamera(stack.frame, screen)))(this.screen);
    await firstArrival(stack, () => this.wantedSlice);
    if (generation !== this.generation) return;
    const first = this.wantedSlice;
    await this.viewport.setStack(imageIds, first);
    releaseOld();
    this.shownSlice = first;
    this.stopListening = stack.arrived.listen(() => {
      if (this.waiting) this.showSlice();
    });
    const painted = this.nextPaint();
    this.apply();
    this.showSlice();
    this.changed.emit();
    await painted;
  }

  setSlice(slice: number): void {
    if (!this.stack) return;
    const wanted = clampSlice(slice, this.stack.slices);
    if (wanted === this.wantedSlice) return;
    this.wantedSlice = wanted;
    // The picture of another slice must not stand in the place of one that has not arrived.
    if (this.waiting && this.stack.pixels(wanted) === null) this.host.dataset.state = "waiting";
    this.showSlice();
    this.markShown();
    this.changed.emit();
  }

  setWindow(window: Window): void {
    this.currentWindow = window;
    this.apply();
    this.changed.emit();
  }

  setCamera(camera: Camera): void {
    this.currentCamera = camera;
    this.cameraTouched = true;
    this.apply();
    this.changed.emit();
  }

  fit(): void {
    if (!this.stack) return;
    this.setCamera(fitCamera(this.stack.frame, this.screen));
    this.cameraTouched = false;
  }

  pixelAt(point: ScreenPoint): PixelPoint | null {
    return this.stack ? toPixel(this.stack.frame, this.screen, this.currentCamera, point) : null;
  }

  frame(): ImageStack["frame"] | null {
    return this.stack?.frame ?? null;
  }

  /** Draws the overlay again, and the image with it. */
  redraw(): void {
    if (this.shownSlice !== null) this.viewport.render();
  }

  /** Draws the overlay again on the image as it stands: much cheaper than the image. */
  redrawOverlay(): void {
    if (this.shownSlice !== null) this.draw(this.shownSlice);
  }

  private showSlice(): void {
    if (!this.stack || this.shownSlice === this.wantedSlice || this.shownSlice === null) return;
    if (this.stack.pixels(this.wantedSlice) === null) return;
    const { generation, wantedSlice } = this;
    void this.viewport.setImageIdIndex(wantedSlice).then(() => {
      if (generation !== this.generation || wantedSlice !== this.wantedSlice) return;
      this.shownSlice = wantedSlice;
      this.apply();
      this.changed.emit();
    });
  }

  private apply(): void {
    if (!this.stack || this.shownSlice === null) return;
    const { columnSpacingMm, rowSpacingMm } = this.stack.frame;
    const devicePxPerMm = this.currentCamera.pxPerMm * this.pixelRatio();
    this.viewport.setCamera({
      focalPoint: [this.currentCamera.centreXMm, this.currentCamera.centreYMm, 0],
      scale: devicePxPerMm * Math.min(columnSpacingMm, rowSpacingMm),
    });
    this.viewport.setProperties({ voiRange: windowRange(this.currentWindow) });
    this.viewport.render();
  }

  /** Device pixels per CSS pixel that are drawn; the browser enlarges the rest. */
  private pixelRatio(): number {
    const { width, height } = this.screen;
    return Math.min(window.devicePixelRatio || 1, Math.max(1, Math.sqrt(MOST_PIXELS / Math.max(1, width * height))));
  }

  private nextPaint(): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.painted.listen(() => {
        stop();
        // The canvas is drawn inside one animation frame and stands on the screen at the next.
        requestAnimationFrame(() => {
          resolve();
        });
      });
    });
  }

  private afterRender(): void {
    if (this.shownSlice === null) return;
    this.draw(this.shownSlice);
    this.markShown();
    this.painted.emit(this.shownSlice);
  }

  /** The wanted slice is the one that is drawn. */
  private markShown(): void {
    if (!this.waiting) this.host.dataset.state = "shown";
  }

  private draw(slice: number): void {
    const context = this.drawing.getContext("2d");
    if (!context || !this.stack) return;
    const { screen, currentCamera: camera, stack } = this;
    const ratio = this.pixelRatio();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, screen.width, screen.height);
    const target: PaintTarget = {
      context,
      screen,
      camera,
      slice,
      toScreen: (pixel) => toScreen(stack.frame, screen, camera, pixel),
    };
    for (const painter of this.painters) painter(target);
  }

  private fitSurface(): void {
    // Whole CSS pixels, so that image and drawing agree to the pixel.
    const width = Math.max(1, Math.floor(this.host.clientWidth));
    const height = Math.max(1, Math.floor(this.host.clientHeight));
    for (const element of [this.surface, this.drawing]) {
      element.style.width = `${width}px`;
      element.style.height = `${height}px`;
    }
  }

  private resized(): void {
    const before = this.screen;
    this.fitSurface();
    const { width, height } = this.screen;
    const ratio = this.pixelRatio();
    for (const canvas of [this.viewport.canvas, this.drawing]) {
      const [deviceWidth, deviceHeight] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (canvas.width !== deviceWidth) canvas.width = deviceWidth;
      if (canvas.height !== deviceHeight) canvas.height = deviceHeight;
    }
    if (this.stack && !this.cameraTouched) {
      this.currentCamera = fitCamera(this.stack.frame, this.screen);
    } else {
      const factor = Math.min(width, height) / Math.max(1, Math.min(before.width, before.height));
      if (before.width > 1)
        this.currentCamera = { ...this.currentCamera, pxPerMm: this.currentCamera.pxPerMm * factor };
    }
    this.apply();
    this.changed.emit();
  }
}

const clampSlice = (slice: number, slices: number): number => Math.max(0, Math.min(slices - 1, Math.round(slice)));

function firstArrival(stack: ImageStack, wanted: () => number): Promise<void> {
  if (stack.pixels(wanted()) !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = stack.arrived.listen(() => {
      if (stack.pixels(wanted()) === null) return;
      stop();
      resolve();
    });
  });
}
