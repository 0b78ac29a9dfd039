"""What insertions do on real scans: vessels inside by kind, unevenness inside against real lesions, place.

Run: python -m bench.edits_on_real_scans --data FOLDER [--pictures FOLDER]
FOLDER holds scans in a layout of ml.scans.cases with livers that can be trusted. Every kind and size comes to the same
places, chosen by chance where a vessel crosses; real lesions (8 mm or more) of scans that have them stand beside.
"""

from collections import defaultdict

import numpy as np
from scipy import ndimage

from bench.real_scans import SMALLEST_MM, Asked, picture
from ml.editing import LesionSpec, insert_lesion
from ml.errors import EditError, command_line
from ml.evaluation.realism.appearance import (
    core_of,
    level_around,
    noise_ratio,
    rim_over_liver_hu,
    share_outside_parenchyma,
    vessel_share_kept,
    vessels_of,
    vessels_pushed_mm,
)
from ml.generator.files import load_generator

# Kinds with their contrast (HU against the liver); a cyst's is what makes it water.
CONTRASTS = {"hypodense": -45.0, "ring_enhancing": -40.0, "cystic": None}
CYST_HU, LOWEST_CONTRAST_HU = 10.0, -150.0
DIAMETERS_MM, PLACES = (10, 20, 30), 3
# A place has this share of vessels within the sphere of the lesion.
VESSEL_SHARES = (0.04, 0.3)


def places(case, vessels, diameter_mm, rng):
    """Voxels deep in the liver, away from drawn lesions, that vessels cross."""
    spacing = case.grid.spacing_zyx_mm
    deep = ndimage.distance_transform_edt(case.liver & (case.labels == 0), sampling=spacing)
    found = []
    for index in rng.permutation(np.flatnonzero(deep > 0.62 * diameter_mm))[:400]:
        centre = np.array(np.unravel_index(index, deep.shape))
        box = case.grid.box_around(centre, half_extent_zyx_mm=(diameter_mm / 2,) * 3)
        if VESSEL_SHARES[0] < vessels[box].mean() < VESSEL_SHARES[1]:
            found.append(centre)
        if len(found) == PLACES:
            break
    return found


def near(case, mask, margin_mm=14.0):
    """The box of a mask with some of what lies around."""
    margins = [int(np.ceil(margin_mm / s)) for s in case.grid.spacing_zyx_mm]
    (found,) = ndimage.find_objects(mask.astype(np.uint8))
    return tuple(
        slice(max(0, s.start - m), min(n, s.stop + m)) for s, m, n in zip(found, margins, mask.shape, strict=True)
    )


def signed_depth(inside, spacing):
    """Millimetres from the edge, positive inside."""
    inner = ndimage.distance_transform_edt(inside, sampling=spacing)
    return inner - ndimage.distance_transform_edt(~inside, sampling=spacing)


def measured(case, vessels, edited, mask):
    """One row: what was asked of a lesion (bool, the scan) that ``edited`` holds."""
    box = near(case, mask)
    spacing, inside, before, after = case.grid.spacing_zyx_mm, mask[box], case.hu[box], edited[box]
    core, level = core_of(inside, spacing), level_around(before, case.liver[box], inside, spacing)
    depth = signed_depth(inside, spacing)
    plain = case.liver[box] & ~ndimage.binary_dilation(vessels[box], iterations=2)
    zones = {"inside": depth > 3, "rim": np.abs(depth) < 3, "outside": (depth < -3) & (depth > -9)}
    noise = {f"noise_{name}": noise_ratio(before, after, zone & plain) for name, zone in zones.items()}
    outside = (before - ndimage.gaussian_filter(before.astype(np.float32), (0, 4, 4)))[zones["outside"] & plain].std()
    return noise | {
        "vessels_kept": vessel_share_kept(before, after, core, vessels[box]),
        "pushed_mm": vessels_pushed_mm(before, after, inside, vessels[box], spacing),
        "rim_noise": rim_over_liver_hu(after, inside, level, spacing) / float(outside),
        "sd_inside": float(after[core].std()),
        "mean_hu": float(after[core].mean()),
        "contrast": float(after[core].mean()) - level,
        "outside": share_outside_parenchyma(before, inside, level, spacing),
    }


def rows_of(case, generator, seed, pictures):
    """Edits of one scan by kind and diameter, and its own lesions as kind "real"."""
    rng = np.random.default_rng([seed, 5])
    vessels = vessels_of(case.hu, case.liver, case.level_hu, case.grid.spacing_zyx_mm)
    for diameter in DIAMETERS_MM:
        for number, centre in enumerate(places(case, vessels, diameter, rng)):
            for kind, contrast in CONTRASTS.items():
                asked = max(LOWEST_CONTRAST_HU, CYST_HU - case.level_hu) if contrast is None else contrast
                spec = LesionSpec(kind, diameter, asked, 10 * seed + number)
                where = case.grid.to_world(centre).tolist()
                try:
                    edit = insert_lesion(
                        case.hu, case.grid, liver_mask=case.liver, centre_lps_mm=where, spec=spec, generator=generator
                    )
                except EditError as error:
                    print(f"{case.name} {kind} {diameter} mm: refused: {error}")
                    continue
                edited = edit.apply(case.hu)
                mask = edit.paste_mask(case.hu.shape, what="lesion")
                if pictures:
                    picture(case, edited, centre, pictures / f"{case.name}_{diameter}_{number}_{kind}.png")
                yield kind, diameter, measured(case, vessels, edited, mask)
    for lesion in case.lesions:
        if lesion.diameter_mm >= SMALLEST_MM:
            yield "real", round(lesion.diameter_mm), measured(case, vessels, case.hu, case.labels == lesion.label)


def main():
    asked = Asked.of_command_line(__doc__, of_every="edit")
    generator = load_generator(device="cpu")
    table = defaultdict(list)
    for seed, case in enumerate(asked.cases()):
        for kind, diameter, row in rows_of(case, generator, seed, asked.pictures):
            told = " ".join(f"{k} {'-' if v is None else format(v, '.2f')}" for k, v in row.items())
            print(f"{case.name:<12}{kind:<16}{diameter:>3} mm  {told}", flush=True)
            table[kind].append(row)
    for kind, rows in table.items():
        print(f"{kind:<16} n {len(rows)}", end="")
        for key in rows[0]:
            values = [row[key] for row in rows if row[key] is not None]
            if values:
                low, middle, high = np.percentile(values, [25, 50, 75])
                print(f"  {key} {middle:.2f} ({low:.2f} to {high:.2f})", end="")
        print()


if __name__ == "__main__":
    command_line(main)
