"""What removals leave on real scans: mean contrast and ghosts of real lesions, beside those of plain liver.

Run: python -m bench.removals_on_real_scans --data FOLDER [--pictures FOLDER]
FOLDER holds scans in a layout of ml.scans.cases. Lesions of 8 mm or more are removed; each one's mask, moved to places
of plain liver in every scan, tells what the same measure finds where nothing was removed.
"""

import numpy as np
from scipy import ndimage

from bench.real_scans import SMALLEST_MM, Asked, picture
from ml.editing import remove_lesion
from ml.editing.cells import Cells
from ml.editing.ghosts import ghost_of
from ml.editing.neighbourhood import read_neighbourhood
from ml.errors import EditError, command_line
from ml.generator.files import load_generator
from ml.geometry import sphere_diameter_mm

HEALTHY_PLACES, TRIES = 12, 400
# A moved mask lies in the liver by this share at least.
IN_LIVER = 0.98
PARTS = ("ghost_noise", "ghost_disc_noise", "ghost_rim_noise", "ghost_speckle_noise")


def told(values):
    return " ".join(f"{name.removeprefix('ghost_')} {values[name]:+.2f}" for name in PARTS)


def removed(case, generator, pictures):
    """Rows of all lesions of a scan."""
    for lesion in case.lesions:
        if lesion.diameter_mm < SMALLEST_MM:
            continue
        mask = case.labels == lesion.label
        try:
            edit = remove_lesion(
                case.hu, case.grid, liver_mask=case.liver, lesion_mask=mask, generator=generator, seed=1
            )
        except EditError as error:
            print(f"{case.name} {lesion.diameter_mm:.0f} mm: refused: {error}", flush=True)
            continue
        if pictures:
            centre = np.argwhere(mask).mean(0)
            picture(case, edit.apply(case.hu), centre, pictures / f"{case.name}_removed_{lesion.label}.png")
        values = edit.measured
        print(
            f"{case.name} {lesion.diameter_mm:.0f} mm: left {values['contrast_hu']:+.1f} HU, "
            f"beyond the mask {edit.provenance['beyond_mask_mm']:g} mm, {told(values)}",
            flush=True,
        )
        yield mask


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


def plain(mask, case, places, rng):
    """The same measure where nothing was removed."""
    here = moved(mask, case, places, rng)
    if here is None:
        return None
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
    return ghost_of(cells, cells.hu, around.noise_hu).measured()


def main():
    asked = Asked.of_command_line(__doc__, of_every="removal")
    generator, rng = load_generator(device="cpu"), np.random.default_rng(3)
    for case in asked.cases():
        masks, places = list(removed(case, generator, asked.pictures)), deep_places(case)
        found = [row for m in masks for _ in range(HEALTHY_PLACES) if (row := plain(m, case, places, rng))]
        if found:
            for name in PARTS:
                values = np.abs([row[name] for row in found])
                middle, most = np.percentile(values, [50, 95])
                print(f"plain, n {len(values)}: {name} median {middle:.2f}, 95 % {most:.2f}")


if __name__ == "__main__":
    command_line(main)
