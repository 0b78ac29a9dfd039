/** The review page: is this edit good enough to be shown to readers? */
import "../styles/viewer.css";

import type { ScanManifest } from "../api/contract";
import { getJson } from "../api/http";
import { parseWorldPoint } from "../core/geometry";
import type { Plane } from "../core/planes";
import { PLANES } from "../core/planes";
import { fetchAhead } from "./review/ahead";
import { decisionKeys } from "./review/decision";
import { ReviewViewer } from "./review/review-viewer";
import { dataset, element, keyButton, required } from "./shared/dom";
import { LoadingBar } from "./shared/loading";
import { maskSwitch, presetButtons, Shortcuts, ToolChoice } from "./shared/toolbar";

async function start(section: HTMLElement): Promise<void> {
  const keys = new Shortcuts();
  decisionKeys(keys);
  section.classList.add("viewer");
  const loading = new LoadingBar();
  section.replaceChildren(loading.element);
  try {
    const [before, after] = await Promise.all([
      getJson<ScanManifest>(dataset(section, "beforeUrl")),
      getJson<ScanManifest>(dataset(section, "afterUrl")),
    ]);
    await build(section, loading, keys, before, after);
  } catch (error) {
    loading.fail(error instanceof Error ? error.message : String(error));
  }
}

async function build(
  section: HTMLElement,
  loading: LoadingBar,
  keys: Shortcuts,
  before: ScanManifest,
  after: ScanManifest,
): Promise<void> {
  const tools = new ToolChoice(["window", "pan", "zoom"], keys);
  const row = element("div", { class: "viewer-row", "data-tool": tools.tool });
  tools.changed.listen((tool) => {
    row.dataset.tool = tool;
  });
  const bar = element("div", { class: "viewer-bar", role: "toolbar", "aria-label": "Viewer" });
  section.replaceChildren(bar, row, loading.element);
  const viewer = new ReviewViewer(row, before, after, parseWorldPoint(section.dataset.centre), () => tools.tool);
  bar.append(
    tools.element,
    planeButtons(viewer, keys),
    presetButtons(after.window, keys, (window) => {
      viewer.setWindow(window);
    }),
    compareButtons(viewer, keys),
  );
  loading.watch(viewer.volumes);
  for (const volume of viewer.volumes) {
    volume.arrived.listen(() => {
      // What is looked at now comes first; a failure here shows when the next page asks itself.
      if (viewer.volumes.every(({ complete }) => complete)) fetchAhead(section.dataset).catch(() => undefined);
    });
  }
  await viewer.showPlane("axial");
}

function planeButtons(viewer: ReviewViewer, keys: Shortcuts): HTMLElement {
  const group = element("div", { class: "viewer-group", role: "group", "aria-label": "Plane" });
  const buttons = new Map<Plane, HTMLButtonElement>();
  const choose = (plane: Plane): void => {
    for (const [name, made] of buttons) made.setAttribute("aria-pressed", String(name === plane));
    void viewer.showPlane(plane);
  };
  for (const plane of PLANES) {
    const key = plane.charAt(0);
    const name = key.toUpperCase() + plane.slice(1);
    const attributes = { class: "tool", "data-plane-choice": plane, "aria-pressed": String(plane === "axial") };
    const made = keyButton(name, key, attributes, () => {
      choose(plane);
    });
    keys.on(key, () => {
      choose(plane);
    });
    buttons.set(plane, made);
    group.append(made);
  }
  return group;
}

function compareButtons(viewer: ReviewViewer, keys: Shortcuts): HTMLElement {
  const group = element("div", { class: "viewer-group", role: "group", "aria-label": "Compare" });
  const flip = (): void => {
    viewer.flip();
    flipButton.setAttribute("aria-pressed", String(viewer.flipped));
  };
  const flipButton = keyButton(
    "Flip",
    "b",
    { class: "tool", "aria-pressed": "false", title: "Show before in the place of after" },
    flip,
  );
  keys.on("b", flip);
  const reset = (): void => {
    void viewer.reset();
  };
  keys.on("r", reset);
  group.append(flipButton, keyButton("Reset", "r", { class: "tool" }, reset));
  if (viewer.changedMask) {
    const changed = maskSwitch("Changed voxels", "changed", false, (visible) => {
      viewer.showChanged(visible);
    });
    changed.setAttribute("aria-keyshortcuts", "M");
    changed.append(" ", element("kbd", {}, "M"));
    keys.on("m", () => {
      changed.click();
    });
    group.append(changed);
  }
  return group;
}

void start(required("#review-viewer", HTMLElement));
