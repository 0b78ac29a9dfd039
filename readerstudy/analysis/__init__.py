"""Statistics of blinded real-vs-synthetic reading: pure functions for page, API, report and CLI alike.

Coding everywhere: truth 1 = synthetic, 0 = real; call 1 = "synthetic"; matrices are cases x raters with
NaN/None where nobody rated; a higher rating means more surely synthetic.
"""

from readerstudy.analysis.default.analysis import default_analysis
from readerstudy.analysis.default.sections import (
    AveragedAuc,
    DefaultAnalysis,
    EnsembleReading,
    FixedTest,
    MixedModels,
    PanelAgreement,
    PooledReadings,
    PrimaryTest,
    RaterReading,
    Reading,
)
from readerstudy.analysis.estimate import Estimate
from readerstudy.analysis.options import AnalysisOptions
from readerstudy.analysis.panel.agreement import agreement, krippendorff_alpha
from readerstudy.analysis.panel.average_roc import average_roc_curve
from readerstudy.analysis.panel.difficulty import (
    case_difficulty,
    item_statistics,
    rasch_conditional,
    rasch_marginal,
    surprising_cases,
    too_few_persons,
)
from readerstudy.analysis.panel.ensemble import (
    half_credit,
    independent_majority,
    leave_one_case_out_vote,
    log_odds_weights,
    majority_vote,
    mean_rating,
    weighted_vote,
)
from readerstudy.analysis.panel.equivalence import Verdict, auc_tost, binomial_tost, judge, t_tost, two_proportion_tost
from readerstudy.analysis.panel.kappa import cohen_kappa, fleiss_kappa
from readerstudy.analysis.panel.mixed_binary import fit_mixed_binary, panel_model
from readerstudy.analysis.panel.mixed_linear import RandomTerm, fit_mixed_linear, random_intercept
from readerstudy.analysis.panel.mrmc import compare_conditions, reader_averaged_auc
from readerstudy.analysis.panel.multiplicity import adjust_p_values
from readerstudy.analysis.panel.permutation import PermutationTest, case_label_permutation
from readerstudy.analysis.panel.rater_level import rater_level_test
from readerstudy.analysis.panel.response_time import MedianTimes, median_times, time_model
from readerstudy.analysis.panel.ustatistics import (
    accuracy_difference_variance,
    panel_accuracy,
    ustatistic_auc,
    ustatistic_difference,
)
from readerstudy.analysis.planning.group_sequential import group_sequential
from readerstudy.analysis.planning.plan import (
    TEMPLATES,
    AnalysisPlan,
    Deviation,
    assumptions,
    deviations,
    plan_for,
    plan_from_json,
    power_in_words,
)
from readerstudy.analysis.planning.planner import (
    DesignPoint,
    PlanGrid,
    PlanningAssumptions,
    Workload,
    design_power,
    design_precision,
    plan_grid,
    simulated_power,
    smallest_cases,
)
from readerstudy.analysis.planning.power import (
    PilotComponents,
    binomial_power,
    binomial_sample_size,
    mrmc_power,
    mrmc_sample_size,
    pilot_components,
    tost_power,
    tost_sample_size,
)
from readerstudy.analysis.rater.auc import RocCurve, auc, compare_aucs, roc_curve
from readerstudy.analysis.rater.bayes import (
    bayes_binomial,
    bernoulli_confidence_interval,
    e_process,
    logistic_prior_bf10,
)
from readerstudy.analysis.rater.chance import (
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
from readerstudy.analysis.rater.drift import Drift, accuracy_drift, trend_test
from readerstudy.analysis.rater.paired import cochran_q, compare_groups, mcnemar, pairwise_mcnemar
from readerstudy.analysis.rater.proportions import exact_binomial, one_sided_limit, proportion_interval
from readerstudy.analysis.rater.rating_model import rating_model
from readerstudy.analysis.rater.signal_detection import a_prime, detection_indices, probit_d_prime
from readerstudy.analysis.table import ResponseTable, response_table, signed_rating

__all__ = [
    "TEMPLATES",
    "AnalysisOptions",
    "AnalysisPlan",
    "AveragedAuc",
    "Confusion",
    "DefaultAnalysis",
    "DesignPoint",
    "Deviation",
    "Drift",
    "EnsembleReading",
    "Estimate",
    "FixedTest",
    "MedianTimes",
    "MixedModels",
    "PanelAgreement",
    "PermutationTest",
    "PilotComponents",
    "PlanGrid",
    "PlanningAssumptions",
    "PooledReadings",
    "PrimaryTest",
    "RandomTerm",
    "RaterReading",
    "Reading",
    "ResponseTable",
    "RocCurve",
    "Verdict",
    "Workload",
    "a_prime",
    "accuracy",
    "accuracy_difference_variance",
    "accuracy_drift",
    "adjust_p_values",
    "agreement",
    "assumptions",
    "auc",
    "auc_tost",
    "average_roc_curve",
    "balanced_accuracy",
    "bayes_binomial",
    "bernoulli_confidence_interval",
    "binomial_power",
    "binomial_sample_size",
    "binomial_tost",
    "case_difficulty",
    "case_label_permutation",
    "chance_accuracy",
    "cochran_q",
    "cohen_kappa",
    "compare_aucs",
    "compare_conditions",
    "compare_groups",
    "confusion",
    "default_analysis",
    "design_power",
    "design_precision",
    "detection_indices",
    "deviations",
    "e_process",
    "exact_binomial",
    "fisher_exact",
    "fit_mixed_binary",
    "fit_mixed_linear",
    "fleiss_kappa",
    "group_sequential",
    "half_credit",
    "independent_majority",
    "item_statistics",
    "judge",
    "krippendorff_alpha",
    "leave_one_case_out_vote",
    "log_odds_weights",
    "logistic_prior_bf10",
    "majority_class_rate",
    "majority_vote",
    "mcnemar",
    "mean_rating",
    "median_times",
    "mrmc_power",
    "mrmc_sample_size",
    "one_sided_limit",
    "pairwise_mcnemar",
    "panel_accuracy",
    "panel_model",
    "pilot_components",
    "plan_for",
    "plan_from_json",
    "plan_grid",
    "power_in_words",
    "probit_d_prime",
    "proportion_interval",
    "random_intercept",
    "rasch_conditional",
    "rasch_marginal",
    "rater_level_test",
    "rating_model",
    "reader_averaged_auc",
    "response_table",
    "roc_curve",
    "sensitivity",
    "share_called_synthetic",
    "signed_rating",
    "simulated_power",
    "smallest_cases",
    "specificity",
    "surprising_cases",
    "t_tost",
    "time_model",
    "too_few_persons",
    "tost_power",
    "tost_sample_size",
    "trend_test",
    "two_proportion_tost",
    "ustatistic_auc",
    "ustatistic_difference",
    "weighted_vote",
]
