"""Assay sensitivity: could this panel have found a difference? Without a yes, "equivalent" may not be said.

Source: ICH E10 (2000), 1.5 (assay sensitivity); Temple & Ellenberg, Ann Intern Med 2000;133:455.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Annotated, Literal

import numpy as np

from readerstudy.analysis.estimate import FloatArray, is_rated
from readerstudy.analysis.panel.equivalence import Judgement, Verdict
from readerstudy.analysis.patients import PatientNumbers, df_of_patients

ControlRule = Literal["auc", "found"]
# Of the controls every rater must have answered so many to be covered by what the panel found.
LEAST_ANSWERED = 0.75
# Degrees of freedom of patients without which nothing is called equivalent.
FEWEST_DF = 4
NO_CONTROLS = "no positive controls were shown, so nothing shows that these raters would have found a bad edit"


@dataclass(frozen=True, kw_only=True)
class RaterVariation:
    """How much one rater's answers vary. Confidence that varies beside one and the same answer proves no looking."""

    rater: str
    n: int
    most_frequent_share: Annotated[float | None, "Share of the most frequent answer"]
    share_called_synthetic: float | None
    varies: Annotated[bool, "Whether the most frequent answer stays within the planned limit"]


def response_variation(
    *, calls: FloatArray, rater_ids: tuple[str, ...], limit: float, choices: FloatArray | None = None
) -> tuple[RaterVariation, ...]:
    """Return the variation of every rater; `calls` (cases, raters) with NaN for no answer.

    A rater varies when no answer makes up more than `limit` of all. One without any answer has nothing to vary.
    `choices` (cases, raters) are the answers where these are finer than the calls, such as levels of a scale.
    """
    answers = calls if choices is None else choices
    return tuple(
        _variation(rater, calls[:, column], answers[:, column], limit=limit) for column, rater in enumerate(rater_ids)
    )


def _variation(rater: str, calls: FloatArray, answers: FloatArray, *, limit: float) -> RaterVariation:
    called, given = calls[is_rated(calls)], answers[is_rated(answers)]
    if len(given) == 0:
        return RaterVariation(rater=rater, n=0, most_frequent_share=None, share_called_synthetic=None, varies=True)
    share = float(np.unique(given, return_counts=True)[1].max() / len(given))
    return RaterVariation(
        rater=rater,
        n=len(given),
        most_frequent_share=share,
        share_called_synthetic=float(called.mean()),
        varies=share <= limit,
    )


def hardly_varied(found: tuple[RaterVariation, ...]) -> str | None:
    """Say which raters hardly varied their answers; None when all did."""
    constant = [row for row in found if not row.varies]
    if not constant:
        return None
    shares = ", ".join(f"rater {row.rater}: {100 * (row.most_frequent_share or 0):.1f} %" for row in constant)
    return f"the same answer was given again and again ({shares}), so chance results would come from any pictures"


@dataclass(frozen=True, kw_only=True)
class RaterControls:
    """What one rater did with the positive controls; `enough` tells whether the panel's proof holds for this rater."""

    rater: str
    answered: int
    found: Annotated[int, "Controls that this rater called synthetic"]
    enough: bool
    passed: Annotated[bool, "Whether this rater alone found them, by the rule of the plan"]


def controls_by_rater(
    *, controls: FloatArray, others: FloatArray, passed: Sequence[bool], rater_ids: tuple[str, ...]
) -> tuple[RaterControls, ...]:
    """Return what every rater did with the controls; `controls`, `others` (cases, raters) are calls, NaN for none.

    `passed` (raters,) tells who found them alone. Enough is `LEAST_ANSWERED` of them. Who answered no other case enters
    no verdict, so that nothing is to be proven.
    """
    answered, judged = is_rated(controls).sum(axis=0), is_rated(others).sum(axis=0) > 0
    needed = ceil(LEAST_ANSWERED * len(controls) - 1e-9)
    found = np.nansum(controls, axis=0)
    return tuple(
        RaterControls(
            rater=rater,
            answered=int(answered[column]),
            found=int(found[column]),
            enough=bool(answered[column] >= needed or not judged[column]),
            passed=passed[column],
        )
        for column, rater in enumerate(rater_ids)
    )


