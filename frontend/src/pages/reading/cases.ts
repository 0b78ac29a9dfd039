/** Cases on their way to the screen: the current one, the next one while the current is read, the one before. */
import type { Presentation } from "../../api/contract";
import { getBytes, getJson } from "../../api/http";
import type { Grid } from "../../core/geometry";
import type { ImageStack } from "../../viewer";
import { LoadingVolume, plainStack } from "../../viewer";

export interface LoadedCase {
  readonly token: string;
  readonly presentation: Presentation;
  readonly volume: LoadingVolume;
  readonly stack: ImageStack;
}

const presentationUrl = (token: string): string => `/api/reading/presentations/${encodeURIComponent(token)}/`;
export const eventsUrl = (token: string): string => `${presentationUrl(token)}events/`;

export class CaseLoader {
  private readonly cases = new Map<string, Promise<LoadedCase>>();

  load(token: string): Promise<LoadedCase> {
    let loading = this.cases.get(token);
    if (!loading) {
      loading = this.fetch(token);
      this.cases.set(token, loading);
      // A failed case is asked for again at the next try.
      loading.catch(() => this.cases.delete(token));
    }
    return loading;
  }

  /** Starts once the current case is complete, so that the two do not compete for the line. */
  async prefetchAfter(current: LoadedCase, token: string): Promise<void> {
    await allArrived(current.volume);
    await this.load(token).catch(() => undefined);
  }

  keepOnly(tokens: readonly (string | null)[]): void {
    for (const [token, loading] of this.cases) {
      if (tokens.includes(token)) continue;
      this.cases.delete(token);
      void loading.then(
        ({ volume }) => {
          volume.stop();
        },
        () => undefined,
      );
    }
  }

  private async fetch(token: string): Promise<LoadedCase> {
    const url = presentationUrl(token);
    const presentation = await getJson<Presentation>(url);
    const grid: Grid = {
      sizeZyx: [presentation.slices, presentation.rows, presentation.columns],
      spacingZyxMm: presentation.spacing_zyx_mm,
      originLpsMm: [0, 0, 0],
      direction: [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
    };
    const volume = LoadingVolume.ofHu(
      grid,
      (slice, signal) => getBytes(`${url}slices/${slice}/`, signal),
      presentation.start_slice,
    );
    return { token, presentation, volume, stack: plainStack(volume) };
  }
}

function allArrived(volume: LoadingVolume): Promise<void> {
  if (volume.complete) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = volume.arrived.listen(() => {
      if (!volume.complete) return;
      stop();
      resolve();
    });
  });
}
