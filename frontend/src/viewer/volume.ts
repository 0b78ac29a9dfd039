/** A volume that fills up slice by slice while it is already being looked at. */
import type { Grid } from "../core/geometry";
import { outwardFrom } from "../core/order";
import type { Voxels } from "../core/planes";
import { Signal } from "../core/signal";

const PARALLEL_REQUESTS = 6;

export type FetchSlice = (index: number, signal: AbortSignal) => Promise<ArrayBuffer>;

export class LoadingVolume<T extends Voxels = Int16Array> {
  readonly arrived = new Signal<number>();
  readonly failed = new Signal<Error>();
  private readonly present: Uint8Array;
  private readonly abort = new AbortController();
  private count = 0;
  private order: number[];

  private constructor(
    readonly grid: Grid,
    readonly voxels: T,
    private readonly fetchSlice: FetchSlice,
    startSlice: number,
  ) {
    this.present = new Uint8Array(grid.sizeZyx[0]);
    this.order = outwardFrom(startSlice, grid.sizeZyx[0]);
    for (let worker = 0; worker < PARALLEL_REQUESTS; worker += 1) void this.work();
  }

  static ofHu(grid: Grid, fetchSlice: FetchSlice, startSlice: number): LoadingVolume {
    return new LoadingVolume(grid, new Int16Array(voxelCount(grid)), fetchSlice, startSlice);
  }

  static ofLabels(grid: Grid, fetchSlice: FetchSlice, startSlice: number): LoadingVolume<Uint8Array> {
    return new LoadingVolume(grid, new Uint8Array(voxelCount(grid)), fetchSlice, startSlice);
  }

  has(z: number): boolean {
    return this.present[z] === 1;
  }

  get complete(): boolean {
    return this.count === this.present.length;
  }

  get fractionLoaded(): number {
    return this.count / this.present.length;
  }

  /** The person has moved on: what is looked at now comes first. */
  prefer(z: number): void {
    const missing = new Set(this.order);
    this.order = outwardFrom(z, this.present.length).filter((index) => missing.has(index));
  }

  stop(): void {
    this.abort.abort();
  }

  private async work(): Promise<void> {
    for (let z = this.order.shift(); z !== undefined; z = this.order.shift()) {
      try {
        this.store(z, await this.fetchSlice(z, this.abort.signal));
      } catch (error) {
        if (this.abort.signal.aborted) return;
        this.order = [];
        this.failed.emit(error instanceof Error ? error : new Error(String(error)));
        return;
      }
    }
  }

  private store(z: number, bytes: ArrayBuffer): void {
    const perSlice = this.grid.sizeZyx[1] * this.grid.sizeZyx[2];
    const slice = this.voxels instanceof Int16Array ? new Int16Array(bytes) : new Uint8Array(bytes);
    if (slice.length !== perSlice) throw new Error(`Slice ${z + 1} arrived with the wrong size.`);
    this.voxels.set(slice, z * perSlice);
    this.present[z] = 1;
    this.count += 1;
    this.arrived.emit(z);
  }
}

const voxelCount = (grid: Grid): number => grid.sizeZyx[0] * grid.sizeZyx[1] * grid.sizeZyx[2];
