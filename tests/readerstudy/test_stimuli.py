"""Cutting stimuli: copied samples are the scan's own, whatever way the scan lies; resampling treats all alike."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from ml.geometry import Grid
from readerstudy.blinding.cutting import (
    cut_for,
    display_flips,
    phase_of,
    render,
    source_box,
    study_frame,
)
from readerstudy.hounsfield import HU_HIGH, HU_LOW
from readerstudy.locking import stimuli
from readerstudy.models import Study


def grid_of(size=(12, 40, 44), spacing=(2.0, 1.0, 1.0), flips=(1, 1, 1), origin=(5.0, -7.0, 100.0)):
    z, y, x = flips
    return Grid(size, spacing, origin, (float(x), 0, 0, 0, float(y), 0, 0, 0, float(z)))


def volume_of(grid):
    """Every voxel has a value of its own within the range that stimuli keep."""
    return (np.arange(np.prod(grid.size_zyx)) % 2400 - 1000).astype(np.int16).reshape(grid.size_zyx)


def stimulus(volume, grid, *, mode, place_zyx, frame=None, field_of_view_mm=15.0, stack_slices=5, phase=(0.0, 0.0)):
    frame = frame or study_frame([grid], mode=mode, field_of_view_mm=field_of_view_mm, stack_slices=stack_slices)
    cut = cut_for(grid, frame, mode=mode, place_lps_mm=grid.to_world(place_zyx), phase_yx=phase)
    box = source_box(grid, frame, cut)
    return render(volume[box], box, grid, frame, cut), frame, cut


@settings(deadline=None, max_examples=60)
@given(
    flips=st.tuples(*[st.sampled_from([1, -1])] * 3),
    place=st.tuples(st.integers(0, 11), st.integers(0, 39), st.integers(0, 43)),
    edge=st.integers(3, 30),
)
def test_a_patch_is_the_scan_around_the_place(flips, place, edge):
    grid = grid_of(flips=flips)
    volume = volume_of(grid)
    pixels, frame, _ = stimulus(volume, grid, mode="patch", place_zyx=place, field_of_view_mm=float(edge))
    assert pixels.shape == frame.size_zyx
    assert pixels.dtype == np.dtype("<i2")
    half = frame.size_zyx[1] // 2
    assert pixels[0, half, half] == volume[place]  # the place is the middle pixel
    reach = frame.size_zyx[1]
    padded = np.pad(volume[place[0]], reach, constant_values=HU_LOW)
    y, x = place[1] + reach, place[2] + reach
    expected = padded[y - half : y + half + 1, x - half : x + half + 1]
    assert np.array_equal(pixels[0], expected[:: flips[1], :: flips[2]])


@settings(deadline=None, max_examples=30)
@given(flips=st.tuples(*[st.sampled_from([1, -1])] * 3), slice_index=st.integers(0, 11))
def test_a_stack_is_whole_slices_with_the_place_in_the_middle_and_a_marker_on_it(flips, slice_index):
    grid = grid_of(flips=flips)
    volume = volume_of(grid)
    place = (slice_index, 13, 29)
    pixels, frame, cut = stimulus(volume, grid, mode="stack", place_zyx=place)
    assert pixels.shape == (5, 40, 44)
    assert frame.start_slice == 2
    assert pixels[cut.marker_zyx] == volume[place]
    assert cut.marker_zyx[0] == frame.start_slice
    for offset in range(-2, 3):
        # The slice nearest the head comes first: with z towards the head (flip 1) that is the highest index.
        index = slice_index - offset * flips[0]
        plane = pixels[2 + offset]
        if 0 <= index < 12:
            assert np.array_equal(plane, volume[index][:: flips[1], :: flips[2]])
        else:
            assert (plane == HU_LOW).all()  # beyond the scan, for both kinds the same value


@pytest.mark.parametrize("mode", ["patch", "slice", "stack"])
def test_scans_of_different_spacing_share_one_frame_and_all_are_resampled(mode):
    fine, coarse = grid_of(spacing=(2.0, 0.7, 0.7)), grid_of(spacing=(3.0, 1.1, 1.1))
    frame = study_frame([fine, coarse], mode=mode, field_of_view_mm=15.0, stack_slices=5)
    assert frame.resampled
    shapes = {
        stimulus(volume_of(grid), grid, mode=mode, place_zyx=(6, 20, 20), frame=frame)[0].shape
        for grid in (fine, coarse)
    }
    assert shapes == {frame.size_zyx}


def test_resampling_keeps_places_in_millimetres():
    """A bright point lies at the marker and at the right distance from it, in both scans of the study."""
    fine, coarse = grid_of((9, 60, 60), (2.0, 0.5, 0.5)), grid_of((9, 40, 40), (2.0, 1.0, 1.0), flips=(1, -1, -1))
    frame = study_frame([fine, coarse], mode="patch", field_of_view_mm=17.0, stack_slices=5)
    for grid in (fine, coarse):
        volume = np.full(grid.size_zyx, 0, dtype=np.int16)
        place = np.array([4, grid.size_zyx[1] // 2, grid.size_zyx[2] // 2])
        right = grid.nearest_voxel(np.add(grid.to_world(place), [6.0, 0.0, 0.0]))  # 6 mm to the patient's left
        volume[right] = 1000
        pixels, _, _ = stimulus(volume, grid, mode="patch", place_zyx=tuple(place), frame=frame)
        peak = np.unravel_index(pixels[0].argmax(), pixels[0].shape)
        middle = frame.size_zyx[1] // 2
        assert (peak[0] - middle) * frame.spacing_zyx_mm[1] == pytest.approx(0.0, abs=0.6)
        assert (peak[1] - middle) * frame.spacing_zyx_mm[2] == pytest.approx(6.0, abs=0.6)


def test_equal_spacing_means_copied_not_resampled():
    assert not study_frame(
        [grid_of(), grid_of((8, 50, 50))], mode="slice", field_of_view_mm=1, stack_slices=3
    ).resampled
    # slice spacing matters to stacks only
    two = [grid_of(spacing=(2.0, 1.0, 1.0)), grid_of(spacing=(5.0, 1.0, 1.0))]
    assert not study_frame(two, mode="patch", field_of_view_mm=20, stack_slices=3).resampled
    assert study_frame(two, mode="stack", field_of_view_mm=20, stack_slices=3).resampled


def test_values_are_clipped_to_one_range():
    grid = grid_of()
    volume = volume_of(grid)
    volume[6, 20, 20], volume[6, 20, 21] = 3071, -2048
    pixels, _, _ = stimulus(volume, grid, mode="patch", place_zyx=(6, 20, 20))
    assert pixels.max() == HU_HIGH
    assert pixels.min() == HU_LOW


def test_flips_follow_the_axes_of_the_patient():
    assert display_flips(grid_of(flips=(1, 1, 1))) == (True, False, False)
    assert display_flips(grid_of(flips=(-1, 1, -1))) == (False, False, True)


def texture(*, on_voxels, phased, count=120):
    """High-frequency energy outside the lesion of patches of noise, at places on voxels or between them."""
    random = np.random.default_rng(on_voxels)
    grids = [grid_of(spacing=(2.0, pixel, pixel)) for pixel in (0.8, 0.8, 0.8, 0.9)]
    frame = study_frame(grids, mode="patch", field_of_view_mm=15.0, stack_slices=5)
    energies = []
    for number in range(count):
        grid = grids[number % len(grids)]
        volume = ndimage.gaussian_filter(random.normal(0, 60, grid.size_zyx), (0, 0.5, 0.5)).astype(np.int16)
        place = random.uniform((4, 15, 15), (8, 25, 29))
        place = np.rint(place) if on_voxels else place
        phase = phase_of(f"{on_voxels} {number}", seed=3) if phased else (0.0, 0.0)
        pixels, _, _ = stimulus(volume, grid, mode="patch", place_zyx=place, frame=frame, phase=phase)
        outside = pixels[0, :5].astype(float)
        energies.append(np.diff(outside, n=2, axis=1).var() / outside.var())
    return energies


def test_texture_outside_the_lesion_does_not_tell_places_on_voxels_from_those_between():
    def auc(*, phased):
        on, between = (texture(on_voxels=on, phased=phased) for on in (True, False))
        return stats.mannwhitneyu(on, between).statistic / len(on) ** 2

    assert auc(phased=False) > 0.7  # what a study without phases would show
    assert 0.42 < auc(phased=True) < 0.58


def test_the_phase_follows_from_seed_and_case_and_covers_the_voxel():
    phases = np.array([phase_of(f"case {number}", seed=7) for number in range(400)])
    assert phase_of("case 0", seed=7) == tuple(phases[0])
    assert phase_of("case 0", seed=8) != tuple(phases[0])
    for axis in phases.T:
        assert stats.kstest(axis, "uniform", args=(-0.5, 1)).pvalue > 0.01
    assert abs(np.corrcoef(phases.T)[0, 1]) < 0.15


@pytest.mark.parametrize("mode", ["patch", "slice", "stack"])
def test_a_phase_moves_no_copied_sample_and_a_resampled_place_by_less_than_a_voxel(mode):
    grid, finer = grid_of(), grid_of(spacing=(2.0, 0.7, 0.7))
    volume, place = volume_of(grid), (6, 21, 19)
    plain, _, _ = stimulus(volume, grid, mode=mode, place_zyx=place)
    assert np.array_equal(stimulus(volume, grid, mode=mode, place_zyx=place, phase=(0.4, -0.3))[0], plain)
    frame = study_frame([grid, finer], mode=mode, field_of_view_mm=15.0, stack_slices=5)
    cuts = [stimulus(volume, grid, mode=mode, place_zyx=place, frame=frame, phase=p)[2] for p in ((0, 0), (0.4, -0.3))]
    assert np.subtract(cuts[1].centre_zyx, cuts[0].centre_zyx) == pytest.approx((0, 0.4, -0.3))
    if mode != "patch":
        assert np.abs(np.subtract(cuts[1].marker_zyx, cuts[0].marker_zyx)).max() <= 1


@pytest.mark.parametrize("synthetic", [True, False])
def test_stimuli_of_both_kinds_are_cut_at_the_phase_of_their_case(monkeypatch, synthetic):
    grid, finer = grid_of(), grid_of(spacing=(2.0, 0.7, 0.7))
    frame = study_frame([grid, finer], mode="patch", field_of_view_mm=15.0, stack_slices=5)
    truth = SimpleNamespace(
        case_id="b5f1",
        scan_id="scan",
        scan=SimpleNamespace(geometry=grid),
        place_lps_mm=[float(v) for v in grid.to_world((6, 20, 21))],
        synthetic=synthetic,
    )
    monkeypatch.setattr(stimuli.voxels, "read_box", lambda _scan, _grid, box: volume_of(grid)[box])
    _, cut = stimuli.pixels_of(Study(seed=7, display_mode="patch"), truth, frame, wander_zyx=stimuli.drawn_wander())
    assert np.subtract(cut.centre_zyx, (6, 20, 21)) == pytest.approx((0, *phase_of("b5f1", seed=7)))
