"""Assay sensitivity where several images are shown at a time: did these readers find edits that are bad on purpose?

Trials of positive controls are counted apart. They are found when their right choices exceed guessing by the exact
joint test, or when most readers choose the right image in a planned share of them. One alone who could not is not
covered by the others.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from readerstudy.analysis.estimate import FloatArray, MatrixLike, as_matrix, is_rated
from readerstudy.analysis.panel.assay import LEAST_ANSWERED, ControlRule, few_answered
from readerstudy.analysis.panel.forced_choice import counts_of, counts_of_patients, joint_test
from readerstudy.analysis.patients import any_repeated, patient_numbers

NO_CONTROL_TRIALS = "no trials of positive controls were shown, so nothing proves that these readers look"


@dataclass(frozen=True, kw_only=True)
class ControlTrials:
    """`right` choices of `answered` ones in `n` trials of controls, `p` that of the joint test against guessing.

    `found`: trials in which more than half of the readers were right, `needed` how many the rule asks for. `reason` is
    why they prove nothing; empty where they prove that these readers would have found a difference.
    """

    n: int
    right: int
    answered: int
    p: float | None
    found: int
    needed: int | None
    passed: bool | None
    reason: str


def judge_control_trials(
    *,
    chosen: MatrixLike,
    images: int,
    rule: ControlRule,
    share: float,
    alpha: float,
    raters: Sequence[str],
    judged: Sequence[bool],
    units: Sequence[Hashable] | None = None,
) -> ControlTrials:
    """`chosen` (trials, readers) as in `analyse_choices`, 0 is the one to find; `judged`: who answered other trials.

    `units` (trials,): trials of one unit, such as a patient who gives several images to find, go by the same chance.
    """
    choice = as_matrix(chosen) if len(chosen) else np.zeros((0, len(raters)))
    answered = is_rated(choice)
    right = np.where(answered, choice == 0, 0)
    counts, numbers = counts_of(choice, images=images), patient_numbers(units, cases=len(choice))
    test = joint_test(counts_of_patients(counts, numbers) if any_repeated(numbers) else counts)
    found = int((2 * counts[:, 0] > counts.sum(axis=1)).sum())
    needed = ceil(share * len(choice) - 1e-9) if rule == "found" else None
    above = test.p is not None and test.p <= alpha and test.right > (test.expected or 0)
    passed = None if not len(choice) else above if needed is None else found >= needed > 0
    return ControlTrials(
        n=len(choice),
        right=int(right.sum()),
        answered=int(answered.sum()),
        p=test.p,
        found=found,
        needed=needed,
        passed=passed,
        reason=_reason(choice, right, passed=passed, raters=raters, judged=judged),
    )


def _reason(
    choice: FloatArray, right: FloatArray, *, passed: bool | None, raters: Sequence[str], judged: Sequence[bool]
) -> str:
    if passed is None:
        return NO_CONTROL_TRIALS
    if not passed:
        return (
            f"the image to find was chosen in {int(right.sum())} of {int(is_rated(choice).sum())} answers to trials of "
            "positive controls, which the plan does not count as found"
        )
    answered = is_rated(choice).sum(axis=0)
    enough = answered >= ceil(LEAST_ANSWERED * len(choice) - 1e-9)
    few = [
        (rater, int(count))
        for rater, count, covered, counts in zip(raters, answered, enough, judged, strict=True)
        if counts and not covered
    ]
    return few_answered(few, of=len(choice), what="trials of positive controls") if few else ""
