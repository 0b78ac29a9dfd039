"""Statistics of blinded real-vs-synthetic reading: pure functions, the one surface for page, API, report
and CLI.

Coding everywhere: truth 1 = synthetic, 0 = real; call 1 = "synthetic"; matrices are cases x raters with
NaN/None where nobody rated; a higher rating means more surely synthetic.
"""

from readerstudy.analysis.chance import (
    Confusion,
    accuracy,
    balanced_accuracy,
    chance_accuracy,
    confusion,
    fisher_exact,
    majority_class_rate,
    sensitivity,
    share_called_synthetic,
    specificity,
)
from readerstudy.analysis.default import default_analysis
from readerstudy.analysis.ensemble import (
    half_credit,
    independent_majority,
    leave_one_case_out_vote,
    log_odds_weights,
    majority_vote,
    mean_rating,
    weighted_vote,
)
from readerstudy.analysis.estimate import Estimate
from readerstudy.analysis.multiplicity import adjust_p_values
from readerstudy.analysis.options import AnalysisOptions
from readerstudy.analysis.proportions import exact_binomial, one_sided_limit, proportion_interval
from readerstudy.analysis.table import ResponseTable, response_table, signed_rating

__all__ = [
    "AnalysisOptions",
    "Confusion",
    "Estimate",
    "ResponseTable",
    "accuracy",
    "adjust_p_values",
    "balanced_accuracy",
    "chance_accuracy",
    "confusion",
    "default_analysis",
    "exact_binomial",
    "fisher_exact",
    "half_credit",
    "independent_majority",
    "leave_one_case_out_vote",
    "log_odds_weights",
    "majority_class_rate",
    "majority_vote",
    "mean_rating",
    "one_sided_limit",
    "proportion_interval",
    "response_table",
    "sensitivity",
    "share_called_synthetic",
    "signed_rating",
    "specificity",
    "weighted_vote",
]
