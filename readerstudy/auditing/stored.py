"""What lies in the storage and the tables, read back: pixels, files, names, orders."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.core.files.storage import default_storage

from readerstudy.auditing.rehearsal import Sitting
from readerstudy.blinding.cutting import STIMULUS_DTYPE
from readerstudy.blinding.grain import bare, grain_key
from readerstudy.blinding.lattice import Lattice
from readerstudy.blinding.measures import Measures, Pixels, Shown, measure_observables, stimulus_measures, surroundings
from readerstudy.blinding.observables import Observable, fixed_observable, number_observable, text_observables
from readerstudy.blinding.pairs import Sketch, pair_observables, sketch
from readerstudy.blinding.wire import UnreadableError, is_as_written, samples_of
from readerstudy.models import Stimulus
from readerstudy.tasks.marks import AXES

# Around the largest lesion this much is left out of what must look alike.
LESION_MARGIN_MM = 4.0

FILES, PLACE, NAMES, ORDER = "stored files", "place in the frame", "names and tokens", "order of the cases"
# Judged apart: among all that is seen of the slots it would take a larger study to find that one kind is repeated.
TWICE = "which cases come twice"

Progress = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One stimulus as it lies in the storage."""

    stimulus: Stimulus
    slices: list[bytes]
    # For each slice: is there nothing but its samples in the file?
    plain: list[bool]
    modified_at: float
    # Of the picture without its grain, which would hide from measures and comparisons what the eye may see.
    bare_digest: str
    measures: Measures
    sketch: Sketch


def read_back(stimuli: Sequence[Stimulus], *, grain_seed: str, on_progress: Progress) -> list[Stored]:
    """In the order of the stimuli. `grain_seed` is the sealed seed of a study with a grain, else empty."""
    radius_mm = max(stimulus.case.truth.diameter_mm for stimulus in stimuli) / 2 + LESION_MARGIN_MM
    read = []
    for number, stimulus in enumerate(stimuli, start=1):
        read.append(_stored_of(stimulus, radius_mm=radius_mm, grain_seed=grain_seed))
        on_progress(number / len(stimuli), f"reading back stimulus {number} of {len(stimuli)}")
    return read


def _stored_of(stimulus: Stimulus, *, radius_mm: float, grain_seed: str) -> Stored:
    keys = [stimulus.slice_key(index) for index in range(stimulus.size_zyx[0])]
    slices = [_bytes_of(key) for key in keys]
    shown = shown_of(stimulus)
    pixels = _as_pixels(slices, shown)
    seen = _bare(stimulus, pixels, grain_seed) if grain_seed else pixels
    return Stored(
        stimulus=stimulus,
        slices=slices,
        plain=[is_as_written(content, plane) for content, plane in zip(slices, pixels, strict=True)],
        modified_at=default_storage.get_modified_time(keys[0]).timestamp(),
        bare_digest=hashlib.sha256(seen.tobytes()).hexdigest(),
        measures=stimulus_measures(seen, area=surroundings(shown, radius_mm=radius_mm)),
        sketch=sketch(seen, shown),
    )


def _bare(stimulus: Stimulus, pixels: Pixels, grain_seed: str) -> Pixels:
    return bare(pixels, key=grain_key(seed=grain_seed, case_id=str(stimulus.case_id), reading=stimulus.reading))


def _bytes_of(key: str) -> bytes:
    with default_storage.open(key, "rb") as file:
        content: bytes = file.read()
    return content


def _as_pixels(slices: Sequence[bytes], shown: Shown) -> Pixels:
    """What a browser makes of the bytes; of what is no slice it makes nothing."""
    _, rows, columns = shown.size_zyx
    return np.stack([_plane(content, rows, columns) for content in slices])


def _plane(content: bytes, rows: int, columns: int) -> Pixels:
    try:
        return samples_of(content, rows=rows, columns=columns)
    except UnreadableError:
        return np.zeros((rows, columns), dtype=STIMULUS_DTYPE)


def place_of(stimulus: Stimulus) -> tuple[int, int, int] | None:
    """Sample on which the case's place stands, whether raters are told of it or look for it; None: the middle one."""
    if stimulus.lattice is None:
        marker = stimulus.marker_zyx
        return None if marker is None else (marker[0], marker[1], marker[2])
    place = Lattice.from_json(stimulus.lattice).to_picture(stimulus.case.truth.place_lps_mm)
    z, y, x = np.clip(np.rint(place).astype(int), 0, np.array(stimulus.size_zyx) - 1)
    return int(z), int(y), int(x)


def shown_of(stimulus: Stimulus) -> Shown:
    slices, rows, columns = stimulus.size_zyx
    depth, height, width = stimulus.spacing_zyx_mm
    return Shown(
        size_zyx=(slices, rows, columns),
        spacing_zyx_mm=(depth, height, width),
        place_zyx=place_of(stimulus),
    )


