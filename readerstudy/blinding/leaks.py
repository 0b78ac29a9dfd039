"""Can anything but the pixels of the lesion tell real from synthetic? The check that blocks the lock.

Three sorts of observable:
- *fixed*: must be the same for every case (headers, shape, spacing, lengths of names);
- *blind*: may vary but must not go with the kind (tokens, storage order, slot in the order, padding, rounding);
- *content*: follows from the pixels themselves and is reported, not judged (compressibility, mean).
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from readerstudy.blinding.cutting import HU_HIGH, HU_LOW

Sort = Literal["fixed", "blind", "content"]
PERMUTATIONS = 9_999
SEED = 20_210_817
# The family of blind observables together raises a false alarm in one of a hundred clean studies.
FAMILY_ALPHA = 0.01

Values = Sequence[float] | Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Observable:
    """One thing that can be seen of every case, in the order of the cases."""

    name: str
    sort: Sort
    values: Values


@dataclass(frozen=True, kw_only=True)
class Finding:
    """How well one observable tells the kinds apart: AUC of the synthetic cases, and its permutation p."""

    name: str
    sort: Sort
    distinct: int
    auc: float | None
    p: float | None
    leak: bool
    reason: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "sort": self.sort,
            "distinct": self.distinct,
            "auc": self.auc,
            "p": self.p,
            "leak": self.leak,
            "reason": self.reason,
        }


def audit(observables: Sequence[Observable], *, synthetic: Sequence[bool]) -> dict[str, Any]:
    """Judge every observable; the result is JSON-ready. `passed` is false as soon as one of them leaks."""
    kinds = np.asarray(synthetic, dtype=bool)
    family = max(1, sum(observable.sort == "blind" for observable in observables))
    shuffles = _shuffles(kinds)
    findings = [_judge(observable, kinds, shuffles, alpha=FAMILY_ALPHA / family) for observable in observables]
    return {
        "passed": not any(finding.leak for finding in findings),
        "cases": len(kinds),
        "alpha_per_observable": FAMILY_ALPHA / family,
        "smallest_p_possible": _smallest_p(kinds),
        "findings": [finding.as_dict() for finding in findings],
    }


def _shuffles(kinds: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The kinds first, then in PERMUTATIONS random orders; shape (1 + PERMUTATIONS, cases), 1 = synthetic."""
    generator = np.random.default_rng(SEED)
    rows = np.empty((1 + PERMUTATIONS, len(kinds)), dtype=np.float32)
    rows[0] = kinds
    for row in rows[1:]:
        row[:] = generator.permutation(kinds)
    return rows


def _judge(observable: Observable, kinds: NDArray[np.bool_], shuffles: NDArray[np.float32], *, alpha: float) -> Finding:
    values: list[float | str] = list(observable.values)
    if len(values) != len(kinds):
        raise ValueError(f"{observable.name} has {len(values)} values for {len(kinds)} cases")
    distinct = len(set(values))
    both = kinds.any() and not kinds.all()
    auc, p = _separation(values, shuffles) if distinct > 1 and both else (None, None)
    if observable.sort == "fixed":
        leak = distinct > 1
        reason = f"must be the same for every case, but has {distinct} values" if leak else "the same for all"
    elif observable.sort == "blind":
        leak = p is not None and p <= alpha
        reason = "goes with the kind" if leak else "tells nothing about the kind"
    else:
        leak, reason = False, "part of the picture, not judged"
    return Finding(
        name=observable.name, sort=observable.sort, distinct=distinct, auc=auc, p=p, leak=leak, reason=reason
    )


def _separation(values: Sequence[float | str], shuffles: NDArray[np.float32]) -> tuple[float | None, float]:
    """AUC (numbers only) and permutation p: for texts of how unevenly the kinds fall on their groups."""
    if all(isinstance(value, int | float) for value in values):
        auc = _auc(stats.rankdata(np.asarray(values, dtype=np.float64)), shuffles)
        return float(auc[0]), _permutation_p(np.abs(auc - 0.5))
    groups = np.unique(np.asarray(values, dtype=str), return_inverse=True)[1]
    return None, _permutation_p(_group_gap(groups, shuffles))


def _permutation_p(statistics: NDArray[np.floating[Any]]) -> float:
    """Share of the orders, the true one (first) included, that separate the kinds at least as well."""
    return float((statistics >= statistics[0] - 1e-6).mean())


def _auc(ranks: NDArray[np.float64], kinds: NDArray[np.float32]) -> NDArray[np.float64]:
    """AUC of each row of `kinds`, shape (rows, cases), from the midranks of the values (Mann-Whitney)."""
    positive = kinds.sum(axis=1)
    negative = kinds.shape[1] - positive
    rank_sum = kinds @ ranks
    auc: NDArray[np.float64] = (rank_sum - positive * (positive + 1) / 2) / (positive * negative)
    return auc


