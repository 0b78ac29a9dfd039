"""Power of designs with few patients, by simulating many studies at once and analysing them as the analysis does.

A study of few patients estimates its variance from few bounded contributions, which no closed form follows closely: it
missed by up to 4.4 points. Here whole arrays of studies are drawn from the planning model, always from the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb, inf, sqrt

import numpy as np
from scipy import special, stats

from readerstudy.analysis.estimate import BoolArray, FloatArray
from readerstudy.analysis.panel.mrmc import WARY_READERS, variance_of_average
from readerstudy.analysis.panel.percent_correct import CAUTIOUS_READERS
from readerstudy.analysis.panel.permutation import ROUNDING
from readerstudy.analysis.patients import PatientNumbers, any_repeated, leave_one_out_weight, patient_spread
from readerstudy.analysis.planning.assumptions import PlanningAssumptions
from readerstudy.analysis.planning.reading_model import mean_skill

# Up to so many patients studies are simulated; with more the closed form is as close.
FEW_PATIENTS = 36
# Of each kind: one patient alone tells nothing of how patients differ.
FEWEST_PATIENTS = 2
# The standard error of a power of one half is then 0.56 points.
STUDIES = 8000
SEED = 20_210_817
# Studies that are drawn at once.
CHUNK = 100
# Statistics that differ by less are ties: sums of products in another order.
SLACK = 1e-7
# Relabelled studies that stand for all of them; where there are no more, these are all.
RELABELLED = 1000


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Truth (cases,) and patients (cases,) of the design; `own` (patients, cases) is 1 at each patient's cases."""

    truth: FloatArray
    patients: PatientNumbers
    own: FloatArray

    @classmethod
    def of(cls, kinds: Sequence[tuple[int, int]]) -> _Layout:
        """`kinds` are the numbers of real and of synthetic cases that each patient gives."""
        truth = np.concatenate([np.repeat([0.0, 1.0], counts) for counts in kinds])
        patients = np.repeat(np.arange(len(kinds)), [sum(counts) for counts in kinds])
        return cls(truth=truth, patients=patients, own=(patients == np.arange(len(kinds))[:, None]).astype(np.float64))

    @property
    def mixed(self) -> BoolArray:
        """Patients with both kinds of case."""
        synthetic = self.own @ self.truth
        return np.asarray((synthetic > 0) & (synthetic < self.own.sum(axis=1)))

    def weights(self) -> FloatArray:
        """Shares of the real and of the synthetic cases."""
        return np.array([(self.truth == kind).mean() for kind in (0, 1)])

    def df(self, weights: FloatArray) -> float:
        if not any_repeated(self.patients):
            return inf
        nothing, both = np.zeros((len(self.truth), 1)), weights[:, None]
        return patient_spread(truth=self.truth, values=nothing, patients=self.patients, weights=both).df


def kinds_of(assumed: PlanningAssumptions, cases: int) -> tuple[tuple[int, int], ...] | None:
    """Real and synthetic cases of each patient, in order, where there are few patients; None where there are many."""
    if not assumed.clustered:
        return None
    if assumed.pattern is not None:
        known = sum(map(sum, assumed.pattern.kinds)) == cases and assumed.pattern.patients <= FEW_PATIENTS
        return tuple(sorted(assumed.pattern.kinds)) if known else None
    if cases / assumed.cases_per_patient > FEW_PATIENTS:
        return None
    synthetic = round(cases * assumed.share_synthetic)
    real, made = (_evenly(count, assumed.cases_per_patient) for count in (cases - synthetic, synthetic))
    return tuple(sorted([*((size, 0) for size in real), *((0, size) for size in made)]))


def _evenly(cases: int, each: float) -> list[int]:
    patients = max(1, round(cases / each))
    return [len(part) for part in np.array_split(np.arange(cases), patients)]


