import type { RatingBody } from "../../api/contract";
import { uuid4 } from "../../core/identifiers";
import type { Marked } from "../../core/marking";
import type { ReadingTimes } from "../../core/timing";
import type { WholeAnswer } from "./answering";
import type { CaseDisplay } from "./display";

/** A case that stands on the screen. */
export interface ShownCase {
  readonly token: string;
  /** Of all images that are shown, from the left. */
  readonly images: readonly string[];
  readonly at: Date;
  readonly loadMs: number;
  /** On the monotonic clock. */
  readonly paintedAt: number;
}

interface RatingParts extends WholeAnswer {
  readonly shown: ShownCase;
  readonly times: ReadingTimes;
  readonly marked: Marked;
  readonly display: CaseDisplay;
  readonly counter: number;
  readonly supersedes: string | null;
}

/** The image that an answer is about. */
export const chosenImage = ({ token, images }: ShownCase, side: number | null | undefined): string =>
  images[side ?? 0] ?? token;

/** Where each mark has a confidence of its own, that of the answer is the highest; none without a mark. */
const surest = ({ marks }: Marked): number | null =>
  marks === null || marks.length === 0 ? null : Math.max(...marks.map(({ confidence }) => confidence));

export function ratingBody(parts: RatingParts): RatingBody {
  const { decision, confidence, further, marked, shown, times, display, counter, supersedes } = parts;
  return {
    client_event_id: uuid4(crypto),
    answer: decision.answer,
    confidence: confidence ?? surest(marked),
    level: decision.level,
    mark: marked.mark,
    marks: marked.marks && [...marked.marks],
    side: decision.side ?? null,
    further,
    shown_at: shown.at.toISOString(),
    answered_at: new Date().toISOString(),
    reading_ms: times.readingMs,
    load_ms: shown.loadMs,
    hidden_ms: times.hiddenMs,
    idle_ms: times.idleMs,
    waiting_ms: times.waitingMs,
    counter,
    supersedes,
    interactions: { ...display.counts, ...display.record.read() },
    environment: {
      renderer: "cpu",
      device_pixel_ratio: window.devicePixelRatio,
      viewport_px: [...display.sizePx],
    },
  };
}
