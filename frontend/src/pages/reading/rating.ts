import type { Answer, RatingBody } from "../../api/contract";
import { uuid4 } from "../../core/identifiers";
import type { CaseDisplay } from "./display";

/** A case that stands on the screen. */
export interface ShownCase {
  readonly token: string;
  readonly at: Date;
  readonly loadMs: number;
  /** On the monotonic clock. */
  readonly paintedAt: number;
}

interface RatingParts {
  readonly answer: Answer;
  readonly confidence: number | null;
  readonly shown: ShownCase;
  readonly times: { readonly readingMs: number; readonly hiddenMs: number };
  readonly display: CaseDisplay;
}

export function ratingBody({ answer, confidence, shown, times, display }: RatingParts): RatingBody {
  return {
    client_event_id: uuid4(crypto),
    answer,
    confidence,
    shown_at: shown.at.toISOString(),
    answered_at: new Date().toISOString(),
    reading_ms: times.readingMs,
    load_ms: shown.loadMs,
    hidden_ms: times.hiddenMs,
    interactions: { ...display.counts },
    environment: {
      renderer: "cpu",
      device_pixel_ratio: window.devicePixelRatio,
      viewport_px: [...display.sizePx],
    },
  };
}
