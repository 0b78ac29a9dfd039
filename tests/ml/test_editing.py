import json
import platform
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from ml.editing import LESION_KINDS, EditResult, LesionSpec, insert_lesion, remove_lesion
from ml.editing.frame import LesionFrame, grow, pool, pooling
from ml.editing.profiles import estimate_profile, profile_covariance
from ml.errors import EditError, LesionDoesNotFitError, NothingToRemoveError, PointOutsideLiverError, SpecError
from ml.generator.shapes import PROFILE_DEPTHS_MM, lookup
from ml.geometry import Grid
from ml.scans.lesions import lesion_table

SPECS = [
    LesionSpec("hypodense", 9, -35, 1),
    LesionSpec("hypodense", 26, -45, 2),
    LesionSpec("cystic", 14, -80, 3),
    LesionSpec("ring_enhancing", 22, -20, 4),
]


@pytest.fixture(scope="module")
def insert(phantom, demo_generator, deep_voxel):
    """Insert a lesion into the lesion-free twin, at the deepest place unless told."""

    def run(spec, *, centre=None, **other) -> EditResult:
        arguments = {
            "liver_mask": phantom.liver,
            "centre_lps_mm": phantom.grid.to_world(deep_voxel if centre is None else centre),
            "generator": demo_generator,
            **other,
        }
        return insert_lesion(phantom.lesion_free_hu, phantom.grid, spec=spec, **arguments)

    return run


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.kind}-{s.diameter_mm:g}")
def test_what_is_asked_for_is_what_is_measured(insert, phantom, deep_voxel, spec):
    result = insert(spec)
    edited = result.apply(phantom.lesion_free_hu)
    mask = result.paste_mask(edited.shape, what="lesion")
    (lesion,) = lesion_table(edited, phantom.grid, lesion_mask=mask, liver_mask=phantom.liver)
    assert lesion.diameter_mm == pytest.approx(spec.diameter_mm, rel=0.1)
    assert result.measured["contrast_hu"] == pytest.approx(spec.contrast_hu, abs=5)
    assert np.abs(phantom.grid.to_voxel(lesion.centroid_lps_mm) - deep_voxel).max() < 1
    assert result.measured["diameter_mm"] == pytest.approx(lesion.diameter_mm)
    assert result.measured["mean_contrast_hu"] == pytest.approx(lesion.contrast_to_liver_hu, abs=3)
    if spec.kind != "ring_enhancing":
        assert lesion.contrast_to_liver_hu == pytest.approx(spec.contrast_hu, abs=5)


def test_a_rings_core_is_as_dark_as_asked_and_its_rim_is_not(insert, phantom):
    spec = LesionSpec("ring_enhancing", 24, -50, 6)
    result = insert(spec)
    change = result.edited.astype(float) - phantom.lesion_free_hu[result.box]
    depth = ndimage.distance_transform_edt(np.pad(result.lesion_mask, 1), sampling=phantom.grid.spacing_zyx_mm)
    depth = depth[1:-1, 1:-1, 1:-1]
    assert -100 < change[depth > 0.7 * depth.max()].mean() < -35
    assert change[(depth > 0) & (depth < 2)].mean() > -15
    assert result.edited[result.lesion_mask].min() > -60  # nothing like fat or gas


def test_the_lesion_is_really_in_the_pixels(insert, phantom):
    """Half-contrast segmentation of the noise-free change gives the asked size: the mask is no mere claim."""
    spec = LesionSpec("hypodense", 20, -50, 7)
    result = insert(spec)
    change = result.edited.astype(float) - phantom.lesion_free_hu[result.box]
    core = np.median(change[ndimage.binary_erosion(result.lesion_mask, iterations=2)])
    visible = (change < core / 2).sum() * phantom.grid.voxel_volume_mm3
    assert np.cbrt(6 * visible / np.pi) == pytest.approx(20, rel=0.15)


