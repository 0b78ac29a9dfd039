"""Reading, cutting and storing the blinded pixels: one way for real and synthetic cases."""

import hashlib
import secrets
import tempfile
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.core.files.storage import default_storage
from numpy.typing import NDArray

from ctplatform.datasets.scans import voxels
from ml.geometry import Float3
from readerstudy.blinding.cutting import (
    Cut,
    Frame,
    cut_for,
    phase_of,
    render,
    source_box,
    study_frame,
    where_places_stand,
)
from readerstudy.blinding.grain import grain_key, grained
from readerstudy.blinding.lattice import Lattice
from readerstudy.blinding.presentation import ring_radius_mm
from readerstudy.blinding.round_trip import RoundTrip
from readerstudy.blinding.wire import compressed, shortest_length, travelling
from readerstudy.locking.targets import Picture, target_of
from readerstudy.models import CaseTruth, Stimulus, Study
from readerstudy.models.reading import FIRST_READING, SECOND_READING

# Share of the work that is cutting and compressing.
FIRST_PASS = 0.8


@dataclass(frozen=True, kw_only=True)
class MadeStimulus:
    """A stored stimulus with its row not yet written."""

    truth: CaseTruth
    row: Stimulus


@dataclass(frozen=True, kw_only=True)
class MadeStimuli:
    made: list[MadeStimulus]
    # Of every slice as it is stored and sent.
    slice_bytes: int


def frame_of(study: Study, truths: Sequence[CaseTruth]) -> Frame:
    return study_frame(
        [truth.scan.geometry for truth in truths],
        mode=study.display_mode,
        field_of_view_mm=study.field_of_view_mm,
        stack_slices=study.stack_slices,
    )


def drawn_wander() -> Float3:
    """How far a place stands from the middle of its picture, in parts of the reach: drawn alike for every case."""
    z, y, x = (secrets.SystemRandom().uniform(-1, 1) for _ in range(3))
    return z, y, x


def pixels_of(study: Study, truth: CaseTruth, frame: Frame, *, wander_zyx: Float3) -> tuple[NDArray[np.int16], Cut]:
    """`wander_zyx` counts where raters look for the place themselves."""
    grid = truth.scan.geometry
    phase = phase_of(str(truth.case_id), seed=study.seed)
    cut = cut_for(
        grid,
        frame,
        mode=study.display_mode,
        place_lps_mm=truth.place_lps_mm,
        phase_yx=phase,
        wander_zyx=None if study.asked.task.mark is None else wander_zyx,
    )
    box, trip = source_box(grid, frame, cut), round_trip_of(study)
    read = trip.box_to_read(box, grid)
    samples = trip.through(voxels.read_box(truth.scan_id, grid, read), read, box, grid)
    return render(samples, box, grid, frame, cut), cut


def round_trip_of(study: Study) -> RoundTrip:
    """What every case goes through before it is cut."""
    return RoundTrip(
        spacing_mm=study.round_trip_mm,
        step_hu=study.round_trip_step_hu,
        low_hu=study.round_trip_low_hu,
        high_hu=study.round_trip_high_hu,
    )


def make_stimuli(
    study: Study,
    truths: Sequence[CaseTruth],
    *,
    seed: str,
    repeated: Container[str],
    folder: str,
    on_progress: Callable[[float, str], None],
) -> MadeStimuli:
    """Store all stimuli below `folder` in the order of their random keys, so that times and names say nothing.

    Cases that are `repeated` to some rater, by their ids, get a second one; the sealed `seed` draws the grain of all.
    All slices get the length of the one that compresses worst, so the first pass only compresses.
    """
    frame = frame_of(study, truths)
    made: list[MadeStimulus] = []
    with tempfile.TemporaryDirectory() as scratch:
        waiting = _Waiting(Path(scratch))
        for number, truth in enumerate(truths_in_random_order(truths), start=1):
            again = str(truth.case_id) in repeated
            for row, pixels in _pictures_of(study, truth, frame, seed=seed, again=again, folder=folder):
                waiting.add(row, pixels)
                made.append(MadeStimulus(truth=truth, row=row))
            on_progress(FIRST_PASS * number / len(truths), f"case {number} of {len(truths)} cut")
        made.sort(key=lambda one: one.row.key)
        for number, one in enumerate(made, start=1):
            for index, content in enumerate(waiting.travelling(one.row)):
                voxels.save_bytes(one.row.slice_key(index), content)
            share = FIRST_PASS + (1 - FIRST_PASS) * number / len(made)
            on_progress(share, f"stimulus {number} of {len(made)} stored")
    return MadeStimuli(made=made, slice_bytes=waiting.length)


