"""What the default analysis returns, section by section; page, report, API and its description read these fields.

What cannot be estimated is None beside a `reason`. The text of an `Annotated` field stands in the API's description.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import scipy

from readerstudy.analysis.default.json_form import as_json, only_with
from readerstudy.analysis.estimate import Estimate
from readerstudy.analysis.options import AnalysisOptions, MissingRule, Unit
from readerstudy.analysis.panel.assay import ControlRule, RaterControls, RaterVariation
from readerstudy.analysis.panel.ensemble import IndependentPanel, TieRule
from readerstudy.analysis.panel.equivalence import Verdict
from readerstudy.analysis.panel.mixed_binary import MixedBinary
from readerstudy.analysis.panel.permutation import PermutationTest
from readerstudy.analysis.panel.response_time import MedianTimes, TimesOfKinds
from readerstudy.analysis.rater.auc import RocCurve
from readerstudy.analysis.rater.drift import Drift

Status = Literal["planned", "exploratory", "fallback"]
FixedTest = Literal["binomial", "fisher", "permutation"]


@dataclass(frozen=True, kw_only=True)
class Software:
    """Versions of what computed the numbers."""

    python: str
    numpy: str
    scipy: str


def this_software() -> Software:
    return Software(python=platform.python_version(), numpy=np.__version__, scipy=scipy.__version__)


@dataclass(frozen=True, kw_only=True)
class Design:
    """What was shown and rated, after the missing rule."""

    n_cases: int
    n_cases_dropped: int
    n_synthetic: int
    n_real: int
    n_controls: Annotated[int, "Positive controls: shown, counted apart, in no other number"]
    n_raters: int
    n_ratings: int
    n_missing: int
    n_patients: int
    n_patients_synthetic: Annotated[int, "Patients with a synthetic case"]
    n_patients_real: Annotated[int, "Patients with a real case"]
    n_patients_both: Annotated[int, "Patients with cases of both kinds"]
    most_cases_of_a_patient: int
    unit: Annotated[Unit, "What was counted as independent"]
    balanced: Annotated[bool, "Whether one half is the chance level of accuracy, by what every rater answered"]
    complete: Annotated[bool, "Whether every rater rated every case"]
    note: str | None


@dataclass(frozen=True, kw_only=True)
class PanelEquivalence:
    """Two one-sided tests of the panel against chance; `low` and `high` are limits of the measure itself."""

    margin: Annotated[float, "In proportion points: 0.15 is 15 points"]
    level: float
    low: float | None
    high: float | None
    p: float | None
    equivalent: bool | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class PrimaryTest:
    """The primary test of the panel with its verdict."""

    method: str
    measure: str
    null: Annotated[float | None, "The value under chance"]
    estimate: Estimate
    p: float | None
    equivalence: PanelEquivalence
    verdict: Verdict
    sentence: str
    random: Annotated[str, "What is random in test and interval"]
    fallback_reason: Annotated[str | None, "Why the planned primary test could not be done"] = field(
        default=None, metadata=only_with("fallback_reason")
    )


@dataclass(frozen=True, kw_only=True)
class AccuracyEquivalence:
    """Exact test of one column's accuracy against one half; nothing where one half is not chance.

    `equivalent` follows the adjusted p-value where there is a family.
    """

    p: float | None
    p_adjusted: Annotated[float | None, "Adjusted over the family of tests; null outside of it"]
    equivalent: bool | None
    interval: Estimate | None
    margin: float
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The numbers of one column of calls, of a rater or of the ensemble."""

    n: int
    correct: Annotated[float, "A number of cases; a tie may count half"]
    tp: Annotated[int, "Synthetic cases called synthetic"]
    fn: int
    fp: Annotated[int, "Real cases called synthetic"]
    tn: int
    accuracy: Estimate
    accuracy_wilson: Estimate
    sensitivity: Estimate
    specificity: Estimate
    balanced_accuracy: Estimate
    share_called_synthetic: float | None
    chance_accuracy: Annotated[float | None, "Accuracy of answers in these shares that ignore the truth"]
    majority_class_rate: float | None
    binomial_p: float | None
    binomial_midp: float | None
    binomial_valid: Annotated[bool, "Whether one half is chance and cases are independent, as the test assumes"]
    binomial_note: str | None
    fisher_p: float | None
    test: Annotated[FixedTest, "The test that p comes from"]
    p: float | None
    p_adjusted: Annotated[float | None, "Adjusted over the family of tests; null outside of it"]
    bf01: Annotated[float | None, "Bayes factor for chance"]
    p_in_rope: Annotated[float | None, "Posterior probability of an accuracy within the margin"]
    equivalence: AccuracyEquivalence
    verdict: Verdict
    sentence: str
    reason: str | None
    d_prime: float | None
    criterion: Annotated[float | None, "Above 0: reluctant to say synthetic"]
    a_prime: float | None
    detection_reason: str | None


