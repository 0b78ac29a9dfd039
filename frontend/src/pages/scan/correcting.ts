/** Correcting a mask by brush, and saving it. What was painted stays on the page until the server has it. */
import type { Corrected, ScanManifest } from "../../api/contract";
import { getJson, postLargeJson } from "../../api/http";
import { fillBetween } from "../../core/between";
import { brushedVoxels } from "../../core/brush";
import type { VoxelPoint } from "../../core/geometry";
import type { SendReply } from "../../core/outbox";
import { lengthsOf, Strokes } from "../../core/strokes";
import type { LoadingVolume } from "../../viewer";
import { button, element } from "../shared/dom";
import { loginLink } from "../shared/login";
import type { Shortcuts, ToolChoice } from "../shared/toolbar";
import type { BrushAction } from "./brush-bar";
import { BrushBar } from "./brush-bar";
import type { MaskEntry, ScanMask } from "./masks";
import { emptyMask } from "./masks";
import type { BrushMove, ScanViewer } from "./scan-viewer";

export interface Addresses {
  readonly manifest: string;
  readonly correct: string;
}

const STILL_HERE = "What you painted is still here.";
const FILL_HELP =
  "Nothing was filled. Draw on two slices of one view with others between them, then fill; what is saved counts no more.";
const NOTHING_BETWEEN =
  "Nothing was filled: it is filled already, or the shapes on the two slices do not lie over each other.";

export class Correcting {
  readonly bar: BrushBar;
  private strokes: Strokes | null = null;
  private last: VoxelPoint | null = null;
  private busy = false;
  private readonly stops: (() => void)[];

  constructor(
    private readonly viewer: ScanViewer,
    private readonly mask: ScanMask,
    private readonly addresses: Addresses,
    private readonly tools: ToolChoice,
    keys: Shortcuts,
    private readonly closed: () => void,
  ) {
    this.bar = new BrushBar(`Correct the ${mask.entry.kind}`, keys);
    this.stops = [
      this.bar.acted.listen((action) => {
        this.act(action);
      }),
      this.bar.changed.listen(() => {
        viewer.brushRadiusMm = this.bar.diameterMm / 2;
        tools.choose("brush");
        viewer.redrawOverlays();
      }),
      tools.changed.listen(() => {
        this.update();
      }),
      viewer.brushed.listen((move) => {
        this.paint(move);
      }),
    ];
    window.addEventListener("beforeunload", this.askBeforeLeaving);
    this.open();
  }

  private get unsaved(): boolean {
    return this.strokes !== null && this.strokes.turned().length > 0;
  }

  private readonly askBeforeLeaving = (event: BeforeUnloadEvent): void => {
    if (this.unsaved) event.preventDefault();
  };

  private open(): void {
    this.mask.filled = true;
    this.viewer.brushRadiusMm = this.bar.diameterMm / 2;
    this.tools.choose("brush");
    this.bar.say("Loading the mask …");
    void this.asStored().then(
      (volume) => {
        this.strokes = new Strokes(volume.voxels);
        this.bar.say();
        this.update();
      },
      (error: unknown) => {
        this.bar.say(`The mask can't be loaded. ${wordsOf(error)}`);
      },
    );
    this.update();
    this.viewer.redrawOverlays();
  }

  /** As it was shown, or where that has gone because somebody saved meanwhile, as it is now. */
  private async asStored(): Promise<LoadingVolume<Uint8Array>> {
    try {
      return await arrival(this.viewer.loadMask(this.mask));
    } catch {
      const [now, volume] = await this.asItIsNow();
      this.mask.take(now, volume);
      this.viewer.maskChanged(this.mask);
      return volume;
    }
  }

  private async asItIsNow(): Promise<[MaskEntry, LoadingVolume<Uint8Array>]> {
    const { entry } = this.mask;
    const manifest = await getJson<ScanManifest>(this.addresses.manifest);
    const now = manifest.masks.find(({ kind }) => kind === entry.kind) ?? emptyMask(entry.kind);
    return [now, await arrival(this.mask.fetch(now, 0))];
  }

