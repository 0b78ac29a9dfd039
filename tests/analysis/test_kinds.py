"""Further questions over both kinds: worked numbers, and laws."""

import numpy as np
import pytest
from scipy import stats

from readerstudy.analysis import compare_kinds
from readerstudy.analysis.panel import kinds
from readerstudy.analysis.rater.auc import auc

# Three readers grade ten hosts as they are and edited.
REAL = ["4342342343", "3343243233", "4423344342"]
EDITED = ["3343222331", "3233342123", "4232341333"]
TWINS = np.array([[int(grade) for grade in real + edited] for real, edited in zip(REAL, EDITED, strict=True)]).T
TRUTH = [0] * 10 + [1] * 10
# One reader: grades 1 to 5 given to 125 real and to 125 synthetic images, as published.
COUNTS = {
    "first": ((0, 3, 37, 68, 17), (0, 6, 32, 57, 30), 0.53824, 0.0337691),
    "second": ((11, 17, 46, 35, 16), (5, 29, 58, 28, 5), 0.428672, 0.0346595),
}
# Three readers, twelve cases on six levels, the first six real.
LEVELS = [
    [1, 2, 2, 3, 4, 5, 2, 3, 4, 5, 5, 6],
    [2, 1, 3, 3, 5, 4, 3, 3, 4, 4, 6, 2],
    [1, 3, 2, 4, 3, 6, 5, 2, 6, 4, 3, 5],
]


def test_twins_change_kinds_within_their_host():
    found = compare_kinds(truth=TRUTH, answers=TWINS, ordered=True, patients=[*range(10), *range(10)])
    assert found.reader_areas == pytest.approx((0.31, 0.37, 0.345))
    assert found.area.value == pytest.approx(0.3416667, abs=1e-7)
    assert found.test.p == pytest.approx(14 / 1024, abs=1e-12)
    assert found.test.permutations is None


def test_cases_of_their_own_patients_change_kinds_with_all_others():
    """All 924 ways to call six of twelve cases synthetic."""
    found = compare_kinds(truth=[0] * 6 + [1] * 6, answers=np.array(LEVELS).T, ordered=True)
    assert found.area.value == pytest.approx(0.685185, abs=1e-6)
    assert found.test.p == pytest.approx(0.1861, abs=5e-5)


@pytest.mark.parametrize(("real", "synthetic", "area", "se"), COUNTS.values(), ids=COUNTS)
def test_published_grades_of_one_reader(real, synthetic, area, se):
    grades = np.repeat([1, 2, 3, 4, 5, 1, 2, 3, 4, 5], [*real, *synthetic])
    truth = [0] * 125 + [1] * 125
    assert compare_kinds(truth=truth, answers=grades[:, None], ordered=True).area.value == pytest.approx(area, abs=1e-9)
    assert auc(truth=truth, scores=grades).se == pytest.approx(se, abs=1e-7)


def test_drawn_permutations_find_what_counting_finds(monkeypatch):
    known = {"truth": [0] * 6 + [1] * 6, "answers": np.array(LEVELS).T}
    for ordered in (True, False):
        counted = compare_kinds(ordered=ordered, **known).test
        monkeypatch.setattr(kinds, "COUNTED", 0)
        drawn = compare_kinds(ordered=ordered, permutations=20_000, seed=3, **known).test
        monkeypatch.undo()
        assert drawn.permutations == 20_000
        # five Monte Carlo standard errors
        assert drawn.p == pytest.approx(counted.p, abs=5 * np.sqrt(counted.p * (1 - counted.p) / 20_000))


def test_choices_are_compared_by_their_counts():
    truth = [0] * 5 + [1] * 5
    answers = np.array([1, 1, 1, 2, 3, 3, 3, 3, 2, 3])[:, None]
    given = np.array([[3, 1, 1], [0, 1, 4]])
    statistic = kinds._chi_square(answers.astype(float))(np.array([truth], dtype=float))
    assert statistic[0] == pytest.approx(stats.chi2_contingency(given, correction=False).statistic)
    found = compare_kinds(truth=truth, answers=answers, ordered=False)
    assert found.area is None
    assert 0 < found.test.p < 0.2


def test_what_cannot_be_tested_says_why():
    one_kind = compare_kinds(truth=[1, 1], answers=[[1], [2]], ordered=True).test
    assert (one_kind.p, one_kind.reason) == (None, kinds.ONE_KIND)
    # a patient of two real cases is unlike one of a single synthetic case
    unlike = compare_kinds(truth=[0, 0, 1], answers=[[1], [2], [3]], ordered=True, patients=["a", "a", "b"]).test
    assert (unlike.p, unlike.reason) == (None, kinds.NOTHING_TO_EXCHANGE)


def test_a_true_null_is_rejected_as_rarely_as_promised():
    """Readers who share what they think of a case, several cases of one patient, missing answers."""
    random = np.random.default_rng(8)
    patients = np.repeat(np.arange(20), 2)
    truth = np.repeat([0, 1], 20)
    rejected, studies = 0, 300
    for _ in range(studies):
        shown = random.normal(size=20)[patients] + random.normal(size=40)
        answers = np.round(shown[:, None] + 0.5 * random.normal(size=(40, 4)))
        answers[random.random((40, 4)) < 0.1] = np.nan
        p = compare_kinds(truth=truth, answers=answers, ordered=True, patients=patients, permutations=199).test.p
        rejected += p <= 0.05
    assert stats.binomtest(rejected, studies, 0.05).pvalue > 1e-4
