"""What is believed before a study, and how its cases are spread over patients."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import pi, sin
from typing import Literal

import numpy as np

from readerstudy.analysis.estimate import ArrayLike, as_truth
from readerstudy.analysis.patients import any_repeated, patient_numbers, patient_spread

Goal = Literal["detect", "equivalent"]
Measure = Literal["auc", "panel_accuracy", "ensemble"]


@dataclass(frozen=True, kw_only=True)
class PatientPattern:
    """How the cases of one study lie in patients.

    `net_cases` is the number of cases per patient of one kind that would be worth the same: 0 where every patient
    gives equal shares of both kinds, so that what is peculiar to a patient cancels out. `df` is what the patients know
    of a variance, `too_large` how many times as large as it is they take it on average (see `PatientSpread`);
    `kinds` holds how many real and synthetic cases each patient gives.
    """

    patients: int
    patients_of_both_kinds: int
    net_cases: float
    df: float
    too_large: float
    kinds: tuple[tuple[int, int], ...]


def patient_pattern(*, truth: ArrayLike, patients: Sequence[Hashable]) -> PatientPattern | None:
    """Return the pattern of `truth` (cases,) in `patients` (cases,); None with one case per patient, or one kind."""
    true = as_truth(truth)
    numbers = patient_numbers(patients, cases=len(true))
    if not any_repeated(numbers) or len(np.unique(true)) < 2:
        return None
    kinds = np.array([np.bincount(numbers[true == kind], minlength=numbers.max() + 1) for kind in (0, 1)])
    both = (kinds > 0).all(axis=0)
    shares = kinds / kinds.sum(axis=1, keepdims=True)
    spread = patient_spread(truth=true, values=np.zeros((len(true), 1)), patients=numbers, weights=np.ones((2, 1)))
    return PatientPattern(
        patients=kinds.shape[1],
        patients_of_both_kinds=int(both.sum()),
        net_cases=float(((shares[1] - shares[0]) ** 2).sum() / (1 / kinds.sum(axis=1)).sum()),
        df=spread.df,
        too_large=spread.too_large,
        kinds=tuple((int(real), int(synthetic)) for real, synthetic in kinds.T),
    )


@dataclass(frozen=True, kw_only=True)
class PlanningAssumptions:
    """What is believed before the study; `effect` is the true AUC or the true share correct, of the decided cases for
    the majority. The default correlation is that of a kappa of .25 between raters at chance.

    `case_correlation` is the part of a rating's noise that all raters share on the same case, for every measure alike
    (`correlation_of_kappa` makes it of a kappa, `read_pilot` of a pilot); `rater_sd` is the spread of d' between
    raters, `share_synthetic` the planned split. Every patient gives `cases_per_patient` cases of one kind, which share
    the part `alike` of what raters share on a case; a `pattern` of patients known already takes the place of that.
    """

    measure: Measure = "auc"
    goal: Goal = "equivalent"
    effect: float = 0.5
    margin: float = 0.15
    alpha: float = 0.05
    case_correlation: float = sin(pi / 8)
    rater_sd: float = 0.2
    share_synthetic: float = 0.5
    cases_per_patient: float = 1.0
    alike: float = 0.3
    pattern: PatientPattern | None = None

    def __post_init__(self) -> None:
        if not 0 < self.effect < 1 or not 0 < self.share_synthetic < 1:
            raise ValueError("the effect and the share of synthetic cases lie between 0 and 1")
        if not 0 <= self.case_correlation < 1 or self.rater_sd < 0:
            raise ValueError("the case correlation lies in [0, 1) and the spread of raters is not negative")
        if not 0 < self.margin < 0.5 or not 0 < self.alpha < 0.5:
            raise ValueError("margin and alpha lie between 0 and 0.5")
        if self.cases_per_patient < 1 or not 0 <= self.alike <= 1:
            raise ValueError("a patient gives at least one case, and what the cases share lies in [0, 1]")

    @property
    def clustered(self) -> bool:
        """Whether patients give several cases, so that the analysis takes them as its unit."""
        return self.pattern is not None or self.cases_per_patient > 1

    @property
    def net_cases(self) -> float:
        """Cases per patient of one kind."""
        return self.cases_per_patient if self.pattern is None else self.pattern.net_cases

    @property
    def design_effect_shared(self) -> float:
        """How many times as large the variance of what raters share is because patients give several cases."""
        return 1 + (self.net_cases - 1) * self.alike

    def df_patients(self, cases: int) -> float:
        """Degrees of freedom of a variance over patients, of each kind one less than its patients."""
        return cases / self.cases_per_patient - 2 if self.pattern is None else self.pattern.df

    def too_large(self, cases: int) -> float:
        """How many times as large as it is a variance over patients will be taken on average."""
        if self.pattern is not None:
            return self.pattern.too_large
        shares = np.array([self.share_synthetic, 1 - self.share_synthetic])
        factors = (1 - 1 / (cases * shares)) / (1 - self.cases_per_patient / (cases * shares))
        return float((factors / shares).sum() / (1 / shares).sum())
