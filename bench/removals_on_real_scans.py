"""What removals leave on real scans: mean contrast and ghosts of lesions by size, beside those of plain liver.

Run: python -m bench.removals_on_real_scans --data FOLDER [--pictures FOLDER]
FOLDER holds scans in a layout of ml.scans.cases. Lesions of 8 mm or more are removed; each one's mask, moved to places
of plain liver of its scan, tells what the same measure finds where nothing was removed. Drawn lesions are few, so that
inserted ones are removed as well, and told apart; what was there before them stands beside.
"""

from collections import defaultdict

import numpy as np
from scipy import ndimage

from bench.real_scans import SMALLEST_MM, Asked, picture
from ml.editing import LesionSpec, insert_lesion, remove_lesion
from ml.editing.cells import Cells
from ml.editing.ghosts import ghost_of
from ml.editing.neighbourhood import read_neighbourhood
from ml.editing.spec import GHOST_SEEN
from ml.errors import EditError, command_line
from ml.generator.files import load_generator
from ml.geometry import sphere_diameter_mm

HEALTHY_PLACES, TRIES = 12, 400
# A moved mask lies in the liver by this share at least.
IN_LIVER = 0.98
# Small and large lesions are told apart here (mm); what is inserted, and at how many places of a scan.
LARGE_MM = 27
INSERTED_MM, INSERTED_PLACES, INSERTED_HU = (12, 20, 28, 40, 52), 3, -45.0
PARTS = ("ghost_noise", "ghost_disc_noise", "ghost_rim_noise", "ghost_speckle_noise")


def told(values):
    return " ".join(f"{name.removeprefix('ghost_')} {values[name]:+.2f}" for name in PARTS)


def removed(case, hu, mask, generator, *, name):
    """The scan without a lesion and what is left of it, or None where it is refused."""
    diameter = sphere_diameter_mm(float(mask.sum() * case.grid.voxel_volume_mm3))
    try:
        edit = remove_lesion(hu, case.grid, liver_mask=case.liver, lesion_mask=mask, generator=generator, seed=1)
    except EditError as error:
        print(f"{case.name} {name} {diameter:.0f} mm: refused: {error}", flush=True)
        return None
    values = edit.measured
    print(
        f"{case.name} {name} {diameter:.0f} mm: left {values['contrast_hu']:+.1f} HU, "
        f"beyond the mask {edit.provenance['beyond_mask_mm']:g} mm, {told(values)}",
        flush=True,
    )
    return edit.apply(hu), diameter, values


def drawn(case, generator, pictures):
    """Masks of a scan's own lesions with what their removals leave."""
    for lesion in case.lesions:
        mask = case.labels == lesion.label
        found = lesion.diameter_mm >= SMALLEST_MM and removed(case, case.hu, mask, generator, name="drawn")
        if found:
            without, *values = found
            if pictures:
                picture(case, without, np.argwhere(mask).mean(0), pictures / f"{case.name}_removed_{lesion.label}.png")
            yield mask, *values


def inserted(case, generator, places, rng):
    """What removals of inserted lesions leave, and what the same measure finds there before the insertion."""
    for diameter in INSERTED_MM:
        deep = places[rng.permutation(len(places))[:TRIES]]
        made = 0
        for number, centre in enumerate(deep):
            spec = LesionSpec("hypodense", diameter, INSERTED_HU, number)
            where = case.grid.to_world(centre).tolist()
            try:
                edit = insert_lesion(
                    case.hu, case.grid, liver_mask=case.liver, centre_lps_mm=where, spec=spec, generator=generator
                )
            except EditError:
                continue
            hu, mask = edit.apply(case.hu), edit.paste_mask(case.hu.shape, what="lesion")
            if found := removed(case, hu, mask, generator, name="inserted"):
                yield found[1:], untouched(case, mask)
            made += 1
            if made == INSERTED_PLACES:
                break


def deep_places(case):
    """Voxels of plain liver, 6 mm and more from lesions and from the surface."""
    free = case.liver & (case.labels == 0)
    return np.argwhere(ndimage.distance_transform_edt(free, sampling=case.grid.spacing_zyx_mm) > 6)


def moved(mask, case, places, rng):
    """A lesion's mask at a place of plain liver of a scan; None without one."""
    free = case.liver & (case.labels == 0)
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    offsets = np.argwhere(mask[box])
    offsets -= np.rint(offsets.mean(0)).astype(int)
    for centre in places[rng.integers(len(places), size=TRIES)]:
        points = offsets + centre
        if (points < 0).any() or (points >= free.shape).any() or free[tuple(points.T)].mean() < IN_LIVER:
            continue
        here = np.zeros(free.shape, bool)
        here[tuple(points.T)] = True
        return here & case.liver
    return None


def untouched(case, here):
    """Diameter and measure of a mask where nothing was removed."""
    diameter = sphere_diameter_mm(float(here.sum() * case.grid.voxel_volume_mm3))
    around = read_neighbourhood(
        case.hu,
        case.grid,
        liver_mask=case.liver & ~((case.labels > 0) & ~here),
        centre_zyx=np.argwhere(here).mean(0),
        half_extent_mm=diameter + 14,
        level_hu=case.level_hu,
    )
    cells = Cells.of(around, here[around.box])
    return diameter, ghost_of(cells, cells.hu, around.noise_hu).measured()


def by_size(kind, rows):
    """Absolute parts of small and of large lesions: median, largest, and how many a reviewer is warned of."""
    for name, few in (
        (f"below {LARGE_MM} mm", [v for d, v in rows if round(d) < LARGE_MM]),
        (f"{LARGE_MM} mm or more", [v for d, v in rows if round(d) >= LARGE_MM]),
    ):
        said = f"{kind}, {name}, n {len(few)}:"
        for part, seen in GHOST_SEEN.items():
            values = np.abs([v[part] for v in few]) if few else np.array([np.nan])
            said += f" {part} {np.median(values):.2f} (at most {values.max():.2f}; {(values > seen).sum()} warned)"
        print(said, flush=True)


def main():
    asked = Asked.of_command_line(__doc__, of_every="removal")
    generator, rng = load_generator(device="cpu"), np.random.default_rng(3)
    table = defaultdict(list)
    for case in asked.cases():
        own, places = list(drawn(case, generator, asked.pictures)), deep_places(case)
        table["drawn"] += [row for _, *row in own]
        for left, before in inserted(case, generator, places, rng):
            table["inserted"].append(left)
            table["before the insertion"].append(before)
        masks = (moved(m, case, places, rng) for m, *_ in own for _ in range(HEALTHY_PLACES))
        table["plain"] += [untouched(case, here) for here in masks if here is not None]
    for kind, rows in table.items():
        by_size(kind, rows)
    found = [values for _, values in table["plain"]]
    for name in PARTS if found else ():
        values = np.abs([row[name] for row in found])
        middle, most = np.percentile(values, [50, 95])
        print(f"plain, n {len(values)}: {name} median {middle:.2f}, 95 % {most:.2f}")


if __name__ == "__main__":
    command_line(main)
