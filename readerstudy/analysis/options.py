"""What must be fixed before looking: the options of the default analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from readerstudy.analysis.panel.assay import ControlRule
from readerstudy.analysis.panel.ensemble import TieRule
from readerstudy.analysis.panel.mrmc import Covariance
from readerstudy.analysis.panel.multiplicity import Adjustment

MissingRule = Literal["available", "complete_cases"]
Family = Literal["raters", "raters_and_ensemble"]
RaterTest = Literal["auto", "fisher", "binomial"]
Unit = Literal["patient", "case"]
# The last two are of trials that show several images at a time.
Primary = Literal["reader_averaged_auc", "case_label_permutation", "ensemble", "joint_choices", "preference"]


@dataclass(frozen=True, kw_only=True)
class AnalysisOptions:
    """Choices of the default analysis; `margin` is in proportion points (0.15 = 15 points).

    `balanced` says that the design shows as many real as synthetic cases (None: read it from the truth; True cannot
    override a truth that says otherwise); only then do `rater_test="auto"` and "binomial" use the binomial test
    against one half, otherwise Fisher's exact test. `missing_rule="complete_cases"` keeps only cases that every rater
    rated. `family` is what the adjustment for multiple tests runs over, those against chance and those for
    equivalence alike.
    `unit="patient"` takes all cases of one patient together wherever some patient gives more than one; `unit="case"`
    counts every case as a patient of its own.

    "Equivalent" needs raters who vary their answers, none given in more than `same_answer_limit` of the cases, and
    positive controls that they find: with `control_rule="auc"` by an AUC of controls against real cases above one half
    at `alpha`, with "found" by a majority that calls `control_share` of them synthetic, and a smaller share of the
    real cases.
    """

    margin: float = 0.15
    alpha: float = 0.05
    balanced: bool | None = None
    tie_rule: TieRule = "exclude"
    missing_rule: MissingRule = "available"
    adjustment: Adjustment = "holm"
    family: Family = "raters_and_ensemble"
    rater_test: RaterTest = "auto"
    covariance: Covariance = "delong"
    control_rule: ControlRule = "auc"
    control_share: float = 0.75
    same_answer_limit: float = 0.9
    unit: Unit = "patient"
    permutations: int = 20_000
    seed: int = 20_210_817

    def __post_init__(self) -> None:
        if not 0 < self.margin < 0.5:
            raise ValueError("the margin lies between 0 and 0.5")
        if not 0 < self.alpha < 0.5:
            raise ValueError("alpha lies between 0 and 0.5")
        if not 0 < self.control_share <= 1 or not 0.5 <= self.same_answer_limit < 1:
            raise ValueError("the share of controls lies in (0, 1], the limit of equal answers in [0.5, 1)")
        if self.permutations < 1:
            raise ValueError("at least one permutation")