@dataclass(frozen=True, kw_only=True)
class UnansweredBounds:
    """Accuracy over all cases if every unanswered one were wrong, half right or right."""

    worst: float | None
    half: float | None
    best: float | None


@dataclass(frozen=True, kw_only=True)
class RatingArea:
    """The area under the ROC curve of one column of ratings: DeLong's standard error, limits and test on the logit
    scale.
    """

    auc: Estimate
    auc_se: float | None
    auc_p: float | None


@dataclass(frozen=True, kw_only=True)
class _OfRater:
    """What stands before the numbers of a rater: of several bases the last one's fields come first."""

    rater: Annotated[str, "Number of the rater in the study"]
    missing: Annotated[int, "Cases without an answer"]


@dataclass(frozen=True, kw_only=True)
class RaterReading(Reading, _OfRater):
    """One rater. Areas need ratings, drift the order of reading, times the times."""

    unanswered_bounds: UnansweredBounds
    auc: Estimate | None = field(default=None, metadata=only_with("auc"))
    auc_se: float | None = field(default=None, metadata=only_with("auc"))
    auc_p: float | None = field(default=None, metadata=only_with("auc"))
    drift: Drift | None = field(default=None, metadata=only_with("drift"))
    median_time_ms: MedianTimes | None = field(default=None, metadata=only_with("median_time_ms"))


@dataclass(frozen=True, kw_only=True)
class TieSensitivity:
    """Accuracy of the majority under each rule for an evenly split panel."""

    exclude: float | None
    synthetic: float | None
    real: float | None
    half_credit: float | None


@dataclass(frozen=True, kw_only=True)
class WeightedMajority:
    """The majority when raters who are right more often count for more."""

    method: str
    n: int
    accuracy: float | None
    weights: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class _OfVote:
    """What stands before the numbers of the ensemble."""

    tie_rule: TieRule
    n_ties: int
    n_without_votes: int


@dataclass(frozen=True, kw_only=True)
class EnsembleReading(Reading, _OfVote):
    """The majority of the panel. Its mean rating needs ratings."""

    calls: Annotated[tuple[float | None, ...], "Per case: 1 synthetic, 0 real, 0.5 a tie, null without a vote"]
    tie_sensitivity: TieSensitivity
    weighted: WeightedMajority
    expected_if_independent: IndependentPanel | None
    mean_rating: RatingArea | None = field(default=None, metadata=only_with("mean_rating"))


@dataclass(frozen=True, kw_only=True)
class ControlOutcome:
    """Whether the panel found the positive controls; nothing where there are none."""

    n: int
    rule: ControlRule
    auc: Annotated[Estimate, "Controls against real cases; of the calls where no confidence was asked"]
    p: float | None
    found: Annotated[int, "Controls that most raters called synthetic"]
    needed: Annotated[int | None, "How many of them the rule asks for"]
    passed: bool | None
    raters: Annotated[tuple[RaterControls, ...], "What each rater did with them"]
    reason: Annotated[str | None, "Why the controls prove nothing"]


@dataclass(frozen=True, kw_only=True)
class AssaySensitivity:
    """Whether these raters could have found a difference, without which "equivalent" is not said."""

    sensitive: bool
    raters: tuple[RaterVariation, ...]
    controls: ControlOutcome
    hardly_varied: Annotated[str | None, "Which raters gave one answer nearly always"]
    unproven: Annotated[str | None, "Why the positive controls prove nothing for these raters"]
    few_patients: Annotated[str | None, "Why so few patients carry no equivalence"]


@dataclass(frozen=True, kw_only=True)
class PooledReadings:
    """All readings counted as if they were independent, with the warning that they are not."""

    correct: int
    n: int
    accuracy: Estimate
    binomial_p: float | None
    variance_inflation: Annotated[
        float | None, "How many times as large the variance is with raters and patients random"
    ]
    warning: str


@dataclass(frozen=True, kw_only=True)
class PanelShares:
    """Sensitivity and specificity averaged over raters, raters and patients (or cases) random."""

    method: str
    sensitivity: Annotated[Estimate, "Share of the synthetic cases called synthetic"]
    specificity: Annotated[Estimate, "Share of the real cases called real"]


