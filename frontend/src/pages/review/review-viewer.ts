/** Before, after and difference of one edit, moving together. */
import type { ScanManifest } from "../../api/contract";
import { manifestGrid, sliceUrl } from "../../api/contract";
import { getBytes } from "../../api/http";
import type { Camera, ScreenSize } from "../../core/camera";
import { fieldCamera } from "../../core/camera";
import type { Grid, VoxelPoint, WorldPoint } from "../../core/geometry";
import { centreVoxel, nearestVoxel, worldToVoxel } from "../../core/geometry";
import type { Plane } from "../../core/planes";
import { planeGeometry, voxelToPlane } from "../../core/planes";
import type { Window } from "../../core/windows";
import type { ImageStack, Tool } from "../../viewer";
import {
  attachGestures,
  differenceStack,
  LoadingVolume,
  maskPainter,
  orientationPainter,
  pixelCentre,
  PlaneStack,
  StackView,
} from "../../viewer";
import { ScanMask } from "../scan/masks";
import { element } from "../shared/dom";
import { Pane } from "../shared/pane";
import { MASK_COLOURS } from "../shared/toolbar";

const FIELD_MM = 120;
/** Grey is no change, brighter is denser than before. */
const DIFFERENCE_WINDOW: Window = { center: 0, width: 200 };

export class ReviewViewer {
  readonly volumes: readonly LoadingVolume[];
  readonly changedMask: ScanMask | null;
  private readonly grid: Grid;
  private readonly centre: VoxelPoint;
  private readonly before: Pane;
  private readonly after: Pane;
  private readonly difference: Pane;
  /** Lies exactly over the view of the result, shows the source, and is seen while flipped. */
  private readonly beforeInPlace: StackView;
  private plane: Plane = "axial";
  private window: Window;
  private following = false;

  constructor(
    row: HTMLElement,
    beforeManifest: ScanManifest,
    private readonly manifest: ScanManifest,
    centre: WorldPoint | null,
    private readonly tool: () => Tool,
  ) {
    this.grid = manifestGrid(manifest);
    const voxel = centre && nearestVoxel(this.grid, worldToVoxel(this.grid, centre));
    this.centre = voxel ?? centreVoxel(this.grid);
    this.window = manifest.window;
    this.volumes = [beforeManifest, manifest].map((one) => this.load(one));
    const changed = manifest.masks.find((entry) => entry.kind === "changed");
    this.changedMask = changed
      ? new ScanMask(changed, manifest, () => {
          this.redraw();
        })
      : null;
    this.before = new Pane(row, "Before", { "data-role": "before" });
    this.after = new Pane(row, "After", { "data-role": "after" });
    this.difference = new Pane(row, "Difference (after − before)", { "data-role": "difference" });
    const flipHost = element("div", { class: "view view-flip", "aria-hidden": "true" });
    this.after.host.after(flipHost);
    this.beforeInPlace = new StackView(flipHost);
    for (const view of this.views()) this.prepare(view);
  }

  async showPlane(plane: Plane): Promise<void> {
    this.plane = plane;
    const [before, after] = this.volumes.map((volume) => new PlaneStack(volume, plane));
    if (!before || !after) return;
    const at = voxelToPlane(planeGeometry(this.grid, plane), this.centre);
    const camera = (screen: ScreenSize): Camera => fieldCamera(after.frame, screen, pixelCentre(at), FIELD_MM);
    const show = (view: Pane, stack: ImageStack, window: Window): Promise<void> =>
      view.show(stack, at.slice, window, camera);
    await Promise.all([
      show(this.before, before, this.window),
      show(this.after, after, this.window),
      show(this.difference, differenceStack(after, before), DIFFERENCE_WINDOW),
      this.beforeInPlace.show(before, { slice: at.slice, window: this.window, camera }),
    ]);
  }

  get flipped(): boolean {
    return this.after.root.hasAttribute("data-flipped");
  }

  flip(): void {
    this.after.root.toggleAttribute("data-flipped");
    this.after.rename(this.flipped ? "Before, in this place" : "After");
  }

  setWindow(window: Window): void {
    this.window = window;
    for (const view of [this.before.view, this.after.view, this.beforeInPlace]) view.setWindow(window);
  }

  reset(): Promise<void> {
    this.window = this.manifest.window;
    return this.showPlane(this.plane);
  }

  showChanged(visible: boolean): void {
    if (!this.changedMask) return;
    this.changedMask.visible = visible;
    if (visible) this.changedMask.load(this.centre[0]);
    this.redraw();
  }

  private load(manifest: ScanManifest): LoadingVolume {
    return LoadingVolume.ofHu(
      manifestGrid(manifest),
      (index, signal) => getBytes(sliceUrl(manifest.slice_url, index), signal),
      this.centre[0],
    );
  }

  private views(): StackView[] {
    return [this.before.view, this.after.view, this.difference.view, this.beforeInPlace];
  }

  private prepare(view: StackView): void {
    const mask = this.changedMask;
    if (mask) {
      const colour = MASK_COLOURS.changed ?? "#ffffff";
      const pixels = (slice: number): Uint8Array | null => mask.pixels(this.plane, slice);
      view.addPainter(maskPainter({ colour, visible: () => mask.visible, pixels }, () => view.frame()));
    }
    view.addPainter(orientationPainter(() => planeGeometry(this.grid, this.plane).labels));
    attachGestures(view, { tool: this.tool });
    view.changed.listen(() => {
      this.follow(view);
    });
  }

  /** What one view does, the others do; the difference keeps its own window. */
  private follow(leader: StackView): void {
    if (this.following || leader.waiting) return;
    this.following = true;
    const isDifference = leader === this.difference.view;
    for (const view of this.views()) {
      if (view === leader) continue;
      view.setSlice(leader.slice);
      if (view.camera !== leader.camera) view.setCamera(leader.camera);
      const ownWindow = isDifference || view === this.difference.view;
      if (!ownWindow && view.window !== leader.window) view.setWindow(leader.window);
    }
    if (!isDifference) this.window = leader.window;
    this.following = false;
  }

  private redraw(): void {
    for (const view of this.views()) view.redraw();
  }
}
