"""Can anything but the pixels of the lesion tell real from synthetic? The judge of the leak audit; pure functions.

A fixed observable that differs between cases is a leak, whatever the kinds. The blind ones of a family are judged
together: the statistic is the largest standardised separation over all their features, its law that of the same under
joint permutation of the kinds (Westfall & Young, Resampling-Based Multiple Testing, 1993), so thirty raters cost no
more than their correlation says. A kernel classifier, cross-validated by leaving one case out, sees all families at
once. The smallest p of all families is itself compared with its law under permutation: one clean study in a hundred
is stopped by chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from readerstudy.blinding.observables import Observable, ranks
from readerstudy.blinding.smallest import Design, smallest_auc

PERMUTATIONS = 9_999
SEED = 20_210_817
FALSE_ALARMS = 0.01
# Below, a leak would have to tell nearly every case to be told from luck: only what must be the same is compared.
FEWEST_CASES = 15
CLASSIFIER = "all together"
# Ridge of the classifier, as a share of the mean likeness of a case with itself.
RIDGE = 0.3
FEATURES_AT_ONCE = 400
# Of what a feature is long, as far as it is rounding.
LEAST_LENGTH = 1e-9

Kinds = NDArray[np.float32]
Table = NDArray[np.float64]
Trials = NDArray[np.int_]


@dataclass(frozen=True, kw_only=True)
class _Family:
    """The separation of one family under the true kinds (first) and under each permutation, standardised.

    `attainable` is what a feature that tells every case would reach: with few cases no more than chance can.
    `by_observable` holds each observable's largest separation of the true kinds; the classifier has none.
    """

    name: str
    observables: int
    features: int
    separations: NDArray[np.float64]
    attainable: float
    by_observable: Mapping[str, float] = field(default_factory=dict)

    @property
    def law(self) -> NDArray[np.float64]:
        """The separations by chance. They don't depend on the truth: what follows from them alone may be told."""
        return self.separations[1:]

    @property
    def p(self) -> NDArray[np.float64]:
        """For every arrangement, the share of all (itself included) that separate at least as well."""
        order = np.sort(self.law)
        better = len(order) - np.searchsorted(order, self.separations - 1e-6, side="left")
        return np.asarray(
            np.maximum((better + np.r_[1, np.zeros(len(order))]) / (len(order) + 1), 1 / (len(order) + 1))
        )


def audit(
    observables: Sequence[Observable], *, synthetic: Sequence[bool], together: Sequence[int] | None = None
) -> dict[str, Any]:
    """Judge every observable; JSON-ready. `passed` is false as soon as something leaks; see `certificate_of`.

    `together` numbers each case's trial where several are shown at a time, with as many of each kind in all of them:
    kinds then change places within trials, and only what differs within them can tell.
    """
    kinds = np.asarray(synthetic, dtype=bool)
    trials = np.zeros(len(kinds), dtype=int) if together is None else np.unique(together, return_inverse=True)[1]
    for observable in observables:
        if len(observable.values) != len(kinds):
            raise ValueError(f"{observable.name} has {len(observable.values)} values for {len(kinds)} cases")
    families = _families(observables, kinds, trials)
    limit, adjusted = _joint_law(families)
    design = tuple((int((~kinds[trial]).sum()), int(kinds[trial].sum())) for trial in _each(trials))
    judged = [
        _family_result(family, design, limit=limit, adjusted=p) for family, p in zip(families, adjusted, strict=True)
    ]
    findings = [_finding(observable, kinds, judged) for observable in observables]
    leaks = [finding["name"] for finding in findings if finding["leak"]]
    leaks += [family["name"] for family in judged if family["leak"] and family["name"] == CLASSIFIER]
    return {
        "passed": not leaks,
        "judgeable": any(family["judgeable"] for family in judged),
        "cases": len(kinds),
        "false_alarms": FALSE_ALARMS,
        "permutations": PERMUTATIONS,
        "families": judged,
        "findings": findings,
        "leaks": leaks,
    }


def _families(observables: Sequence[Observable], kinds: NDArray[np.bool_], trials: Trials) -> list[_Family]:
    if len(kinds) < FEWEST_CASES or kinds.all() or not kinds.any():
        return []
    shuffles = _arrangements(kinds, trials)
    families, tables = [], []
    for name, held in _by_family(observables).items():
        features = [observable.features() for observable in held]
        owners = np.repeat(np.arange(len(held)), [len(rows) for rows in features])
        table, owners = _standardised(np.concatenate(features), owners, trials)
        if not len(table):
            continue
        of_features, separations = _largest(table, shuffles, trials)
        families.append(
            _Family(
                name=name,
                observables=len(held),
                features=len(table),
                separations=separations,
                attainable=_attainable(table, kinds, trials) * _scale(shuffles, trials),
                by_observable={
                    observable.name: float(of_features[owners == number].max(initial=0.0))
                    for number, observable in enumerate(held)
                },
            )
        )
        tables.append(table)
    return [*families, _classifier(families, tables, shuffles, trials)] if families else []