def test_untouched_means_untouched(insert, phantom):
    source = phantom.lesion_free_hu
    before = source.copy()
    result = insert(SPECS[1])
    edited = result.apply(source)
    assert np.array_equal(source, before)
    outside = np.ones(source.shape, bool)
    outside[result.box] = False
    assert np.array_equal(edited[outside], source[outside])
    assert np.array_equal(edited != source, result.paste_mask(source.shape, what="changed"))
    assert not (edited != source)[~phantom.liver].any()


def test_the_same_seed_gives_the_same_voxels_and_another_seed_another_shape(insert):
    spec = SPECS[1]
    first, again, other = insert(spec), insert(spec), insert(replace(spec, seed=99))
    assert first.box == again.box
    assert np.array_equal(first.edited, again.edited)
    assert first.box != other.box or not np.array_equal(first.lesion_mask, other.lesion_mask)


def test_a_sub_volume_gives_the_same_edit(insert, phantom, demo_generator, deep_voxel):
    """Only the neighbourhood is read: a crop with its own grid leads to the same voxels."""
    spec = LesionSpec("hypodense", 12, -40, 5)
    whole = insert(spec)
    half = [round((45 + spec.diameter_mm) / s) for s in phantom.grid.spacing_zyx_mm]
    box = tuple(
        slice(max(0, int(c) - h), min(n, int(c) + h))
        for c, h, n in zip(deep_voxel, half, phantom.hu.shape, strict=True)
    )
    part = insert_lesion(
        phantom.lesion_free_hu[box],
        phantom.grid.crop(box),
        liver_mask=phantom.liver[box],
        centre_lps_mm=phantom.grid.to_world(deep_voxel),
        spec=spec,
        generator=demo_generator,
    )
    shifted = tuple(slice(s.start + b.start, s.stop + b.start) for s, b in zip(part.box, box, strict=True))
    assert shifted == whole.box
    assert np.abs(part.edited.astype(int) - whole.edited).max() <= 1


def test_a_sub_volume_gives_the_same_removal(phantom, demo_generator):
    """A crop that leaves 60 mm around the lesion leads to the same voxels: vessels come from within it."""
    mask = phantom.labels == phantom.lesions[-1].label
    low, high = (f(np.argwhere(mask), axis=0) for f in (np.min, np.max))
    reach = (high - low) / 2 * np.asarray(phantom.grid.spacing_zyx_mm) + 60
    box = phantom.grid.box_around((low + high) / 2, half_extent_zyx_mm=reach)
    assert phantom.hu[box].size < 0.6 * phantom.hu.size
    shared = {"generator": demo_generator, "seed": 3}
    whole = remove_lesion(phantom.hu, phantom.grid, liver_mask=phantom.liver, lesion_mask=mask, **shared)
    part = remove_lesion(
        phantom.hu[box], phantom.grid.crop(box), liver_mask=phantom.liver[box], lesion_mask=mask[box], **shared
    )
    shifted = tuple(slice(s.start + b.start, s.stop + b.start) for s, b in zip(part.box, box, strict=True))
    assert shifted == whole.box
    assert np.abs(part.edited.astype(int) - whole.edited).max() <= 1


def test_a_lesion_is_round_in_every_direction_and_irregular(insert, phantom):
    result = insert(LesionSpec("hypodense", 24, -45, 11))
    extent = np.array([s.stop - s.start for s in ndimage.find_objects(result.lesion_mask.astype(int))[0]])
    lengths = extent * phantom.grid.spacing_zyx_mm
    assert lengths.max() / lengths.min() < 2.2
    areas = result.lesion_mask.sum((1, 2))
    areas = areas[areas > 0]
    assert areas[0] < 0.75 * areas.max()
    assert areas[-1] < 0.75 * areas.max()


@pytest.mark.parametrize(("diameter_mm", "seed"), [(10, 9), (16, 1), (16, 2), (16, 3)])
def test_no_seed_makes_a_slab(insert, phantom, diameter_mm, seed):
    """These seeds once chose exemplars that decode to slabs: right in volume, nothing like a lesion."""
    result = insert(LesionSpec("hypodense", diameter_mm, -40, seed))
    assert result.measured["axial_diameter_mm"] < 1.7 * diameter_mm
    change = result.edited.astype(float) - phantom.lesion_free_hu[result.box]
    assert (change < -20).sum() < 2 * result.lesion_mask.sum()


