import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from ml.editing import EDITOR_VERSION
from ml.errors import EditError
from ml.evaluation.realism import scans as scans_module
from ml.evaluation.realism.edits import judge_patch
from ml.evaluation.realism.matched import OTHERS, OWN, SMALLEST_MM, half_contrast_extent, matched_sets, sets_of_scan
from ml.evaluation.realism.places import AWAY_MM
from ml.evaluation.realism.scans import of_insertions, of_removals, report_of, scans_report, scans_table
from ml.geometry import Grid, sphere_diameter_mm
from ml.patches.case import build_case
from ml.phantom import PhantomConfig, make_phantom
from ml.scans.cases import find_cases, load_case
from ml.scans.volume_io import write_volume

BRIGHT = 200


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A phantom as a patient's scan is: without its twin, nobody says of what kind its lesions are."""
    config = PhantomConfig(size_zyx=(24, 128, 128), slice_mm=4.0, phase="portal", kernel="standard", lesion_count=7)
    phantom = make_phantom(20001, config)
    folder = tmp_path_factory.mktemp("patients") / "somebody"
    folder.mkdir()
    labels = phantom.labels.copy()
    deep = ndimage.distance_transform_edt(phantom.liver & (labels == 0), sampling=phantom.grid.spacing_zyx_mm)
    deep[:4] = deep[-4:] = 0
    centre = np.array(np.unravel_index(deep.argmax(), deep.shape))
    away = np.linalg.norm(
        (np.moveaxis(np.indices(labels.shape), 0, -1) - centre) * phantom.grid.spacing_zyx_mm, axis=-1
    )
    hu = phantom.hu.copy()
    hu[away < 5] += 40
    labels[away < 5] = BRIGHT
    for name, array in {"ct": hu, "liver": phantom.liver, "lesions": labels}.items():
        write_volume(folder / f"{name}.nii.gz", array, phantom.grid)
    return find_cases(folder)


@pytest.fixture(scope="module")
def sets(files, demo_generator):
    return matched_sets(files, demo_generator)


def test_every_lesion_has_a_set_and_what_is_inserted_is_what_it_is(files, sets):
    case = load_case(files[0])
    large = [lesion for lesion in case.lesions if lesion.diameter_mm >= SMALLEST_MM]
    assert len(sets) == len(large)
    inserted = [(item, seen) for item in sets for seen in item.inserted]
    assert len(inserted) > OTHERS
    assert max(len(item.inserted) for item in sets) == OTHERS
    for item, seen in inserted:
        assert seen.values["mean_hu"] == pytest.approx(item.contrast_hu, abs=15)
        assert seen.patch.shape == item.real.patch.shape
    assert sum(item.differing_voxels for item in sets) == 0


def test_an_edit_at_the_lesions_own_place_has_its_surroundings_and_another_lesion(sets):
    own = [(item, seen) for item in sets for seen in item.at_own_place]
    assert {len(item.at_own_place) for item, _ in own} == {OWN}
    for item, seen in own:
        apart = seen.patch != item.real.patch
        assert apart.any()
        # Sampled at 1.25 mm: no edit of this size reaches the border.
        if item.diameter_mm < 16:
            border = np.ones(apart.shape, bool)
            border[:, 3:-3, 3:-3] = False
            assert not apart[border].any()
    assert any(item.diameter_mm < 16 for item, _ in own)


def test_matches_lie_in_plain_liver_away_from_lesions(files, demo_generator, monkeypatch):
    centres = []

    def nothing(case, source, place, generator):
        # Insertions where a lesion was have a scan without it.
        if source is case.hu:
            centres.append((place.centre, place.spec.diameter_mm))

    monkeypatch.setattr("ml.evaluation.realism.matched.try_insert", nothing)
    found = matched_sets(files, demo_generator)
    case = load_case(files[0])
    away = ndimage.distance_transform_edt(case.labels == 0, sampling=case.grid.spacing_zyx_mm)
    assert len(centres) > OTHERS
    for centre, diameter in centres:
        assert case.liver[tuple(centre.astype(int))]
        assert away[tuple(centre.astype(int))] > diameter / 2 + AWAY_MM
    assert all(not item.inserted for item in found)
    assert sum(item.refused for item in found) >= len(centres)


def liver_with_a_ball(*, change_hu):
    """A noisy liver whose middle differs within 9 mm, half of it at the edge, and every voxel's way to the middle."""
    grid = Grid((24, 56, 56), (2.0, 1.0, 1.0))
    places = (np.moveaxis(np.indices(grid.size_zyx), 0, -1) - (12, 28, 28)) * grid.spacing_zyx_mm
    away_mm = np.linalg.norm(places, axis=-1)
    noise = np.random.default_rng(0).normal(0, 12, grid.size_zyx)
    hu = np.rint(105 + change_hu / (1 + np.exp((away_mm - 9) / 0.7)) + noise).astype(np.int16)
    nothing = np.zeros(grid.size_zyx, np.uint8)
    return build_case("ball", hu, grid, liver=np.ones(grid.size_zyx, bool), labels=nothing), away_mm


@pytest.mark.parametrize("drawn_mm", [8, 9, 11])
def test_a_lesion_is_matched_where_it_has_half_of_its_contrast_however_wide_it_was_drawn(drawn_mm):
    case, away_mm = liver_with_a_ball(change_hu=-60)
    extent = half_contrast_extent(case, away_mm < drawn_mm)
    assert sphere_diameter_mm(extent.sum() * case.grid.voxel_volume_mm3) == pytest.approx(18, abs=1.2)


