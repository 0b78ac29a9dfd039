/** Axial, coronal and sagittal views of one scan around one chosen place. */
import type { ScanManifest } from "../../api/contract";
import { manifestGrid, sliceUrl } from "../../api/contract";
import { getBytes } from "../../api/http";
import type { Grid, VoxelPoint, WorldPoint } from "../../core/geometry";
import { centreVoxel, nearestVoxel, voxelOffset, worldToVoxel } from "../../core/geometry";
import type { Plane, PlanePoint } from "../../core/planes";
import { PLANES, planeToVoxel, voxelToPlane } from "../../core/planes";
import { Signal } from "../../core/signal";
import type { Window } from "../../core/windows";
import type { DrawingStage, Measurement, Tool } from "../../viewer";
import {
  attachGestures,
  brushPainter,
  crosshairPainter,
  LoadingVolume,
  maskFillPainter,
  maskPainter,
  measurementPainter,
  orientationPainter,
  pixelCentre,
  PlaneStack,
} from "../../viewer";
import type { AxisZyx } from "../../core/brush";
import type { PixelPoint, ScreenPoint } from "../../core/camera";
import { toScreen } from "../../core/camera";
import { Pane } from "../shared/pane";
import { MASK_COLOURS } from "../shared/toolbar";
import { describePlace, placeAt, PlacePublisher } from "./place";
import type { MaskEntry } from "./masks";
import { ScanMask } from "./masks";

interface PlaneView {
  readonly plane: Plane;
  readonly pane: Pane;
  readonly stack: PlaneStack;
  measurements: Measurement[];
  /** Where the pointer is over the picture. */
  pointer: PixelPoint | null;
}

/** Press, movement and release of the brush, or its end without a trace; the place may lie between voxels, in the slice across the axis. */
export interface BrushMove {
  readonly stage: DrawingStage;
  readonly at: VoxelPoint;
  readonly across: AxisZyx;
}

/** Narrower views say the HU only. */
const WIDE_PX = 420;

const TITLES: Record<Plane, string> = { axial: "Axial", coronal: "Coronal", sagittal: "Sagittal" };

export class ScanViewer {
  readonly volume: LoadingVolume;
  readonly masks: ScanMask[];
  readonly brushed = new Signal<BrushMove>();
  readonly grid: Grid;
  brushRadiusMm = 0;
  private readonly planes: PlaneView[];
  private readonly publisher: PlacePublisher;
  private chosen: VoxelPoint | null = null;
  private chosenText = "";
  private overlayIsDue = false;

  constructor(
    section: HTMLElement,
    area: HTMLElement,
    private readonly manifest: ScanManifest,
    private readonly tool: () => Tool,
  ) {
    this.grid = manifestGrid(manifest);
    this.volume = LoadingVolume.ofHu(
      this.grid,
      (index, signal) => getBytes(sliceUrl(manifest.slice_url, index), signal),
      centreVoxel(this.grid)[0],
    );
    this.masks = manifest.masks.map((entry) => this.maskOf(entry));
    this.publisher = new PlacePublisher(section);
    this.planes = PLANES.map((plane) => this.addPlane(area, plane));
  }

  /** Shows the middle of the scan, or the given place. */
  async start(place: WorldPoint | null): Promise<void> {
    const voxel = place && nearestVoxel(this.grid, worldToVoxel(this.grid, place));
    const around = voxel ?? centreVoxel(this.grid);
    this.volume.prefer(around[0]);
    if (voxel) void this.choose(voxel);
    await Promise.all(
      this.planes.map(({ pane, stack }) => {
        const at = voxelToPlane(stack.geometry, around);
        return pane.show(stack, at.slice, this.manifest.window);
      }),
    );
  }

  setWindow(window: Window): void {
    for (const { pane } of this.planes) pane.view.setWindow(window);
  }

  reset(): void {
    for (const { pane } of this.planes) pane.view.fit();
    this.setWindow(this.manifest.window);
  }

  clearMeasurements(): void {
    for (const view of this.planes) view.measurements = [];
    this.redraw();
  }

  showMask(mask: ScanMask, visible: boolean): void {
    mask.visible = visible;
    if (visible) mask.load(this.currentZ());
    this.redraw();
  }

