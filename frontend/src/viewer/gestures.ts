/** Mouse, pen, fingers and wheel on a view: left = chosen tool, middle or Shift+left = pan, right = zoom, wheel = scroll;
one finger scrolls a stack or does what the left button does, two zoom and move, and take back what the first had begun
to draw. A pen draws, and the hand that holds it does not. */
import type { ScreenPoint } from "../core/camera";
import { pan, zoomAt } from "../core/camera";
import { Signal } from "../core/signal";
import { WheelSteps } from "../core/wheel";
import { dragWindow } from "../core/windows";
import type { StackView } from "./stack-view";

export type DrawingTool = "length" | "point" | "brush";
export type Tool = "window" | "scroll" | "pan" | "zoom" | DrawingTool;
/** What was begun is taken back where another gesture takes its place. */
export type DrawingStage = "start" | "move" | "end" | "cancel";
export type Interaction = "scroll" | "window" | "zoom" | "pan";

export interface GestureHooks {
  tool(): Tool;
  /** Once per gesture, not per movement. */
  counted?(interaction: Interaction): void;
  /** Press, movement and release of the tools that draw, or its end without a trace. */
  drawn?(tool: DrawingTool, stage: DrawingStage, point: ScreenPoint): void;
}

/** A notch as most browsers count it; lines and pages (deltaMode 1 and 2) count as one. */
const NOTCH_PX = 100;
const DRAG_PX_PER_SLICE = 14;
const ZOOM_PER_PX = 1.006;

export function attachGestures(view: StackView, hooks: GestureHooks): void {
  const { host } = view;
  host.addEventListener("contextmenu", (event) => {
    event.preventDefault();
  });
  const fingers = new Fingers(view, hooks);
  host.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch") {
      if (!fingers.takes(event)) fingers.leaveTo(startDrag(view, hooks, event));
      return;
    }
    if (event.pointerType === "pen") pens.comes(event);
    startDrag(view, hooks, event);
  });
  attachWheel(view, hooks);
}

export function pointIn(host: HTMLElement, event: MouseEvent): ScreenPoint {
  const box = host.getBoundingClientRect();
  return { x: event.clientX - box.left - host.clientLeft, y: event.clientY - box.top - host.clientTop };
}

const draws = (tool: Tool): tool is DrawingTool => tool === "point" || tool === "length" || tool === "brush";

function toolOf(event: PointerEvent, hooks: GestureHooks): Tool {
  if (event.button === 1 || (event.button === 0 && event.shiftKey)) return "pan";
  return event.button === 2 ? "zoom" : hooks.tool();
}

/** Returns how to end it without a trace. */
function startDrag(view: StackView, hooks: GestureHooks, down: PointerEvent): () => void {
  const { host } = view;
  const tool = toolOf(down, hooks);
  const start = pointIn(host, down);
  const startWindow = view.window;
  const startSlice = view.slice;
  let scrolled = 0;
  let last = start;
  let counted = false;
  host.focus({ preventScroll: true });
  host.setPointerCapture(down.pointerId);
  // The middle button would start the browser's own scrolling.
  down.preventDefault();
  if (draws(tool)) hooks.drawn?.(tool, "start", start);
  const move = (event: PointerEvent): void => {
    if (event.pointerId !== down.pointerId) return;
    const here = pointIn(host, event);
    const [dx, dy] = [here.x - last.x, here.y - last.y];
    last = here;
    if (draws(tool)) {
      hooks.drawn?.(tool, "move", here);
      return;
    }
    if (dx === 0 && dy === 0) return;
    if (tool === "scroll") {
      scrolled = scrollTo(view, hooks, startSlice, here.y - start.y, scrolled);
      return;
    }
    if (!counted) hooks.counted?.(tool);
    counted = true;
    if (tool === "window") view.setWindow(dragWindow(startWindow, here.x - start.x, here.y - start.y));
    else if (tool === "pan") view.setCamera(pan(view.camera, dx, dy));
    else magnify(view, start, ZOOM_PER_PX ** -dy);
  };
  const finish = (stage: "end" | "cancel", at: ScreenPoint): void => {
    host.removeEventListener("pointermove", move);
    host.removeEventListener("pointerup", end);
    host.removeEventListener("pointercancel", end);
    if (draws(tool)) hooks.drawn?.(tool, stage, at);
  };
  const end = (event: PointerEvent): void => {
    if (event.pointerId !== down.pointerId) return;
    finish(event.type === "pointercancel" ? "cancel" : "end", pointIn(host, event));
  };
  host.addEventListener("pointermove", move);
  host.addEventListener("pointerup", end);
  host.addEventListener("pointercancel", end);
  return () => {
    finish("cancel", last);
  };
}