@dataclass(frozen=True, kw_only=True)
class AveragedAuc:
    """AUC averaged over raters, raters and patients random."""

    method: str
    auc: Estimate
    se: float | None
    df: float | None
    t: float | None
    p: float | None
    reader_aucs: tuple[float | None, ...]
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class AgreementEstimate(Estimate):
    """One coefficient of agreement with its interval over patients, or cases where each patient gives one."""

    se: float | None
    p: float | None


@dataclass(frozen=True, kw_only=True)
class PanelAgreement:
    """Agreement of the calls, and the prevalence that the coefficients depend on."""

    share_called_synthetic: float | None
    percent_agreement: AgreementEstimate
    fleiss_kappa: AgreementEstimate
    gwet_ac1: AgreementEstimate
    krippendorff_alpha: AgreementEstimate


@dataclass(frozen=True, kw_only=True)
class RocCurves:
    """The curve of every rater and of the mean rating; None with one class only."""

    raters: Mapping[str, RocCurve | None]
    ensemble: RocCurve | None


@dataclass(frozen=True, kw_only=True)
class CalibrationPoint:
    """How often the case was synthetic where this rating was given."""

    rating: float
    n: int
    share_synthetic: Estimate


@dataclass(frozen=True, kw_only=True)
class CaseOutcome:
    """How many raters were right on one case; `flagged` when fewer than guessing would explain."""

    case: str
    truth: Annotated[int, "1 synthetic, 0 real"]
    n: int
    correct: int
    share: float | None
    shrunk: Annotated[float, "The share drawn towards the mean of all cases"]
    flagged: bool


@dataclass(frozen=True, kw_only=True)
class Difficulty:
    """How hard each case was."""

    prior_strength: float
    cases: tuple[CaseOutcome, ...]


@dataclass(frozen=True, kw_only=True)
class MixedModels:
    """The mixed models with crossed raters and cases, a sensitivity analysis."""

    method: str
    accuracy_logit: MixedBinary
    detection_probit: MixedBinary
    d_prime: float | None
    criterion: float | None


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """The primary measure without one rater, or without one patient; no p where it is tested by permutation."""

    left_out: Annotated[tuple[str, ...], "The rater, or the codes of the patient's cases"]
    value: float | None
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True, kw_only=True)
class Alternative(Estimate):
    """The primary measure by another choice; no p where it is tested by permutation."""

    p: float | None = None


@dataclass(frozen=True, kw_only=True)
class MarginPoint:
    """The test of equivalence within another margin, in proportion points."""

    margin: float
    p: float | None


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """How much the primary measure hangs on one covariance, the choice of raters, missing answers and the margin."""

    covariance: Annotated[str | None, "The covariance that was not chosen, delong or jackknife"]
    other: Annotated[Estimate, "The primary AUC by that covariance"]
    p: float | None
    fixed_readers: Annotated[Alternative, "For these very raters: only patients (or cases) are random"]
    missing_rule: Annotated[MissingRule | None, "The missing rule that was not chosen; null where no answer is missing"]
    other_rule: Annotated[Alternative, "The primary measure by that rule"]
    smallest_margin: Annotated[float | None, "The least margin that the interval of equivalence lies within"]
    margins: Annotated[tuple[MarginPoint, ...], "The test of equivalence along other margins; the planned one decides"]
    raters: tuple[LeftOut, ...]
    patients: Annotated[tuple[LeftOut, ...], "By patient, or by case where the unit is the case"]


@dataclass(frozen=True, kw_only=True)
class DefaultAnalysis:
    """The whole default analysis."""

    schema: str
    software: Software
    options: Annotated[AnalysisOptions, "The frozen choices that the analysis ran under"]
    design: Design
    plan_digest: str | None
    primary: PrimaryTest
    assay: AssaySensitivity
    raters: tuple[RaterReading, ...]
    ensemble: EnsembleReading
    pooled: PooledReadings
    panel_shares: PanelShares
    mrmc: AveragedAuc
    permutation: PermutationTest
    agreement: PanelAgreement
    roc: Annotated[RocCurves | None, "null without ratings"]
    calibration: Annotated[tuple[CalibrationPoint, ...] | None, "null without ratings"]
    difficulty: Difficulty
    model: MixedModels
    sensitivity: Sensitivity
    times: Annotated[TimesOfKinds | None, "null without the times and the order of reading"]
    status: Annotated[Mapping[str, Status] | None, "Per section, planned or exploratory; null without a plan"]

    def as_json(self) -> dict[str, Any]:
        """Return the analysis as JSON holds it; `json.dumps` takes it as it is, without NaN."""
        form: dict[str, Any] = as_json(self)
        return form