def test_kinds_look_different(insert, phantom):
    profiles = {}
    for kind in LESION_KINDS:
        result = insert(LesionSpec(kind, 22, -30, 3))
        change = result.edited.astype(float) - phantom.lesion_free_hu[result.box]
        depth = ndimage.distance_transform_edt(result.lesion_mask, sampling=phantom.grid.spacing_zyx_mm)
        profiles[kind] = (change[depth > 6].mean(), change[(depth > 0) & (depth < 3)].mean())
    core, rim = profiles["ring_enhancing"]
    assert rim - core > 15
    assert rim > profiles["hypodense"][1] + 5
    assert core < -20


def test_the_scans_noise_stays(insert, phantom):
    """No ring of weak noise where the lesion meets the liver, none in the core, and none brought in."""
    result = insert(LesionSpec("hypodense", 24, -45, 2))
    source = phantom.lesion_free_hu[result.box].astype(float)

    def rough(values):
        return values - ndimage.gaussian_filter(values, (0, 1.5, 1.5))

    depth = ndimage.distance_transform_edt(result.lesion_mask, sampling=phantom.grid.spacing_zyx_mm)
    outside = ndimage.distance_transform_edt(~result.lesion_mask, sampling=phantom.grid.spacing_zyx_mm)
    plain = ~phantom.vessels[result.box] & phantom.liver[result.box]
    rim, core = (outside < 4) & (depth < 2) & plain, (depth > 4) & plain
    edited = result.edited.astype(float)
    assert rough(edited)[rim].std() > 0.95 * rough(source)[rim].std()
    assert rough(edited)[core].std() == pytest.approx(rough(source)[core].std(), rel=0.05)


def test_points_outside_the_liver_are_refused_with_the_distance(insert, phantom):
    inside = np.argwhere(phantom.liver)
    first = inside[np.argmin(inside[:, 2])].astype(float)
    place = first - (0, 0, 14 / phantom.grid.spacing_zyx_mm[2])
    with pytest.raises(PointOutsideLiverError, match=r"14 mm outside the liver; click inside it"):
        insert(SPECS[0], centre=place)
    with pytest.raises(PointOutsideLiverError, match="outside"):
        insert(SPECS[0], centre=(3, 2, 180))
    with pytest.raises(PointOutsideLiverError):
        insert(SPECS[0], centre=(-400, 2, 2))


def test_a_lesion_that_does_not_fit_is_refused(insert, phantom):
    sliver = np.zeros_like(phantom.liver)
    middle = np.argwhere(phantom.liver).mean(0).astype(int)
    block = tuple(slice(m - h, m + h) for m, h in zip(middle, (4, 10, 10), strict=True))
    sliver[block] = True
    with pytest.raises(EditError, match=r"(fit|little liver)"):
        insert(LesionSpec("hypodense", 50, -40, 1), centre=middle, liver_mask=sliver)


@pytest.mark.parametrize("diameter_mm", [5, 6, 8, 10])
def test_a_speck_of_liver_has_no_room(demo_generator, diameter_mm):
    """A single voxel of a ragged mask may lie between the points of the lattice that places are looked for on."""
    grid, rng = Grid((40, 120, 120), (1.0, 0.8, 0.8)), np.random.default_rng(0)
    source = (105 + 10 * rng.standard_normal(grid.size_zyx)).astype(np.int16)
    liver, speck = np.zeros(grid.size_zyx, bool), (20, 60, 75)
    liver[:, :, :55] = liver[speck] = True
    with pytest.raises(LesionDoesNotFitError):
        insert_lesion(
            source,
            grid,
            liver_mask=liver,
            centre_lps_mm=grid.to_world(speck),
            spec=LesionSpec("hypodense", diameter_mm, -40, 1),
            generator=demo_generator,
        )


