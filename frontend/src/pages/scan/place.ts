/** The place that was chosen in the scan, and everything on the page that wants to know it. */
import type { Grid, VoxelPoint, WorldPoint } from "../../core/geometry";
import { voxelToWorld } from "../../core/geometry";

export interface ChosenPlace {
  readonly voxel: VoxelPoint;
  readonly world: WorldPoint;
  readonly hu: number | null;
  readonly inLiver: boolean | null;
}

const AXES = ["x", "y", "z"] as const;
const rounded = (value: number): string => value.toFixed(1);

export function placeAt(grid: Grid, voxel: VoxelPoint, hu: number | null, inLiver: boolean | null): ChosenPlace {
  return { voxel, world: voxelToWorld(grid, voxel), hu, inLiver };
}

export function describePlace({ world, hu, inLiver }: ChosenPlace): string {
  const parts = [`${world.map(rounded).join(", ")} mm`];
  if (hu !== null) parts.push(`${hu} HU`);
  if (inLiver !== null) parts.push(inLiver ? "in the liver" : "outside the liver");
  return parts.join(" · ");
}

/** Fills every form field and text on the page that asks for the place, also those that arrive later. */
export class PlacePublisher {
  private place: ChosenPlace | null = null;

  constructor(private readonly section: HTMLElement) {
    document.body.addEventListener("htmx:afterSwap", () => {
      this.fill();
    });
  }

  publish(place: ChosenPlace): void {
    this.place = place;
    // A form that reacts to its fields hears about it; fields that only just arrived do not, or it would go round.
    for (const input of this.fill()) input.dispatchEvent(new Event("change", { bubbles: true }));
    this.section.dispatchEvent(
      new CustomEvent("viewer:point", {
        bubbles: true,
        detail: {
          world_lps_mm: [...place.world],
          voxel_zyx: [...place.voxel],
          hu: place.hu,
          in_liver: place.inLiver,
        },
      }),
    );
  }

  private fill(): HTMLInputElement[] {
    const { place } = this;
    if (place === null) return [];
    const inputs = AXES.flatMap((axis, index) =>
      [...document.querySelectorAll<HTMLInputElement>(`input[data-viewer-point="${axis}"]`)].map((input) => {
        input.value = rounded(place.world[index] ?? 0);
        return input;
      }),
    );
    for (const target of document.querySelectorAll('[data-viewer-point="text"]')) {
      target.textContent = describePlace(place);
    }
    return inputs;
  }
}
