"""How well scores rank one class above another."""

from __future__ import annotations

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
