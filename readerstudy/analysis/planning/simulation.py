"""Power by simulating panels from the planning model and running the tests of the analysis."""

from __future__ import annotations

from math import sqrt

import numpy as np

from readerstudy.analysis.estimate import FloatArray
from readerstudy.analysis.panel.ensemble import majority_vote
from readerstudy.analysis.panel.equivalence import auc_tost, binomial_tost
from readerstudy.analysis.panel.mrmc import reader_averaged_auc
from readerstudy.analysis.panel.percent_correct import reader_averaged_accuracy, share_over_patients
from readerstudy.analysis.panel.permutation import case_label_permutation
from readerstudy.analysis.patients import PatientNumbers, any_repeated
from readerstudy.analysis.planning.assumptions import PlanningAssumptions
from readerstudy.analysis.planning.reading_model import mean_skill
from readerstudy.analysis.rater.chance import confusion
from readerstudy.analysis.rater.proportions import exact_binomial

# Permutations times patients. Few patients need many: their p-values may stand just above alpha.
PERMUTED = 48_000


def simulated_power(
    assumed: PlanningAssumptions,
    *,
    raters: int,
    cases: int,
    repetitions: int = 1000,
    seed: int = 0,
    patients: PatientNumbers | None = None,
) -> float:
    """Power by simulating panels from the planning model and running the real test, whatever the measure.

    Slower than `design_power` and free of its approximations; its standard error is at most 0.5 / sqrt(repetitions).
    Synthetic cases come first, then real ones; `patients` (cases,) numbers the patient of each. Without it kinds are
    patients of their own, `cases_per_patient` rounded.
    """
    random = np.random.default_rng(seed)
    truth = (np.arange(cases) < round(cases * assumed.share_synthetic)).astype(np.float64)
    numbers = _patients(truth, size=round(assumed.cases_per_patient)) if patients is None else patients
    return (
        sum(
            _reached(assumed, truth, numbers, _panel(assumed, truth, numbers, raters=raters, random=random))
            for _ in range(repetitions)
        )
        / repetitions
    )


def _patients(truth: FloatArray, *, size: int) -> PatientNumbers:
    within = np.concatenate([np.arange(int((truth == kind).sum())) for kind in (1, 0)])
    return np.asarray(within // size * 2 + truth, dtype=np.int64)


def _panel(
    assumed: PlanningAssumptions,
    truth: FloatArray,
    patients: PatientNumbers,
    *,
    raters: int,
    random: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Ratings and calls (cases, raters) of one simulated panel; a call is right by the rater's own border."""
    shared, alike = assumed.case_correlation, assumed.alike if any_repeated(patients) else 0.0
    of_patient = random.normal(size=int(patients.max()) + 1)[patients]
    of_case = sqrt(alike) * of_patient + sqrt(1 - alike) * random.normal(size=len(truth))
    noise = sqrt(shared) * of_case[:, None] + sqrt(1 - shared) * random.normal(size=(len(truth), raters))
    skill = mean_skill(assumed, raters) + assumed.rater_sd * random.normal(size=raters)
    centred = (truth[:, None] - 0.5) * skill + noise
    return centred, (centred > 0).astype(np.float64)


def _reached(
    assumed: PlanningAssumptions, truth: FloatArray, patients: PatientNumbers, panel: tuple[FloatArray, FloatArray]
) -> bool:
    ratings, calls = panel
    if assumed.measure == "ensemble":
        vote = majority_vote(calls).decided()
        return _majority_reached(assumed, truth, patients, vote)
    alpha, margin = assumed.alpha, assumed.margin
    if assumed.measure == "auc":
        found = reader_averaged_auc(truth=truth, ratings=ratings, patients=patients, level=1 - alpha)
        if assumed.goal == "detect":
            return found.p is not None and found.p <= alpha
    elif assumed.goal == "detect":
        return _permuted(assumed, truth, patients, calls)
    else:
        found = reader_averaged_accuracy(truth=truth, calls=calls, patients=patients, level=1 - alpha)
    return bool(auc_tost(panel=found, margin=margin, alpha=alpha).equivalent)


def _majority_reached(
    assumed: PlanningAssumptions, truth: FloatArray, patients: PatientNumbers, vote: FloatArray
) -> bool:
    """Exact tests where every patient gives one case; permutation and t limits over patients otherwise."""
    limits = {"margin": assumed.margin, "alpha": assumed.alpha}
    if any_repeated(patients):
        if assumed.goal == "detect":
            return _permuted(assumed, truth, patients, vote[:, None])
        share = share_over_patients(truth=truth, calls=vote, patients=patients)
        return bool(auc_tost(panel=share, **limits).equivalent)
    counts = confusion(truth=truth, calls=vote)
    if assumed.goal == "detect":
        p = exact_binomial(successes=counts.correct, trials=counts.n).p_minlike
        return p is not None and p <= assumed.alpha
    return bool(binomial_tost(successes=counts.correct, trials=counts.n, **limits).equivalent)


def _permuted(assumed: PlanningAssumptions, truth: FloatArray, patients: PatientNumbers, calls: FloatArray) -> bool:
    permutations = max(1000, PERMUTED // len(np.unique(patients)))
    found = case_label_permutation(truth=truth, calls=calls, patients=patients, permutations=permutations)
    return found.p_two_sided is not None and found.p_two_sided <= assumed.alpha