def _by_family(observables: Sequence[Observable]) -> dict[str, list[Observable]]:
    held: dict[str, list[Observable]] = {}
    for observable in observables:
        if observable.sort == "blind":
            held.setdefault(observable.family, []).append(observable)
    return held


def _arrangements(kinds: NDArray[np.bool_], trials: Trials) -> Kinds:
    """The kinds first, then as many of each in PERMUTATIONS random orders, centred; shape (1 + PERMUTATIONS, cases)."""
    random = np.random.default_rng(SEED)
    rows = np.empty((1 + PERMUTATIONS, len(kinds)), dtype=np.float32)
    for trial in _each(trials):
        held = np.sort(kinds[trial]).astype(np.float32) - np.float32(kinds.mean())
        rows[1:, trial] = random.permuted(np.tile(held, (PERMUTATIONS, 1)), axis=1)
    rows[0] = kinds - np.float32(kinds.mean())
    return rows


def _each(trials: Trials) -> list[NDArray[np.int_]]:
    return [np.flatnonzero(trials == number) for number in range(int(trials.max()) + 1)]


def _standardised(features: Table, owners: NDArray[np.int_], trials: Trials) -> tuple[Table, NDArray[np.int_]]:
    """Each feature within its trials; of three images or more also how far each lies from the middle of its trial, for
    the one to find must not stand out, whichever way.
    """
    within, of_within = _of_length_one(features, owners, trials)
    # One trial is a study of images that are shown one by one; of a pair both lie as far from the middle.
    if trials.max() == 0 or len(trials) <= 2 * (trials.max() + 1):
        return within, of_within
    apart, of_apart = _of_length_one(np.abs(within), of_within, trials)
    return np.concatenate([within, apart]), np.concatenate([of_within, of_apart])


def _of_length_one(features: Table, owners: NDArray[np.int_], trials: Trials) -> tuple[Table, NDArray[np.int_]]:
    """Mean 0 within trials and length 1 per feature, so that all of them separate equally well by chance.

    What is the same within every trial tells nothing there; `owners` of the others are handed back with them.
    """
    centred = np.asarray(features, dtype=np.float64).copy()
    for trial in _each(trials):
        centred[:, trial] -= centred[:, trial].mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    differs = length[:, 0] > LEAST_LENGTH * np.linalg.norm(features, axis=1)
    return centred[differs] / length[differs], owners[differs]


