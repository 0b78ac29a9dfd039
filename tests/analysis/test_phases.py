"""The change between two phases: hand-computed cases, its laws, and what it says where there is nothing to say."""

import numpy as np
import pytest

from readerstudy.analysis.panel.mrmc import compare_conditions
from readerstudy.analysis.panel.phases import RATERS_AND, THESE_RATERS, PhaseAnswers, compare_phases

BEFORE = ["1010110010", "0011100110", "1010011010", "1100100110"]
AFTER = ["1110101010", "1111010110", "1100111010", "1110110011"]
TRUTH = [0, 1] * 5


def calls_of(right):
    """Calls (cases, raters) of which these are right."""
    table = np.array([[int(one) for one in row] for row in right]).T
    return np.where(table == 1, np.array(TRUTH)[:, None], 1 - np.array(TRUTH)[:, None])


def example(**changes):
    patients = list(range(10))
    phases = [PhaseAnswers(truth=TRUTH, answers=calls_of(right), patients=patients) for right in (BEFORE, AFTER)]
    return compare_phases(*phases, rater_ids="1234", **{"scored": False, "same_images": True, **changes})


def test_the_example_of_the_literature_has_its_exact_p():
    found = example()
    assert (found.first, found.second) == (pytest.approx(0.5), pytest.approx(0.65))
    assert found.difference.value == pytest.approx(0.15)
    # All 1024 exchanges.
    assert (found.exchange_p, found.exchanges) == (0.1875, None)
    assert [one.first for one in found.raters] == [0.5, 0.5, 0.5, 0.5]
    assert (found.cases_first, found.patients) == (10, 10)


def test_raters_who_change_alike_make_no_interval_narrower_than_their_own():
    """The shares of right answers change by a mean over ten images with this spread, four raters or four hundred."""
    found = example()
    changes = [np.mean([int(b[at]) - int(a[at]) for a, b in zip(BEFORE, AFTER, strict=True)]) for at in range(10)]
    within = [np.var([changes[at] for at in range(10) if TRUTH[at] == kind], ddof=1) / 5 for kind in (0, 1)]
    assert found.se == pytest.approx(np.sqrt(sum(within) / 4))
    assert found.p > found.exchange_p / 2 > 0.05
    assert found.difference.low < 0 < found.difference.high


def test_cases_may_be_the_units():
    assert example().random == RATERS_AND["patients"]
    found = example(units="cases")
    assert (found.random, found.units) == ("raters and cases", "cases")


def drawn(seed, *, raters=4, cases=30, per_patient=1):
    random = np.random.default_rng(seed)
    truth = np.arange(cases) % 2
    shared = random.normal(size=(cases, 1))
    scores = [truth[:, None] * 0.8 + shared + random.normal(size=(cases, raters)) for _ in range(2)]
    return truth, scores, [case // per_patient for case in range(cases)]


def test_the_area_of_the_same_images_is_that_of_two_conditions():
    truth, scores, patients = drawn(1, raters=6)
    phases = [PhaseAnswers(truth=truth, answers=one, patients=patients) for one in scores]
    found = compare_phases(*phases, rater_ids="123456", scored=True, same_images=True, exchanges=20)
    known = compare_conditions(truth=truth, ratings=np.stack(scores[::-1]), patients=patients)
    [contrast] = known.contrasts
    assert found.difference.value == pytest.approx(contrast.difference)
    assert found.se == pytest.approx(contrast.se)
    assert found.exchanges == 20


@pytest.mark.parametrize("scored", [True, False])
def test_phases_that_change_places_change_the_sign_and_nothing_else(scored):
    truth, scores, patients = drawn(2, per_patient=2)
    answers = scores if scored else [(one > 0.4).astype(float) for one in scores]
    phases = [PhaseAnswers(truth=truth, answers=one, patients=patients) for one in answers]
    there, back = (
        compare_phases(*pair, rater_ids="1234", scored=scored, same_images=True, exchanges=200)
        for pair in (phases, phases[::-1])
    )
    assert there.difference.value == pytest.approx(-back.difference.value)
    assert there.difference.low == pytest.approx(-back.difference.high)
    assert there.p == pytest.approx(back.p)
    assert there.exchange_p == back.exchange_p


def test_other_images_add_their_variances_and_have_no_exchange():
    truth, scores, patients = drawn(3)
    first = PhaseAnswers(truth=truth, answers=scores[0], patients=patients)
    second = PhaseAnswers(truth=truth, answers=scores[1], patients=[f"other {one}" for one in patients])
    apart = compare_phases(first, second, rater_ids="1234", scored=True, same_images=False)
    same = compare_phases(
        first,
        PhaseAnswers(truth=truth, answers=scores[1], patients=patients),
        rater_ids="1234",
        scored=True,
        same_images=True,
        exchanges=10,
    )
    assert apart.exchange_p is None
    assert apart.patients == 60
    for one, paired in zip(apart.raters, same.raters, strict=True):
        # What images have in common goes out of the difference only where they are the same.
        assert one.difference.high - one.difference.low > paired.difference.high - paired.difference.low
        assert one.difference.value == pytest.approx(paired.difference.value)


def test_a_rater_counts_with_the_images_answered_in_both_phases():
    truth, scores, patients = drawn(4)
    scores[0][:4, 0] = np.nan
    scores[1][3:6, 0] = np.nan
    phases = [PhaseAnswers(truth=truth, answers=one, patients=patients) for one in scores]
    found = compare_phases(*phases, rater_ids="1234", scored=True, same_images=True, exchanges=10)
    assert (found.raters[0].n_first, found.raters[0].n_second) == (24, 24)
    assert (found.raters[1].n_first, found.raters[1].n_second) == (30, 30)


def test_one_rater_says_that_nothing_is_known_of_others():
    truth, scores, patients = drawn(5, raters=1)
    phases = [PhaseAnswers(truth=truth, answers=one, patients=patients) for one in scores]
    found = compare_phases(*phases, rater_ids="1", scored=True, same_images=True, exchanges=10)
    assert found.random == THESE_RATERS["patients"]
    assert found.difference.limits == found.raters[0].difference.limits


def test_where_nothing_changed_there_is_no_certainty():
    truth, scores, patients = drawn(6)
    phases = [PhaseAnswers(truth=truth, answers=scores[0], patients=patients)] * 2
    found = compare_phases(*phases, rater_ids="1234", scored=True, same_images=True, exchanges=50)
    assert found.difference.value == 0
    assert found.difference.limits is None
    assert found.exchange_p == 1.0


def test_other_images_are_not_taken_for_the_same():
    truth, scores, patients = drawn(7)
    first = PhaseAnswers(truth=truth, answers=scores[0], patients=patients)
    second = PhaseAnswers(truth=1 - truth, answers=scores[1], patients=patients)
    with pytest.raises(ValueError, match="not the same images"):
        compare_phases(first, second, rater_ids="1234", scored=True, same_images=True)


def test_who_answered_one_kind_only_has_no_area():
    truth, scores, patients = drawn(8)
    scores[0][truth == 1, 0] = np.nan
    phases = [PhaseAnswers(truth=truth, answers=one, patients=patients) for one in scores]
    found = compare_phases(*phases, rater_ids="1234", scored=True, same_images=True, exchanges=10)
    assert found.raters[0].difference.value is None
    assert found.difference.value is not None
