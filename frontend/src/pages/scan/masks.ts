/** The masks of a scan: loaded when somebody wants to see them or asks what lies at a place. */
import type { ScanManifest } from "../../api/contract";
import { manifestGrid, sliceUrl } from "../../api/contract";
import { getBytes } from "../../api/http";
import type { VoxelPoint } from "../../core/geometry";
import { voxelOffset } from "../../core/geometry";
import type { Plane } from "../../core/planes";
import { LoadingVolume, PlaneStack } from "../../viewer";

type MaskEntry = ScanManifest["masks"][number];

export class ScanMask {
  visible = false;
  private volume: LoadingVolume<Uint8Array> | null = null;
  private readonly planes = new Map<Plane, PlaneStack<Uint8Array>>();

  constructor(
    readonly entry: MaskEntry,
    private readonly manifest: ScanManifest,
    private readonly onArrival: () => void,
  ) {}

  load(startSlice: number): LoadingVolume<Uint8Array> {
    if (this.volume === null) {
      this.volume = LoadingVolume.ofLabels(
        manifestGrid(this.manifest),
        (index, signal) => getBytes(sliceUrl(this.entry.slice_url, index), signal),
        startSlice,
      );
      this.volume.arrived.listen(this.onArrival);
    }
    return this.volume;
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
