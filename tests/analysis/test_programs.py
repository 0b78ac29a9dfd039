"""Programs beside people, against worked numbers of RJafroc's StCadVsRad (1T-RRRC) on the same ratings."""

import numpy as np
import pytest
from scipy import stats

from readerstudy.analysis import auc, compare_programs

TRUTH = [0] * 6 + [1] * 6
PEOPLE = np.array(
    [[1, 2, 2, 3, 4, 5, 2, 3, 4, 5, 5, 6], [2, 1, 3, 3, 5, 4, 3, 3, 4, 4, 6, 2], [1, 3, 2, 4, 3, 6, 5, 2, 6, 4, 3, 5]],
    dtype=float,
).T
PROGRAM = np.array([0.1, 0.2, 0.3, 0.15, 0.6, 0.4, 0.5, 0.7, 0.9, 0.8, 0.35, 0.95])


def compared(scores, *, ratings=PEOPLE, truth=TRUTH, **options):
    scores = np.asarray(scores, dtype=float).reshape(len(truth), -1)
    calls = np.where(np.isnan(ratings), np.nan, ratings > 3.5)
    answers = np.where(np.isnan(scores), np.nan, scores > 0.45)
    [found] = compare_programs(truth=truth, ratings=ratings, calls=calls, programs={"A": (scores, answers)}, **options)
    return found


def test_the_worked_example():
    found = compared(PROGRAM)
    assert found.auc.value == pytest.approx(0.9166667, abs=1e-7)
    assert found.difference.value == pytest.approx(-0.2314815, abs=1e-7)
    assert found.se == pytest.approx(0.1064815, abs=1e-7)
    # Hillis' 150.41 degrees of freedom, P .0313; three people bring fewer here, and never a smaller p.
    published = found.se**4 / ((0.0039223 / 3) ** 2 / 2)
    assert published == pytest.approx(150.41, abs=0.05)
    assert found.df < published
    assert 2 * stats.t.sf(abs(found.difference.value) / found.se, published) == pytest.approx(0.0313, abs=5e-5)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.difference.value) / found.se, found.df))
    assert found.p > 0.0313


def test_five_people_have_the_degrees_of_freedom_of_the_method():
    five = np.column_stack([PEOPLE, PEOPLE[:, ::-1][:, :2]])
    found = compared(PROGRAM, ratings=five)
    spread = np.var([auc(truth=TRUTH, scores=column).value for column in five.T], ddof=1) / 5
    assert found.df == pytest.approx(found.se**4 / (spread**2 / 4))


def test_runs_are_averaged_and_are_no_readers():
    """Two runs whose mean is the one program: the same result, however often it was run."""
    noise = np.linspace(-0.05, 0.05, 12)
    twice = compared(np.column_stack([PROGRAM - noise, PROGRAM + noise]))
    assert (twice.runs, twice.n_answered) == (2, 12)
    assert twice.p == pytest.approx(compared(PROGRAM).p)


def test_only_the_order_of_a_programs_scores_counts():
    assert compared(1000 * PROGRAM - 7).difference == compared(PROGRAM).difference


def test_a_program_that_is_one_of_the_people_does_not_differ_from_that_person():
    alone = np.column_stack([PEOPLE[:, 0], PEOPLE[:, 0]])
    found = compared(PEOPLE[:, 0], ratings=alone)
    assert found.difference.value == 0
    assert found.p is None
    assert found.difference.reason


def test_patients_count_once():
    """Every case twice by the same patient is no news: the standard error stays about what it was."""
    doubled = compared(
        np.tile(PROGRAM, 2), ratings=np.tile(PEOPLE, (2, 1)), truth=TRUTH * 2, patients=list(range(12)) * 2
    )
    independent = compared(np.tile(PROGRAM, 2), ratings=np.tile(PEOPLE, (2, 1)), truth=TRUTH * 2)
    assert independent.se < 0.085 < 0.095 < doubled.se


@pytest.mark.parametrize("answered", [0, 5, 7])
def test_too_few_answers_are_said(answered):
    found = compared(np.where(np.arange(12) < answered, PROGRAM, np.nan))
    assert found.n_answered == answered
    assert found.p is None
    assert found.difference.value is None
    assert found.difference.reason