@pytest.mark.parametrize(
    "values",
    [
        ("solid", 10, -40, 1),
        ("cystic", 2, -40, 1),
        ("cystic", 10, 5, 1),
        ("cystic", float("nan"), -40, 1),
        ("cystic", 10, -40, -1),
    ],
)
def test_impossible_specs_are_refused(values):
    with pytest.raises(SpecError):
        LesionSpec(*values)


def test_masks_of_another_size_are_refused(insert, phantom, demo_generator):
    with pytest.raises(EditError):
        remove_lesion(
            phantom.hu,
            phantom.grid,
            liver_mask=phantom.liver,
            lesion_mask=phantom.liver[1:],
            generator=demo_generator,
            seed=1,
        )


def test_an_empty_lesion_mask_is_refused(phantom, demo_generator):
    with pytest.raises(NothingToRemoveError):
        remove_lesion(
            phantom.hu,
            phantom.grid,
            liver_mask=phantom.liver,
            lesion_mask=np.zeros_like(phantom.liver),
            generator=demo_generator,
            seed=1,
        )


def test_removal_comes_near_the_lesion_free_twin(phantom, demo_generator):
    before, after = [], []
    for lesion in phantom.lesions:
        mask = phantom.labels == lesion.label
        if mask.sum() < 40:
            continue
        result = remove_lesion(
            phantom.hu, phantom.grid, liver_mask=phantom.liver, lesion_mask=mask, generator=demo_generator, seed=1
        )
        edited, plain = result.apply(phantom.hu), mask & ~phantom.vessels
        assert not (edited != phantom.hu)[~phantom.liver].any()
        before.append(np.abs(phantom.hu - phantom.lesion_free_hu.astype(float))[plain].mean())
        after.append(np.abs(edited - phantom.lesion_free_hu.astype(float))[plain].mean())
        assert abs(result.measured["contrast_hu"]) < 8
    assert len(after) >= 2
    assert np.mean(after) < 12
    assert np.mean(after) < 0.35 * np.mean(before)


def test_removing_an_inserted_lesion_restores_the_scan(insert, phantom, demo_generator):
    source = phantom.lesion_free_hu
    inserted = insert(LesionSpec("hypodense", 18, -45, 4))
    mask = inserted.paste_mask(source.shape, what="lesion")
    removed = remove_lesion(
        inserted.apply(source),
        phantom.grid,
        liver_mask=phantom.liver,
        lesion_mask=mask,
        generator=demo_generator,
        seed=2,
    )
    restored = removed.apply(inserted.apply(source))
    noise = (phantom.hu - phantom.clean_hu)[ndimage.binary_erosion(phantom.liver, iterations=3)].std()
    error = restored[inserted.box].astype(float) - source[inserted.box]
    assert np.sqrt((error**2).mean()) < 0.4 * noise


def restored_after(insert, phantom, generator, spec, centre=None):
    """remove(insert(x)) and the mask between, with nothing but scan and mask handed over."""
    source = phantom.lesion_free_hu
    inserted = insert(spec, centre=centre)
    edited, mask = inserted.apply(source), inserted.paste_mask(source.shape, what="lesion")
    removed = remove_lesion(
        edited, phantom.grid, liver_mask=phantom.liver, lesion_mask=mask, generator=generator, seed=2
    )
    return edited, removed.apply(edited), mask


def test_the_cycle_comes_near_the_scan_within_the_changed_voxels(insert, phantom, demo_generator):
    """Half of the noise at most, voxel by voxel, and hardly a level left; the deepest place holds no large vessel."""
    source = phantom.lesion_free_hu
    noise = (phantom.hu - phantom.clean_hu)[ndimage.binary_erosion(phantom.liver, iterations=3)].std()
    errors, levels = [], []
    for seed in (4, 5, 6):
        edited, restored, mask = restored_after(insert, phantom, demo_generator, LesionSpec("hypodense", 18, -45, seed))
        error = restored.astype(float) - source
        errors.append(np.sqrt((error[(restored != source) | (edited != source)] ** 2).mean()) / noise)
        levels.append(abs(error[mask].mean()) / noise)
    assert np.mean(errors) < 0.45
    assert np.mean(levels) < 0.6