@lru_cache(maxsize=512)
def power_of_few(
    assumed: PlanningAssumptions, kinds: tuple[tuple[int, int], ...], raters: tuple[int, ...], studies: int = STUDIES
) -> tuple[float, ...]:
    """Power of the design with each of these numbers of raters; all of them read the same simulated studies."""
    if min(sum(counts[kind] > 0 for counts in kinds) for kind in (0, 1)) < FEWEST_PATIENTS:
        return (0.0,) * len(raters)
    layout, random, reached = _Layout.of(kinds), np.random.default_rng(SEED), np.zeros(len(raters))
    permutes = assumed.goal == "detect" and assumed.measure != "auc"
    everyone = _all_relabelled(layout) if permutes else None
    for start in range(0, studies, CHUNK):
        drawn = _Drawn.of(assumed, layout, raters=max(raters), studies=min(CHUNK, studies - start), random=random)
        # Others for every few studies: one and the same draw would be wrong for all of them in one direction.
        labels = everyone if everyone is not None or not permutes else _some_relabelled(layout, random)
        if assumed.measure == "ensemble":
            found = [_majority_reached(assumed, layout, drawn, number, labels) for number in raters]
        else:
            found = _mean_reached(assumed, layout, drawn, raters, labels)
        reached += [int(one.sum()) for one in found]
    return tuple(float(share) for share in reached / studies)


@dataclass(frozen=True, kw_only=True)
class _Drawn:
    """Simulated studies: noise (studies, cases, raters), and how far each rater's d' lies from the mean, likewise."""

    noise: FloatArray
    skill: FloatArray

    @classmethod
    def of(
        cls, assumed: PlanningAssumptions, layout: _Layout, *, raters: int, studies: int, random: np.random.Generator
    ) -> _Drawn:
        shared, alike, (patients, cases) = assumed.case_correlation, assumed.alike, layout.own.shape
        of_patient = random.standard_normal((studies, patients))[:, layout.patients]
        of_case = sqrt(alike) * of_patient + sqrt(1 - alike) * random.standard_normal((studies, cases))
        own = random.standard_normal((studies, cases, raters))
        skill = assumed.rater_sd * random.standard_normal((studies, 1, raters))
        return cls(noise=sqrt(shared) * of_case[:, :, None] + sqrt(1 - shared) * own, skill=skill)

    def ratings(self, truth: FloatArray, skill: float, raters: int) -> FloatArray:
        """The ratings of the first `raters`; above 0 a case is called synthetic."""
        return (truth[:, None] - 0.5) * (skill + self.skill[:, :, :raters]) + self.noise[:, :, :raters]


def _mean_reached(
    assumed: PlanningAssumptions,
    layout: _Layout,
    drawn: _Drawn,
    raters: tuple[int, ...],
    labels: FloatArray | None,
) -> list[BoolArray]:
    """Per number of raters, which studies reach the goal with a mean over raters: (studies,) each."""
    ratings = drawn.ratings(layout.truth, mean_skill(assumed, max(raters)), max(raters))
    if labels is not None:
        votes = np.cumsum(np.where(ratings > 0, 1.0, -1.0), axis=2)
        everything = np.ones((1, len(layout.truth)))
        return [
            _permuted(layout, votes[:, :, number - 1], everything, labels, alpha=assumed.alpha) for number in raters
        ]
    is_area = assumed.measure == "auc"
    weights = np.ones(2) if is_area else layout.weights()
    values = _placements(ratings, layout.truth) if is_area else ((ratings > 0) == layout.truth[:, None]).astype(float)
    means = np.stack([values[:, layout.truth == kind].mean(axis=1) for kind in (0, 1)])
    estimates = means[1] if is_area else np.einsum("k,ksj->sj", weights, means)
    pulled = _contributions(layout, values, means, weights)
    along = (np.cumsum(pulled, axis=2) ** 2).sum(axis=1)
    own, df = np.cumsum((pulled**2).sum(axis=1), axis=1), layout.df(weights)
    return [
        _limits_reached(
            assumed,
            estimates[:, :number].mean(axis=1),
            *variance_of_average(
                ms_reader=estimates[:, :number].var(axis=1, ddof=1),
                cov2=(along - own)[:, number - 1] / (number * (number - 1)),
                fixed=along[:, number - 1] / number**2,
                readers=number,
                df_patients=df,
                cautious=not is_area and number <= CAUTIOUS_READERS,
                wary=is_area and number <= WARY_READERS,
            ),
        )
        for number in raters
    ]