def too_few_answered(rows: tuple[RaterControls, ...], *, of: int) -> str | None:
    """Say which raters answered too few controls for the panel's proof to be theirs; None when all answered enough."""
    few = [(row.rater, row.answered) for row in rows if not row.enough]
    return few_answered(few, of=of, what="positive controls") if few else None


def few_answered(few: Sequence[tuple[str, int]], *, of: int, what: str) -> str:
    """`few`: raters, and how many of `of` each answered."""
    named = ", ".join(f"rater {rater}: {answered} of {of}" for rater, answered in few)
    return (
        f"what the others found proves nothing for raters who answered fewer than {100 * LEAST_ANSWERED:g} % of the "
        f"{what} ({named})"
    )


def not_found_alone(row: RaterControls) -> str | None:
    """Say that this rater did not find the controls, which proves nothing less for the others; None who did."""
    if row.passed:
        return None
    return (
        f"this rater did not tell the positive controls from real cases, as the plan asks for ({row.found} of "
        f"{row.answered} called synthetic)"
    )


@dataclass(frozen=True, kw_only=True)
class ControlsFound:
    """How many of `n` cases most raters called synthetic, and how many the rule asks for."""

    n: int
    found: int
    needed: int


def controls_found(*, calls: FloatArray, share: float) -> ControlsFound:
    """Count the cases, `calls` (cases, raters), that more than half of their raters called synthetic.

    Of the controls as many as `share` asks for must be found, and of the real cases fewer: by chance alone raters who
    call nearly everything synthetic find every control.
    """
    rated = is_rated(calls)
    synthetic = np.nansum(calls, axis=1)
    found = int((2 * synthetic > rated.sum(axis=1)).sum())
    return ControlsFound(n=len(calls), found=found, needed=ceil(share * len(calls) - 1e-9))


def too_few_patients(truth: FloatArray, patients: PatientNumbers) -> str | None:
    """Say that so few patients carry no equivalence; None where they do, or where every case is a patient of its own.

    With less than four degrees of freedom of patients up to 6.5 % of simulated studies were falsely equivalent, and
    what their intervals hang on is two or three numbers.
    """
    count = len(np.unique(patients))
    if len(np.unique(truth)) < 2 or count == len(patients) or df_of_patients(truth, patients) >= FEWEST_DF - 1e-9:
        return None
    return (
        f"the cases come from {count} patients only, whose differences can't be judged (3 patients of each kind, or 5 "
        "with both kinds, are the least)"
    )


@dataclass(frozen=True, kw_only=True)
class Doubts:
    """Why these answers could not show what a verdict says; None where nothing is amiss.

    `constant`: raters hardly varied their answers; `unproven`: no controls were found; `few_patients`: the patients
    are too few to judge how they differ.
    """

    constant: str | None = None
    unproven: str | None = None
    few_patients: str | None = None

    @property
    def against_equivalence(self) -> str | None:
        """Why nothing may be called equivalent."""
        return self.constant or self.unproven or self.few_patients

    def against(self, verdict: Verdict) -> str | None:
        """Why this verdict may not be given.

        A difference that was found shows by itself that it could be, but not that it is small: those who always say
        the same pull any mean to chance, and so few patients carry no interval that lies within the margin.
        """
        if verdict == Verdict.EQUIVALENT:
            return self.against_equivalence
        if verdict == Verdict.DETECTABLE_WITHIN:
            return self.constant or self.few_patients
        return self.constant if verdict == Verdict.INCONCLUSIVE else None


def guarded(judged: Judgement, doubts: Doubts) -> Judgement:
    """Withhold what answers and patients cannot carry: of a difference within the margin only the difference stays."""
    reason = doubts.against(judged.verdict)
    if reason is None:
        return judged
    if judged.difference:
        sentence = f"{judged.difference} That it lies within the margin is not said: {reason}."
        return Judgement(verdict=Verdict.DISCRIMINATES, sentence=sentence, withheld=reason)
    numbers = judged.sentence.partition(": ")[2].partition(" neither ")[0].removesuffix(".")
    return replace(not_assessable(f"{numbers}; but {reason}"), withheld=reason)


def not_assessable(reason: str) -> Judgement:
    """Return the verdict that nothing can be said, with its reason."""
    return Judgement(verdict=Verdict.NOT_ASSESSABLE, sentence=f"Not assessable: {reason}.")
