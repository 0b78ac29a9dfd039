/** Says how far the loading has come, and what went wrong. */
import type { Voxels } from "../../core/planes";
import type { LoadingVolume } from "../../viewer";
import { button, element } from "./dom";

export class LoadingBar {
  readonly element = element("div", { class: "viewer-status", role: "status" });
  private readonly bar = element("progress", { max: 1, value: 0, "aria-label": "Loading of the slices" });

  watch(volumes: readonly LoadingVolume<Voxels>[]): void {
    this.element.replaceChildren(this.bar);
    const update = (): void => {
      const loaded = volumes.reduce((sum, volume) => sum + volume.fractionLoaded, 0) / volumes.length;
      this.bar.value = loaded;
      if (volumes.every((volume) => volume.complete)) this.element.replaceChildren();
    };
    for (const volume of volumes) {
      volume.arrived.listen(update);
      volume.failed.listen((error) => {
        this.fail(error.message);
      });
    }
  }

  fail(message: string): void {
    const again = button("Load again", { class: "tool" }, () => {
      window.location.reload();
    });
    this.element.replaceChildren(element("span", { class: "viewer-error" }, message), again);
  }
}
