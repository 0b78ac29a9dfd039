import type { AxisZyx } from "./brush";

/** The slice across this axis. */
export interface SliceAcross {
  readonly axis: AxisZyx;
  readonly index: number;
}

interface Stroke {
  readonly turned: Uint32Array;
  readonly drawnOn: readonly SliceAcross[];
}

/** What was painted and erased in a yes-or-no mask since it was saved, stroke by stroke: each can be undone. */
export class Strokes {
  private done: Stroke[] = [];
  private undone: Stroke[] = [];
  private stroke: number[] | null = null;
  private strokeDrawnOn: readonly SliceAcross[] = [];

  constructor(readonly voxels: Uint8Array) {}

  get canUndo(): boolean {
    return this.done.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  /** The slice that the pointer moves on, of a stroke that is drawn. */
  begin(...drawnOn: SliceAcross[]): void {
    this.end();
    this.stroke = [];
    this.strokeDrawnOn = drawnOn;
  }

  write(offset: number, value: 0 | 1): void {
    if (this.stroke === null || this.voxels[offset] === value) return;
    this.voxels[offset] = value;
    this.stroke.push(offset);
  }

  /** How many voxels the stroke turned over; one that changed nothing is none. */
  end(): number {
    const turned = Uint32Array.from(this.stroke ?? []);
    this.stroke = null;
    if (turned.length > 0) {
      this.done.push({ turned, drawnOn: this.strokeDrawnOn });
      this.undone = [];
    }
    return turned.length;
  }

  /** As if the stroke that is being drawn had never begun. */
  takeBack(): void {
    this.turnOver(this.stroke ?? []);
    this.stroke = null;
  }

  undo(): void {
    this.end();
    const last = this.done.pop();
    if (!last) return;
    this.turnOver(last.turned);
    this.undone.push(last);
  }

  redo(): void {
    this.end();
    const next = this.undone.pop();
    if (!next) return;
    this.turnOver(next.turned);
    this.done.push(next);
  }

  /** The slices of all strokes, in the order in which they were drawn. */
  drawnOn(): SliceAcross[] {
    return this.done.flatMap((one) => one.drawnOn);
  }

  /** In order: the voxels that are another than when the mask was saved. Turned over twice is as it was. */
  turned(): Uint32Array {
    const total = this.done.reduce((sum, one) => sum + one.turned.length, 0);
    const all = new Uint32Array(total);
    let at = 0;
    for (const one of this.done) {
      all.set(one.turned, at);
      at += one.turned.length;
    }
    all.sort();
    let kept = 0;
    for (let i = 0; i < total;) {
      const offset = all[i] ?? 0;
      let times = 0;
      for (; i < total && all[i] === offset; i += 1) times += 1;
      if (times % 2 === 1) {
        all[kept] = offset;
        kept += 1;
      }
    }
    return all.slice(0, kept);
  }

  /** As one stroke on another version of the mask: what was painted is painted there, what was erased is erased. */
  onto(voxels: Uint8Array): Strokes {
    const carried = new Strokes(voxels);
    carried.begin(...this.drawnOn());
    for (const offset of this.turned()) carried.write(offset, this.voxels[offset] === 1 ? 1 : 0);
    carried.end();
    return carried;
  }

  private turnOver(offsets: Iterable<number>): void {
    for (const offset of offsets) this.voxels[offset] = this.voxels[offset] === 1 ? 0 : 1;
  }
}

/** Ascending offsets as they travel: how many voxels stay, how many turn over, how many stay, how many turn over, ... */
export function lengthsOf(offsets: Uint32Array): number[] {
  const lengths: number[] = [];
  let end = 0;
  for (let i = 0; i < offsets.length;) {
    const start = offsets[i] ?? 0;
    let length = 0;
    while (i < offsets.length && offsets[i] === start + length) {
      length += 1;
      i += 1;
    }
    lengths.push(start - end, length);
    end = start + length;
  }
  return lengths;
}