  private paint({ stage, at, across }: BrushMove): void {
    const { strokes, bar } = this;
    if (strokes === null || this.busy) return;
    if (stage === "start") {
      strokes.begin({ axis: across, index: Math.round(at[across]) });
      this.last = at;
    }
    if (this.last === null) return;
    if (stage === "cancel") {
      this.last = null;
      strokes.takeBack();
      this.viewer.maskChanged(this.mask);
      return;
    }
    const brush = { radiusMm: bar.diameterMm / 2, across: bar.staysInSlice ? across : null };
    const value = bar.erases ? 0 : 1;
    brushedVoxels(this.viewer.grid, brush, this.last, at, (offset) => {
      strokes.write(offset, value);
    });
    this.last = stage === "end" ? null : at;
    if (stage === "end") {
      strokes.end();
      bar.say();
      this.update();
    }
    this.viewer.maskChanged(this.mask);
  }

  private act(action: BrushAction): void {
    if (this.busy) return;
    if (action === "save") void this.save();
    else if (action === "close") this.close();
    else if (action === "fill") this.fill();
    else {
      this.strokes?.[action]();
      this.bar.say();
      this.viewer.maskChanged(this.mask);
      this.update();
    }
  }

  private fill(): void {
    if (this.strokes === null) return;
    const { pairs, voxels } = fillBetween(this.viewer.grid, this.strokes);
    if (pairs === 0) this.bar.say(FILL_HELP);
    else if (voxels === 0) this.bar.say(NOTHING_BETWEEN);
    else this.bar.say(`Filled: ${voxels} voxels between the slices that you drew on.`);
    this.viewer.maskChanged(this.mask);
    this.update();
  }

  private async save(): Promise<void> {
    const { strokes, mask } = this;
    if (strokes === null) return;
    strokes.end();
    const lengths = lengthsOf(strokes.turned());
    if (lengths.length === 0) {
      this.bar.say("Nothing differs from the stored mask, so there is nothing to save.");
      return;
    }
    this.setBusy(true);
    this.bar.say("Saving …");
    const base = mask.entry.id === "" ? null : mask.entry.id;
    const reply = await postLargeJson(this.addresses.correct, { kind: mask.entry.kind, base, lengths });
    this.setBusy(false);
    if (reply.status === 200) this.saved(reply.body as Corrected, strokes);
    else this.bar.say(...this.wordsForRefusal(reply));
  }

  private saved(told: Corrected, strokes: Strokes): void {
    this.mask.entry = told.mask;
    this.strokes = new Strokes(strokes.voxels);
    this.update();
    this.bar.say(`Saved: ${told.voxels_added} voxels added, ${told.voxels_removed} removed.`);
    // The cards below tell of it.
    document.body.dispatchEvent(new CustomEvent("scan:mask-changed"));
  }

  private wordsForRefusal({ status, body, message }: SendReply): (Node | string)[] {
    if (status === 401)
      return [
        "Your login has expired, so nothing was saved. ",
        loginLink(),
        `, come back and save again. ${STILL_HERE}`,
      ];
    const code = typeof body === "object" && body !== null && "code" in body ? body.code : "";
    if (code !== "mask_changed") return [`${message} ${STILL_HERE}`];
    const put = button("Put my strokes onto it", { class: "tool" }, () => {
      void this.putOntoNow();
    });
    return [`${message} ${STILL_HERE} `, put];
  }

