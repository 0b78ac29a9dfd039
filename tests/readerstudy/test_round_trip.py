"""Every case through the steps of one program: the same voxels whatever is read, and no arm tells itself any more."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.geometry import Grid
from readerstudy.blinding.round_trip import RoundTrip

GRID = Grid(size_zyx=(3, 40, 44), spacing_zyx_mm=(2.0, 0.8, 0.7))
WHOLE = (slice(0, 3), slice(0, 40), slice(0, 44))
VOLUME = np.random.default_rng(1).normal(60, 40, GRID.size_zyx).astype(np.int16)


def gone_through(trip, box):
    read = trip.box_to_read(box, GRID)
    return trip.through(VOLUME[read], read, box, GRID)


def test_a_trip_that_asks_for_nothing_changes_nothing():
    assert RoundTrip().in_words() == ""
    assert np.array_equal(gone_through(RoundTrip(), WHOLE), VOLUME)


@settings(deadline=None, max_examples=60)
@given(data=st.data(), spacing_mm=st.sampled_from([0.4, 0.7, 1.0, 1.5, 3.1]))
def test_a_case_comes_out_the_same_whatever_is_read_around_it(data, spacing_mm):
    def side(size):
        start = data.draw(st.integers(0, size - 1))
        return slice(start, data.draw(st.integers(start + 1, size)))

    box = (side(3), side(40), side(44))
    trip = RoundTrip(spacing_mm=spacing_mm, step_hu=3)
    assert np.array_equal(gone_through(trip, box), gone_through(trip, WHOLE)[box])


def test_values_are_limited_and_rounded_and_going_again_changes_nothing():
    trip = RoundTrip(step_hu=5, low_hu=-10, high_hu=90)
    once = gone_through(trip, WHOLE)
    assert (once.min(), once.max()) == (-10, 90)
    assert not (once % 5).any()
    assert np.array_equal(trip.through(once, WHOLE, WHOLE, GRID), once)


def test_a_coarser_spacing_smooths_and_keeps_a_plane():
    smooth = gone_through(RoundTrip(spacing_mm=2.0), WHOLE)
    assert smooth.std() < 0.75 * VOLUME.std()
    rows = np.arange(40)[None, :, None] * 4.0 + np.zeros(GRID.size_zyx)
    kept = RoundTrip(spacing_mm=2.0).through(rows.astype(np.int16), WHOLE, WHOLE, GRID)
    assert np.array_equal(kept[:, 3:-3], rows[:, 3:-3])


def test_steps_are_said_in_their_order():
    trip = RoundTrip(spacing_mm=1.5, step_hu=2, low_hu=-100)
    assert trip.in_words() == (
        "resampled in the plane to 1.5 mm and back, limited to -100 to 1500 HU, rounded to multiples of 2 HU"
    )


@pytest.mark.parametrize("spacing_mm", [0.7, 0.8])
def test_a_spacing_of_its_own_leaves_an_axis_as_it_is(spacing_mm):
    axis = GRID.spacing_zyx_mm.index(spacing_mm)
    other = 3 - axis
    there = gone_through(RoundTrip(spacing_mm=spacing_mm), WHOLE).astype(float)
    # Along its own axis nothing is smoothed: what is left of differences there is left of the noise as a whole.
    own, across = (
        np.diff(there, axis=one).std() / np.diff(VOLUME.astype(float), axis=one).std() for one in (axis, other)
    )
    assert own > across
