/** Fetches what the next edit to review shows first, so that it is there at once: the browser keeps slices. */
import type { ScanManifest } from "../../api/contract";
import { manifestGrid, sliceUrl } from "../../api/contract";
import { getBytes, getJson } from "../../api/http";
import { centreVoxel, nearestVoxel, parseWorldPoint, worldToVoxel } from "../../core/geometry";
import { outwardFrom } from "../../core/order";

const SLICES_AHEAD = 9;

export async function fetchAhead(next: DOMStringMap): Promise<void> {
  const { nextBeforeUrl, nextAfterUrl, nextCentre } = next;
  if (!nextBeforeUrl || !nextAfterUrl) return;
  for (const url of [nextBeforeUrl, nextAfterUrl]) {
    const manifest = await getJson<ScanManifest>(url);
    const grid = manifestGrid(manifest);
    const centre = parseWorldPoint(nextCentre);
    const voxel = centre && nearestVoxel(grid, worldToVoxel(grid, centre));
    const around = outwardFrom((voxel ?? centreVoxel(grid))[0], grid.sizeZyx[0]);
    for (const index of around.slice(0, SLICES_AHEAD)) await getBytes(sliceUrl(manifest.slice_url, index));
  }
}
