"""Reading, cutting and storing the blinded pixels: one way for real and synthetic cases."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from django.core.files.storage import default_storage
from numpy.typing import NDArray

from ctplatform.datasets.scans import voxels
from readerstudy.blinding.cutting import Cut, Frame, cut_for, render, source_box, study_frame
from readerstudy.blinding.leaks import stimulus_measures
from readerstudy.models import CaseTruth, Stimulus, Study

# Around the largest lesion this much is left out of what must look alike.
LESION_MARGIN_MM = 4.0


@dataclass(frozen=True, kw_only=True)
class MadeStimulus:
    """A stored stimulus with its row not yet written, and what the leak audit measures of it."""

    truth: CaseTruth
    row: Stimulus
    measures: dict[str, float | str]


def frame_of(study: Study, truths: Sequence[CaseTruth]) -> Frame:
    return study_frame(
        [truth.scan.geometry for truth in truths],
        mode=study.display_mode,
        field_of_view_mm=study.field_of_view_mm,
        stack_slices=study.stack_slices,
    )


def pixels_of(study: Study, truth: CaseTruth, frame: Frame) -> tuple[NDArray[np.int16], Cut]:
    grid = truth.scan.geometry
    cut = cut_for(grid, frame, mode=study.display_mode, place_lps_mm=truth.place_lps_mm)
    box = source_box(grid, frame, cut)
    return render(voxels.read_box(truth.scan_id, grid, box), box, grid, frame, cut), cut


def make_stimuli(
    study: Study, truths: Sequence[CaseTruth], *, folder: str, on_progress: Callable[[float, str], None]
) -> list[MadeStimulus]:
    """Store all stimuli below `folder` in the order of their random keys, so that times and names say nothing."""
    frame = frame_of(study, truths)
    radius_mm = max(truth.diameter_mm for truth in truths) / 2 + LESION_MARGIN_MM
    keyed = sorted((secrets.token_hex(16), truth) for truth in truths_in_random_order(truths))
    made = []
    for number, (key, truth) in enumerate(keyed, start=1):
        pixels, cut = pixels_of(study, truth, frame)
        row = Stimulus(
            case=truth.case,
            key=f"{folder}/{key}",
            size_zyx=list(frame.size_zyx),
            spacing_zyx_mm=list(frame.spacing_zyx_mm),
            start_slice=frame.start_slice,
            marker_zyx=None if cut.marker_zyx is None else list(cut.marker_zyx),
            digest=hashlib.sha256(pixels.tobytes()).hexdigest(),
        )
        for index, plane in enumerate(pixels):
            voxels.save_bytes(row.slice_key(index), plane.tobytes())
        around = surroundings(frame, cut, radius_mm=radius_mm)
        made.append(MadeStimulus(truth=truth, row=row, measures=stimulus_measures(pixels, surroundings=around)))
        on_progress(0.9 * number / len(keyed), f"stimulus {number} of {len(keyed)}")
    return made


def truths_in_random_order(truths: Sequence[CaseTruth]) -> list[CaseTruth]:
    shuffled = list(truths)
    secrets.SystemRandom().shuffle(shuffled)
    return shuffled


def surroundings(frame: Frame, cut: Cut, *, radius_mm: float) -> NDArray[np.bool_]:
    """Where no lesion is in any case: in-plane farther from the place than the largest lesion reaches."""
    slices, rows, columns = frame.size_zyx
    place = (rows // 2, columns // 2) if cut.marker_zyx is None else cut.marker_zyx[1:]
    y, x = np.ogrid[:rows, :columns]
    distance = np.hypot((y - place[0]) * frame.spacing_zyx_mm[1], (x - place[1]) * frame.spacing_zyx_mm[2])
    # In a small patch at least the corners count.
    plane = distance > min(radius_mm, 0.9 * float(distance.max()))
    return np.broadcast_to(plane, (slices, rows, columns))


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