def _pictures_of(
    study: Study, truth: CaseTruth, frame: Frame, *, seed: str, again: bool, folder: str
) -> Iterator[tuple[Stimulus, NDArray[np.int16]]]:
    """The picture of a case, and another one where it comes `again`: cut once, so that its place stands where it stood,
    and with a grain of its own.
    """
    bare, cut = pixels_of(study, truth, frame, wander_zyx=drawn_wander())
    lattice = None
    if (asked := study.asked.task.mark) is not None:
        lattice = Lattice.of(truth.scan.geometry, frame, cut)
        window = where_places_stand(frame.size_zyx, mode=study.display_mode)
        picture = Picture(pixels=bare, spacing_zyx_mm=frame.spacing_zyx_mm, lattice=lattice, window=window)
        truth.target = target_of(truth, picture, asked=asked)
    for reading in (FIRST_READING, SECOND_READING) if again else (FIRST_READING,):
        grain = grain_key(seed=seed, case_id=str(truth.case_id), reading=reading)
        pixels = grained(bare, key=grain) if study.repeats else bare
        key = f"{folder}/{secrets.token_hex(16)}"
        row = stimulus_row(truth, key, reading=reading, pixels=pixels, frame=frame, cut=cut)
        row.lattice = None if lattice is None else lattice.as_json()
        yield row, pixels


def stimulus_row(
    truth: CaseTruth, key: str, *, reading: int, pixels: NDArray[np.int16], frame: Frame, cut: Cut
) -> Stimulus:
    return Stimulus(
        case=truth.case,
        reading=reading,
        key=key,
        size_zyx=list(frame.size_zyx),
        spacing_zyx_mm=list(frame.spacing_zyx_mm),
        start_slice=frame.start_slice,
        marker_zyx=None if cut.marker_zyx is None else list(cut.marker_zyx),
        ring_mm=None if cut.marker_zyx is None else ring_radius_mm(truth.diameter_mm),
        digest=hashlib.sha256(pixels.tobytes()).hexdigest(),
    )


class _Waiting:
    """Slices that are compressed and wait for the length of all; on the disk, for a study may have thousands."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.length = 0

    def add(self, row: Stimulus, pixels: NDArray[np.int16]) -> None:
        for index, plane in enumerate(pixels):
            squeezed = compressed(plane)
            self._file(row, index).write_bytes(squeezed)
            self.length = max(self.length, shortest_length(squeezed))

    def travelling(self, row: Stimulus) -> Iterator[bytes]:
        for index in range(row.size_zyx[0]):
            yield travelling(self._file(row, index).read_bytes(), length=self.length)

    def _file(self, row: Stimulus, index: int) -> Path:
        return self.scratch / f"{row.pk.hex}-{index}"


def truths_in_random_order(truths: Sequence[CaseTruth]) -> list[CaseTruth]:
    shuffled = list(truths)
    secrets.SystemRandom().shuffle(shuffled)
    return shuffled


def remove_folder(folder: str) -> None:
    """Delete what an attempt to lock has stored: it failed, or a leak was found."""
    try:
        keys, _ = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for key in keys:
        for name in default_storage.listdir(f"{folder}/{key}")[1]:
            default_storage.delete(f"{folder}/{key}/{name}")
        default_storage.delete(f"{folder}/{key}")
    default_storage.delete(folder)
