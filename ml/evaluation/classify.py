"""Lesion or normal liver: classifiers on signatures and their baselines, on the same patients' folds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from ml.errors import TrainingError
from ml.evaluation.radiomics import features
from ml.evaluation.ranking import area_under_curve, patient_draws
from ml.evaluation.supervised import Fold, held_out_scores
from ml.nets.config import NetConfig
from ml.patches.case import LiverCase, Volume
from ml.patches.frames import PatchFrame, extract
from ml.patches.sampling import VIEW_ZOOMS, normal_centres

Table = NDArray[np.float64]
# Folds that keep patients together, and resamples of patients per interval.
FOLDS, BOOTSTRAPS = 5, 500
# The linear models' penalties, chosen among the patients of each training fold: what carries the lesions in a
# trained code has a small variance, and one penalty for all feature tables would decide which of them wins.
COSTS, INNER_FOLDS = (0.02, 0.2, 2.0), 5
# Enough for nine neighbours in every fold.
FEWEST_OF_A_CLASS = 6
# As many normal places as lesions: an accuracy of one half is chance.
NORMALS_PER_LESION = 1
# Smaller lesions (mm) are left out: less than a third of the close view across.
SMALLEST_MM = 8.0
# Principal components of the raw pixels that classifiers get. Set by hand.
PIXEL_COMPONENTS = 48
RAW_PIXELS, NETWORK = "raw-pixel PCA", "supervised network"


@dataclass(frozen=True)
class LabelledPatches:
    """Normalised patches (n, Z, Y, X) of one view, truth (1 lesion), patients and kinds ("normal" or a kind).

    ``patients`` are the groups of folds and bootstraps; where there are too few of them, each patch is its own,
    ``note`` says so and ``people`` counts the real ones.
    """

    view: str
    patches: Volume
    truth: NDArray[np.int64]
    patients: NDArray[np.str_]
    kinds: NDArray[np.str_]
    note: str = ""
    people: int | None = None

    @cached_property
    def folds(self) -> list[Fold]:
        """The same folds for every row of the table; they keep patients together.

        Raises TrainingError where a fold would leave lesions only, or normal liver only, to learn from.
        """
        folds = list(GroupKFold(FOLDS).split(self.truth, self.truth, self.patients))
        if any(len(np.unique(self.truth[train])) < 2 for train, _ in folds):
            raise TrainingError("Nearly all patches of one class are of one patient; no fold can be learned from.")
        return folds


@dataclass(frozen=True)
class Score:
    """Held-out accuracy, sensitivity, specificity and AUC with 95 per cent intervals from a bootstrap over patients.

    ``view`` is "close" (zoom 0.4) or "wide" (zoom 1).
    """

    features: str
    classifier: str
    view: str
    accuracy: tuple[float, float, float]
    sensitivity: tuple[float, float, float]
    specificity: tuple[float, float, float]
    auc: tuple[float, float, float]
    lesions: int
    normals: int
    patients: int
    decisions: Table = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description, without the single decisions."""
        return {key: value for key, value in asdict(self).items() if key != "decisions"}


def collect(cases: list[LiverCase], net: NetConfig, *, seed: int) -> dict[str, LabelledPatches]:
    """Every lesion of 8 mm or more and as many normal places of the same patient, in every view."""
    # Places and filling noise are drawn apart, so that every network sees the same places.
    places_rng, rng = np.random.default_rng([seed, 95]), np.random.default_rng([seed, 96])
    patches: dict[str, list[Volume]] = {view: [] for view in VIEW_ZOOMS}
    truth, patients, kinds = [], [], []
    for case in cases:
        lesions = [record for record in case.lesions if record.diameter_mm >= SMALLEST_MM]
        normals = normal_centres(case, count=NORMALS_PER_LESION * len(lesions), rng=places_rng)
        places = [(r.centre_zyx, 1, r.kind or "lesion") for r in lesions] + [(c, 0, "normal") for c in normals]
        for centre, label, kind in places:
            for view, zoom in VIEW_ZOOMS.items():
                patches[view].append(extract(case, PatchFrame(net, case.grid.spacing_zyx_mm, centre, zoom), rng))
            truth.append(label)
            patients.append(case.name)
            kinds.append(kind)
    diseased, normal = sum(truth), len(truth) - sum(truth)
    if min(diseased, normal) < FEWEST_OF_A_CLASS:
        raise TrainingError(
            f"Classification needs at least {FEWEST_OF_A_CLASS} lesions of {SMALLEST_MM:g} mm and as many places of "
            f"normal liver away from them; there are {diseased} and {normal}."
        )
    note, count = "", len(set(patients))
    if count < FOLDS:
        some = "one patient" if count == 1 else f"{count} patients"
        note = f"{some} only: patches, not patients, are kept apart and resampled"
        patients = [f"patch {n}" for n in range(len(truth))]
    labels = (np.array(truth), np.array(patients), np.array(kinds), note, count)
    return {view: LabelledPatches(view, np.stack(rows), *labels) for view, rows in patches.items()}


def classifiers(truth: NDArray[np.int64], patients: NDArray[np.str_], *, seed: int) -> dict[str, ClassifierMixin]:
    """The compared classifiers by name, for training patches of this truth and these patients."""
    inner = inner_folds(truth, patients)
    return {
        "LinearSVM": with_chosen_cost(LinearSVC(max_iter=5000), inner),
        "logistic regression": with_chosen_cost(LogisticRegression(max_iter=2000), inner),
        "k-nearest neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier(9)),
        "random forest": RandomForestClassifier(200, min_samples_leaf=2, random_state=seed),
        "gradient boosting": GradientBoostingClassifier(random_state=seed),
        "multilayer perceptron": make_pipeline(
            StandardScaler(), MLPClassifier((32,), alpha=1.0, max_iter=3000, tol=1e-3, random_state=seed)
        ),
    }


