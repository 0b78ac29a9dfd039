"""How well scores rank one class above another, and what patients they were drawn from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def area_under_curve(truth: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """Area under the ROC curve by the Mann-Whitney identity (Hanley and McNeil, 1982); ties count half.

    Bootstraps take it thousands of times, for which scikit-learn's checks of its input are most of the time.

    Args:
        truth: 0 or 1, shape (n,), with at least one of each.
        scores: higher where class 1 is more likely, shape (n,).
    """
    positive = truth == 1
    many = int(positive.sum())
    above = rankdata(scores)[positive].sum() - many * (many + 1) / 2
    return float(above / (many * (len(truth) - many)))


def patient_draws(patients: NDArray[np.str_], *, count: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Rows of ``count`` bootstrap samples: whole patients are drawn, as many as there are, with all their rows.

    Args:
        patients: whose each row is, shape (n,).
        count: how many samples.
        rng: draws the patients.
    """
    names = np.unique(patients)
    members = {name: np.flatnonzero(patients == name) for name in names}
    for _ in range(count):
        yield np.concatenate([members[name] for name in rng.choice(names, len(names))])
