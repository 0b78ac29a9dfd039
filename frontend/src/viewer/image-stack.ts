/** What a view can show: images of one size, of which some may not have arrived yet. */
import type { ImageFrame } from "../core/camera";
import { difference } from "../core/difference";
import type { Plane, PlaneGeometry, Voxels } from "../core/planes";
import { extractSlice, planeGeometry, planeToVoxel } from "../core/planes";
import { Signal } from "../core/signal";
import type { LoadingVolume } from "./volume";

export interface ImageStack {
  readonly frame: ImageFrame;
  readonly slices: number;
  readonly arrived: Signal;
  /** HU row by row, or null while the image is not there yet. */
  pixels(slice: number): Int16Array | null;
}

/** One plane of a volume: an axial image is there as soon as its slice is, the others need the whole volume. */
export class PlaneStack<T extends Voxels = Int16Array> {
  readonly arrived = new Signal();
  readonly geometry: PlaneGeometry;

  constructor(
    readonly volume: LoadingVolume<T>,
    plane: Plane,
  ) {
    this.geometry = planeGeometry(volume.grid, plane);
    volume.arrived.listen(() => {
      this.arrived.emit();
    });
  }

  get frame(): ImageFrame {
    return this.geometry;
  }

  get slices(): number {
    return this.geometry.slices;
  }

  pixels(slice: number): T | null {
    const ready = this.geometry.through.axisZyx === 0 ? this.volume.has(this.zOf(slice)) : this.volume.complete;
    return ready ? extractSlice(this.volume.voxels, this.volume.grid, this.geometry, slice) : null;
  }

  /** The acquired slice behind an axial image; the middle one for the other planes. */
  zOf(slice: number): number {
    const { columns, rows } = this.geometry;
    return planeToVoxel(this.geometry, { column: Math.floor(columns / 2), row: Math.floor(rows / 2), slice })[0];
  }
}

/** Slices in the order in which they arrive from the server, as they are: nothing is known of their anatomy. */
export function plainStack(volume: LoadingVolume): ImageStack {
  const [slices, rows, columns] = volume.grid.sizeZyx;
  const [, rowSpacingMm, columnSpacingMm] = volume.grid.spacingZyxMm;
  const arrived = new Signal();
  volume.arrived.listen(() => {
    arrived.emit();
  });
  return {
    frame: { columns, rows, columnSpacingMm, rowSpacingMm },
    slices,
    arrived,
    pixels: (slice) =>
      volume.has(slice) ? volume.voxels.subarray(slice * rows * columns, (slice + 1) * rows * columns) : null,
  };
}

/** after - before on the same grid. */
export function differenceStack(after: ImageStack, before: ImageStack): ImageStack {
  const arrived = new Signal();
  for (const stack of [after, before]) {
    stack.arrived.listen(() => {
      arrived.emit();
    });
  }
  return {
    frame: after.frame,
    slices: after.slices,
    arrived,
    pixels(slice) {
      const [late, early] = [after.pixels(slice), before.pixels(slice)];
      return late && early ? difference(late, early) : null;
    },
  };
}
