/** One look for several views: slice, window, and how far each is from where its own image began. */
import type { Camera, ScreenSize } from "./camera";
import type { Window } from "./windows";

/** What views can be asked for and told; StackView is one. */
export interface LookedAt {
  readonly slice: number;
  readonly window: Window;
  readonly camera: Camera;
  readonly screen: ScreenSize;
  setSlice(slice: number): void;
  setWindow(window: Window): void;
  setCamera(camera: Camera): void;
}

const edge = ({ width, height }: ScreenSize): number => Math.max(1, Math.min(width, height));
const near = (one: number, other: number): boolean => Math.abs(one - other) <= 1e-6 * Math.max(1, Math.abs(one));

/** A change of one view is made in all others. Places differ from image to image, so cameras move by as much, and not
to the same point; screens may differ for a moment, so what is alike is how much of the image an edge shows. */
export class Alike {
  private starts: readonly Camera[] = [];
  private following = false;

  constructor(private readonly views: readonly LookedAt[]) {}

  /** From where the images that are shown now begin; until then nothing is passed on. */
  begin(starts: readonly Camera[]): void {
    this.starts = starts;
  }

  pause(): void {
    this.starts = [];
  }

  /** The view with this number has changed. */
  changed(number: number): void {
    const [leader, start] = [this.views[number], this.starts[number]];
    if (this.following || leader === undefined || start === undefined) return;
    this.following = true;
    this.views.forEach((view, index) => {
      const own = this.starts[index];
      if (index !== number && own !== undefined) follow(view, own, leader, start);
    });
    this.following = false;
  }
}

function follow(view: LookedAt, own: Camera, leader: LookedAt, start: Camera): void {
  if (view.slice !== leader.slice) view.setSlice(leader.slice);
  const [window, wanted] = [view.window, leader.window];
  if (window.center !== wanted.center || window.width !== wanted.width) view.setWindow(wanted);
  const camera: Camera = {
    centreXMm: own.centreXMm + leader.camera.centreXMm - start.centreXMm,
    centreYMm: own.centreYMm + leader.camera.centreYMm - start.centreYMm,
    pxPerMm: (leader.camera.pxPerMm / edge(leader.screen)) * edge(view.screen),
  };
  const has = view.camera;
  const same =
    near(has.centreXMm, camera.centreXMm) && near(has.centreYMm, camera.centreYMm) && near(has.pxPerMm, camera.pxPerMm);
  if (!same) view.setCamera(camera);
}
