/** The viewer's public surface: pages import from here and from nowhere below. */
export { attachGestures, magnify, pointIn } from "./gestures";
export type { DrawingStage, GestureHooks, Interaction, Tool } from "./gestures";
export { differenceStack, plainStack, PlaneStack } from "./image-stack";
export type { ImageStack } from "./image-stack";
export {
  brushPainter,
  crosshairPainter,
  label,
  lengthMm,
  markerPainter,
  marksPainter,
  maskFillPainter,
  maskPainter,
  measurementPainter,
  orientationPainter,
  pixelCentre,
  scaleBarPainter,
} from "./painters";
export type { DrawnMark, MaskLayer, Measurement } from "./painters";
export { LEGIBLE_PX, StackView } from "./stack-view";
export type { Painter, PaintTarget } from "./stack-view";
export { attachTaps } from "./taps";
export { LoadingVolume } from "./volume";
