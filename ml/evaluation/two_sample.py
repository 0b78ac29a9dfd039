"""Classifier and kernel two-sample tests: can a machine tell two sets of patches apart?

A classifier two-sample test (Lopez-Paz and Oquab, 2017) reports the area under the ROC curve on held-out
patients; 0.5 is indistinguishable to that classifier. It is read only beside a real-versus-real floor and
a control with a planted difference that shows its power.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml.evaluation.radiomics import features
from ml.evaluation.ranking import area_under_curve, patient_draws

# Folds that keep patients together.
FOLDS = 5
# Resamples per interval, and permutations: the smallest p is 1/501.
BOOTSTRAPS, PERMUTATIONS = 400, 500
# Axis that is cut by each plane.
PLANES = {"axial": 0, "coronal": 1, "sagittal": 2}


@dataclass(frozen=True)
class TwoSampleResult:
    """Area under the curve with a 95 per cent interval from a bootstrap over patients; ``n`` per class."""

    auc: float
    low: float
    high: float
    classifier: str
    n: tuple[int, int]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description."""
        return asdict(self)


@dataclass(frozen=True)
class TwoSampleData:
    """Two sets of patches (n, Z, Y, X) in HU / 80 with their patients."""

    patches: NDArray[np.float32]
    truth: NDArray[np.int64]
    patients: NDArray[np.str_]

    @classmethod
    def of(
        cls,
        first: NDArray[np.float32],
        second: NDArray[np.float32],
        first_patients: NDArray[np.str_],
        second_patients: NDArray[np.str_],
    ) -> TwoSampleData:
        """Label ``first`` 0 and ``second`` 1."""
        truth = np.concatenate([np.zeros(len(first), np.int64), np.ones(len(second), np.int64)])
        return cls(np.concatenate([first, second]), truth, np.concatenate([first_patients, second_patients]))

    @property
    def counts(self) -> tuple[int, int]:
        """Patches per class."""
        return int((self.truth == 0).sum()), int((self.truth == 1).sum())

    def folds(self, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Folds that keep patients together."""
        splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
        return list(splitter.split(self.truth, self.truth, self.patients))


def interval(data: TwoSampleData, scores: NDArray[np.float64], name: str, seed: int) -> TwoSampleResult:
    """AUC of held-out scores and its percentile interval over resampled patients."""
    rng = np.random.default_rng([seed, 5])
    draws = [
        area_under_curve(data.truth[rows], scores[rows])
        for rows in patient_draws(data.patients, count=BOOTSTRAPS, rng=rng)
        if 0 < data.truth[rows].mean() < 1
    ]
    low, high = np.percentile(draws, [2.5, 97.5])
    return TwoSampleResult(area_under_curve(data.truth, scores), float(low), float(high), name, data.counts)


def feature_test(data: TwoSampleData, *, table: NDArray[np.float64] | None = None, seed: int = 0) -> TwoSampleResult:
    """The better of logistic regression and extremely randomised trees on hand-made features.

    ``table`` (n, features) stands for radiomics of the patches where others are judged by.
    """
    if table is None:
        table = features(data.patches)
    models = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=2000)),
        "trees": ExtraTreesClassifier(400, min_samples_leaf=3, random_state=seed),
    }
    results = []
    for name, model in models.items():
        scores = np.zeros(len(data.truth))
        for train, test in data.folds(seed):
            model.fit(table[train], data.truth[train])
            scores[test] = model.predict_proba(table[test])[:, 1]
        results.append(interval(data, scores, name, seed))
    return max(results, key=lambda r: r.auc)


def network_test(data: TwoSampleData, *, seed: int = 0) -> TwoSampleResult:
    """The best of three small networks: one on axial, one on coronal and one on sagittal slices."""
    return max(network_tests(data, seed=seed), key=lambda r: r.auc)


def network_tests(data: TwoSampleData, *, seed: int = 0) -> list[TwoSampleResult]:
    """The network test of every plane; the classifier's name says which."""
    return [plane_test(data, plane, seed=seed) for plane in PLANES]


def plane_test(data: TwoSampleData, plane: str, *, seed: int = 0) -> TwoSampleResult:
    """A small convolutional network on the three middle slices of one plane."""
    from ml.evaluation.supervised import held_out_scores

    turned = np.moveaxis(data.patches, 1 + PLANES[plane], 1)
    scores = held_out_scores(turned, data.truth, data.folds(seed), seed=seed)
    return interval(data, scores, f"network, {plane}", seed)


def kernel_test(data: TwoSampleData, *, seed: int = 0) -> dict[str, float]:
    """Kernel two-sample tests on standardised features, with p-values.

    ``mmd2``: unbiased squared maximum mean discrepancy, RBF kernel of median width (Gretton et al., 2012).
    ``kid``: the same with the kernel (x.y / d + 1)^3 (Binkowski et al., 2018), on radiomics, not on a network.
    p permutes patients' labels when every patient has one class, else patches.
    """
    table = StandardScaler().fit_transform(features(data.patches))
    squared = ((table[:, None] - table[None]) ** 2).sum(-1)
    mmd, p = _permutation(np.exp(-squared / np.median(squared[squared > 0])), data, seed)
    kid, kid_p = _permutation((table @ table.T / table.shape[1] + 1) ** 3, data, seed)
    return {"mmd2": mmd, "p": p, "kid": kid, "kid_p": kid_p}


def _permutation(kernel: NDArray[np.float64], data: TwoSampleData, seed: int) -> tuple[float, float]:
    """The discrepancy under a kernel and its p-value."""
    np.fill_diagonal(kernel, 0)
    rng = np.random.default_rng([seed, 17])
    value = _mmd(kernel, data.truth == 1)
    names, inverse = np.unique(data.patients, return_inverse=True)
    by_patient = np.array([data.truth[inverse == k].mean() for k in range(len(names))])
    whole = bool(np.isin(by_patient, (0, 1)).all())
    null = []
    for _ in range(PERMUTATIONS):
        second = rng.permutation(by_patient)[inverse] == 1 if whole else rng.permutation(data.truth) == 1
        null.append(_mmd(kernel, second))
    return float(value), float((1 + np.sum(np.array(null) >= value)) / (1 + PERMUTATIONS))


def _mmd(kernel: NDArray[np.float64], second: NDArray[np.bool_]) -> float:
    m, n = int((~second).sum()), int(second.sum())
    if min(m, n) < 2:
        return 0.0
    xx, yy = kernel[~second][:, ~second].sum() / (m * (m - 1)), kernel[second][:, second].sum() / (n * (n - 1))
    return float(xx + yy - 2 * kernel[~second][:, second].mean())