def _placements(ratings: FloatArray, truth: FloatArray) -> FloatArray:
    """Of each synthetic case the share of real ones below it, of each real case of synthetic ones above it; no ties."""
    order = np.argsort(ratings, axis=1)
    synthetic = truth[order]
    below = np.cumsum(1 - synthetic, axis=1) / (truth == 0).sum()
    above = 1 - np.cumsum(synthetic, axis=1) / truth.sum()
    placed = np.empty(ratings.shape)
    np.put_along_axis(placed, order, np.where(synthetic == 1, below, above), axis=1)
    return placed


def _contributions(layout: _Layout, values: FloatArray, means: FloatArray, weights: FloatArray) -> FloatArray:
    """What each patient contributes to each rater's estimate, (studies, patients, raters): see `patient_spread`."""
    found = np.zeros((len(values), len(layout.own), values.shape[2]))
    for kind in (0, 1):
        rows = layout.truth == kind
        own = layout.own[:, rows]
        pull = weights[kind] * leave_one_out_weight(own.sum(axis=1), float(rows.sum()))
        found += (own * pull[:, None]) @ (values[:, rows] - means[kind][:, None])
    return found


def _limits_reached(assumed: PlanningAssumptions, value: FloatArray, variance: FloatArray, df: FloatArray) -> BoolArray:
    """Whether t limits on the logit scale leave out chance, or lie within the margin."""
    inner = (variance > 0) & (value > 0) & (value < 1)
    safe = np.where(inner, value, 0.5)
    distance, se = np.abs(special.logit(safe)), np.sqrt(variance) / (safe * (1 - safe))
    if assumed.goal == "detect":
        return np.asarray(inner & (distance >= stats.t.isf(assumed.alpha / 2, df) * se))
    edge = float(special.logit(0.5 + assumed.margin))
    return np.asarray(inner & (distance + stats.t.isf(assumed.alpha, df) * se <= edge))


def _majority_reached(
    assumed: PlanningAssumptions, layout: _Layout, drawn: _Drawn, raters: int, labels: FloatArray | None
) -> BoolArray:
    """Which studies reach the goal with the majority of the first `raters`; even splits are no decisions."""
    ratings = drawn.ratings(layout.truth, mean_skill(assumed, raters), raters)
    votes = np.sign(np.where(ratings > 0, 1.0, -1.0).sum(axis=2))
    decided = np.abs(votes)
    if labels is not None:
        return _permuted(layout, votes, decided, labels, alpha=assumed.alpha)
    right = decided * (votes == 2 * layout.truth - 1)
    total, pulled = decided.sum(axis=1, keepdims=True), np.zeros((len(votes), len(layout.own)))
    for kind in (0, 1):
        rows = layout.truth == kind
        own, count = decided[:, rows] @ layout.own[:, rows].T, decided[:, rows].sum(axis=1, keepdims=True)
        mean = right[:, rows].sum(axis=1, keepdims=True) / np.maximum(count, 1)
        sums = right[:, rows] @ layout.own[:, rows].T - own * mean
        pulled += count / np.maximum(total, 1) * leave_one_out_weight(own, count) * sums
    value = right.sum(axis=1) / np.maximum(total[:, 0], 1)
    return _limits_reached(assumed, value, (pulled**2).sum(axis=1), np.full(len(value), layout.df(layout.weights())))


def _all_relabelled(layout: _Layout) -> FloatArray | None:
    """Every truth that whole patients can be given, (relabelled, cases), the true one first; None where these are many.

    Patients of both kinds have too many.
    """
    whole = np.flatnonzero(layout.own @ layout.truth > 0)
    patients = len(layout.own)
    if layout.mixed.any() or comb(patients, len(whole)) > RELABELLED:
        return None
    kinds = np.zeros((1 + comb(patients, len(whole)), patients))
    kinds[0, whole] = 1
    for row, chosen in enumerate(combinations(range(patients), len(whole)), start=1):
        kinds[row, list(chosen)] = 1
    return kinds[:, layout.patients]