  /** Somebody has saved meanwhile: their version is fetched, and what was painted here comes on top, unsaved. */
  private async putOntoNow(): Promise<void> {
    const { strokes, mask } = this;
    if (strokes === null || this.busy) return;
    this.setBusy(true);
    this.bar.say("Fetching the mask as it is now …");
    try {
      const [now, volume] = await this.asItIsNow();
      this.strokes = strokes.onto(volume.voxels);
      mask.take(now, volume);
      this.viewer.maskChanged(mask);
      this.bar.say("Your strokes lie on the mask as it is now. Look at the result, and save it.");
    } catch (error) {
      this.bar.say(`${wordsOf(error)} ${STILL_HERE}`);
    }
    this.setBusy(false);
  }

  private close(): void {
    if (!this.unsaved) {
      this.leave();
      return;
    }
    const discard = button("Throw them away", { class: "tool" }, () => {
      while (this.strokes?.canUndo) this.strokes.undo();
      this.leave();
    });
    this.bar.say("Your strokes are not saved. ", discard);
  }

  private leave(): void {
    for (const stop of this.stops) stop();
    window.removeEventListener("beforeunload", this.askBeforeLeaving);
    this.mask.filled = false;
    this.viewer.maskChanged(this.mask);
    this.bar.element.remove();
    this.tools.choose("window");
    this.closed();
  }

  private setBusy(busy: boolean): void {
    this.busy = busy;
    this.update();
  }

  private update(): void {
    const { strokes, busy } = this;
    this.bar.allow("undo", !busy && strokes?.canUndo === true);
    this.bar.allow("redo", !busy && strokes?.canRedo === true);
    this.bar.allow("fill", !busy && strokes !== null);
    this.bar.allow("save", !busy && strokes !== null);
    this.bar.allow("close", !busy);
    this.bar.showTool(this.tools.tool === "brush");
  }
}

/** The whole volume as yes or no, or why it can't be had. Which lesion a voxel belongs to is the server's to say. */
async function arrival(volume: LoadingVolume<Uint8Array>): Promise<LoadingVolume<Uint8Array>> {
  if (!volume.complete) {
    await new Promise<void>((resolve, reject) => {
      volume.arrived.listen(() => {
        if (volume.complete) resolve();
      });
      volume.failed.listen(reject);
    });
  }
  const { voxels } = volume;
  for (let offset = 0; offset < voxels.length; offset += 1) if ((voxels[offset] ?? 0) > 1) voxels[offset] = 1;
  return volume;
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Buttons that open the brush: for the liver in any case, for the others where the scan has them; not for fixed ones. */
export function correctionButtons(
  viewer: ScanViewer,
  fixed: ReadonlySet<MaskEntry["kind"]>,
  addresses: Addresses,
  tools: ToolChoice,
  keys: Shortcuts,
  hooks: { shown(bar: HTMLElement): void; drawn(mask: ScanMask): void },
): HTMLElement {
  const group = element("div", { class: "viewer-group", role: "group", "aria-label": "Correct masks" });
  const setDisabled = (disabled: boolean): void => {
    for (const made of group.querySelectorAll("button")) made.disabled = disabled;
  };
  const maskOf = (kind: MaskEntry["kind"]): ScanMask | undefined =>
    viewer.masks.find(({ entry }) => entry.kind === kind);
  for (const [kind, name] of [
    ["liver", "the liver"],
    ["vessel", "the vessels"],
    ["lesion", "the lesions"],
  ] as const) {
    if ((kind !== "liver" && !maskOf(kind)) || fixed.has(kind)) continue;
    const made = button(`${maskOf(kind) ? "Correct" : "Draw"} ${name}`, { class: "tool" }, () => {
      setDisabled(true);
      const known = maskOf(kind);
      const mask = known ?? viewer.addMask(emptyMask(kind));
      if (!known) hooks.drawn(mask);
      const correcting = new Correcting(viewer, mask, addresses, tools, keys, () => {
        setDisabled(false);
        if (mask.entry.id !== "") made.textContent = `Correct ${name}`;
        made.focus();
      });
      hooks.shown(correcting.bar.element);
    });
    group.append(made);
  }
  return group;
}
