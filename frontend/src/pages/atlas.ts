/** The signature atlas: a scatter of patches, the picture of the chosen one, and the way to its scan. */
import { getJson } from "../api/http";
import type { Point2, Sight } from "../core/scatter";
import { isOnSheet, neighbour, panBy, sightOf, toSheet, zoomAbout } from "../core/scatter";
import { button, dataset, element, required } from "./shared/dom";

interface AtlasPoint {
  readonly scan: string;
  readonly name: string;
  readonly at: readonly number[];
  readonly lesion: number;
  readonly kind: string;
  readonly diameter_mm: number | null;
  readonly components: readonly number[];
}

interface AtlasContent {
  readonly explained_variance_ratio: readonly number[];
  readonly tile_px: number;
  readonly tile_columns: number;
  readonly points: readonly AtlasPoint[];
}

const SHEET = { width: 760, height: 520 };
const MIDDLE = { x: SHEET.width / 2, y: SHEET.height / 2 };
const PICTURE_PX = 240;
const CLICK_PX = 4;
const STEP = 1.25;
const NO_SCAN = "00000000-0000-0000-0000-000000000000";
const SVG = "http://www.w3.org/2000/svg";
interface Mark {
  readonly words: string;
  readonly colour: string;
  /** Outline about the point, in units of the sheet; shapes tell apart what colours may not. */
  readonly shape: string;
}