def _group_gap(groups: NDArray[np.intp], kinds: NDArray[np.float32]) -> NDArray[np.float64]:
    """Pearson's chi-square of group x kind for each row of `kinds` (its permutation law needs no large groups)."""
    membership = np.eye(groups.max() + 1)[groups]
    sizes = membership.sum(axis=0)
    share = kinds.mean(axis=1, keepdims=True)
    gap: NDArray[np.float64] = ((kinds @ membership - sizes * share) ** 2 / sizes).sum(axis=1)
    return gap


def _smallest_p(kinds: NDArray[np.bool_]) -> float:
    """With few cases even a perfect separation cannot be told from luck; the page says so."""
    log_arrangements = float(stats.binom.logpmf(kinds.sum(), len(kinds), 0.5)) + len(kinds) * np.log(2)
    return min(1.0, max(2 * float(np.exp(-log_arrangements)), 1 / (1 + PERMUTATIONS)))


# What is measured of each stimulus, and how it is judged.
MEASURES: dict[str, Sort] = {
    "shape": "fixed",
    "sample type": "fixed",
    "bytes": "fixed",
    "padding": "blind",
    "upper clipping": "blind",
    "even values": "blind",
    "multiples of five": "blind",
    "surroundings: mean HU": "blind",
    "surroundings: noise": "blind",
    "surroundings: unused grey values": "blind",
    "compressed bytes": "content",
    "mean HU": "content",
}


def stimulus_measures(pixels: NDArray[np.int16], *, surroundings: NDArray[np.bool_]) -> dict[str, float | str]:
    """What one stimulus gives away. `surroundings` (same shape) is where no lesion was made or removed: there
    real and synthetic cases must look alike, or the scans rather than the lesions tell them apart."""
    around = pixels[surroundings] if surroundings.any() else pixels.ravel()
    values: list[float | str] = [
        str(pixels.shape),
        pixels.dtype.str,
        float(pixels.nbytes),
        float((pixels == HU_LOW).mean()),
        float((pixels == HU_HIGH).mean()),
        float((pixels % 2 == 0).mean()),
        float((pixels % 5 == 0).mean()),
        float(around.mean()),
        _noise(pixels, surroundings),
        _unused_values(around),
        float(len(gzip.compress(pixels.tobytes(), 6, mtime=0))),
        float(pixels.mean()),
    ]
    return dict(zip(MEASURES, values, strict=True))


def measure_observables(measures: Sequence[Mapping[str, float | str]]) -> list[Observable]:
    """One observable per measure, from the measures of all stimuli in the order of the cases."""
    return [
        Observable(name=name, sort=sort, values=[measured[name] for measured in measures])  # type: ignore[arg-type]
        for name, sort in MEASURES.items()
    ]


def _noise(pixels: NDArray[np.int16], surroundings: NDArray[np.bool_]) -> float:
    """Median absolute difference of neighbours along a row: noise and sharpness, hardly anatomy."""
    both = surroundings[..., 1:] & surroundings[..., :-1]
    steps = np.abs(np.diff(pixels.astype(np.int32), axis=-1))
    return float(np.median(steps[both] if both.any() else steps))


def _unused_values(samples: NDArray[np.int16]) -> float:
    """Share of unused values in the middle of the range: a rescaled copy has a comb there."""
    low, high = (int(v) for v in np.percentile(samples, [5, 95]))
    span = high - low + 1
    inside = samples[(samples >= low) & (samples <= high)]
    return 1.0 - len(np.unique(inside)) / span if span > 1 else 0.0


def text_observables(name: str, texts: Sequence[str]) -> list[Observable]:
    """Names and tokens: equal length and alphabet, and nothing about the kind in how they begin or sort."""
    return [
        Observable(name=f"{name}: length", sort="fixed", values=[float(len(text)) for text in texts]),
        Observable(name=f"{name}: first character", sort="blind", values=[text[:1] for text in texts]),
        Observable(name=f"{name}: sorted order", sort="blind", values=_ranks_of(texts)),
    ]


def _ranks_of(texts: Sequence[str]) -> list[float]:
    order = {text: float(rank) for rank, text in enumerate(sorted(texts))}
    return [order[text] for text in texts]


def number_observable(name: str, values: Sequence[float]) -> Observable:
    return Observable(name=name, sort="blind", values=[float(value) for value in values])


def fixed_observables(name: str, payloads: Sequence[Mapping[str, Any]]) -> list[Observable]:
    """Every field of the JSON or headers that a browser receives and that must be the same for all cases."""
    fields = sorted({field for payload in payloads for field in payload})
    return [
        Observable(name=f"{name}: {field}", sort="fixed", values=[str(p.get(field, "absent")) for p in payloads])
        for field in fields
    ]
