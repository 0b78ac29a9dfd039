/** Where an image lies on the screen. Pixel coordinates start at the outer corner of the first pixel, so the
centre of pixel 0 is at 0.5; screen coordinates are CSS pixels from the top left of the view. */
export interface ImageFrame {
  readonly columns: number;
  readonly rows: number;
  readonly columnSpacingMm: number;
  readonly rowSpacingMm: number;
}

export interface ScreenSize {
  readonly width: number;
  readonly height: number;
}

/** The centre of the view in millimetres from the image's top left corner, and the magnification. */
export interface Camera {
  readonly centreXMm: number;
  readonly centreYMm: number;
  readonly pxPerMm: number;
}

export interface ScreenPoint {
  readonly x: number;
  readonly y: number;
}

export interface PixelPoint {
  readonly column: number;
  readonly row: number;
}

const MIN_FIELD_MM = 8;
const MAX_SHRINK = 0.25;

export function fitCamera(frame: ImageFrame, screen: ScreenSize): Camera {
  const widthMm = frame.columns * frame.columnSpacingMm;
  const heightMm = frame.rows * frame.rowSpacingMm;
  return {
    centreXMm: widthMm / 2,
    centreYMm: heightMm / 2,
    pxPerMm: Math.min(screen.width / widthMm, screen.height / heightMm),
  };
}

/** Shows a square field of the given size around a pixel; what is not image is shown only where there is no other way. */
export function fieldCamera(frame: ImageFrame, screen: ScreenSize, centre: PixelPoint, fieldMm: number): Camera {
  const pxPerMm = Math.min(screen.width, screen.height) / fieldMm;
  const { columnSpacingMm, rowSpacingMm } = frame;
  return {
    centreXMm: keepInside(centre.column * columnSpacingMm, screen.width / pxPerMm, frame.columns * columnSpacingMm),
    centreYMm: keepInside(centre.row * rowSpacingMm, screen.height / pxPerMm, frame.rows * rowSpacingMm),
    pxPerMm,
  };
}

/** A patch is cut as large as its field, give or take the rounding to whole pixels. */
const ROUNDING = 1.03;

function keepInside(centreMm: number, visibleMm: number, imageMm: number): number {
  if (visibleMm > imageMm * ROUNDING) return centreMm;
  const half = Math.min(visibleMm, imageMm) / 2;
  return Math.min(imageMm - half, Math.max(half, centreMm));
}

export function toScreen(frame: ImageFrame, screen: ScreenSize, camera: Camera, pixel: PixelPoint): ScreenPoint {
  return {
    x: screen.width / 2 + (pixel.column * frame.columnSpacingMm - camera.centreXMm) * camera.pxPerMm,
    y: screen.height / 2 + (pixel.row * frame.rowSpacingMm - camera.centreYMm) * camera.pxPerMm,
  };
}

export function toPixel(frame: ImageFrame, screen: ScreenSize, camera: Camera, point: ScreenPoint): PixelPoint {
  return {
    column: (camera.centreXMm + (point.x - screen.width / 2) / camera.pxPerMm) / frame.columnSpacingMm,
    row: (camera.centreYMm + (point.y - screen.height / 2) / camera.pxPerMm) / frame.rowSpacingMm,
  };
}

export function pan(camera: Camera, dxPx: number, dyPx: number): Camera {
  return {
    ...camera,
    centreXMm: camera.centreXMm - dxPx / camera.pxPerMm,
    centreYMm: camera.centreYMm - dyPx / camera.pxPerMm,
  };
}

/** Magnifies by a factor and keeps the place under the given screen point where it is. */
export function zoomAt(
  frame: ImageFrame,
  screen: ScreenSize,
  camera: Camera,
  point: ScreenPoint,
  factor: number,
): Camera {
  const smallest = fitCamera(frame, screen).pxPerMm * MAX_SHRINK;
  const largest = Math.min(screen.width, screen.height) / MIN_FIELD_MM;
  const pxPerMm = Math.min(largest, Math.max(smallest, camera.pxPerMm * factor));
  const [offsetX, offsetY] = [point.x - screen.width / 2, point.y - screen.height / 2];
  return {
    centreXMm: camera.centreXMm + offsetX / camera.pxPerMm - offsetX / pxPerMm,
    centreYMm: camera.centreYMm + offsetY / camera.pxPerMm - offsetY / pxPerMm,
    pxPerMm,
  };
}

/** A round length for the scale bar that takes at most the given width. */
export function scaleBarMm(camera: Camera, longestPx: number): number {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200];
  return steps.filter((mm) => mm * camera.pxPerMm <= longestPx).at(-1) ?? 1;
}
