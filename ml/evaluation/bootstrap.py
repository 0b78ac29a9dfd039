"""Estimates with their targets: patient bootstrap, two-group comparison by permuted patients, one gate line each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Statistic = Callable[[Array], float]
Comparison = Literal["<=", ">=", "absolute <=", "=="]

# Resamples per interval.
DRAWS = 400
# Below this many, patients are neither resampled nor kept apart; the report says so.
ENOUGH_PATIENTS = 10
LESIONS_NOTE = "patches, not patients, are resampled"
NO_TWIN = "not measured: no lesion-free twin"


@dataclass(frozen=True)
class BootstrapEstimate:
    """A value with its 95 per cent interval and the number of measurements."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description."""
        return asdict(self)


NOTHING = BootstrapEstimate(None, None, None, 0)


def mean(values: Array) -> float:
    """Mean over the first axis of one column."""
    return float(values.mean())


def groups_of(patients: list[str]) -> NDArray[np.str_]:
    """Patients where there are enough to resample, else every patch by itself."""
    if len(set(patients)) >= ENOUGH_PATIENTS:
        return np.array(patients)
    return np.array([f"{patient}/{n}" for n, patient in enumerate(patients)])


def _members(groups: NDArray[np.str_]) -> list[NDArray[np.int64]]:
    return [np.flatnonzero(groups == name) for name in np.unique(groups)]


def _draw(members: list[NDArray[np.int64]], rng: np.random.Generator) -> NDArray[np.int64]:
    return np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])


def estimate(
    values: list[float], patients: list[str], *, statistic: Statistic = mean, seed: int = 0
) -> BootstrapEstimate:
    """A statistic with its percentile interval over resampled patients; NaN values are left out."""
    table = np.asarray(values, np.float64)
    known = np.isfinite(table)
    table = table[known]
    if len(table) < 2:
        return NOTHING
    members = _members(groups_of([p for p, k in zip(patients, known, strict=True) if k]))
    rng = np.random.default_rng([seed, 71])
    draws = [statistic(table[_draw(members, rng)]) for _ in range(DRAWS)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return BootstrapEstimate(statistic(table), float(low), float(high), len(table))


def difference(
    first: Array,
    first_patients: list[str],
    second: Array,
    second_patients: list[str],
    *,
    statistic: Callable[[Array, Array], float],
    seed: int = 0,
) -> BootstrapEstimate:
    """A statistic of two groups (rows are lesions), each resampled by its patients."""
    if min(len(first), len(second)) < 2:
        return NOTHING
    rng = np.random.default_rng([seed, 72])
    a, b = _members(groups_of(first_patients)), _members(groups_of(second_patients))
    draws = [statistic(first[_draw(a, rng)], second[_draw(b, rng)]) for _ in range(DRAWS)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return BootstrapEstimate(statistic(first, second), float(low), float(high), len(first) + len(second))


def permuted(
    first: Array,
    first_patients: list[str],
    second: Array,
    second_patients: list[str],
    *,
    statistic: Callable[[Array, Array], float],
    seed: int = 0,
) -> Array:
    """The statistic with patients dealt to the two groups at random: what equal laws give (DRAWS values)."""
    table = np.concatenate([first, second])
    groups = np.concatenate([np.char.add("a", groups_of(first_patients)), np.char.add("b", groups_of(second_patients))])
    members = _members(groups)
    count = len(np.unique(groups_of(first_patients)))
    rng = np.random.default_rng([seed, 73])
    values = []
    for _ in range(DRAWS):
        order = rng.permutation(len(members))
        parts = [np.concatenate([members[k] for k in half]) for half in (order[:count], order[count:])]
        values.append(statistic(table[parts[0]], table[parts[1]]))
    return np.array(values)


def line(
    name: str, result: BootstrapEstimate, target: float, comparison: Comparison, *, unit: str = "", note: str = ""
) -> dict[str, Any]:
    """One line of the gate; ``passed`` is None where nothing was measured."""
    passed: bool | None = None
    if result.value is not None:
        passed = {
            "<=": result.value <= target,
            ">=": result.value >= target,
            "absolute <=": abs(result.value) <= target,
            "==": result.value == target,
        }[comparison]
    return {
        "name": name,
        **result.to_dict(),
        "target": target,
        "comparison": comparison,
        "passed": passed,
        "unit": unit,
        "note": note,
    }
