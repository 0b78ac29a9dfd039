"""Which of several arms is chosen: abilities behind choices among two or more images, and an exact test that all are
alike.

For pairs it is the model of Bradley & Terry (Biometrika 1952;39:324), for more images that of Luce (Individual Choice
Behavior, 1959): an image is chosen with a chance proportional to exp(ability of its arm). Its standard errors take
choices for independent; the test doesn't: it permutes the arms among the images of each trial, for all readers at once,
and where patients are given, in the same way in all trials of one patient.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from readerstudy.analysis.estimate import FloatArray
from readerstudy.analysis.patients import PatientNumbers, patient_numbers

IntArray = npt.NDArray[np.int64]

NO_LIMIT = "some arm was always or never preferred to the others, so abilities have no limit"
CHUNK = 2_000
MOST_STEPS = 100


@dataclass(frozen=True, kw_only=True)
class Ability:
    """Of one arm, against the reference arm, whose ability is 0."""

    arm: str
    votes: int
    shown: int
    ability: float | None
    se: float | None


@dataclass(frozen=True, kw_only=True)
class Preference:
    """All arms; `deviance` is of the fit, `p_equal` of the likelihood ratio test that all abilities are equal.

    `p_exact` is that of permuting arms within trials; None where nothing can be exchanged.
    """

    abilities: tuple[Ability, ...]
    deviance: float | None = None
    deviance_df: int | None = None
    statistic: float | None = None
    df: int | None = None
    p_equal: float | None = None
    p_exact: float | None = None
    permutations: int = 0
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class ChoicesAmong:
    """Trials that showed the same arms: `arms` of the images, and the choices of each image, (images,)."""

    arms: tuple[int, ...]
    counts: IntArray


def prefer(
    *,
    arms: Sequence[Sequence[str]],
    counts: Sequence[Sequence[int]],
    reference: str,
    patients: Sequence[Hashable] | None = None,
    draws: int = 20_000,
    seed: int = 0,
) -> Preference:
    """Compare arms by choices. `arms` and `counts` have for every trial its images: their arms and their choices.

    `patients` (trials,) names the patient of each trial's first image; None: every trial is permuted on its own.
    """
    names = [reference, *sorted({arm for trial in arms for arm in trial} - {reference})]
    number = {arm: index for index, arm in enumerate(names)}
    shown = [np.array([number[arm] for arm in trial], dtype=np.int64) for trial in arms]
    chosen = [np.asarray(trial, dtype=np.int64) for trial in counts]
    numbers = patient_numbers(patients, cases=len(shown))
    p_exact = _permuted(shown, chosen, numbers, arms=len(names), draws=draws, seed=seed)
    votes: Counter[int] = Counter()
    total: Counter[int] = Counter()
    for trial, given in zip(shown, chosen, strict=True):
        for arm, count in zip(trial.tolist(), given.tolist(), strict=True):
            votes[arm] += count
            total[arm] += int(given.sum())
    known: dict[str, Any] = {"p_exact": p_exact, "permutations": draws if p_exact is not None else 0}
    groups = _groups(shown, chosen)
    fit = _fitted(groups, arms=len(names))
    listed = [
        Ability(
            arm=name,
            votes=votes[index],
            shown=total[index],
            ability=None if fit is None else float(fit[0][index]),
            se=None if fit is None or index == 0 else float(fit[1][index]),
        )
        for index, name in enumerate(names)
    ]
    if fit is None:
        return Preference(abilities=tuple(listed), reason=NO_LIMIT, **known)
    return Preference(abilities=tuple(listed), **known, **_tests(groups, fit[0]))


def _groups(shown: Sequence[IntArray], chosen: Sequence[IntArray]) -> list[ChoicesAmong]:
    """Choices of trials with the same arms together, arm by arm in their order."""
    together: dict[tuple[int, ...], IntArray] = defaultdict(lambda: np.zeros(0, dtype=np.int64))
    for trial, given in zip(shown, chosen, strict=True):
        order = np.argsort(trial, kind="stable")
        arms = tuple(trial[order].tolist())
        held = together[arms]
        together[arms] = given[order] + (held if len(held) else 0)
    return [ChoicesAmong(arms=arms, counts=_of_arms(arms, counts)) for arms, counts in together.items()]


def _of_arms(arms: tuple[int, ...], counts: IntArray) -> IntArray:
    """Images of one arm in one trial have nothing to tell them apart: their choices are shared equally in the model,
    so only the sum counts and stands with the first of them."""
    merged = counts.copy()
    for index in range(len(arms) - 1, 0, -1):
        if arms[index] == arms[index - 1]:
            merged[index - 1] += merged[index]
            merged[index] = 0
    return merged


def _shares(group: ChoicesAmong, ability: FloatArray) -> tuple[list[int], FloatArray]:
    """The different arms of the group and the chance that each is chosen."""
    several: Mapping[int, int] = Counter(group.arms)
    arms = sorted(several)
    weight = np.array([several[arm] * np.exp(ability[arm]) for arm in arms])
    return arms, weight / weight.sum()


def _votes(group: ChoicesAmong) -> FloatArray:
    arms = sorted(set(group.arms))
    return np.array([group.counts[group.arms.index(arm)] for arm in arms], dtype=np.float64)


def _fitted(groups: Sequence[ChoicesAmong], *, arms: int) -> tuple[FloatArray, FloatArray] | None:
    """Abilities and their standard errors by Newton's method; None where they have no limit."""
    ability: FloatArray = np.zeros(arms)
    for _ in range(MOST_STEPS):
        gradient, information = np.zeros(arms), np.zeros((arms, arms))
        for group in groups:
            held, share = _shares(group, ability)
            votes = _votes(group)
            gradient[held] += votes - votes.sum() * share
            information[np.ix_(held, held)] += votes.sum() * (np.diag(share) - np.outer(share, share))
        free = information[1:, 1:]
        if arms < 2 or np.linalg.matrix_rank(free) < arms - 1:
            return None
        step = np.linalg.solve(free, gradient[1:])
        ability[1:] += np.clip(step, -2, 2)
        if np.abs(ability).max() > 15:
            return None
        if np.abs(step).max() < 1e-10:
            se = np.sqrt(np.diag(np.linalg.inv(free)))
            return ability, np.concatenate([[0.0], se])
    return None