@pytest.fixture(scope="module")
def crossed():
    """A noisy liver with a vessel of 5 mm through it, 45 HU brighter: the scan, its grid, the vessel and its middle."""
    grid, noise = Grid((24, 96, 96), (2.0, 1.2, 1.2)), np.random.default_rng(3)
    texture = ndimage.gaussian_filter(noise.standard_normal(grid.size_zyx), (0, 0.8, 0.8))
    source = (105 + 8 * texture / texture.std()).astype(np.int16)
    z, y = (np.arange(n) - n // 2 for n in grid.size_zyx[:2])
    tube = np.broadcast_to((2.0 * z[:, None, None]) ** 2 + (1.2 * y[:, None]) ** 2 < 2.5**2, grid.size_zyx)
    source[tube] += 45
    return source, grid, tube


def kept_of_a_vessel(crossed, generator, spec):
    """Insert over the vessel, and then remove; contrast of the vessel inside the lesion before and after either."""
    source, grid, tube = crossed
    shared = {"liver_mask": np.ones(grid.size_zyx, bool), "generator": generator}
    middle = grid.to_world([n // 2 for n in grid.size_zyx])
    inserted = insert_lesion(source, grid, centre_lps_mm=middle, spec=spec, **shared)
    edited, mask = inserted.apply(source), inserted.paste_mask(source.shape, what="lesion")
    restored = remove_lesion(edited, grid, lesion_mask=mask, seed=1, **shared).apply(edited)
    core = ndimage.binary_erosion(mask, iterations=2)
    # Beside the vessel, beyond its blur.
    beside = ndimage.binary_dilation(tube, iterations=4) & ~ndimage.binary_dilation(tube, iterations=2)
    return [float(v[core & tube].mean() - v[core & beside].mean()) for v in (source, edited, restored)]


@pytest.mark.parametrize(
    ("kind", "contrast", "most"), [("cystic", -90, 0.15), ("hypodense", -45, 0.5), ("ring_enhancing", -40, 0.45)]
)
def test_no_vessel_runs_through_a_cyst_and_half_of_it_at_most_through_a_solid_lesion(
    crossed, demo_generator, kind, contrast, most
):
    for seed in (3, 4):
        before, inside, _ = kept_of_a_vessel(crossed, demo_generator, LesionSpec(kind, 24, contrast, seed))
        assert -0.15 * before < inside < most * before, seed


def test_a_removal_makes_no_vessel_darker_than_the_lesion_left_it(crossed, demo_generator):
    """What the lesion took of a vessel is not known from the scan; what it left stays."""
    for seed in (3, 4):
        before, faded, after = kept_of_a_vessel(crossed, demo_generator, LesionSpec("hypodense", 24, -45, seed))
        assert faded - 0.15 * before < after < 1.1 * before, seed


@pytest.mark.parametrize(("pixel_mm", "small", "large"), [(0.75, 2, 3), (0.8, 2, 3), (0.85, 2, 2), (1.25, 1, 1)])
def test_cells_are_as_many_voxels_as_fit_their_largest_size(pixel_mm, small, large):
    spacing = (2.5, pixel_mm, pixel_mm)
    assert pooling(spacing, 22) == (1, small, small)
    assert pooling(spacing, 40) == (1, large, large)


@pytest.mark.parametrize("diameter_mm", [22, 40])
def test_fine_voxels_give_what_was_asked_for(demo_generator, diameter_mm):
    """Below 0.85 mm the smooth fields are computed in cells of several voxels, of more for large lesions."""
    grid = Grid((56, 150, 150), (1.5, 0.75, 0.75))
    texture = ndimage.gaussian_filter(np.random.default_rng(5).standard_normal(grid.size_zyx), (0, 1.2, 1.2))
    source = (105 + 10 * texture / texture.std()).astype(np.int16)
    liver, middle = np.ones(grid.size_zyx, bool), [n // 2 for n in grid.size_zyx]
    spec = LesionSpec("hypodense", diameter_mm, -45, 7)
    result = insert_lesion(
        source, grid, liver_mask=liver, centre_lps_mm=grid.to_world(middle), spec=spec, generator=demo_generator
    )
    edited, mask = result.apply(source), result.paste_mask(source.shape, what="lesion")
    (lesion,) = lesion_table(edited, grid, lesion_mask=mask, liver_mask=liver)
    assert lesion.diameter_mm == pytest.approx(diameter_mm, rel=0.02)
    assert lesion.contrast_to_liver_hu == pytest.approx(-45, abs=2)
    assert np.abs(grid.to_voxel(lesion.centroid_lps_mm) - middle).max() < 1
    change = edited.astype(float) - source
    # No steps from the cells: the change bends no more than a lesion's edge does.
    assert np.abs(np.diff(change, 2, axis=2)).max() < 15
    removed = remove_lesion(edited, grid, liver_mask=liver, lesion_mask=mask, generator=demo_generator, seed=1)
    error = removed.apply(edited).astype(float) - source
    assert np.sqrt((error[mask] ** 2).mean()) < 4


def test_a_cyst_is_never_darker_than_water(insert, phantom):
    """The mean is as asked, and the core stays at water: -90 HU on average once took a core to -20 HU."""
    result = insert(LesionSpec("cystic", 12, -90, 3))
    assert result.measured["contrast_hu"] == pytest.approx(-90, abs=2)
    depth = ndimage.distance_transform_edt(np.pad(result.lesion_mask, 1), sampling=phantom.grid.spacing_zyx_mm)
    core = depth[1:-1, 1:-1, 1:-1] > 0.6 * depth.max()
    assert result.edited[core].mean() > -10
    with pytest.raises(EditError, match="darker than water"):
        insert(LesionSpec("cystic", 12, -145, 3))


def test_a_mask_has_the_same_depths_in_every_crop():
    """Insertion and removal must agree about a lesion's depths, wherever their crops begin."""
    z, y, x = np.ogrid[:40, :90, :90]
    mask = ((z - 20) / 8.0) ** 2 + ((y - 44) / 15.0) ** 2 + ((x - 47) / 11.0) ** 2 < 1
    spacing = (1.4, 0.7, 0.7)
    whole = LesionFrame.of(mask, spacing)
    part = LesionFrame.of(mask[1:, 3:, 2:], spacing)
    assert [s.start - c for s, c in zip(whole.box, (1, 3, 2), strict=True)] == [s.start for s in part.box]
    assert np.array_equal(whole.depth, part.depth)
    inside = whole.spread(whole.depth) > 0
    assert (inside != mask[whole.near_box]).sum() < 0.06 * mask.sum()


def test_cells_hold_means_and_grow_back():
    ramp = np.add.outer(np.add.outer(np.arange(9.0), 2 * np.arange(12.0)), 3 * np.arange(10.0)).astype(np.float32)
    cells = pool(ramp, (1, 2, 2))
    assert cells[3, 2, 1] == pytest.approx(ramp[3, 4:6, 2:4].mean())
    back = grow(cells, (1, 2, 2), ramp.shape)
    assert np.abs(back - ramp)[:, 1:-1, 1:-1].max() < 1e-3
    assert pool(np.ones((4, 7, 7), bool), (2, 3, 3)) == pytest.approx(1)


def test_a_profile_is_found_under_noise_and_vessels_do_not_invent_one(demo_generator):
    profiles = demo_generator.bank.profiles_hu
    covariance = profile_covariance(profiles)
    rng = np.random.default_rng(0)
    z, y, x = np.ogrid[:40, :40, :40]
    depth = (9 - np.sqrt((z - 20.0) ** 2 + (y - 20.0) ** 2 + (x - 20.0) ** 2)).astype(np.float32)
    noise = rng.normal(0, 10, depth.shape).astype(np.float32)
    weight = (depth > -6).astype(np.float32)
    known = {"covariance": covariance, "noise_hu": 10.0, "pixel_mm2": 1.0}
    found = estimate_profile(lookup(profiles[0], depth) + noise, depth, weight, **known)
    inner = PROFILE_DEPTHS_MM < 9
    assert np.abs(found - profiles[0])[inner].max() < 4
    assert np.abs(estimate_profile(noise, depth, weight, **known))[inner].max() < 2
    # A level under lesion and surroundings alike is no lesion.
    assert np.abs(estimate_profile(noise + 5, depth, weight, **known))[inner].max() < 3.5


def test_progress_runs_to_the_end_and_can_cancel(insert):
    seen = []
    insert(SPECS[0], on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    class StopError(Exception):
        pass

    def stop(_fraction):
        raise StopError

    with pytest.raises(StopError):
        insert(SPECS[0], on_progress=stop)


def test_an_oblique_grid_edits_the_same_voxels(phantom, demo_generator, deep_voxel):
    turn = np.linalg.qr(np.array([[0.9, 0.3, -0.1], [-0.2, 0.95, 0.2], [0.15, -0.1, 1.0]]))[0]
    grid = Grid(phantom.grid.size_zyx, phantom.grid.spacing_zyx_mm, (11.0, -3.0, 250.0), tuple(turn.ravel()))
    results = [
        insert_lesion(
            phantom.lesion_free_hu,
            g,
            liver_mask=phantom.liver,
            centre_lps_mm=g.to_world(deep_voxel),
            spec=LesionSpec("cystic", 12, -70, 8),
            generator=demo_generator,
        )
        for g in (phantom.grid, grid)
    ]
    assert results[0].box == results[1].box
    assert np.abs(results[0].edited.astype(int) - results[1].edited).max() <= 1


@pytest.mark.processes
def test_another_process_gives_the_same_voxels(tmp_path):
    code = """
import hashlib, sys, torch
torch.set_num_threads(int(sys.argv[1]))
from ml.generator.files import load_generator
from ml.editing import LesionSpec, insert_lesion, remove_lesion
from ml.phantom import PhantomConfig, make_phantom
import numpy as np
p = make_phantom(6, PhantomConfig(size_zyx=(16, 128, 128), phase="portal", lesion_count=0))
from scipy import ndimage
d = ndimage.distance_transform_edt(p.liver, sampling=p.grid.spacing_zyx_mm)
d[:5] = d[-5:] = 0
c = np.unravel_index(d.argmax(), d.shape)
r = insert_lesion(p.hu, p.grid, liver_mask=p.liver, centre_lps_mm=p.grid.to_world(c),
                  spec=LesionSpec("hypodense", 12, -40, 3), generator=load_generator(device="cpu"))
e = r.apply(p.hu)
q = remove_lesion(e, p.grid, liver_mask=p.liver, lesion_mask=r.paste_mask(e.shape, what="lesion"),
                  generator=load_generator(device="cpu"), seed=1)
print(hashlib.sha256(e.tobytes() + q.apply(e).tobytes()).hexdigest())
"""
    digests = {
        subprocess.run([sys.executable, "-c", code, str(threads)], capture_output=True, text=True, check=True).stdout
        for threads in (1, 2)
    }
    assert len(digests) == 1


def test_provenance_is_json_and_names_the_generator(insert, demo_generator):
    provenance = json.loads(json.dumps(insert(SPECS[0]).provenance))
    assert provenance["generator_sha256"] == demo_generator.digest
    assert provenance["spec"]["seed"] == 1


def test_provenance_names_precision_and_processor(insert):
    import torch

    provenance = insert(SPECS[0]).provenance
    assert provenance["precision"] == "float32"
    assert provenance["processor"] in {torch.backends.cpu.get_cpu_capability(), platform.machine()}
    assert provenance["processor"] != "DEFAULT"


@pytest.mark.parametrize("seed", range(8))
def test_a_small_lesion_is_one_piece_whatever_its_exemplar(insert, seed):
    result = insert(LesionSpec("hypodense", 9, -35, seed))
    assert ndimage.label(result.lesion_mask, structure=np.ones((3, 3, 3)))[1] == 1
    assert result.measured["diameter_mm"] == pytest.approx(9, rel=0.05)
