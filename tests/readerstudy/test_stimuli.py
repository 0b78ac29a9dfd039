"""Cutting stimuli: copied samples are the scan's own, whatever way the scan lies; resampling treats all alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.geometry import Grid
from readerstudy.blinding.cutting import HU_HIGH, HU_LOW, cut_for, display_flips, render, source_box, study_frame


def grid_of(size=(12, 40, 44), spacing=(2.0, 1.0, 1.0), flips=(1, 1, 1), origin=(5.0, -7.0, 100.0)):
    z, y, x = flips
    return Grid(size, spacing, origin, (float(x), 0, 0, 0, float(y), 0, 0, 0, float(z)))


def volume_of(grid):
    """Every voxel has a value of its own within the range that stimuli keep."""
    return (np.arange(np.prod(grid.size_zyx)) % 2400 - 1000).astype(np.int16).reshape(grid.size_zyx)


def stimulus(volume, grid, *, mode, place_zyx, frame=None, field_of_view_mm=15.0, stack_slices=5):
    frame = frame or study_frame([grid], mode=mode, field_of_view_mm=field_of_view_mm, stack_slices=stack_slices)
    cut = cut_for(grid, frame, mode=mode, place_lps_mm=grid.to_world(place_zyx))
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
