"""Gathers all that a rater could see of every case and puts it before the leak audit."""

from collections.abc import Mapping, Sequence
from typing import Any

from readerstudy.blinding import leaks
from readerstudy.blinding.presentation import NO_STORE, SLICE_CONTENT_TYPE, presentation_payload
from readerstudy.locking.stimuli import MadeStimulus


def check_for_leaks(
    made: Sequence[MadeStimulus], *, orders: Mapping[int, Sequence[str]], tokens: Mapping[int, Mapping[str, str]]
) -> dict[str, Any]:
    """`orders` and `tokens` are per rater number; tokens map case ids to presentation tokens."""
    case_ids = [str(stimulus.truth.case_id) for stimulus in made]
    observables = leaks.measure_observables([stimulus.measures for stimulus in made])
    observables += leaks.fixed_observables("case", [_payload(stimulus) for stimulus in made])
    observables += leaks.fixed_observables("header", [_headers(stimulus) for stimulus in made])
    observables += _markers(made)
    observables += leaks.text_observables("storage key", [stimulus.row.key.rsplit("/", 1)[-1] for stimulus in made])
    observables.append(leaks.number_observable("order of storage", range(len(made))))
    for number, order in orders.items():
        position = {case_id: slot for slot, case_id in enumerate(order)}
        observables.append(
            leaks.number_observable(f"slot, rater {number}", [position[case_id] for case_id in case_ids])
        )
        own = tokens[number]
        observables += leaks.text_observables(f"token, rater {number}", [own[case_id] for case_id in case_ids])
    return leaks.audit(observables, synthetic=[stimulus.truth.synthetic for stimulus in made])


def _payload(stimulus: MadeStimulus) -> dict[str, Any]:
    row = stimulus.row
    payload = presentation_payload(
        size_zyx=row.size_zyx,
        spacing_zyx_mm=row.spacing_zyx_mm,
        start_slice=row.start_slice,
        marker_zyx=row.marker_zyx,
    )
    marker = payload.pop("marker")
    return {**payload, "has a marker": marker is not None, "marker slice": marker and marker["slice"]}


def _headers(stimulus: MadeStimulus) -> dict[str, Any]:
    _, rows, columns = stimulus.row.size_zyx
    return {
        "Content-Type": SLICE_CONTENT_TYPE,
        "Cache-Control": NO_STORE,
        "Content-Length": rows * columns * 2,
    }


def _markers(made: Sequence[MadeStimulus]) -> list[leaks.Observable]:
    places = [stimulus.row.marker_zyx for stimulus in made]
    if any(place is None for place in places):
        return []
    return [
        leaks.number_observable(f"marker {name}", [place[axis] for place in places if place is not None])
        for name, axis in (("row", 1), ("column", 2))
    ]
