/** Slices from a wheel. A mouse's notch is one slice, however far its browser says that it turned; a trackpad's glide
is one slice for every few millimetres of the fingers. */
/** Events that follow one another faster belong to one glide: a trackpad speaks sixty times a second. */
const GLIDE_MS = 70;
/** One event as long as this is a notch, also in a fast turn. */
const NOTCH_PX = 60;
const GLIDE_PX_PER_SLICE = 30;

export class WheelSteps {
  private travelled = 0;
  private last = -Infinity;

  /** -1, 0 or 1: never more than one slice for one notch, so that none is passed over. */
  turned(pixels: number, atMs: number): number {
    const gliding = atMs - this.last < GLIDE_MS && Math.sign(pixels) === Math.sign(this.travelled || pixels);
    this.last = atMs;
    if (pixels === 0) return 0;
    if (!gliding || Math.abs(pixels) >= NOTCH_PX) {
      this.travelled = Math.sign(pixels);
      return Math.sign(pixels);
    }
    this.travelled += pixels;
    if (Math.abs(this.travelled) < GLIDE_PX_PER_SLICE) return 0;
    this.travelled = Math.sign(pixels);
    return Math.sign(pixels);
  }
}
