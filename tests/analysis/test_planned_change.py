"""A change between phases that a plan names: its side, what decides, and when both count as equal."""

import numpy as np
import pytest

from readerstudy.analysis import PhaseAnswers, PlannedChange, compare_phases
from readerstudy.analysis.panel.planned_change import ONE_RATER


def compared(planned, *, seed=1, raters=5, lift=0.0, cases=30, same_images=True, swapped=False):
    random = np.random.default_rng(seed)
    truth = np.arange(cases) % 2
    shared = random.normal(size=(cases, 1))
    scores = [
        truth[:, None] * (0.6 + phase * lift) + shared + random.normal(size=(cases, raters)) for phase in range(2)
    ]
    phases = [PhaseAnswers(truth=truth, answers=one, patients=list(range(cases))) for one in scores]
    return compare_phases(
        *(phases[::-1] if swapped else phases),
        rater_ids=[str(one) for one in range(raters)],
        scored=True,
        same_images=same_images,
        planned=planned,
        exchanges=200,
    )


def test_the_two_sides_share_what_the_two_sided_test_has():
    higher, lower, both = (compared(PlannedChange(side=side), lift=0.4) for side in ("higher", "lower", "two_sided"))
    assert higher.p + lower.p == pytest.approx(1)
    assert both.p == pytest.approx(2 * min(higher.p, lower.p))
    assert higher.exchange_p < both.exchange_p < lower.exchange_p
    unplanned = compared(None, lift=0.4)
    assert (unplanned.p, unplanned.exchange_p) == (both.p, both.exchange_p)
    assert unplanned.judged is None


def test_phases_that_change_places_change_the_side():
    there, back = (
        compared(PlannedChange(side="higher"), lift=0.4),
        compared(PlannedChange(side="lower"), lift=0.4, swapped=True),
    )
    assert there.p == pytest.approx(back.p)
    assert there.exchange_p == back.exchange_p
    assert there.judged.p == pytest.approx(back.judged.p)


@pytest.mark.parametrize("seed", range(6))
def test_raters_in_general_decide(seed):
    found = compared(PlannedChange(), seed=seed, lift=0.5)
    assert found.judged.p == found.p != found.exchange_p
    assert found.judged.found == (found.p <= 0.05)


def test_raters_who_change_in_different_directions_show_no_change_of_raters():
    """The exchange finds that they changed; the plan asks of raters on average."""
    random = np.random.default_rng(2)
    truth, shared = np.arange(200) % 2, random.normal(size=(200, 1))
    first, second = np.full(5, 0.8), np.array([2.6, 2.4, 2.2, 0.1, 0.0])
    scores = [truth[:, None] * skill + shared + 0.2 * random.normal(size=(200, 5)) for skill in (first, second)]
    phases = [PhaseAnswers(truth=truth, answers=one, patients=list(range(200))) for one in scores]
    found = compare_phases(
        *phases, rater_ids="12345", scored=True, same_images=True, planned=PlannedChange(), exchanges=200
    )
    assert found.exchange_p < 0.05
    assert found.judged.found is False


def test_other_images_are_decided_by_the_one_test_that_there_is():
    found = compared(PlannedChange(), same_images=False)
    assert found.exchange_p is None
    assert found.judged.p == found.p


def test_equal_means_that_the_whole_inner_interval_lies_within_the_margin():
    for margin in (0.02, 0.1, 0.4):
        band = compared(PlannedChange(margin=margin), cases=80).judged.equivalence
        within = -margin < band.low and band.high < margin
        assert band.equivalent == (band.p <= 0.05) == within
    assert within, "nothing changed, and 40 points are much"


def test_raters_who_may_not_have_looked_are_never_called_equal():
    wide = compared(PlannedChange(margin=0.4, unproven="nobody looked"), cases=80).judged.equivalence
    assert (wide.equivalent, wide.reason) == (None, "nobody looked")
    narrow = compared(PlannedChange(margin=0.01, unproven="nobody looked"), cases=80).judged.equivalence
    assert narrow.equivalent is False


def test_one_rater_shows_no_equality_of_raters():
    found = compared(PlannedChange(margin=0.4), raters=1)
    assert found.judged.equivalence.reason == ONE_RATER
    assert found.judged.p is not None


def test_what_can_not_be_tested_is_not_found():
    truth = np.arange(20) % 2
    answers = np.tile(truth[:, None], (1, 3)).astype(float)
    phases = [PhaseAnswers(truth=truth, answers=answers, patients=list(range(20)))] * 2
    found = compare_phases(
        *phases, rater_ids="123", scored=True, same_images=True, planned=PlannedChange(margin=0.1), exchanges=20
    )
    assert (found.judged.p, found.judged.found, found.judged.equivalence.equivalent) == (None, None, None)
    assert found.judged.equivalence.reason
