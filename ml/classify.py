"""Lesion or normal liver: classifiers on signatures and their baselines, on the same patients' folds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from ml.nets.config import NetConfig
from ml.patches import Case, PatchFrame, Volume, extract
from ml.radiomics import features

Table = NDArray[np.float64]
FOLDS, BOOTSTRAPS = 5, 500
NORMALS_PER_LESION = 1
SMALLEST_MM = 6.0
PIXEL_COMPONENTS = 48


@dataclass(frozen=True)
class LabelledPatches:
    """Normalised patches (n, Z, Y, X) at zoom 1, truth (1 lesion), patients and kinds ("normal" or a kind)."""

    patches: Volume
    truth: NDArray[np.int64]
    patients: NDArray[np.str_]
    kinds: NDArray[np.str_]


@dataclass(frozen=True)
class Score:
    """Accuracy, sensitivity and specificity with 95 per cent intervals from a bootstrap over patients."""

    features: str
    classifier: str
    accuracy: tuple[float, float, float]
    sensitivity: tuple[float, float, float]
    specificity: tuple[float, float, float]
    lesions: int
    normals: int
    patients: int

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description."""
        return asdict(self)


def collect(cases: list[Case], net: NetConfig, *, seed: int) -> LabelledPatches:
    """Every lesion of 6 mm or more, and as many normal patches of the same patient."""
    rng = np.random.default_rng([seed, 95])
    patches, truth, patients, kinds = [], [], [], []
    for case in cases:
        lesions = [record for record in case.lesions if record.diameter_mm >= SMALLEST_MM]
        normals = normal_centres(case, net, count=NORMALS_PER_LESION * len(lesions), rng=rng)
        places = [(r.centre_zyx, 1, r.kind or "lesion") for r in lesions] + [(c, 0, "normal") for c in normals]
        for centre, label, kind in places:
            patches.append(extract(case, PatchFrame(net, case.grid.spacing_zyx_mm, centre), rng))
            truth.append(label)
            patients.append(case.name)
            kinds.append(kind)
    return LabelledPatches(np.stack(patches), np.array(truth), np.array(patients), np.array(kinds))


def normal_centres(
    case: Case, net: NetConfig, *, count: int, rng: np.random.Generator
) -> list[tuple[float, float, float]]:
    """Random liver voxels whose middle (half of the patch) holds no lesion."""
    voxels = np.flatnonzero(case.weight > 0.9)
    half = np.asarray(net.patch_zyx) * net.spacing_zyx_mm / 4
    found: list[tuple[float, float, float]] = []
    for voxel in voxels[rng.permutation(len(voxels))[: 40 * count]]:
        z, y, x = (float(v) for v in np.unravel_index(voxel, case.grid.size_zyx))
        if not case.labels[case.grid.box_around((z, y, x), half_extent_zyx_mm=half)].any():
            found.append((z, y, x))
        if len(found) == count:
            break
    return found


def classifiers(seed: int) -> dict[str, ClassifierMixin]:
    """The compared classifiers by name."""
    return {
        "LinearSVM": make_pipeline(StandardScaler(), LinearSVC(C=0.02, max_iter=5000)),
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)),
        "k-nearest neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier(9)),
        "random forest": RandomForestClassifier(200, min_samples_leaf=2, random_state=seed),
        "gradient boosting": GradientBoostingClassifier(random_state=seed),
        "multilayer perceptron": make_pipeline(
            StandardScaler(), MLPClassifier((32,), alpha=1.0, max_iter=3000, tol=1e-3, random_state=seed)
        ),
    }


def baseline_tables(data: LabelledPatches) -> dict[str, Table]:
    """Feature tables that need no network: mean HU of the middle, raw pixels, hand-made features.

    Raw pixels are the patch's middle slice; their components are fitted inside each fold.
    """
    z, y, x = (n // 2 for n in data.patches.shape[1:])
    middle = data.patches[:, z - 1 : z + 2, y - 3 : y + 4, x - 3 : x + 4]
    return {
        "mean HU": middle.mean((1, 2, 3))[:, None].astype(np.float64),
        "raw-pixel PCA": data.patches[:, z].reshape(len(data.patches), -1).astype(np.float64),
        "radiomics": features(data.patches),
    }


def evaluate(name: str, table: Table, data: LabelledPatches, *, seed: int = 0) -> list[Score]:
    """Every classifier on one feature table with folds that keep patients together."""
    scores = []
    for label, model in classifiers(seed).items():
        predicted = np.zeros(len(data.truth), np.int64)
        for train, test in GroupKFold(FOLDS).split(table, data.truth, data.patients):
            rows = table
            if name == "raw-pixel PCA":
                components = PCA(min(PIXEL_COMPONENTS, len(train) - 1), random_state=seed).fit(table[train])
                rows = components.transform(table)
            model.fit(rows[train], data.truth[train])
            predicted[test] = model.predict(rows[test])
        scores.append(score(name, label, predicted, data, seed=seed))
    return scores


def score(name: str, classifier: str, predicted: NDArray[np.int64], data: LabelledPatches, *, seed: int) -> Score:
    """Point estimates and intervals of held-out predictions."""
    rng = np.random.default_rng([seed, 94])
    names = np.unique(data.patients)
    members = {p: np.flatnonzero(data.patients == p) for p in names}
    right = predicted == data.truth
    draws = []
    for _ in range(BOOTSTRAPS):
        rows = np.concatenate([members[p] for p in rng.choice(names, len(names))])
        draws.append(_rates(right[rows], data.truth[rows]))
    low, high = np.nanpercentile(np.array(draws), [2.5, 97.5], axis=0)
    point = _rates(right, data.truth)
    accuracy, sensitivity, specificity = (
        (float(p), float(a), float(b)) for p, a, b in zip(point, low, high, strict=True)
    )
    lesions = int(data.truth.sum())
    return Score(name, classifier, accuracy, sensitivity, specificity, lesions, len(data.truth) - lesions, len(names))


def _rates(right: NDArray[np.bool_], truth: NDArray[np.int64]) -> tuple[float, float, float]:
    def mean(values: NDArray[np.bool_]) -> float:
        return float(values.mean()) if values.size else float("nan")

    return mean(right), mean(right[truth == 1]), mean(right[truth == 0])
