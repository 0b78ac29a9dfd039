/** The scan page: views, tools, masks, jumps from the lesion table and from the address. */
import "../styles/viewer.css";

import type { ScanManifest } from "../api/contract";
import { getJson } from "../api/http";
import { parseWorldPoint } from "../core/geometry";
import { correctionButtons } from "./scan/correcting";
import type { ScanMask } from "./scan/masks";
import { ScanViewer } from "./scan/scan-viewer";
import { button, dataset, element, keyButton, required } from "./shared/dom";
import { LoadingBar } from "./shared/loading";
import { maskSwitch, presetButtons, Shortcuts, ToolChoice } from "./shared/toolbar";

const MASK_NAMES: Record<string, string> = {
  liver: "Liver",
  lesion: "Lesions",
  vessel: "Vessels",
  changed: "Changed",
};

async function start(section: HTMLElement): Promise<void> {
  section.classList.add("viewer");
  const loading = new LoadingBar();
  section.replaceChildren(loading.element);
  let manifest: ScanManifest;
  try {
    manifest = await getJson<ScanManifest>(dataset(section, "manifestUrl"));
  } catch (error) {
    loading.fail(error instanceof Error ? error.message : String(error));
    return;
  }
  const keys = new Shortcuts();
  const tools = new ToolChoice(["window", "pan", "zoom", "length", "point"], keys);
  const area = element("div", { class: "viewer-planes" });
  const bar = element("div", { class: "viewer-bar", role: "toolbar", "aria-label": "Viewer" });
  section.replaceChildren(bar, area, loading.element);
  const viewer = new ScanViewer(section, area, manifest, () => tools.tool);
  tools.changed.listen((tool) => {
    area.dataset.tool = tool;
  });
  area.dataset.tool = tools.tool;
  bar.append(
    tools.element,
    presetButtons(manifest.window, keys, (window) => {
      viewer.setWindow(window);
    }),
    actionButtons(viewer, keys),
  );
  const switches = maskSwitches(viewer);
  bar.append(switches);
  offerCorrections(section, bar, viewer, tools, keys, (mask) => {
    switches.append(switchOf(viewer, mask));
  });
  loading.watch([viewer.volume]);
  followLesionTable(section, viewer);
  await viewer.start(parseWorldPoint(new URLSearchParams(window.location.search).get("at")));
}

function actionButtons(viewer: ScanViewer, keys: Shortcuts): HTMLElement {
  const reset = (): void => {
    viewer.reset();
  };
  const clear = (): void => {
    viewer.clearMeasurements();
  };
  keys.on("r", reset);
  keys.on("Delete", clear);
  return element(
    "div",
    { class: "viewer-group" },
    keyButton("Reset", "r", { class: "tool", title: "Fit the images and set the window back" }, reset),
    button("Clear lines", { class: "tool", title: "Remove all measured lines (Delete)" }, clear),
  );
}

function maskSwitches(viewer: ScanViewer): HTMLElement {
  const group = element("div", { class: "viewer-group", role: "group", "aria-label": "Outlines" });
  for (const mask of viewer.masks) group.append(switchOf(viewer, mask));
  return group;
}

function switchOf(viewer: ScanViewer, mask: ScanMask): HTMLElement {
  const { kind, made_by: madeBy } = mask.entry;
  const shownAtFirst = kind === "lesion";
  const made = maskSwitch(MASK_NAMES[kind] ?? kind, kind, shownAtFirst, (visible) => {
    viewer.showMask(mask, visible);
  });
  made.title = `Made by: ${madeBy}`;
  if (shownAtFirst) viewer.showMask(mask, true);
  return made;
}

/** For those who may: the page says where corrections go. */
function offerCorrections(
  section: HTMLElement,
  bar: HTMLElement,
  viewer: ScanViewer,
  tools: ToolChoice,
  keys: Shortcuts,
  drawn: (mask: ScanMask) => void,
): void {
  const { correctUrl, lesionsStand } = section.dataset;
  if (correctUrl === undefined) return;
  const addresses = { manifest: dataset(section, "manifestUrl"), correct: correctUrl };
  const shown = (brushBar: HTMLElement): void => {
    bar.after(brushBar);
  };
  const fixed = new Set(lesionsStand === undefined ? [] : (["lesion"] as const));
  bar.append(correctionButtons(viewer, fixed, addresses, tools, keys, { shown, drawn }));
}

/** Forms that ask for a lesion take the one that the table shows. */
function chooseInForms(lesion: string | undefined): void {
  for (const select of document.querySelectorAll<HTMLSelectElement>('select[name="lesion"]')) {
    const option = [...select.options].find(({ value }) => value === lesion);
    if (option) option.selected = true;
  }
}

/** Rows of the lesion table lead to their lesion, by mouse and by keyboard. */
function followLesionTable(section: HTMLElement, viewer: ScanViewer): void {
  const jump = (target: EventTarget | null): boolean => {
    const row = target instanceof Element ? target.closest<HTMLElement>("[data-lesion-centroid]") : null;
    const place = parseWorldPoint(row?.dataset.lesionCentroid);
    if (!row || !place || !viewer.jumpTo(place)) return false;
    for (const other of document.querySelectorAll("[data-lesion-centroid]")) {
      other.toggleAttribute("data-selected", other === row);
    }
    chooseInForms(row.dataset.lesion);
    section.scrollIntoView({ block: "nearest" });
    return true;
  };
  document.addEventListener("click", (event) => {
    // The row's link names the place for other pages; here the views move without loading the page again.
    const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey;
    if (!elsewhere && jump(event.target)) event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && jump(event.target)) event.preventDefault();
  });
  for (const row of document.querySelectorAll<HTMLElement>("[data-lesion-centroid]")) {
    if (!row.matches("a, button") && !row.querySelector("a, button")) row.tabIndex = 0;
  }
}

void start(required("#scan-viewer", HTMLElement));
