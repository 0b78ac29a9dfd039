/** What Django sends to the browser code: the generated types, with the lengths of arrays that a schema cannot say.
Arrays are z, y, x; world points are LPS millimetres. */
import type { Direction, Grid, Triple } from "../core/geometry";
import type { components } from "./schema";

type Schemas = components["schemas"];

interface GridFields {
  readonly size_zyx: Triple;
  readonly spacing_zyx_mm: Triple;
  readonly origin_lps_mm: Triple;
  readonly direction: Direction;
}
export type ScanManifest = Omit<Schemas["Manifest"], keyof GridFields> & GridFields;

export const manifestGrid = (manifest: ScanManifest): Grid => ({
  sizeZyx: manifest.size_zyx,
  spacingZyxMm: manifest.spacing_zyx_mm,
  originLpsMm: manifest.origin_lps_mm,
  direction: manifest.direction,
});

export const sliceUrl = (template: string, index: number): string =>
  template.replace(/\{index\}|%7Bindex%7D/i, String(index));

export type Corrected = Schemas["Corrected"];

export type Answer = Schemas["AnswerEnum"];
export type ReadingSession = Schemas["ReadingSession"];
export type FurtherQuestion = Schemas["FurtherQuestionAsked"];
export type Presentation = Omit<Schemas["Presentation"], "spacing_zyx_mm"> & { readonly spacing_zyx_mm: Triple };
/** What is known when an answer is given; the rest is added when it leaves. */
export type RatingBody = Omit<Required<Schemas["RatingEventRequest"]>, "sent_at" | "unsent">;
export type ToldCase = Schemas["ToldCase"];
export type Told = Schemas["Told"];
export type RatingReply = Schemas["Acknowledgement"];