def inner_folds(truth: NDArray[np.int64], patients: NDArray[np.str_]) -> list[Fold]:
    """Splits of training patches that keep patients together, and both classes on the side that is learned from."""
    count = min(INNER_FOLDS, len(np.unique(patients)), int(np.bincount(truth, minlength=2).min()))
    if count < 2:
        return []
    splits = StratifiedGroupKFold(count).split(truth, truth, patients)
    return [(train, test) for train, test in splits if len(test) and len(np.unique(truth[train])) == 2]


def with_chosen_cost(model: LinearSVC | LogisticRegression, folds: list[Fold]) -> ClassifierMixin:
    """The model on standardised features at that of ``COSTS`` which is most accurate on ``folds``.

    Of equals the strongest penalty is taken; without folds, the middle one.
    """
    if not folds:
        return make_pipeline(StandardScaler(), model.set_params(C=COSTS[len(COSTS) // 2]))
    named = Pipeline([("scale", StandardScaler()), ("model", model)])
    return GridSearchCV(named, {"model__C": COSTS}, scoring="accuracy", cv=folds)


def baseline_tables(data: LabelledPatches) -> dict[str, Table]:
    """Feature tables that need no network: mean HU of the middle, raw pixels, hand-made features.

    Raw pixels are the patch's middle slice; their components are fitted inside each fold.
    """
    z, y, x = (n // 2 for n in data.patches.shape[1:])
    middle = data.patches[:, z - 1 : z + 2, y - 3 : y + 4, x - 3 : x + 4]
    return {
        "mean HU": middle.mean((1, 2, 3))[:, None].astype(np.float64),
        RAW_PIXELS: data.patches[:, z].reshape(len(data.patches), -1).astype(np.float64),
        "radiomics": features(data.patches),
    }


def evaluate(name: str, table: Table, data: LabelledPatches, *, seed: int = 0) -> list[Score]:
    """Every classifier on one feature table (n, features)."""
    decisions: dict[str, Table] = {}
    for train, test in data.folds:
        rows = table
        if name == RAW_PIXELS:
            components = PCA(min(PIXEL_COMPONENTS, len(train) - 1), random_state=seed).fit(table[train])
            rows = components.transform(table)
        for label, model in classifiers(data.truth[train], data.patients[train], seed=seed).items():
            model.fit(rows[train], data.truth[train])
            decisions.setdefault(label, np.zeros(len(data.truth)))[test] = decision(model, rows[test])
    return [score(name, label, held_out, data, seed=seed) for label, held_out in decisions.items()]


def evaluate_network(data: LabelledPatches, *, seed: int = 0) -> Score:
    """The supervised network on the same folds."""
    decisions = held_out_scores(data.patches, data.truth, data.folds, seed=seed)
    return score(NETWORK, "network", decisions, data, seed=seed)


def decision(model: ClassifierMixin, rows: Table) -> Table:
    """A score above 0 where the model says lesion."""
    if hasattr(model, "decision_function"):
        return np.asarray(model.decision_function(rows), dtype=np.float64)
    return np.asarray(model.predict_proba(rows)[:, 1], dtype=np.float64) - 0.5


def score(name: str, classifier: str, decisions: Table, data: LabelledPatches, *, seed: int) -> Score:
    """Point estimates and intervals of held-out decisions (above 0 is lesion)."""
    rng = np.random.default_rng([seed, 94])
    drawn = patient_draws(data.patients, count=BOOTSTRAPS, rng=rng)
    draws = [_rates(decisions[rows], data.truth[rows]) for rows in drawn]
    low, high = np.nanpercentile(np.array(draws), [2.5, 97.5], axis=0)
    accuracy, sensitivity, specificity, auc = (
        (float(p), float(a), float(b)) for p, a, b in zip(_rates(decisions, data.truth), low, high, strict=True)
    )
    lesions = int(data.truth.sum())
    counts = (lesions, len(data.truth) - lesions, data.people or len(np.unique(data.patients)))
    return Score(name, classifier, data.view, accuracy, sensitivity, specificity, auc, *counts, decisions)


def _rates(decisions: Table, truth: NDArray[np.int64]) -> tuple[float, float, float, float]:
    right = (decisions > 0) == (truth == 1)
    if truth.min() == truth.max():
        return float(right.mean()), float("nan"), float("nan"), float("nan")
    auc = area_under_curve(truth, decisions)
    return float(right.mean()), float(right[truth == 1].mean()), float(right[truth == 0].mean()), auc


@dataclass(frozen=True)
class Difference:
    """``first`` minus ``second`` on the same patches, each with a 95 per cent interval from a patient bootstrap."""

    accuracy: tuple[float, float, float]
    auc: tuple[float, float, float]


def difference(first: Score, second: Score, data: LabelledPatches, *, seed: int = 0) -> Difference:
    """Paired difference of accuracy and of AUC: both rows are drawn with the same patients."""
    rng = np.random.default_rng([seed, 93])

    def gain(rows: NDArray[np.int64]) -> tuple[float, float]:
        one, other = (_rates(score.decisions[rows], data.truth[rows]) for score in (first, second))
        return one[0] - other[0], one[3] - other[3]

    drawn = patient_draws(data.patients, count=BOOTSTRAPS, rng=rng)
    low, high = np.nanpercentile([gain(rows) for rows in drawn], [2.5, 97.5], axis=0)
    accuracy, auc = (
        (float(g), float(a), float(b)) for g, a, b in zip(gain(np.arange(len(data.truth))), low, high, strict=True)
    )
    return Difference(accuracy, auc)
