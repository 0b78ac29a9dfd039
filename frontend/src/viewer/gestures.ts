/** Mouse, pen and wheel on a view: left = chosen tool, middle or Shift+left = pan, right = zoom, wheel = scroll. */
import type { ScreenPoint } from "../core/camera";
import { pan, zoomAt } from "../core/camera";
import { dragWindow } from "../core/windows";
import type { StackView } from "./stack-view";

export type Tool = "window" | "pan" | "zoom" | "length" | "point";
export type Interaction = "scroll" | "window" | "zoom" | "pan";

export interface GestureHooks {
  tool(): Tool;
  /** Once per gesture, not per movement. */
  counted?(interaction: Interaction): void;
  /** Press, movement and release of the point and length tools. */
  drawn?(tool: "length" | "point", stage: "start" | "move" | "end", point: ScreenPoint): void;
}

const WHEEL_PX_PER_SLICE = 60;
const ZOOM_PER_PX = 1.006;

export function attachGestures(view: StackView, hooks: GestureHooks): void {
  const { host } = view;
  host.addEventListener("contextmenu", (event) => {
    event.preventDefault();
  });
  host.addEventListener("pointerdown", (event) => {
    startDrag(view, hooks, event);
  });
  attachWheel(view, hooks);
}

export function pointIn(host: HTMLElement, event: MouseEvent): ScreenPoint {
  const box = host.getBoundingClientRect();
  return { x: event.clientX - box.left - host.clientLeft, y: event.clientY - box.top - host.clientTop };
}

function toolOf(event: PointerEvent, hooks: GestureHooks): Tool {
  if (event.button === 1 || (event.button === 0 && event.shiftKey)) return "pan";
  return event.button === 2 ? "zoom" : hooks.tool();
}

function startDrag(view: StackView, hooks: GestureHooks, down: PointerEvent): void {
  const { host } = view;
  const tool = toolOf(down, hooks);
  const start = pointIn(host, down);
  const startWindow = view.window;
  let last = start;
  let counted = false;
  host.focus({ preventScroll: true });
  host.setPointerCapture(down.pointerId);
  // The middle button would start the browser's own scrolling.
  down.preventDefault();
  if (tool === "point" || tool === "length") hooks.drawn?.(tool, "start", start);
  const move = (event: PointerEvent): void => {
    const here = pointIn(host, event);
    const [dx, dy] = [here.x - last.x, here.y - last.y];
    last = here;
    if (tool === "point" || tool === "length") {
      hooks.drawn?.(tool, "move", here);
      return;
    }
    if (dx === 0 && dy === 0) return;
    if (!counted) hooks.counted?.(tool);
    counted = true;
    if (tool === "window") view.setWindow(dragWindow(startWindow, here.x - start.x, here.y - start.y));
    else if (tool === "pan") view.setCamera(pan(view.camera, dx, dy));
    else magnify(view, start, ZOOM_PER_PX ** -dy);
  };
  const end = (event: PointerEvent): void => {
    host.removeEventListener("pointermove", move);
    host.removeEventListener("pointerup", end);
    host.removeEventListener("pointercancel", end);
    if (tool === "point" || tool === "length") hooks.drawn?.(tool, "end", pointIn(host, event));
  };
  host.addEventListener("pointermove", move);
  host.addEventListener("pointerup", end);
  host.addEventListener("pointercancel", end);
}

export function magnify(view: StackView, point: ScreenPoint | null, factor: number): void {
  const frame = view.frame();
  if (!frame) return;
  const { screen } = view;
  const centre = { x: screen.width / 2, y: screen.height / 2 };
  view.setCamera(zoomAt(frame, screen, view.camera, point ?? centre, factor));
}

function attachWheel(view: StackView, hooks: GestureHooks): void {
  let travelled = 0;
  view.host.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      // Lines and pages (deltaMode 1 and 2) count as one notch each; pixels add up.
      const pixels = event.deltaMode === 0 ? event.deltaY : Math.sign(event.deltaY) * WHEEL_PX_PER_SLICE;
      if (event.ctrlKey || event.metaKey || view.slices === 1) {
        hooks.counted?.("zoom");
        magnify(view, pointIn(view.host, event), 1.0015 ** -pixels);
        return;
      }
      travelled = Math.sign(travelled) === Math.sign(pixels) ? travelled + pixels : pixels;
      if (Math.abs(travelled) < WHEEL_PX_PER_SLICE) return;
      // Never more than one slice for one notch, however long a mouse calls it: none may be passed over.
      const steps = Math.sign(travelled);
      travelled = 0;
      hooks.counted?.("scroll");
      view.setSlice(view.slice + steps);
    },
    { passive: false },
  );
}
