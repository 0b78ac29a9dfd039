"""Trials of positive controls: what shows that readers of several images at a time would have found a difference."""

import numpy as np
import pytest

from readerstudy.analysis import NO_CONTROL_TRIALS, Verdict, analyse_choices, judge_choices, judge_control_trials

RATERS = ("1", "2", "3")


def judged(chosen, *, images=2, rule="auc", share=0.75, alpha=0.05):
    return judge_control_trials(
        chosen=chosen, images=images, rule=rule, share=share, alpha=alpha, raters=RATERS, judged=[True] * len(RATERS)
    )


def test_without_trials_nothing_is_proven():
    found = judged(np.zeros((0, 3)))
    assert (found.n, found.passed, found.reason) == (0, None, NO_CONTROL_TRIALS)
    assert found.reason.startswith("no trials of positive controls were shown")


@pytest.mark.parametrize(("images", "trials"), [(2, 6), (4, 3)])
def test_readers_who_are_always_right_find_them_where_chance_would_not(images, trials):
    found = judged(np.zeros((trials, 3)), images=images)
    assert (found.right, found.answered, found.passed, found.reason) == (3 * trials, 3 * trials, True, "")
    # All three choose alike, so that only trials count: of five pairs chance does the same in one of 16 studies.
    assert judged(np.zeros((5, 3)), images=2).passed is False


def test_readers_who_always_take_the_other_one_prove_nothing():
    found = judged(np.ones((10, 3)))
    assert found.p < 0.05
    assert found.passed is False
    assert "does not count as found" in found.reason


def test_the_share_of_trials_that_most_readers_solved_is_what_was_planned():
    chosen = np.zeros((4, 3))
    chosen[3] = [1, 1, 0]
    assert judged(chosen, rule="found", share=0.75).passed is True
    assert judged(chosen, rule="found", share=0.8).passed is False
    assert (judged(chosen, rule="found", share=0.8).found, judged(chosen, rule="found", share=0.8).needed) == (3, 4)


def test_a_reader_who_left_them_out_is_not_covered_by_the_others():
    chosen = np.zeros((8, 3))
    chosen[:3, 2] = np.nan
    found = judged(chosen)
    assert found.passed is True
    assert "rater 3: 5 of 8" in found.reason
    apart = judge_control_trials(
        chosen=chosen, images=2, rule="auc", share=0.75, alpha=0.05, raters=RATERS, judged=[True, True, False]
    )
    assert apart.reason == ""


def test_equivalent_is_said_only_of_readers_who_found_them():
    random = np.random.default_rng(97)
    choices = random.permuted(np.repeat([0.0, 1.0], 100).repeat(3).reshape(200, 3), axis=0)
    found = analyse_choices(chosen=choices, images=2, margin=0.15)
    assert found.panel.equivalent
    said = [
        judge_choices(found, alpha=0.05, unproven=judged(controls).reason, constant=False).verdict
        for controls in (np.zeros((8, 3)), np.ones((8, 3)), np.zeros((0, 3)))
    ]
    assert said == [Verdict.EQUIVALENT, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE]
