/** Grey-value windows in HU. */
export interface Window {
  readonly center: number;
  readonly width: number;
}

export interface WindowPreset extends Window {
  readonly name: string;
  readonly key: string;
}

export const WINDOW_PRESETS: readonly WindowPreset[] = [
  { name: "Liver", key: "1", center: 60, width: 160 },
  { name: "Soft tissue", key: "2", center: 50, width: 400 },
  { name: "Lung", key: "3", center: -600, width: 1500 },
  { name: "Bone", key: "4", center: 400, width: 1800 },
];

const MIN_WIDTH_HU = 2;
const MAX_WIDTH_HU = 8000;
const MAX_CENTER_HU = 4000;

export function clampWindow({ center, width }: Window): Window {
  return {
    center: Math.min(MAX_CENTER_HU, Math.max(-MAX_CENTER_HU, center)),
    width: Math.min(MAX_WIDTH_HU, Math.max(MIN_WIDTH_HU, width)),
  };
}

/** Black at or below lower, white at or above upper, linear between (DICOM LINEAR_EXACT). */
export function windowRange({ center, width }: Window): { lower: number; upper: number } {
  return { lower: center - width / 2, upper: center + width / 2 };
}

/** Grey level 0..255 of a value, as it must appear on the screen. */
export function greyLevel(hu: number, window: Window): number {
  const { lower, upper } = windowRange(window);
  return Math.round(255 * Math.min(1, Math.max(0, (hu - lower) / (upper - lower))));
}

/** Drag to the right widens, drag downwards brightens less: the convention of most workstations.
The step follows the width, so that narrow windows can be set finely. */
export function dragWindow(start: Window, dxPx: number, dyPx: number): Window {
  const huPerPx = Math.max(0.5, start.width / 300);
  return clampWindow({ center: start.center + dyPx * huPerPx, width: start.width + dxPx * huPerPx });
}

export const describeWindow = ({ center, width }: Window): string => `W ${Math.round(width)} L ${Math.round(center)}`;