def _some_relabelled(layout: _Layout, random: np.random.Generator) -> FloatArray:
    """As many truths at random, the true one first: see `case_label_permutation`."""
    mixed, whole = layout.mixed, (layout.own @ layout.truth > 0).astype(np.float64)
    kinds = np.tile(whole, (RELABELLED, 1))
    kinds[:, ~mixed] = random.permuted(kinds[:, ~mixed], axis=1)
    labels = kinds[:, layout.patients]
    for patient in np.flatnonzero(mixed):
        own = layout.patients == patient
        labels[:, own] = random.permuted(np.tile(layout.truth[own], (RELABELLED, 1)), axis=1)
    return np.vstack([layout.truth, labels])


def _permuted(
    layout: _Layout, score: FloatArray, counted: FloatArray, labels: FloatArray, *, alpha: float
) -> BoolArray:
    """Which studies the permutation of whole patients, and within patients of both kinds, finds different from chance.

    `score` (studies, cases) is 0 where no answer counts, `counted` (studies or 1, cases) tells where one does. The
    statistic is that of `case_label_permutation`: a difference of means over its standard error over patients.
    """
    centred = counted * (score - _levels(layout, score, counted))
    sides = (labels, 1 - labels)
    means = [centred @ side.T / np.maximum(counted @ side.T, 1.0) for side in sides]
    of_sides = _squares_within if layout.mixed.any() else _squares_of_whole
    gap, se = means[0] - means[1], np.sqrt(of_sides(layout, centred, counted, labels, means))
    gap = np.where(np.abs(gap) < ROUNDING, 0.0, gap)
    certain = np.where(gap == 0, 0.0, np.inf)
    distance = np.divide(np.abs(gap), se, out=certain, where=se > ROUNDING)
    far = distance[:, 1:] >= distance[:, :1] * (1 - SLACK) - SLACK
    return np.asarray(far.mean(axis=1) <= alpha)


def _squares_within(
    layout: _Layout,
    centred: FloatArray,
    counted: FloatArray,
    labels: FloatArray,
    means: list[FloatArray],
) -> FloatArray:
    """Sum of the patients' squared contributions, (studies, relabelled): patients may have both kinds."""
    squares = np.zeros(means[0].shape)
    for patient in range(len(layout.own)):
        rows, pulled = layout.patients == patient, np.zeros(1)
        for sign, side, mean in zip((1, -1), (labels, 1 - labels), means, strict=True):
            n, size = counted[:, rows] @ side[:, rows].T, np.maximum(counted @ side.T, 1.0)
            pulled = pulled + sign * leave_one_out_weight(n, size) * (centred[:, rows] @ side[:, rows].T - n * mean)
        squares += pulled**2
    return squares


def _squares_of_whole(
    layout: _Layout,
    centred: FloatArray,
    counted: FloatArray,
    labels: FloatArray,
    means: list[FloatArray],
) -> FloatArray:
    """The same where every patient has one kind. Cases without an answer are taken as spread evenly over patients."""
    own = layout.own.sum(axis=1)
    sums, n = centred @ layout.own.T, counted @ layout.own.T
    share = n.sum(axis=1, keepdims=True) / own.sum()
    squares = np.zeros(means[0].shape)
    for side, mean in zip((labels, 1 - labels), means, strict=True):
        whole = side @ (layout.own.T / own)
        weight = whole * leave_one_out_weight(whole * own, (whole @ own)[:, None]) ** 2
        squares += (sums**2 @ weight.T - 2 * mean * ((sums * n) @ weight.T) + mean**2 * (n**2 @ weight.T)) / share**2
    return np.maximum(squares, 0.0)


def _levels(layout: _Layout, score: FloatArray, counted: FloatArray) -> FloatArray:
    """The mean around which each case's score is permuted: the patient's with both kinds, or that of all others."""
    mixed = layout.mixed
    sums, n = score @ layout.own.T, np.broadcast_to(counted, score.shape) @ layout.own.T
    of_others = sums[:, ~mixed].sum(axis=1) / np.maximum(n[:, ~mixed].sum(axis=1), 1.0)
    levels = np.where(mixed, sums / np.maximum(n, 1.0), of_others[:, None])
    return np.asarray(levels[:, layout.patients], dtype=np.float64)