  /** A mask that the scan did not have when the page was loaded. */
  addMask(entry: MaskEntry): ScanMask {
    const mask = this.maskOf(entry);
    this.masks.push(mask);
    for (const view of this.planes) this.addMaskPainters(view, mask);
    return mask;
  }

  loadMask(mask: ScanMask): LoadingVolume<Uint8Array> {
    return mask.load(this.currentZ());
  }

  /** The voxels of a mask were changed: all planes show it with the next frame, and the image stays as it is. */
  maskChanged(mask: ScanMask): void {
    mask.version += 1;
    this.redrawOverlays();
  }

  redrawOverlays(): void {
    if (this.overlayIsDue) return;
    this.overlayIsDue = true;
    requestAnimationFrame(() => {
      this.overlayIsDue = false;
      for (const { pane } of this.planes) pane.view.redrawOverlay();
    });
  }

  private maskOf(entry: MaskEntry): ScanMask {
    return new ScanMask(entry, this.manifest, () => {
      this.redraw();
    });
  }

  /** Brings all views to a place in the patient; false when it lies outside the scan. */
  jumpTo(world: WorldPoint): boolean {
    const voxel = nearestVoxel(this.grid, worldToVoxel(this.grid, world));
    if (!voxel) return false;
    void this.choose(voxel);
    this.bringIntoSight(voxel);
    return true;
  }

  private async choose(voxel: VoxelPoint): Promise<void> {
    this.chosen = voxel;
    for (const { pane, stack } of this.planes) pane.view.setSlice(voxelToPlane(stack.geometry, voxel).slice);
    this.redraw();
    const liver = this.masks.find(({ entry }) => entry.kind === "liver" && entry.id !== "");
    const inLiver = liver ? await liver.covers(voxel) : null;
    // Somebody may have clicked elsewhere while the mask was on its way.
    if (this.chosen !== voxel) return;
    const place = placeAt(this.grid, voxel, this.huAt(voxel), inLiver);
    this.chosenText = describePlace(place);
    this.sayChosen();
    this.publisher.publish(place);
  }

  private bringIntoSight(voxel: VoxelPoint): void {
    for (const { pane, stack } of this.planes) {
      const { view } = pane;
      const pixel = pixelCentre(voxelToPlane(stack.geometry, voxel));
      const { x, y } = toScreen(stack.frame, view.screen, view.camera, pixel);
      const margin = 0.1;
      const inside = (value: number, size: number): boolean => value > margin * size && value < (1 - margin) * size;
      if (inside(x, view.screen.width) && inside(y, view.screen.height)) continue;
      view.setCamera({
        ...view.camera,
        centreXMm: pixel.column * stack.frame.columnSpacingMm,
        centreYMm: pixel.row * stack.frame.rowSpacingMm,
      });
    }
  }

  private addPlane(area: HTMLElement, plane: Plane): PlaneView {
    const pane = new Pane(area, TITLES[plane], { "data-plane": plane });
    const stack = new PlaneStack(this.volume, plane);
    const view: PlaneView = { plane, pane, stack, measurements: [], pointer: null };
    this.addPainters(view);
    attachGestures(pane.view, {
      tool: this.tool,
      drawn: (tool, stage, point) => {
        if (tool === "point" && stage === "end") this.choosePoint(view, point);
        if (tool === "length") this.measure(view, stage, point);
        if (tool === "brush") this.brush(view, stage, point);
      },
    });
    pane.host.addEventListener("pointermove", (event) => {
      const point = { x: event.offsetX, y: event.offsetY };
      this.readOut(view, point);
      view.pointer = pane.view.pixelAt(point);
      if (this.tool() === "brush") this.redrawOverlays();
    });
    pane.host.addEventListener("pointerleave", () => {
      this.sayChosen();
      view.pointer = null;
      if (this.tool() === "brush") this.redrawOverlays();
    });
    pane.host.addEventListener("dblclick", () => {
      area.dataset.single = area.dataset.single === plane ? "" : plane;
    });
    return view;
  }

  private addPainters(view: PlaneView): void {
    const { pane, stack } = view;
    for (const mask of this.masks) this.addMaskPainters(view, mask);
    pane.view.addPainter(orientationPainter(() => stack.geometry.labels));
    pane.view.addPainter(
      brushPainter(() =>
        this.tool() === "brush" && view.pointer ? { at: view.pointer, radiusMm: this.brushRadiusMm } : null,
      ),
    );
    const place = (): PlanePoint | null => this.chosen && voxelToPlane(stack.geometry, this.chosen);
    pane.view.addPainter(crosshairPainter(place));
    pane.view.addPainter(
      measurementPainter(
        () => view.measurements,
        () => pane.view.frame(),
      ),
    );
  }