def _largest(table: Table, shuffles: Kinds, trials: Trials) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per feature the |z| of the true kinds; per arrangement the largest |z| over all features."""
    scale = _scale(shuffles, trials)
    largest = np.zeros(len(shuffles))
    of_features = np.zeros(len(table))
    for start in range(0, len(table), FEATURES_AT_ONCE):
        z = np.abs(shuffles @ table[start : start + FEATURES_AT_ONCE].astype(np.float32).T) * scale
        of_features[start : start + FEATURES_AT_ONCE] = z[0]
        np.maximum(largest, z.max(axis=1), out=largest)
    return of_features, largest


def _scale(shuffles: Kinds, trials: Trials) -> float:
    """From the sum over centred kinds to a number of standard deviations under permutation."""
    free = shuffles.shape[1] - (int(trials.max()) + 1)
    return float(np.sqrt(free / float((shuffles[0] ** 2).sum())))


def _attainable(table: Table, kinds: NDArray[np.bool_], trials: Trials) -> float:
    """The largest sum that any choice of the synthetic cases, as many in each trial, gives any feature."""
    highest, lowest = np.zeros(len(table)), np.zeros(len(table))
    for trial in _each(trials):
        ordered, synthetic = np.sort(table[:, trial], axis=1), int(kinds[trial].sum())
        highest += ordered[:, len(trial) - synthetic :].sum(axis=1)
        lowest += ordered[:, :synthetic].sum(axis=1)
    return float(max(highest.max(), -lowest.min()))


def _classifier(families: Sequence[_Family], tables: Sequence[Table], shuffles: Kinds, trials: Trials) -> _Family:
    """How well kernel ridge regression on all features predicts cases left out, linear or by likeness.

    The prediction of a case left out is linear in the other kinds (Golub, Heath & Wahba, Technometrics 1979;21:215),
    so one matrix serves every arrangement. Each family has the same weight, however many features it has.
    """
    likeness = np.mean([(table.T @ table) * (table.shape[1] / len(table)) for table in tables], axis=0)
    own = np.diag(likeness)
    distance = np.maximum(own[:, None] + own[None] - 2 * likeness, 0.0)
    typical = float(np.median(distance[~np.eye(len(distance), dtype=bool)]))
    kernels = [likeness, np.exp(-distance / max(typical, 1e-9))]
    return _Family(
        name=CLASSIFIER,
        observables=sum(family.observables for family in families),
        features=sum(family.features for family in families),
        separations=np.max([_left_out_agreement(kernel, shuffles, trials) for kernel in kernels], axis=0),
        attainable=max(family.attainable for family in families),
    )


def _left_out_agreement(kernel: Table, shuffles: Kinds, trials: Trials) -> NDArray[np.float64]:
    cases = len(kernel)
    same = (trials[:, None] == trials[None]).astype(np.float64)
    centring = np.eye(cases) - same / same.sum(axis=1, keepdims=True)
    centred = centring @ kernel @ centring
    ridge = RIDGE * max(float(np.trace(centred)) / cases, 1e-12)
    hat = centred @ np.linalg.inv(centred + ridge * np.eye(cases))
    own = np.diag(hat)
    left_out = ((hat - np.diag(own)) / (1 - own)[:, None]).astype(np.float32)
    agreement = np.einsum("ij,ij->i", shuffles @ left_out.T, shuffles).astype(np.float64)
    spread = float(agreement[1:].std())
    return np.asarray((agreement - agreement[1:].mean()) / spread if spread > 0 else np.zeros(len(agreement)))


def _joint_law(families: Sequence[_Family]) -> tuple[float, list[float]]:
    """The largest p of one family that stops a study, and per family its p among the smallest of all families."""
    if not families:
        return FALSE_ALARMS, []
    by_family = np.asarray([family.p for family in families])
    smallest = by_family.min(axis=0)
    limit = float(np.quantile(smallest[1:], FALSE_ALARMS, method="lower"))
    return limit, [float((smallest <= row[0] + 1e-12).mean()) for row in by_family]


def _family_result(family: _Family, design: Design, *, limit: float, adjusted: float) -> dict[str, Any]:
    threshold = float(np.quantile(family.law, 1 - limit, method="higher"))
    judgeable = threshold < family.attainable - 1e-6
    single = judgeable and bool(family.by_observable)
    leak = judgeable and adjusted <= FALSE_ALARMS
    found = smallest_auc(design, threshold=threshold) if single else None
    return {
        "name": family.name,
        "observables": family.observables,
        "features": family.features,
        "judgeable": judgeable,
        "smallest_auc": found,
        "separation": float(family.separations[0]),
        "threshold": threshold,
        "p": adjusted,
        "leak": leak,
        "telling": _telling(family, threshold) if leak else [],
    }


def _telling(family: _Family, threshold: float) -> list[str]:
    """The observables that alone pass what the family must (single-step maxT), the one that separates best for sure."""
    best = max(family.by_observable.values(), default=0.0)
    return [name for name, separation in family.by_observable.items() if separation >= min(threshold, best)]


def _finding(observable: Observable, kinds: NDArray[np.bool_], judged: Sequence[dict[str, Any]]) -> dict[str, Any]:
    distinct = observable.distinct
    both = bool(kinds.any() and not kinds.all())
    area = auc_of(observable.values, kinds) if observable.numeric and both and distinct > 1 else None
    leak, reason = _verdict(observable, distinct, judged)
    return {
        "name": observable.name,
        "sort": observable.sort,
        "family": observable.family,
        "distinct": distinct,
        "auc": area,
        "leak": leak,
        "reason": reason,
    }


def _verdict(observable: Observable, distinct: int, judged: Sequence[dict[str, Any]]) -> tuple[bool, str]:
    if observable.sort == "fixed":
        leak = distinct > 1
        return leak, f"must be the same for every case, but has {distinct} values" if leak else "the same for all"
    if observable.sort == "absent":
        found = sum(bool(value) for value in observable.values)
        return bool(found), f"is told with {found} cases" if found else "nowhere"
    if observable.sort == "content":
        return False, "part of the picture, not judged"
    leak = any(family["name"] == observable.family and observable.name in family["telling"] for family in judged)
    return leak, "goes with the kind" if leak else "tells nothing about the kind"


def auc_of(values: Sequence[float] | Sequence[str], kinds: NDArray[np.bool_]) -> float:
    """Area under the curve of the synthetic cases, from midranks (Mann & Whitney)."""
    order = ranks([float(value) for value in values])
    positive, negative = int(kinds.sum()), int((~kinds).sum())
    return float((order[kinds].sum() - positive * (positive + 1) / 2) / (positive * negative))


# What may be told while the truth is sealed: that it passed, what was looked at, what could have been found.
_OPEN = ("passed", "judgeable", "cases", "false_alarms", "permutations")
_OPEN_OF_A_FAMILY = ("name", "observables", "features", "judgeable", "smallest_auc")
_OPEN_OF_A_FINDING = ("name", "sort", "family")


def certificate_of(outcome: dict[str, Any]) -> dict[str, Any]:
    """The outcome without any figure that follows from the truth."""
    return {
        **_picked(outcome, _OPEN),
        "families": [_picked(family, _OPEN_OF_A_FAMILY) for family in outcome["families"]],
        "measured": [_picked(finding, _OPEN_OF_A_FINDING) for finding in outcome["findings"]],
    }


def _picked(held: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: held[name] for name in names}
