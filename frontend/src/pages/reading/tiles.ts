/** Several images on one stage, each as large as possible. */
import { tilingOf } from "../../core/tiling";

export function tiled(stage: HTMLElement, images: number): void {
  stage.classList.add("several");
  const lay = (): void => {
    const { columns, rows } = tilingOf(images, stage.clientWidth, stage.clientHeight);
    stage.style.gridTemplate = `repeat(${rows}, minmax(0, 1fr)) / repeat(${columns}, minmax(0, 1fr))`;
  };
  lay();
  new ResizeObserver(lay).observe(stage);
}
