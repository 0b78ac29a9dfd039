/** Cases on their way to the screen: the current one, the next one while the current is read, the one before. */
import type { Presentation } from "../../api/contract";
import { getJson } from "../../api/http";
import { casesAhead } from "../../core/ahead";
import type { Grid } from "../../core/geometry";
import { decodeSamples } from "../../core/samples";
import { Signal } from "../../core/signal";
import type { ImageStack } from "../../viewer";
import { LoadingVolume, plainStack } from "../../viewer";
import { patientBytes } from "./patience";

export interface LoadedImage {
  readonly presentation: Presentation;
  readonly volume: LoadingVolume;
  readonly stack: ImageStack;
}

/** The first image of a trial, by whose token the trial goes, with all that are shown together. */
export interface LoadedCase extends LoadedImage {
  readonly token: string;
  /** From the left; the first is this one. */
  readonly images: readonly LoadedImage[];
}

export const presentationUrl = (token: string): string => `/api/reading/presentations/${encodeURIComponent(token)}/`;
export const eventsUrl = (token: string): string => `${presentationUrl(token)}events/`;

export class CaseLoader {
  /** With the status of a request for pixels that failed, 0 when there was no reply; it is tried again. */
  readonly troubled = new Signal<number>();
  readonly arrived = new Signal();
  /** From the request for the last case that has arrived to its last slice. */
  private loadMs = 0;
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

  /** As soon as this case is there, those that come next. */
  follow(showing: string, coming: readonly string[], paceMs: number | null): void {
    if (coming.length === 0) return;
    void this.load(showing).then(
      (current) => this.prefetchAfter(current, coming, paceMs),
      () => undefined,
    );
  }

  /** One after the other, once the current case is complete, so that they do not compete for the line. */
  private async prefetchAfter(current: LoadedCase, tokens: readonly string[], paceMs: number | null): Promise<void> {
    let before: LoadedCase | undefined = current;
    const ahead = casesAhead({ paceMs, loadMs: this.loadMs, bytes: bytesOf(current) });
    for (const token of tokens.slice(0, ahead)) {
      for (const { volume } of before?.images ?? []) await allArrived(volume);
      // When it is this case's turn it is asked for again, and what is wrong is told.
      before = await this.load(token).catch(() => undefined);
    }
  }

  keepOnly(tokens: readonly (string | null)[]): void {
    for (const [token, loading] of this.cases) {
      if (tokens.includes(token)) continue;
      this.cases.delete(token);
      void loading.then(
        ({ images }) => {
          for (const { volume } of images) volume.stop();
        },
        () => undefined,
      );
    }
  }

  private async fetch(token: string): Promise<LoadedCase> {
    const first = await this.fetchImage(token);
    const beside = first.presentation.images.filter((image) => image !== token);
    const images = [first, ...(await Promise.all(beside.map((image) => this.fetchImage(image))))];
    return { ...first, token, images };
  }

  private async fetchImage(token: string): Promise<LoadedImage> {
    const url = presentationUrl(token);
    const askedAt = performance.now();
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
    const bytesPerSlice = 2 * presentation.rows * presentation.columns;
    const volume = LoadingVolume.ofHu(
      grid,
      async (slice, signal) => {
        const bytes = await patientBytes(`${url}slices/${slice}/`, bytesPerSlice, signal, (status) => {
          this.troubled.emit(status);
        });
        return decodeSamples(bytes, presentation.samples, presentation.columns);
      },
      presentation.start_slice,
    );
    volume.arrived.listen(() => {
      if (volume.complete) this.loadMs = performance.now() - askedAt;
      this.arrived.emit();
    });
    return { presentation, volume, stack: plainStack(volume) };
  }
}

const bytesOf = ({ images }: LoadedCase): number =>
  images.reduce((sum, { volume }) => sum + volume.voxels.byteLength, 0);

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