export function magnify(view: StackView, point: ScreenPoint | null, factor: number): void {
  const frame = view.frame();
  if (!frame) return;
  const { screen } = view;
  const centre = { x: screen.width / 2, y: screen.height / 2 };
  view.setCamera(zoomAt(frame, screen, view.camera, point ?? centre, factor));
}

/** Downwards is onwards; returns how many slices the drag has come. */
function scrollTo(view: StackView, hooks: GestureHooks, from: number, dyPx: number, before: number): number {
  const slices = Math.trunc(dyPx / DRAG_PX_PER_SLICE);
  if (slices !== before) {
    hooks.counted?.("scroll");
    view.setSlice(from + slices);
  }
  return slices;
}

/** Pens on any view of the page: the hand that holds one lies on several. */
class Pens {
  readonly came = new Signal();
  wereHere = false;
  private readonly down = new Set<number>();

  get draw(): boolean {
    return this.down.size > 0;
  }

  comes(event: PointerEvent): void {
    this.wereHere = true;
    this.down.add(event.pointerId);
    this.came.emit();
  }

  goes(event: PointerEvent): void {
    this.down.delete(event.pointerId);
  }
}

const pens = new Pens();

/** Two fingers zoom around their middle and move the image with it; the one that then stays does nothing more. */
class Fingers {
  private readonly down = new Map<number, ScreenPoint>();
  private start = { y: 0, slice: 0, scrolled: 0 };
  private scrolls = false;
  private cancelDrag: (() => void) | null = null;

  constructor(
    private readonly view: StackView,
    private readonly hooks: GestureHooks,
  ) {
    view.host.addEventListener("pointermove", (event) => {
      this.move(event);
    });
    for (const name of ["pointerup", "pointercancel"] as const) {
      view.host.addEventListener(name, (event) => {
        this.down.delete(event.pointerId);
        pens.goes(event);
        if (this.down.size === 0) this.cancelDrag = null;
      });
    }
    pens.came.listen(() => {
      this.endDrag();
      this.down.clear();
    });
  }

  /** False when one finger is to do what the left button does. */
  takes(event: PointerEvent): boolean {
    event.preventDefault();
    // Beside a pen that draws it is the hand.
    if (pens.draw) return true;
    const point = pointIn(this.view.host, event);
    this.down.set(event.pointerId, point);
    this.view.host.setPointerCapture(event.pointerId);
    this.view.host.focus({ preventScroll: true });
    return this.down.size === 1 ? this.begins(point) : this.joins();
  }

  /** The drag of the finger that `takes` left alone. */
  leaveTo(cancelDrag: () => void): void {
    this.cancelDrag = cancelDrag;
  }

  private begins(point: ScreenPoint): boolean {
    const tool = this.hooks.tool();
    this.scrolls = this.view.slices > 1 && (tool === "window" || tool === "scroll");
    this.start = { y: point.y, slice: this.view.slice, scrolled: 0 };
    return this.scrolls || (pens.wereHere && draws(tool));
  }

  private joins(): boolean {
    this.endDrag();
    this.scrolls = false;
    this.hooks.counted?.("zoom");
    return true;
  }

  private endDrag(): void {
    this.cancelDrag?.();
    this.cancelDrag = null;
  }

  private move(event: PointerEvent): void {
    const before = this.down.get(event.pointerId);
    if (before === undefined) return;
    const here = pointIn(this.view.host, event);
    this.down.set(event.pointerId, here);
    const other = [...this.down].find(([id]) => id !== event.pointerId)?.[1];
    if (other) this.pinch(before, here, other);
    else if (this.scrolls)
      this.start.scrolled = scrollTo(
        this.view,
        this.hooks,
        this.start.slice,
        here.y - this.start.y,
        this.start.scrolled,
      );
  }

  private pinch(before: ScreenPoint, here: ScreenPoint, other: ScreenPoint): void {
    const factor = distance(here, other) / Math.max(1, distance(before, other));
    magnify(this.view, { x: (here.x + other.x) / 2, y: (here.y + other.y) / 2 }, factor);
    this.view.setCamera(pan(this.view.camera, (here.x - before.x) / 2, (here.y - before.y) / 2));
  }
}

const distance = (a: ScreenPoint, b: ScreenPoint): number => Math.hypot(a.x - b.x, a.y - b.y);

function attachWheel(view: StackView, hooks: GestureHooks): void {
  const steps = new WheelSteps();
  view.host.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels = event.deltaMode === 0 ? event.deltaY : Math.sign(event.deltaY) * NOTCH_PX;
      if (event.ctrlKey || event.metaKey || view.slices === 1) {
        hooks.counted?.("zoom");
        magnify(view, pointIn(view.host, event), 1.0015 ** -pixels);
        return;
      }
      const step = steps.turned(pixels, event.timeStamp);
      if (step === 0) return;
      hooks.counted?.("scroll");
      view.setSlice(view.slice + step);
    },
    { passive: false },
  );
}