const NORMAL: Mark = { words: "normal liver", colour: "#0b5c8a", shape: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z" };
const LESION: Mark = { words: "lesion", colour: "#b3541e", shape: "M0 -6.5L6 4.5H-6Z" };
const LESION_MARKS: Record<string, Mark> = {
  hypodense: { ...LESION, words: "hypodense" },
  cystic: { words: "cystic", colour: "#1d6b3a", shape: "M-5 -5H5V5H-5Z" },
  ring_enhancing: { words: "ring-enhancing", colour: "#8a3a73", shape: "M0 -7L7 0L0 7L-7 0Z" },
  lesion: { words: "type unknown", colour: "#7a4f00", shape: "M-2 -6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z" },
};
const IN_LEGEND = [NORMAL, ...Object.values(LESION_MARKS), LESION];
const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

function inLegend({ colour, shape }: Mark): SVGSVGElement {
  const [frame, path] = [document.createElementNS(SVG, "svg"), document.createElementNS(SVG, "path")];
  frame.setAttribute("class", "atlas-mark");
  frame.setAttribute("viewBox", "-8 -8 16 16");
  frame.setAttribute("aria-hidden", "true");
  path.setAttribute("d", shape);
  path.setAttribute("fill", colour);
  frame.append(path);
  return frame;
}

class Atlas {
  private axes = { x: 0, y: 1 };
  private byKind = true;
  private chosen = 0;
  private sight: Sight;
  private readonly plot = document.createElementNS(SVG, "svg");
  private readonly dots: SVGPathElement[];
  private readonly legend = element("p", { class: "atlas-legend" });
  private readonly picture = element("canvas", {
    class: "atlas-picture",
    width: PICTURE_PX,
    height: PICTURE_PX,
    role: "img",
  });
  private readonly said = element("p", { "aria-live": "polite" });
  private readonly link = element("a", { class: "button primary", href: "#" }, "Open the scan there");

  constructor(
    private readonly content: AtlasContent,
    private readonly pictures: HTMLImageElement,
    private readonly scanUrl: string,
  ) {
    this.sight = sightOf(this.places());
    this.plot.setAttribute("viewBox", `0 0 ${SHEET.width} ${SHEET.height}`);
    this.plot.setAttribute("class", "atlas-plot");
    this.plot.setAttribute("tabindex", "0");
    this.plot.setAttribute("role", "application");
    this.plot.setAttribute("aria-label", "Patches by principal component. Arrow keys move, Enter opens the scan.");
    this.dots = content.points.map((_, index) => this.dot(index));
    this.plot.append(...this.dots);
    this.listen();
  }

  mount(root: HTMLElement): void {
    const side = element("div", { class: "atlas-side" }, this.picture, this.said, this.link);
    const body = element("div", { class: "atlas-body" });
    body.append(this.plot, side);
    root.replaceChildren(this.bar(), this.legend, body);
    this.draw();
    this.choose(0);
  }

  private places(): Point2[] {
    return this.content.points.map(({ components }) => ({
      x: components[this.axes.x] ?? 0,
      y: components[this.axes.y] ?? 0,
    }));
  }

  private bar(): HTMLElement {
    const marks = element("label", {}, "Marks ");
    const select = element("select", {}, element("option", { value: "kind" }, "by type"));
    select.append(element("option", { value: "lesion" }, "lesion or normal"));
    select.addEventListener("change", () => {
      this.byKind = select.value === "kind";
      this.draw();
    });
    marks.append(select);
    return element(
      "div",
      { class: "toolbar" },
      this.axisChoice("Across ", "x"),
      this.axisChoice("Up ", "y"),
      marks,
      button("Closer", { class: "button" }, () => {
        this.zoom(this.heldPlace(), STEP);
      }),
      button("Further", { class: "button" }, () => {
        this.zoom(this.heldPlace(), 1 / STEP);
      }),
      button("All", { class: "button" }, () => {
        this.sight = sightOf(this.places());
        this.draw();
      }),
    );
  }

  private axisChoice(label: string, axis: "x" | "y"): HTMLElement {
    const select = element("select", {});
    this.content.explained_variance_ratio.forEach((share, index) => {
      const text = `PC ${index + 1} (${Math.round(100 * share)} %)`;
      select.append(element("option", { value: index, selected: index === this.axes[axis] }, text));
    });
    select.addEventListener("change", () => {
      this.axes = { ...this.axes, [axis]: Number(select.value) };
      this.sight = sightOf(this.places());
      this.draw();
    });
    return element("label", {}, label, select);
  }

  private dot(index: number): SVGPathElement {
    const made = document.createElementNS(SVG, "path");
    made.setAttribute("class", "dot");
    made.dataset.index = String(index);
    made.addEventListener("pointerenter", () => {
      this.choose(index);
    });
    return made;
  }

  private markOf(point: AtlasPoint): Mark {
    if (!point.lesion) return NORMAL;
    return this.byKind ? (LESION_MARKS[point.kind] ?? LESION) : LESION;
  }

  private onSheetNow(): Point2[] {
    return this.places().map((place) => toSheet(this.sight, SHEET, place));
  }

  private draw(): void {
    this.onSheetNow().forEach(({ x, y }, index) => {
      const [dot, point] = [this.dots[index], this.content.points[index]];
      if (!dot || !point) return;
      const mark = this.markOf(point);
      dot.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
      dot.setAttribute("d", mark.shape);
      dot.setAttribute("fill", mark.colour);
    });
    const drawn = new Set(this.content.points.map((point) => this.markOf(point)));
    const marks = IN_LEGEND.filter((mark) => drawn.has(mark));
    this.legend.replaceChildren(...marks.map((mark) => element("span", {}, inLegend(mark), mark.words)));
  }

  private choose(index: number): void {
    const point = this.content.points[index];
    if (!point) return;
    this.dots[this.chosen]?.classList.remove("chosen");
    this.chosen = index;
    this.dots[index]?.classList.add("chosen");
    const { tile_px: size, tile_columns: columns } = this.content;
    const context = this.picture.getContext("2d");
    if (context) {
      context.imageSmoothingEnabled = false;
      const [left, top] = [(index % columns) * size, Math.floor(index / columns) * size];
      context.drawImage(this.pictures, left, top, size, size, 0, 0, PICTURE_PX, PICTURE_PX);
    }
    const size_mm = point.diameter_mm === null ? "" : `, ${point.diameter_mm.toFixed(0)} mm`;
    const what = point.lesion
      ? `lesion ${point.lesion}, ${LESION_MARKS[point.kind]?.words ?? point.kind}${size_mm}`
      : "normal liver";
    this.said.textContent = `${point.name}: ${what}`;
    this.picture.setAttribute("aria-label", `Patch of ${point.name}: ${what}`);
    this.link.href = this.address(point);
  }

  /** What stays in its place when a button zooms: the chosen point while it is in sight. */
  private heldPlace(): Point2 {
    const place = this.onSheetNow()[this.chosen];
    return place && isOnSheet(SHEET, place) ? place : MIDDLE;
  }

  private bringIntoSight(): void {
    const place = this.onSheetNow()[this.chosen];
    if (!place || isOnSheet(SHEET, place)) return;
    this.sight = panBy(this.sight, SHEET, MIDDLE.x - place.x, MIDDLE.y - place.y);
    this.draw();
  }

  private address(point: AtlasPoint): string {
    return `${this.scanUrl.replace(NO_SCAN, point.scan)}?at=${point.at.map((value) => value.toFixed(2)).join(",")}`;
  }

  private open(): void {
    window.location.assign(this.link.href);
  }

  private zoom(at: Point2, factor: number): void {
    this.sight = zoomAbout(this.sight, SHEET, at, factor);
    this.draw();
  }

  /** A place on the screen in units of the sheet; the sheet keeps its proportions, so it may not fill the element. */
  private onSheet(clientX: number, clientY: number): Point2 {
    const matrix = this.plot.getScreenCTM();
    return matrix ? new DOMPoint(clientX, clientY).matrixTransform(matrix.inverse()) : { x: 0, y: 0 };
  }

  private listen(): void {
    this.plot.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(this.onSheet(event.clientX, event.clientY), event.deltaY < 0 ? STEP : 1 / STEP);
    });
    let moved = 0;
    this.plot.addEventListener("pointerdown", () => {
      moved = 0;
    });
    this.plot.addEventListener("pointermove", (event) => {
      if (event.buttons !== 1) return;
      moved += Math.abs(event.movementX) + Math.abs(event.movementY);
      const [from, to] = [this.onSheet(0, 0), this.onSheet(event.movementX, event.movementY)];
      this.sight = panBy(this.sight, SHEET, to.x - from.x, to.y - from.y);
      this.draw();
    });
    this.plot.addEventListener("click", (event) => {
      const index = event.target instanceof SVGPathElement ? Number(event.target.dataset.index) : NaN;
      if (Number.isNaN(index) || moved > CLICK_PX) return;
      this.choose(index);
      this.open();
    });
    this.plot.addEventListener("keydown", (event) => {
      const arrow = ARROWS[event.key];
      if (event.key === "Enter") this.open();
      if (!arrow) return;
      event.preventDefault();
      this.choose(neighbour(this.onSheetNow(), this.chosen, ...arrow) ?? this.chosen);
      this.bringIntoSight();
    });
  }
}

async function start(root: HTMLElement): Promise<void> {
  try {
    const content = await getJson<AtlasContent>(dataset(root, "pointsUrl"));
    const pictures = new Image();
    pictures.src = dataset(root, "picturesUrl");
    await pictures.decode();
    new Atlas(content, pictures, dataset(root, "scanUrl")).mount(root);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    root.replaceChildren(element("p", { class: "message error" }, `The atlas could not be loaded: ${reason}`));
  }
}

void start(required("#atlas", HTMLElement));
