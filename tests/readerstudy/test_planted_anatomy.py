"""Cases that give themselves away by what lies beside them: planted in scans, and found by an attempt to lock.

The other lesions are drawn in masks and have the liver's own brightness, so that no measure of pixels can find them.
"""

import numpy as np
import pytest
from django.db import transaction

from readerstudy.auditing import audit
from readerstudy.auditing.anatomy import IN_LIVER, OTHERS, anatomy_observables
from readerstudy.blinding import leaks
from readerstudy.design.candidate import Candidate
from tests.readerstudy.planting import make_planted, one_case

pytestmark = pytest.mark.django_db
CASES = 20
# So many rows away another lesion still stands in a picture of 25 mm.
ROWS = 10
COUNT, DISTANCE = "number of other lesions in the picture", "distance to the nearest other lesion"


def never(number, synthetic):
    return None


def real_only(number, synthetic):
    return None if synthetic else ROWS


def every_other_of_both(number, synthetic):
    return ROWS if number // 2 % 2 else None


def nearer_beside_synthetic(number, synthetic):
    return 7 if synthetic else ROWS


# By plant: how many rows away from each case another lesion lies, and what must be found.
BESIDE = {
    "synthetic in lesion-free scans": (real_only, {COUNT, DISTANCE}),
    "synthetic nearer to another lesion": (nearer_beside_synthetic, {DISTANCE}),
    "no scan has another lesion": (never, set()),
    "as many beside both kinds": (every_other_of_both, set()),
}


@pytest.mark.parametrize("plant", BESIDE)
def test_other_lesions_beside_one_kind_stop_the_lock(monkeypatch, plant):
    beside, telling = BESIDE[plant]
    assert found(monkeypatch, beside=beside) & {COUNT, DISTANCE} == telling


def left_or_right(synthetic, random):
    columns = (16, 24) if synthetic else (29, 37)
    return 4, int(random.integers(16, 37)), int(random.integers(*columns))


def test_a_side_of_the_liver_for_each_kind_stops_the_lock(monkeypatch):
    assert "place in the liver, right to left" in found(monkeypatch, place_of=left_or_right)


def found(monkeypatch, **planted):
    """Names of what leaks in an attempt to lock."""
    with transaction.atomic():
        study = make_planted(cases=CASES, made=lambda *args, **named: one_case(*args, **named, **planted))
        named = set(study.lock(monkeypatch))
        transaction.set_rollback(True)
    return named


def cases_like(**columns):
    count = len(next(iter(columns.values())))
    return [
        Candidate(
            synthetic=number % 2 == 0,
            scan=str(number),
            root=str(number),
            subject=str(number),
            place_lps_mm=(0.0, 0.0, 0.0),
            diameter_mm=9.0,
            **{name: values[number] for name, values in columns.items()},
        )
        for number in range(count)
    ]


def judged(cases):
    return leaks.audit(anatomy_observables(cases), synthetic=[case.synthetic for case in cases])


def test_where_no_case_has_another_lesion_there_is_nothing_to_judge():
    """Nothing could fail, so no family says that it passed."""
    outcome = judged(cases_like(others=[0] * CASES, other_distance_mm=[None] * CASES))
    assert OTHERS not in [family["name"] for family in outcome["families"]]
    one = judged(cases_like(others=[1, *[0] * (CASES - 1)], other_distance_mm=[10.0, *[None] * (CASES - 1)]))
    assert [family["judgeable"] for family in one["families"] if family["name"] == OTHERS] == [False]


def test_what_was_never_measured_is_listed_as_not_judged():
    outcome = judged(cases_like(others=[None] * CASES))
    assert {(finding["name"], finding["sort"]) for finding in outcome["findings"]} >= {
        (COUNT, "content"),
        (DISTANCE, "content"),
    }


def test_a_difference_that_nobody_sees_is_none():
    """One kind lies a fifth of a millimetre deeper throughout."""
    deep = np.repeat(np.arange(CASES // 2) * 2.0 + 1.1, 2)
    outcome = judged(cases_like(depth_mm=list(deep + np.tile([0.2, 0.0], CASES // 2))))
    assert outcome["passed"]


def segment_of(number, synthetic):
    return (0.6, 0.5, 0.8) if synthetic else (0.3, 0.2, (0.2, 0.8)[number // 2 % 2])


def test_a_segment_of_one_kind_is_named():
    shares = [segment_of(number, number % 2 == 0) for number in range(CASES)]
    columns = dict(zip(("liver_left", "liver_back", "liver_head"), map(list, zip(*shares, strict=True)), strict=True))
    outcome = judged(cases_like(**columns))
    assert "in liver segment IVa by position" in outcome["leaks"]
    assert {family["name"] for family in outcome["families"]} == {IN_LIVER, leaks.CLASSIFIER}


def test_the_audit_of_a_study_lists_what_lies_beside_its_cases(collecting):
    outcome = audit.audit_study(collecting, on_progress=lambda done, message: None)
    assert {COUNT, DISTANCE} <= {finding["name"] for finding in outcome["findings"]}
