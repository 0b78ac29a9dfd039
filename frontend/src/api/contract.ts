/** What Django sends to the browser code. Arrays are z, y, x; world points are LPS millimetres. */
import type { Direction, Grid, Triple } from "../core/geometry";
import type { Choice } from "../core/keyboard";
import type { SessionState } from "../core/sitting";
import type { Window } from "../core/windows";

export interface MaskEntry {
  readonly id: string;
  readonly kind: "liver" | "lesion" | "vessel" | "changed";
  readonly made_by: string;
  readonly slice_url: string;
}

export interface ScanManifest {
  readonly id: string;
  readonly name: string;
  readonly size_zyx: Triple;
  readonly spacing_zyx_mm: Triple;
  readonly origin_lps_mm: Triple;
  readonly direction: Direction;
  readonly slice_url: string;
  readonly window: Window;
  readonly masks: readonly MaskEntry[];
}

export const manifestGrid = (manifest: ScanManifest): Grid => ({
  sizeZyx: manifest.size_zyx,
  spacingZyxMm: manifest.spacing_zyx_mm,
  originLpsMm: manifest.origin_lps_mm,
  direction: manifest.direction,
});

export const sliceUrl = (template: string, index: number): string =>
  template.replace(/\{index\}|%7Bindex%7D/i, String(index));

export type Answer = "real" | "synthetic";

export interface Progress {
  readonly done: number;
  readonly total: number;
}

export interface ReadingSession {
  readonly study: {
    readonly title: string;
    readonly instructions: string;
    readonly question: string;
    readonly answers: readonly Choice<Answer>[];
    readonly confidence: { readonly levels: readonly Choice<number>[] } | null;
  };
  readonly display: {
    readonly mode: "patch" | "slice" | "stack";
    readonly field_of_view_mm: number | null;
    readonly window: Window;
  };
  readonly progress: Progress;
  readonly state: SessionState;
  readonly next: readonly string[];
  readonly previous: string | null;
  readonly preview: boolean;
}

export interface Presentation {
  readonly rows: number;
  readonly columns: number;
  readonly slices: number;
  readonly spacing_zyx_mm: Triple;
  readonly start_slice: number;
  readonly marker: { readonly row: number; readonly column: number; readonly slice: number } | null;
}

export interface RatingBody {
  readonly client_event_id: string;
  readonly answer: Answer;
  readonly confidence: number | null;
  readonly shown_at: string;
  readonly answered_at: string;
  readonly reading_ms: number;
  readonly load_ms: number;
  readonly hidden_ms: number;
  readonly interactions: { readonly scrolls: number; readonly windowings: number; readonly zooms: number };
  readonly environment: {
    readonly renderer: "cpu";
    readonly device_pixel_ratio: number;
    readonly viewport_px: readonly [number, number];
  };
}

export interface RatingReply {
  readonly receipt: {
    readonly client_event_id: string;
    readonly sequence: number;
    readonly digest: string;
    readonly received_at: string;
  };
  readonly progress: Progress;
  readonly state: SessionState;
  readonly next: readonly string[];
  readonly previous: string | null;
}
