"""What must be fixed before looking: the options of the default analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from readerstudy.analysis.panel.ensemble import TieRule
from readerstudy.analysis.panel.mrmc import Covariance
from readerstudy.analysis.panel.multiplicity import Adjustment

MissingRule = Literal["available", "complete_cases"]
Family = Literal["raters", "raters_and_ensemble"]
RaterTest = Literal["auto", "fisher", "binomial"]
Primary = Literal["reader_averaged_auc", "case_label_permutation", "ensemble"]


@dataclass(frozen=True, kw_only=True)
class AnalysisOptions:
    """Choices of the default analysis; `margin` is in proportion points (0.15 = 15 points).

    `balanced` says that the design shows as many real as synthetic cases (None: read it from the truth; True cannot
    override a truth that says otherwise); only then does `rater_test="auto"` use the binomial test against one half,
    otherwise Fisher's exact test. `missing_rule="complete_cases"` keeps only cases that every rater rated. `family`
    is what the adjustment for multiple tests runs over.
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
    permutations: int = 20_000
    seed: int = 20_210_817

    def __post_init__(self) -> None:
        if not 0 < self.margin < 0.5:
            raise ValueError("the margin lies between 0 and 0.5")
        if not 0 < self.alpha < 0.5:
            raise ValueError("alpha lies between 0 and 0.5")
        if self.permutations < 1:
            raise ValueError("at least one permutation")
