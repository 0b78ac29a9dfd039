"""What was edited in a picture, as pieces that hang together: where each has its middle and how large it looks."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from readerstudy.blinding.lattice import Lattice
from readerstudy.locking.targets import places_in
from readerstudy.models import CaseTruth, Stimulus
from readerstudy.unblinding.marked import distances_mm

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Edit:
    """`radius_mm` is that of a disc as large as its largest section."""

    centre_lps_mm: FloatArray
    radius_mm: float


@dataclass(frozen=True)
class Edits:
    """Of one case. `edit_of_run` says which of them each run of the sealed target belongs to, from 0."""

    truth: CaseTruth
    stimulus: Stimulus
    edits: list[Edit]
    edit_of_run: list[int]

    @classmethod
    def of(cls, truth: CaseTruth, stimulus: Stimulus, *, apart_mm: float) -> "Edits":
        """Pieces closer than `apart_mm` to one another are one, as where any number of places is marked."""
        runs = np.asarray(truth.target.get("runs", ()), dtype=np.int64).reshape(-1, 4)
        edit_of_run = truth.target.get("place_of_run") or _pieces(runs, stimulus, apart_mm)
        numbers = np.asarray(edit_of_run)
        edits = [_edit(runs[numbers == number], stimulus) for number in range(max(edit_of_run, default=-1) + 1)]
        return cls(truth, stimulus, edits, list(edit_of_run))

    def nearest(self, mark: Mapping[str, Any]) -> tuple[Edit, float] | None:
        """With how far the mark lies from its nearest changed voxel; None where nothing was edited that is seen."""
        away = distances_mm(mark, self.truth, self.stimulus)
        if not len(away):
            return None
        run = int(away.argmin())
        return self.edits[self.edit_of_run[run]], float(away[run])


def _pieces(runs: NDArray[np.int64], stimulus: Stimulus, apart_mm: float) -> list[int]:
    edited = np.zeros(stimulus.size_zyx, dtype=bool)
    for z, y, start, stop in runs:
        edited[z, y, start:stop] = True
    labels, _ = places_in(edited, tuple(stimulus.spacing_zyx_mm), apart_mm=apart_mm)
    return [int(labels[z, y, start]) - 1 for z, y, start, _ in runs]


def _edit(runs: NDArray[np.int64], stimulus: Stimulus) -> Edit:
    z, y, start, stop = runs.T
    samples = stop - start
    middle = np.average(np.stack([z, y, (start + stop - 1) / 2], axis=1), axis=0, weights=samples)
    _, row_mm, column_mm = stimulus.spacing_zyx_mm
    largest = np.bincount(z, weights=samples).max() * row_mm * column_mm
    return Edit(lattice_of(stimulus).to_patient(middle), sqrt(largest / pi))


def lattice_of(stimulus: Stimulus) -> Lattice:
    """Every stimulus of a study that asks for places has one since its lock."""
    if stimulus.lattice is None:
        raise ValueError(f"the stimulus {stimulus.pk} has no lattice, so marks in it have no place")
    return Lattice.from_json(stimulus.lattice)
