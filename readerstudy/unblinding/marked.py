"""How far marks lie from what was edited, by the target that was sealed with the truth."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from readerstudy.models import CaseTruth, RatingEvent, Stimulus
from readerstudy.tasks.marks import SEPARATOR
from readerstudy.tasks.task import MarkAsked

MARK_MEANINGS = {
    "mark_x_mm": "The marked place in the patient, to the left (LPS)",
    "mark_y_mm": "The marked place in the patient, to the back (LPS)",
    "mark_z_mm": "The marked place in the patient, to the head (LPS)",
    "mark_distance_mm": "From the mark to the nearest voxel that was changed, 0 within; empty for real cases",
    "mark_hit": "1: within the planned radius; empty for real cases and without a mark",
    "mark_chance": "How likely a mark is a hit whose rater knows nothing of the case; empty for real cases",
}


MARKS_MEANINGS = {
    "marks_x_mm": "The marked places in the patient, to the left (LPS)",
    "marks_y_mm": "The marked places in the patient, to the back (LPS)",
    "marks_z_mm": "The marked places in the patient, to the head (LPS)",
    "marks_place": "For every mark the number of the edited place within the planned radius, from 1; 0: none",
    "place_confidences": "For every edited place the highest confidence of the marks on it, 0 without; empty for real "
    "cases",
    "place_chances": "For every edited place how likely one mark finds it whose rater knows nothing of the case",
}


def distance_mm(mark: Mapping[str, int], truth: CaseTruth, stimulus: Stimulus) -> float | None:
    """None where nothing was edited, or nothing of it can be seen."""
    away = distances_mm(mark, truth, stimulus)
    return float(away.min()) if len(away) else None


def distances_mm(mark: Mapping[str, int], truth: CaseTruth, stimulus: Stimulus) -> NDArray[np.float64]:
    """To each run of what was edited."""
    runs = np.asarray(truth.target.get("runs", ()), dtype=np.float64).reshape(-1, 4)
    z, y, start, stop = runs.T
    beside = np.maximum(np.maximum(start - mark["column"], mark["column"] - (stop - 1)), 0)
    away = np.stack([z - mark["slice"], y - mark["row"], beside], axis=1) * stimulus.spacing_zyx_mm
    return np.asarray(np.linalg.norm(away, axis=1))


def places_hit(event: RatingEvent, truth: CaseTruth, radius_mm: float) -> list[int | None]:
    """For every mark of an answer which edited place it finds, from 0: the nearest one within the radius."""
    place_of_run = truth.target.get("place_of_run", [])
    found: list[int | None] = []
    for mark in event.marks or []:
        away = distances_mm(mark, truth, event.presentation.stimulus)
        nearest = int(away.argmin()) if len(away) else None
        found.append(place_of_run[nearest] if nearest is not None and away[nearest] <= radius_mm else None)
    return found


def place_chances(truth: CaseTruth) -> Sequence[Sequence[float]]:
    """Of every edited place the chance that a mark put at random finds it, for each radius. A synthetic case of whose
    edit nothing is seen has one place, which nobody can find.
    """
    if not truth.synthetic:
        return []
    chances: Sequence[Sequence[float]] = truth.target.get("place_chances") or [[0.0, 0.0, 0.0]]
    return chances


def marks_of(event: RatingEvent) -> Sequence[Mapping[str, int]]:
    """All that an answer marks, one place or any number."""
    if event.mark is not None:
        return [event.mark]
    marks: Sequence[Mapping[str, int]] = event.marks or []
    return marks


def mark_words(event: RatingEvent, truth: CaseTruth, asked: MarkAsked) -> str:
    """Of one answer: whether its mark is right, or of several how many are."""
    if asked.each is not None:
        return _marks_words(event, truth, asked)
    if event.mark is None:
        return "no place marked"
    away = distance_mm(event.mark, truth, event.presentation.stimulus)
    on = f"marked on slice {event.mark['slice'] + 1}"
    if away is None:
        return on
    right = "right" if away <= asked.radius_mm else "wrong"
    return f"{on}, {away:.0f} mm from what was edited: place {right}"


def _marks_words(event: RatingEvent, truth: CaseTruth, asked: MarkAsked) -> str:
    if not event.marks:
        return ""
    right = sum(place is not None for place in places_hit(event, truth, asked.radius_mm))
    return f"{right} of {len(event.marks)} on what was edited" if truth.synthetic else ""


def chances_of(truth: CaseTruth, asked: MarkAsked) -> Sequence[float]:
    """Of a hit by a mark put at random, for each radius."""
    chances: Sequence[float] = truth.target.get("chances", [0.0] * len(asked.radii_mm))
    return chances


def mark_truth_columns(event: RatingEvent, truth: CaseTruth, asked: MarkAsked) -> dict[str, Any]:
    if asked.each is not None:
        return _marks_truth_columns(event, truth, asked)
    x, y, z = event.mark_lps_mm or (None, None, None)
    away = None if event.mark is None else distance_mm(event.mark, truth, event.presentation.stimulus)
    hit = None if event.mark is None or not truth.synthetic else int(away is not None and away <= asked.radius_mm)
    return {
        "mark_x_mm": x,
        "mark_y_mm": y,
        "mark_z_mm": z,
        "mark_distance_mm": None if away is None else round(away, 2),
        "mark_hit": hit,
        "mark_chance": round(chances_of(truth, asked)[0], 6) if truth.synthetic else None,
    }


def truth_meanings(asked: MarkAsked) -> Mapping[str, str]:
    """Of the columns that marks get by the truth."""
    return MARK_MEANINGS if asked.each is None else MARKS_MEANINGS


def _marks_truth_columns(event: RatingEvent, truth: CaseTruth, asked: MarkAsked) -> dict[str, Any]:
    marks, hit = event.marks or [], places_hit(event, truth, asked.radius_mm)
    chances = [shares[0] for shares in place_chances(truth)]
    found = [
        max((mark["confidence"] for mark, place in zip(marks, hit, strict=True) if place == number), default=0)
        for number in range(len(chances))
    ]
    across = zip(*(event.marks_lps_mm or []), strict=True) if marks else ((), (), ())
    return {
        **{f"marks_{axis}_mm": _joined(values) for axis, values in zip("xyz", across, strict=True)},
        "marks_place": _joined([0 if place is None else place + 1 for place in hit]),
        "place_confidences": _joined(found),
        "place_chances": _joined([round(chance, 9) for chance in chances]),
    }


def _joined(values: Iterable[Any]) -> str:
    return SEPARATOR.join(str(value) for value in values)
