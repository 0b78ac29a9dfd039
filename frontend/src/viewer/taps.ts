/** A press that does not move: of the left button, a pen or one finger. Whatever moves is the chosen tool's. */
import type { ScreenPoint } from "../core/camera";
import { pointIn } from "./gestures";
import type { StackView } from "./stack-view";

const STILL_PX = 5;

export function attachTaps({ host }: StackView, tapped: (point: ScreenPoint) => void): void {
  const down = new Set<number>();
  let start: ScreenPoint | null = null;
  host.addEventListener("pointerdown", (event) => {
    down.add(event.pointerId);
    const plain = event.button === 0 && !event.shiftKey && down.size === 1;
    start = plain ? pointIn(host, event) : null;
  });
  host.addEventListener("pointerup", (event) => {
    down.delete(event.pointerId);
    const here = pointIn(host, event);
    if (start !== null && Math.hypot(here.x - start.x, here.y - start.y) < STILL_PX) tapped(here);
    start = null;
  });
  host.addEventListener("pointercancel", (event) => {
    down.delete(event.pointerId);
    start = null;
  });
}