  private addMaskPainters({ pane, plane }: PlaneView, mask: ScanMask): void {
    const layer = {
      colour: MASK_COLOURS[mask.entry.kind] ?? "#ffffff",
      pixels: (slice: number): Uint8Array | null => mask.pixels(plane, slice),
      version: (): number => mask.version,
    };
    const frame = (): ReturnType<typeof pane.view.frame> => pane.view.frame();
    pane.view.addPainter(maskPainter({ ...layer, visible: () => mask.visible && !mask.filled }, frame));
    pane.view.addPainter(maskFillPainter({ ...layer, visible: () => mask.filled }, frame));
  }

  private brush(view: PlaneView, stage: DrawingStage, point: ScreenPoint): void {
    const pixel = view.pane.view.pixelAt(point);
    if (!pixel) return;
    const { geometry } = view.stack;
    const inPlane = { column: pixel.column - 0.5, row: pixel.row - 0.5, slice: view.pane.view.slice };
    const at = planeToVoxel(geometry, inPlane);
    if (stage === "start") this.cutOthersThrough(view, at);
    this.brushed.emit({ stage, at, across: geometry.through.axisZyx });
  }

  /** The other planes show the place where a stroke begins. */
  private cutOthersThrough(painted: PlaneView, at: VoxelPoint): void {
    for (const view of this.planes) {
      if (view !== painted) view.pane.view.setSlice(voxelToPlane(view.stack.geometry, at).slice);
    }
  }

  private voxelUnder({ pane, stack }: PlaneView, point: ScreenPoint): VoxelPoint | null {
    const pixel = pane.view.pixelAt(point);
    if (!pixel) return null;
    const inPlane = { column: Math.floor(pixel.column), row: Math.floor(pixel.row), slice: pane.view.slice };
    return nearestVoxel(this.grid, planeToVoxel(stack.geometry, inPlane));
  }

  private choosePoint(view: PlaneView, point: ScreenPoint): void {
    const voxel = this.voxelUnder(view, point);
    if (voxel) void this.choose(voxel);
  }

  private measure(view: PlaneView, stage: DrawingStage, point: ScreenPoint): void {
    const pixel = view.pane.view.pixelAt(point);
    if (!pixel) return;
    const last = view.measurements.at(-1);
    if (stage === "cancel") view.measurements = view.measurements.slice(0, -1);
    else if (stage === "start") {
      view.measurements = [...view.measurements, { slice: view.pane.view.slice, from: pixel, to: pixel }];
    } else if (last) {
      const moved = { ...last, to: pixel };
      const isPoint = stage === "end" && moved.to.column === moved.from.column && moved.to.row === moved.from.row;
      view.measurements = [...view.measurements.slice(0, -1), ...(isPoint ? [] : [moved])];
    }
    view.pane.view.redraw();
  }

  private readOut(view: PlaneView, point: ScreenPoint): void {
    const voxel = this.voxelUnder(view, point);
    const place = voxel && placeAt(this.grid, voxel, this.huAt(voxel), null);
    if (place === null) view.pane.say("");
    else if (view.pane.view.screen.width < WIDE_PX) view.pane.say(place.hu === null ? "" : `${place.hu} HU`);
    else view.pane.say(describePlace(place));
  }

  /** The chosen place stands in the large view; the small ones have no room for it. */
  private sayChosen(): void {
    for (const { plane, pane } of this.planes) pane.say(plane === "axial" ? this.chosenText : "");
  }

  private huAt(voxel: VoxelPoint): number | null {
    return this.volume.has(voxel[0]) ? (this.volume.voxels[voxelOffset(this.grid, voxel)] ?? null) : null;
  }

  private currentZ(): number {
    const axial = this.planes.find(({ plane }) => plane === "axial");
    return axial ? axial.stack.zOf(axial.pane.view.slice) : centreVoxel(this.grid)[0];
  }

  private redraw(): void {
    for (const { pane } of this.planes) pane.view.redraw();
  }
}
