"""Edits are the same on every processor: at most one HU of difference in 99.9 % of the changed voxels.

Libraries choose their kernels when they are loaded, so every setting has a process of its own. A processor that lacks
what a setting takes away runs the same code twice; the recorded edits are those of another one.
"""

import os
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest

from tests.ml.recorded_edits import EDITS, RECORDED, read_changes

ENOUGH = 0.999
NO_AVX512 = "X86_V4 AVX512_ICL AVX512_SPR"
SETTINGS = {
    "as it is": {},
    "without bfloat16": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    "AVX2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": NO_AVX512,
    },
    "before AVX2": {
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": f"X86_V3 {NO_AVX512}",
    },
    "some of it": {"ATEN_CPU_CAPABILITY": "avx2", "OPENBLAS_CORETYPE": "Zen"},
}


@pytest.fixture(scope="module")
def edits(tmp_path_factory):
    """What every setting changed, by its name; read once made."""
    made = {}

    def under(name):
        if name not in made:
            path = tmp_path_factory.mktemp("edits") / "edits.npz"
            program = [sys.executable, str(RECORDED.with_suffix(".py")), str(path)]
            run = subprocess.run(program, env=os.environ | SETTINGS[name], capture_output=True, text=True, check=False)
            assert run.returncode == 0, run.stderr
            made[name] = read_changes(path)
        return made[name]

    return under


def share_alike(first, second):
    """Of the voxels that either edit changed, the share in which they differ by at most one HU."""
    changed = (first != 0) | (second != 0)
    return (np.abs(first.astype(int) - second)[changed] <= 1).mean()


def shares_alike(first, second):
    return [share_alike(a, b) for a, b in zip(first, second, strict=True)]


@pytest.mark.parametrize("name", SETTINGS)
def test_every_processor_makes_the_recorded_edits(edits, name):
    assert min(shares_alike(edits(name), read_changes(RECORDED))) >= ENOUGH


def test_processors_agree_with_one_another(edits):
    for one, other in combinations(SETTINGS, 2):
        assert min(shares_alike(edits(one), edits(other))) >= ENOUGH, (one, other)


def test_the_recorded_edits_are_edits():
    """Every one changes its scan, in its own way."""
    changes = read_changes(RECORDED)
    assert min(np.count_nonzero(change) for change in changes) > 300
    for one, other in combinations(range(len(EDITS)), 2):
        if EDITS[one].scan == EDITS[other].scan:
            assert share_alike(changes[one], changes[other]) < ENOUGH


def test_two_hu_in_a_few_voxels_are_seen():
    change = read_changes(RECORDED)[3]
    other = change.copy()
    few = np.flatnonzero(change)[:: 1 + np.count_nonzero(change) // 12]
    other.flat[few] += 1
    assert share_alike(change, other) == 1
    other.flat[few] += 1
    assert share_alike(change, other) < ENOUGH
