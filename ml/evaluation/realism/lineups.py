"""Judges of line-ups: in a set of places of one scan, which one is of another kind?

Scans differ by far more than an edit differs from a lesion, and few scans have drawn lesions. So places are compared
only within a set that was matched to one lesion: a set counts by how many of its others the odd one stands out of, and
a judge learns from other sets. Half of them is chance, whatever scanner, liver and size the sets have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml.evaluation.bootstrap import BootstrapEstimate, estimate
from ml.evaluation.two_sample import PLANES

Table = NDArray[np.float64]
Patches = NDArray[np.float32]
Scores = NDArray[np.float64]
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]
HeldOut = Literal["patients", "lesions"]
# A judge's scores of all rows, by its name.
Judge = Callable[["Lineups", HeldOut], dict[str, Scores]]

# A set needs so many others beside its odd one, and a judge so many sets to learn from. Set by hand.
LEAST_OTHERS, LEAST_SETS = 3, 3
# Sets are few, so that this many trees are enough. Set by hand.
TREES = 100
# A network's passes over the rows are few; rows are repeated until it has taken so many of them. Set by hand.
ROWS_A_PASS = 160


@dataclass(frozen=True)
class Lineups:
    """Rows of several sets: the number of each one's set, whether it is the odd one, and its patient."""

    sets: NDArray[np.int64]
    odd: NDArray[np.bool_]
    patients: NDArray[np.str_]

    @classmethod
    def of(cls, sizes: list[int], patients: list[str]) -> Lineups:
        """Sets of these sizes, one patient each; the first row of each is the odd one."""
        sets = np.repeat(np.arange(len(sizes)), sizes)
        odd = np.concatenate([np.arange(size) == 0 for size in sizes]) if sizes else np.zeros(0, bool)
        return cls(sets, odd, np.array(patients, np.str_)[sets])

    def folds(self, held_out: HeldOut) -> list[Fold]:
        """Rows to learn from and rows to judge, for every patient or set in turn."""
        keys = self.patients if held_out == "patients" else self.sets
        return [(np.flatnonzero(keys != key), np.flatnonzero(keys == key)) for key in np.unique(keys)]

    def can_hold_out(self, held_out: HeldOut) -> bool:
        """Whether every fold leaves enough sets to learn from."""
        folds = self.folds(held_out)
        return len(folds) > 1 and all(self.odd[rows].sum() >= LEAST_SETS for rows, _ in folds)

    def against_own_set(self, table: Table) -> Table:
        """Every row's distance from the middle (median) of its set, which tells nothing of who is odd."""
        out = np.empty_like(table)
        for number in np.unique(self.sets):
            rows = self.sets == number
            out[rows] = table[rows] - np.median(table[rows], axis=0)
        return out

    def standing_out(self, scores: Scores) -> Scores:
        """Of every set, the share of its others that score below the odd one; ties count half."""
        shares = []
        for number in np.unique(self.sets):
            rows = self.sets == number
            (own,), others = scores[rows & self.odd], scores[rows & ~self.odd]
            shares.append(float((others < own).mean() + 0.5 * (others == own).mean()))
        return np.array(shares)

    def set_patients(self) -> list[str]:
        """The patient of every set."""
        return [str(name) for name in self.patients[self.odd]]


def by_table(table: Table, *, seed: int) -> Judge:
    """Logistic regression and extremely randomised trees on numbers of every row."""

    def judge(lineups: Lineups, held_out: HeldOut) -> dict[str, Scores]:
        own, truth = lineups.against_own_set(table), lineups.odd.astype(int)
        found = {}
        for name, model in _models(seed).items():
            scores = np.zeros(len(truth))
            for train, test in lineups.folds(held_out):
                model.fit(own[train], truth[train])
                scores[test] = model.predict_proba(own[test])[:, 1]
            found[name] = scores
        return found

    return judge


def _models(seed: int) -> dict[str, Any]:
    """Those of the two-sample tests (fewer trees), with the odd ones counting as much as all others together."""
    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=2000, class_weight="balanced")),
        "trees": ExtraTreesClassifier(TREES, min_samples_leaf=3, class_weight="balanced", random_state=seed),
    }


def by_network(patches: Patches, *, seed: int) -> Judge:
    """A small network on the three middle slices of each plane of (n, Z, Y, X)."""
    from ml.evaluation.supervised import held_out_scores

    def judge(lineups: Lineups, held_out: HeldOut) -> dict[str, Scores]:
        folds = [(_balanced(train, lineups.odd), test) for train, test in lineups.folds(held_out)]
        return {
            f"network, {plane}": held_out_scores(
                np.moveaxis(patches, 1 + axis, 1), lineups.odd.astype(np.int64), folds, seed=seed
            )
            for plane, axis in PLANES.items()
        }

    return judge


def _balanced(rows: NDArray[np.int64], odd: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows with the odd ones as often as the others, all repeated until a pass has enough of them."""
    own, others = rows[odd[rows]], rows[~odd[rows]]
    even = np.concatenate([others, np.repeat(own, max(1, round(len(others) / len(own))))])
    return np.tile(even, max(1, round(ROWS_A_PASS / len(even))))


@dataclass(frozen=True)
class Verdict:
    """What the best judge of a kind makes of line-ups: ``shares`` of every set, their mean with its interval."""

    judge: str
    shares: Scores
    estimate: BootstrapEstimate

    def among(self, chosen: NDArray[np.bool_], patients: list[str], *, seed: int) -> BootstrapEstimate:
        """The same of some of the sets."""
        kept = [p for p, keep in zip(patients, chosen, strict=True) if keep]
        return estimate(list(self.shares[chosen]), kept, seed=seed)


def verdict(lineups: Lineups, judge: Judge, held_out: HeldOut, *, seed: int) -> Verdict:
    """The best of a judge's models by the mean over sets; biased upwards, as the floor is that is found likewise."""
    shares = {name: lineups.standing_out(scores) for name, scores in judge(lineups, held_out).items()}
    best = max(shares, key=lambda name: float(shares[name].mean()))
    return Verdict(best, shares[best], estimate(list(shares[best]), lineups.set_patients(), seed=seed))
