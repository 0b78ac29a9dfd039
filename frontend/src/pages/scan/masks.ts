/** The masks of a scan: loaded when somebody wants to see them or asks what lies at a place. */
import type { ScanManifest } from "../../api/contract";
import { manifestGrid, sliceUrl } from "../../api/contract";
import { getBytes } from "../../api/http";
import type { VoxelPoint } from "../../core/geometry";
import { voxelOffset } from "../../core/geometry";
import type { Plane } from "../../core/planes";
import { LoadingVolume, PlaneStack } from "../../viewer";

export type MaskEntry = ScanManifest["masks"][number];

/** A mask that is drawn from nothing has no name yet. */
export const emptyMask = (kind: MaskEntry["kind"]): MaskEntry => ({
  id: "",
  kind,
  made_by: "drawn",
  corrected_by: [],
  accepted_by: null,
  slice_url: "",
});

export class ScanMask {
  visible = false;
  /** It is being corrected: drawn as a half-transparent area instead of as an outline. */
  filled = false;
  /** Another number after every change of its voxels. */
  version = 0;
  private volume: LoadingVolume<Uint8Array> | null = null;
  private readonly planes = new Map<Plane, PlaneStack<Uint8Array>>();

  constructor(
    public entry: MaskEntry,
    private readonly manifest: ScanManifest,
    private readonly onArrival: () => void,
  ) {}

  load(startSlice: number): LoadingVolume<Uint8Array> {
    this.volume ??= this.asked(this.fetch(this.entry, startSlice));
    return this.volume;
  }

  /** What failed is asked for again by whoever wants it next. */
  private asked(volume: LoadingVolume<Uint8Array>): LoadingVolume<Uint8Array> {
    volume.failed.listen(() => {
      if (this.volume !== volume) return;
      this.volume = null;
      this.planes.clear();
    });
    return volume;
  }

  /** The voxels of another version, beside those that are shown. */
  fetch(entry: MaskEntry, startSlice: number): LoadingVolume<Uint8Array> {
    const grid = manifestGrid(this.manifest);
    const nothing = (): ArrayBuffer => new ArrayBuffer(grid.sizeZyx[1] * grid.sizeZyx[2]);
    const volume = LoadingVolume.ofLabels(
      grid,
      (index, signal) =>
        entry.id === "" ? Promise.resolve(nothing()) : getBytes(sliceUrl(entry.slice_url, index), signal),
      startSlice,
    );
    volume.arrived.listen(this.onArrival);
    return volume;
  }

  /** From now on the mask is this version. */
  take(entry: MaskEntry, volume: LoadingVolume<Uint8Array>): void {
    this.entry = entry;
    this.volume = volume;
    this.planes.clear();
    this.version += 1;
  }

  pixels(plane: Plane, slice: number): Uint8Array | null {
    if (this.volume === null) return null;
    let stack = this.planes.get(plane);
    if (!stack) {
      stack = new PlaneStack(this.volume, plane);
      this.planes.set(plane, stack);
    }
    return stack.pixels(slice);
  }

  /** Whether the mask covers the voxel; waits for the slice, null when it cannot be had. */
  covers(voxel: VoxelPoint): Promise<boolean | null> {
    const volume = this.load(voxel[0]);
    const answer = (): boolean => (volume.voxels[voxelOffset(volume.grid, voxel)] ?? 0) > 0;
    if (volume.has(voxel[0])) return Promise.resolve(answer());
    volume.prefer(voxel[0]);
    return new Promise((resolve) => {
      const stops = [
        volume.arrived.listen((z) => {
          if (z === voxel[0]) finish(answer());
        }),
        volume.failed.listen(() => {
          finish(null);
        }),
      ];
      const finish = (covered: boolean | null): void => {
        for (const stop of stops) stop();
        resolve(covered);
      };
    });
  }
}
