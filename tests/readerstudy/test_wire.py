"""Slices travel in as many bytes each, and every browser gets the very samples back."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from readerstudy.blinding.wire import (
    UnreadableError,
    compressed,
    is_as_written,
    is_compressed,
    samples_of,
    shortest_length,
    travelling,
)
from readerstudy.hounsfield import HU_HIGH, HU_LOW

SAMPLES = arrays("<i2", array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.integers(HU_LOW, HU_HIGH))


@settings(deadline=None)
@given(plane=SAMPLES, filling=st.integers(0, 400))
def test_samples_come_back_whatever_the_length(plane, filling):
    squeezed = compressed(plane)
    content = travelling(squeezed, length=shortest_length(squeezed) + filling)
    assert len(content) == shortest_length(squeezed) + filling
    rows, columns = plane.shape
    assert np.array_equal(samples_of(content, rows=rows, columns=columns), plane)
    assert len(gzip.decompress(content)) == plane.nbytes  # what a browser does by itself
    assert is_as_written(content, plane)


@settings(deadline=None)
@given(plane=SAMPLES)
def test_slices_of_earlier_studies_are_read_as_they_lie(plane):
    content = plane.tobytes()
    assert not is_compressed(content)
    assert np.array_equal(samples_of(content, rows=plane.shape[0], columns=plane.shape[1]), plane)
    assert is_as_written(content, plane)


def test_noise_and_flat_slices_have_one_length():
    random = np.random.default_rng(3)
    noisy = random.integers(HU_LOW, HU_HIGH, (64, 64)).astype("<i2")
    flat = np.full((64, 64), HU_LOW, dtype="<i2")
    squeezed = [compressed(noisy), compressed(flat)]
    length = max(shortest_length(one) for one in squeezed)
    assert shortest_length(squeezed[1]) < length / 20
    assert {len(travelling(one, length=length)) for one in squeezed} == {length}
    with pytest.raises(ValueError, match="does not fit"):
        travelling(squeezed[0], length=length - 1)


def test_ct_takes_less_than_gzip_alone_would():
    random = np.random.default_rng(3)
    smooth = np.cumsum(random.normal(0, 9, (128, 128)), axis=1) + random.normal(0, 12, (128, 128))
    plane = np.clip(smooth, HU_LOW, HU_HIGH).astype("<i2")
    assert shortest_length(compressed(plane)) < 0.75 * len(gzip.compress(plane.tobytes(), 9))


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: content[:-2],
        lambda content: content + b"\0",
        lambda content: content[:40] + bytes([content[40] ^ 1]) + content[41:],
        lambda content: content[1:],
    ],
)
def test_harmed_files_are_no_slices(harm):
    plane = np.arange(400, dtype="<i2").reshape(20, 20)
    squeezed = compressed(plane)
    content = harm(travelling(squeezed, length=shortest_length(squeezed) + 33))
    with pytest.raises(UnreadableError):
        samples_of(content, rows=20, columns=20)