def _likelihood(groups: Sequence[ChoicesAmong], ability: FloatArray) -> float:
    return float(sum((_votes(group) * np.log(_shares(group, ability)[1])).sum() for group in groups))


def _tests(groups: Sequence[ChoicesAmong], ability: FloatArray) -> dict[str, Any]:
    best = _likelihood(groups, ability)
    statistic = 2 * (best - _likelihood(groups, np.zeros(len(ability))))
    free = saturated = 0.0
    for group in groups:
        votes = _votes(group)
        positive = votes[votes > 0]
        saturated += float((positive * np.log(positive / votes.sum())).sum()) if votes.sum() else 0.0
        free += len(votes) - 1
    df = len(ability) - 1
    return {
        "deviance": 2 * (saturated - best),
        "deviance_df": int(free) - df,
        "statistic": statistic,
        "df": df,
        "p_equal": float(stats.chi2.sf(max(statistic, 0.0), df)),
    }


def _permuted(
    shown: Sequence[IntArray],
    chosen: Sequence[IntArray],
    patients: PatientNumbers,
    *,
    arms: int,
    draws: int,
    seed: int,
) -> float | None:
    """Share of exchanges of arms within trials that spread the votes at least as far from what they expect.

    Trials of one patient have the same number of images; their places are exchanged alike.
    """
    expected = np.zeros(arms)
    for trial, given in zip(shown, chosen, strict=True):
        np.add.at(expected, trial, given.sum() / len(trial))
    used = expected > 0
    votes = np.zeros(arms)
    for trial, given in zip(shown, chosen, strict=True):
        np.add.at(votes, trial, given)
    if used.sum() < 2 or all(len(set(trial.tolist())) < 2 for trial in shown):
        return None

    def distance(of: FloatArray) -> FloatArray:
        return np.asarray((((of - expected) ** 2)[:, used] / expected[used]).sum(axis=1))

    observed = float(distance(votes[None])[0]) - 1e-9
    units: dict[int, list[int]] = defaultdict(list)
    for number, (patient, given) in enumerate(zip(patients.tolist(), chosen, strict=True)):
        if given.any():
            units[patient].append(number)
    random, extreme = np.random.default_rng(seed), 0
    for start in range(0, draws, CHUNK):
        size = min(CHUNK, draws - start)
        drawn, rows = np.zeros((size, arms)), np.arange(size)[:, None]
        for own in units.values():
            places = np.arange(len(shown[own[0]]))
            exchanged = random.permuted(np.broadcast_to(places, (size, len(places))), axis=1)
            for number in own:
                np.add.at(drawn, (rows, shown[number][exchanged]), chosen[number][None])
        extreme += int((distance(drawn) >= observed).sum())
    return (1 + extreme) / (1 + draws)