def test_a_bright_lesion_stays_as_it_was_drawn():
    case, away_mm = liver_with_a_ball(change_hu=60)
    assert np.array_equal(half_contrast_extent(case, away_mm < 11), away_mm < 11)


def test_a_lesion_brighter_than_the_liver_is_set_among_nothing_and_says_so(sets):
    (bright,) = [item for item in sets if item.contrast_hu > 10]
    assert not bright.inserted
    assert any("nothing like it is inserted" in note for note in bright.notes)


def test_sets_of_few_others_are_not_judged(sets):
    insertions, removals = of_insertions(sets), of_removals(sets)
    assert len(insertions.members) == sum(len(item.inserted) >= 3 for item in sets)
    assert len(removals.members) <= len(sets)
    turned = insertions.with_other_odd(1)
    for rows, other in zip(insertions.members, turned.members, strict=True):
        assert other[0] is rows[2]
        assert len(other) == len(rows) - 1
        assert all(seen is not rows[0] for seen in other)


def test_the_report_stands_for_scans_alone_and_can_be_read(files, sets, demo_generator, monkeypatch):
    monkeypatch.setattr(scans_module, "matched_sets", lambda *_, **__: sets)
    monkeypatch.setattr(scans_module, "FLOORS", 2)
    monkeypatch.setattr(scans_module, "FLOORS_NETWORK", 1)
    # What networks find is asked in test_realism.py.
    monkeypatch.setattr("ml.evaluation.supervised.EPOCHS", 1)
    report = scans_report(files, demo_generator)
    json.dumps(report, allow_nan=False)
    assert report["editor_version"] == EDITOR_VERSION
    assert report["patients"] == 1
    # One patient: nobody else to learn from.
    assert "patients" not in report["line_ups"]["insertion"]["features"]
    for judge in ("features", "bands"):
        found = report["line_ups"]["insertion"][judge]["lesions"]
        assert found["power"]["value"] > found["floor"]["mean"]
    assert "an edit at the lesion's own place" in scans_table(report)
    assert found["all"]["others"] == sum(len(item.inserted) for item in sets if len(item.inserted) >= 3)
    written = scans_table(report)
    for row in report["gate"]:
        assert row["name"] in written
    assert "somebody" not in written
    assert any("patches, not patients" in note for note in report["notes"])


def test_no_lesions_are_no_report_of_zeros():
    report = report_of([], 2, seed=0)
    # Nothing was inserted, so nothing outside of a box can differ.
    judged = [row for row in report["gate"] if "differing" not in row["name"]]
    assert all(row["passed"] is None for row in judged)
    assert "not measured" in scans_table(report)


def test_judges_can_not_tell_a_drawn_middle_between_voxels_from_a_chosen_voxel():
    """In slices of 1 mm every sample about a voxel lies half way between others, which takes noise away."""
    random = np.random.default_rng(3)
    grid = Grid((60, 96, 96), (1.0, 0.7, 0.7))
    case = SimpleNamespace(grid=grid, level_hu=100.0)
    hu = (100 + 15 * random.standard_normal(grid.size_zyx)).astype(np.float32)
    chosen = [np.array([30.0, 48.0, 48.0]) + random.integers(-6, 7, 3) for _ in range(30)]
    drawn = [centre + random.uniform(-0.5, 0.5, 3) for centre in chosen]
    on_voxels, between = ([judge_patch(hu, case, centre).std() for centre in centres] for centres in (chosen, drawn))
    assert np.mean(between) == pytest.approx(np.mean(on_voxels), rel=0.01)


def two_sided_liver(kind):
    """A liver with a lesion on the left; noise, vessels or shape of the right side are others. Voxels of 1.5 and 1 mm."""
    grid, random = Grid((40, 96, 192), (1.5, 1.0, 1.0)), np.random.default_rng(5)
    right = np.arange(grid.size_zyx[2]) > 96
    hu = 105 + np.where(right & (kind == "noise"), 16, 10) * random.standard_normal(grid.size_zyx)
    if kind == "vessels":
        for first in (0, 1):
            hu[:, first::16] += 35 * right
    z, y, x = np.ogrid[tuple(slice(n) for n in grid.size_zyx)]
    lesion = np.square(1.5 * (z - 20)) + np.square(y - 48) + np.square(x - 48) < 5**2
    hu -= 45 * ndimage.gaussian_filter(lesion.astype(float), (1, 1.5, 1.5))
    liver = np.zeros(grid.size_zyx, bool)
    liver[4:-4, 4:-4, 4:-4] = True
    if kind == "edges":
        # Everywhere the lesion lies 10 mm below a surface; on the right, another one is as near.
        liver[:, :38] = liver[:, 59:, 97:] = False
    return build_case("two sides", np.rint(hu).astype(np.int16), grid, liver=liver, labels=lesion.astype(np.uint8))


@pytest.mark.parametrize("kind", ["noise", "vessels", "edges"])
def test_matches_have_the_noise_and_the_surroundings_of_the_lesion(kind, monkeypatch):
    case, columns = two_sided_liver(kind), []

    def refuse(*_, **__):
        raise EditError("not asked here")

    monkeypatch.setattr("ml.evaluation.realism.matched.load_case", lambda _: case)
    monkeypatch.setattr("ml.evaluation.realism.matched.remove_lesion", refuse)
    monkeypatch.setattr(
        "ml.evaluation.realism.matched.try_insert", lambda _c, _s, place, _g: columns.append(place.centre)
    )
    assert len(sets_of_scan(None, None, 0)) == 1
    assert len(columns) >= OTHERS
    assert np.mean([centre[2] < 96 for centre in columns]) > 0.9
