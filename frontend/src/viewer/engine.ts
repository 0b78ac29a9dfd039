/** The only file that talks to Cornerstone's global state: start, image loader, metadata, cache.

Rendering is on the CPU on purpose: every reader sees the same grey values, with or without a graphics card. */
import { cache, Enums, imageLoader, init, metaData, RenderingEngine, utilities } from "@cornerstonejs/core";
import type { Types } from "@cornerstonejs/core";

import type { ImageStack } from "./image-stack";

const SCHEME = "ward";
const CACHE_BYTES = 256 * 1024 * 1024;

let engine: RenderingEngine | null = null;
const stacks = new Map<number, ImageStack>();
let lastStackId = 0;

export function renderingEngine(): RenderingEngine {
  if (engine === null) {
    init({ rendering: { useCPURendering: true }, debug: {} });
    imageLoader.registerImageLoader(SCHEME, (imageId) => ({ promise: loadImage(imageId) }));
    metaData.addProvider(metadataOf, 1000);
    cache.setMaxCacheSize(CACHE_BYTES);
    engine = new RenderingEngine("ward");
  }
  return engine;
}

/** Makes a stack known; the returned names are what a viewport shows. */
export function registerStack(stack: ImageStack): { imageIds: string[]; release: () => void } {
  lastStackId += 1;
  const stackId = lastStackId;
  stacks.set(stackId, stack);
  const imageIds = Array.from({ length: stack.slices }, (_, slice) => `${SCHEME}:${stackId}/${slice}`);
  const release = (): void => {
    stacks.delete(stackId);
    for (const imageId of imageIds) {
      if (cache.getImageLoadObject(imageId)) cache.removeImageLoadObject(imageId, { force: true });
    }
  };
  return { imageIds, release };
}

function find(imageId: string): { stack: ImageStack; slice: number } | null {
  const match = new RegExp(`^${SCHEME}:(\\d+)/(\\d+)$`).exec(imageId);
  const stack = stacks.get(Number(match?.[1]));
  return match && stack ? { stack, slice: Number(match[2]) } : null;
}

function loadImage(imageId: string): Promise<Types.IImage> {
  const found = find(imageId);
  const pixels = found?.stack.pixels(found.slice);
  if (!found || !pixels) return Promise.reject(new Error(`Image ${imageId} is not loaded.`));
  return Promise.resolve(cornerstoneImage(imageId, pixels, found.stack));
}

function cornerstoneImage(imageId: string, pixels: Int16Array, { frame }: ImageStack): Types.IImage {
  const { min, max } = valueRange(pixels);
  const { columns, rows } = frame;
  return {
    imageId,
    minPixelValue: min,
    maxPixelValue: max,
    slope: 1,
    intercept: 0,
    windowCenter: 40,
    windowWidth: 400,
    voiLUTFunction: Enums.VOILUTFunctionType.LINEAR,
    getPixelData: () => pixels,
    getCanvas: () => document.createElement("canvas"),
    rows,
    columns,
    height: rows,
    width: columns,
    color: false,
    rgba: false,
    numberOfComponents: 1,
    columnPixelSpacing: frame.columnSpacingMm,
    rowPixelSpacing: frame.rowSpacingMm,
    invert: false,
    photometricInterpretation: "MONOCHROME2",
    sizeInBytes: pixels.byteLength,
    dataType: "Int16Array",
    // The values are HU already: nothing may rescale them a second time.
    isPreScaled: true,
    preScale: {
      enabled: true,
      scaled: true,
      scalingParameters: { modality: "CT", rescaleSlope: 1, rescaleIntercept: 0 },
    },
    voxelManager: utilities.VoxelManager.createImageVoxelManager({ width: columns, height: rows, scalarData: pixels }),
  };
}

function valueRange(pixels: Int16Array): { min: number; max: number } {
  let min = 32767;
  let max = -32768;
  for (const value of pixels) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}

/** Cornerstone asks for DICOM modules; a view's own plane is enough, anatomy is ours to know. */
function metadataOf(type: string, imageId: string): object | undefined {
  const found = find(imageId);
  if (!found) return undefined;
  const { frame } = found.stack;
  switch (type) {
    case "imagePlaneModule":
      return {
        frameOfReferenceUID: "ward",
        rows: frame.rows,
        columns: frame.columns,
        imageOrientationPatient: [1, 0, 0, 0, 1, 0],
        rowCosines: [1, 0, 0],
        columnCosines: [0, 1, 0],
        imagePositionPatient: [0, 0, 0],
        rowPixelSpacing: frame.rowSpacingMm,
        columnPixelSpacing: frame.columnSpacingMm,
        pixelSpacing: [frame.rowSpacingMm, frame.columnSpacingMm],
      };
    case "imagePixelModule":
      return {
        samplesPerPixel: 1,
        photometricInterpretation: "MONOCHROME2",
        rows: frame.rows,
        columns: frame.columns,
        bitsAllocated: 16,
        bitsStored: 16,
        highBit: 15,
        pixelRepresentation: 1,
      };
    case "generalSeriesModule":
      return { modality: "CT" };
    case "modalityLutModule":
      return { rescaleSlope: 1, rescaleIntercept: 0, rescaleType: "HU" };
    case "voiLutModule":
      return { windowCenter: [40], windowWidth: [400] };
    default:
      return undefined;
  }
}