def stored_observables(
    stored: Sequence[Stored], copies: Mapping[str, Stored], sittings: Sequence[Sitting], *, twins_allowed: bool
) -> list[Observable]:
    """In the order of `stored`, which has each case once; `copies` has by their ids those of cases that come again.

    A copy is compared with its own case, of which it may differ in nothing but the grain. So it enters no comparison of
    pairs, and twins that nobody planned are found among all others as ever.
    """
    cases = [str(one.stimulus.case_id) for one in stored]
    return [
        *measure_observables([one.measures for one in stored]),
        *_files(stored),
        *_places(stored),
        *pair_observables(
            [one.sketch for one in stored],
            seen_together=[[cases.index(slot.case_id) for slot in sitting.slots] for sitting in sittings],
            sort="content" if twins_allowed else "blind",
        ),
        *order_observables(cases, sittings),
        *text_observables("case code", [one.stimulus.case.code for one in stored], family=NAMES),
        *([_copies(stored, copies)] if copies else []),
    ]


def _copies(stored: Sequence[Stored], copies: Mapping[str, Stored]) -> Observable:
    """Empty for every case: what of its second picture is otherwise than it was, or too much the same."""
    pairs = [(one, copies.get(str(one.stimulus.case_id))) for one in stored]
    told = ["" if copy is None else ", ".join(_unlike_its_first(one, copy)) for one, copy in pairs]
    return fixed_observable("a case that comes again", told, family=FILES)


def _unlike_its_first(first: Stored, copy: Stored) -> list[str]:
    one, again = first.stimulus, copy.stimulus
    seen = {
        "another picture": first.bare_digest != copy.bare_digest,
        "the same bytes": not set(first.slices).isdisjoint(copy.slices),
        "bytes of each file": [len(part) for part in first.slices] != [len(part) for part in copy.slices],
        "what is in each file besides samples": first.plain != copy.plain,
        "folder": one.key.rsplit("/", 1)[0] != again.key.rsplit("/", 1)[0],
        "length of the name": len(one.key) != len(again.key),
        "shape and spacing": _form(one) != _form(again),
        "ring": (one.marker_zyx, one.ring_mm) != (again.marker_zyx, again.ring_mm),
    }
    return [name for name, otherwise in seen.items() if otherwise]


def _files(stored: Sequence[Stored]) -> list[Observable]:
    names = [one.stimulus.key.rsplit("/", 1)[-1] for one in stored]
    folders = [one.stimulus.key.rsplit("/", 1)[0] for one in stored]
    written = np.argsort(np.argsort([one.modified_at for one in stored], kind="stable"), kind="stable")
    return [
        fixed_observable("bytes of each file", [[len(content) for content in one.slices] for one in stored]),
        fixed_observable("what is in each file besides samples", [one.plain for one in stored]),
        fixed_observable("folder of the files", folders, family=FILES),
        fixed_observable("shape and spacing", [_form(one.stimulus) for one in stored], family=FILES),
        *text_observables("name of the files", names, family=FILES),
        number_observable("order in which the files were written", written.tolist(), family=FILES),
    ]


def _form(stimulus: Stimulus) -> tuple[object, ...]:
    marker = stimulus.marker_zyx and stimulus.marker_zyx[0]
    return (stimulus.size_zyx, stimulus.spacing_zyx_mm, stimulus.start_slice, marker)


def _places(stored: Sequence[Stored]) -> list[Observable]:
    places = [place_of(one.stimulus) for one in stored]
    if any(place is None for place in places):
        return []
    ringed = any(one.stimulus.marker_zyx is not None for one in stored)
    what, axes = ("ring", ("row", "column")) if ringed else ("place", ("slice", "row", "column"))
    of_places = [
        number_observable(f"{name} of the {what}", [place[AXES.index(name)] for place in places if place], family=PLACE)
        for name in axes
    ]
    if not ringed:
        return of_places
    radii = [0.0 if one.stimulus.ring_mm is None else one.stimulus.ring_mm for one in stored]
    return [number_observable("size of the ring", radii, family=PLACE), *of_places]


def order_observables(cases: Sequence[str], sittings: Sequence[Sitting]) -> list[Observable]:
    """Of the sittings in which every case comes: a rater who reads a part tells nothing of the rest."""
    observables = []
    for sitting in sittings:
        slots = {slot.case_id: slot for slot in sitting.slots if not slot.again}
        if not slots.keys() >= set(cases):
            continue
        name, twice = f"rater {sitting.rater_number}", {slot.case_id for slot in sitting.slots if slot.again}
        if twice:
            told = [float(case in twice) for case in cases]
            observables.append(number_observable(f"shown twice, {name}", told, family=TWICE))
        observables.append(number_observable(f"slot, {name}", [slots[case].position for case in cases], family=ORDER))
        if any(slot.side for slot in sitting.slots):
            observables.append(number_observable(f"side, {name}", [slots[case].side for case in cases], family=ORDER))
        observables += text_observables(f"token, {name}", [slots[case].token for case in cases], family=NAMES)
    return observables
