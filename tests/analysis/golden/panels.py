"""Adapters for panels of raters: ensemble, AUC, MRMC, agreement, paired tests, signal detection, sequential looks."""

import numpy as np

import readerstudy.analysis as a
from tests.analysis.golden.compare import compare, interval
from tests.analysis.golden.data import SCORE_NAMES, counts_as_ratings, scores_of, table_in
from tests.analysis.golden.proportions import table_of
from tests.analysis.golden.reference import alpha_as_printed


def ensemble(problem, report):
    given = problem.given
    compare(_independent(given) if "p_correct" in given else _panel(given), problem.wanted, report)


def _independent(given):
    found = a.independent_majority(given["p_correct"])
    return {
        "p_majority_correct": found.p_majority_correct,
        "p_tie": found.p_tie,
        "p_majority_correct_random_tiebreak": found.p_correct_random_tiebreak,
        "p_majority_correct_given_decided": found.p_correct_given_decided,
        "distribution_number_correct": found.distribution_number_correct,
    }


def _panel(given):
    truth, vote = given["truth"], a.majority_vote(given["calls"])
    score, voted = a.half_credit(truth=truth, majority=vote)
    panel = {
        "votes_synthetic": vote.votes_synthetic,
        "votes_total": vote.votes_total,
        "ensemble_call": _with_none(vote.calls),
        "n_ties": vote.n_ties,
        "n_cases_without_votes": vote.n_without_votes,
        "policy_exclude_ties": _decided(truth, vote, "exclude"),
        "policy_tie_is_synthetic": _decided(truth, vote, "synthetic"),
        "policy_tie_is_real": _decided(truth, vote, "real"),
        "policy_half_credit": {"score": score, "n": voted, "accuracy": score / voted if voted else None},
    }
    matrix = np.array(given["calls"], dtype=float)
    got = {"per_rater": [_rater(truth, matrix[:, k], k + 1) for k in range(matrix.shape[1])], "ensemble": panel}
    if "rater_accuracy_for_weights" in given:
        got["log_odds_weighted"] = _weighted(truth, given)
    if "ratings" in given:
        mean = a.mean_rating(given["ratings"])
        area = a.auc(truth=truth, scores=mean)
        got["mean_confidence_ensemble"] = {
            "mean_confidence": _with_none(mean),
            "auc": area.value,
            "delong_se": area.se,
            "delong_ci": None if area.low is None else [area.low, area.high],
        }
    # The blocks stand either side by side or under "ensemble".
    return {**got, "ensemble": {**panel, **got}}


def _with_none(values):
    return [None if np.isnan(value) else float(value) for value in values]


def _fields(counts):
    cells = {"tp": counts.tp, "fn": counts.fn, "fp": counts.fp, "tn": counts.tn}
    return table_of(cells)


def _rater(truth, calls, number):
    return {"rater": number, **_fields(a.confusion(truth=truth, calls=calls))}


def _decided(truth, vote, rule):
    return _fields(a.confusion(truth=truth, calls=vote.decided(tie_rule=rule)))


def _weighted(truth, given):
    try:
        weights = a.log_odds_weights(given["rater_accuracy_for_weights"])
    except ValueError:
        # An accuracy of 0 or 1 has no finite weight: nothing is estimable from it.
        return None
    vote = a.weighted_vote(calls=given["calls"], weights=weights)
    decided = np.where(vote.calls == 0.5, np.nan, vote.calls)
    counts = a.confusion(truth=truth, calls=decided)
    return {
        "weights": list(vote.weights),
        "score": _with_none(vote.score),
        "call": _with_none(vote.calls),
        "accuracy_excluding_ties": a.accuracy(counts).value,
        "n": counts.n,
    }


def auc(problem, report):
    given, wanted = counts_as_ratings(problem.given), problem.wanted
    scores = scores_of(given)
    truth = given["truth"]
    got = {name: _auc_fields(truth, score, wanted.get(name) or {}) for name, score in scores.items()}
    for first, one in scores.items():
        for second, other in scores.items():
            found = a.compare_aucs(truth=truth, first=one, second=other)
            got[f"paired_{first}_vs_{second}"] = {
                "z": found.z,
                "p": found.p,
                "cov": found.covariance,
                "difference": found.difference.value,
                "ci95_difference": interval(found.difference),
            }
    if len(scores) == 1 and (set(scores) <= set(SCORE_NAMES) or not problem.path):
        # One score needs no name; beneath the name of something else it is not that.
        got |= _auc_fields(truth, next(iter(scores.values())), wanted)
    compare(got, wanted, report)


def _auc_fields(truth, score, wanted):
    area, curve = a.auc(truth=truth, scores=score), a.roc_curve(truth=truth, scores=score)
    # A flagged interval of width zero counts as none: both ways of saying so are allowed.
    flagged = area.degenerate and wanted.get("delong_ci95_clipped") is None
    return {
        "auc": area.value,
        "estimate": area.value,
        "delong_var": area.variance,
        "delong_se": area.se,
        "delong_ci95_clipped": None if area.low is None or flagged else [area.low, area.high],
        "z_vs_0.5": area.z,
        "p_two_sided_vs_0.5": area.p,
        "roc_sens": None if curve is None else curve.sensitivity,
        "roc_1_minus_spec": None if curve is None else curve.false_positive_rate,
    }


def mrmc(problem, report):
    given, wanted = problem.given, problem.wanted
    truth, ratings, readers, treatments = _cube(given)
    complete = not np.isnan(ratings).any()
    per_reader = {
        f"{reader}.{treatment}": _reader_fields(truth, ratings[k][:, j])
        for k, treatment in enumerate(treatments)
        for j, reader in enumerate(readers)
    }
    got = {"per_reader": per_reader, "per_reader_treatment": per_reader}
    for kind, name in (("unbiased", "imrmc_ustat"), ("mle", "imrmc_mle")):
        got[name] = {
            f"treatment_{treatment}": _ustat_fields(truth, ratings[k], kind) for k, treatment in enumerate(treatments)
        }
        if len(treatments) == 1:
            got[name] |= _ustat_fields(truth, ratings[0], kind)
        if len(treatments) == 2:
            difference = wanted.get(name, {}).get("difference", {})
            got[name]["difference"] = _difference_fields(truth, ratings, kind, difference)
    if complete:
        for kind in ("delong", "jackknife"):
            got[f"or_{kind}"] = _or_fields(truth, ratings, kind)
        if len(treatments) > 1:
            got["rjafroc_or"] = _rjafroc_fields(truth, ratings)
    # Answers without a threshold are 0 and 1 already.
    threshold = wanted.get("percent_correct_ustat", {}).get("threshold", 1)
    got["percent_correct_ustat"] = _percent_correct(truth, ratings, threshold)
    compare(got, wanted, report)


def _cube(given):
    """Long format to (treatments, cases, readers); absent rows are missing ratings."""
    keys = {"reader", "treatment", "case", "truth"}
    (scores,) = scores_of({key: value for key, value in given.items() if key not in keys - {"truth"}}).values()
    readers, cases = sorted(set(given["reader"])), sorted(set(given["case"]))
    treatment = given.get("treatment", [1] * len(given["reader"]))
    treatments = sorted(set(treatment))
    ratings = np.full((len(treatments), len(cases), len(readers)), np.nan)
    truth = np.full(len(cases), np.nan)
    where = [{name: k for k, name in enumerate(names)} for names in (treatments, cases, readers)]
    for t, c, r, kind, rating in zip(treatment, given["case"], given["reader"], given["truth"], scores, strict=True):
        truth[where[1][c]] = kind
        ratings[where[0][t], where[1][c], where[2][r]] = np.nan if rating is None else rating
    return truth, ratings, readers, treatments


def _reader_fields(truth, score):
    area = a.auc(truth=truth, scores=score)
    return {"auc": area.value, "delong_var": area.variance, "delong_se": area.se}


def _ustat_fields(truth, ratings, kind):
    found = a.ustatistic_auc(truth=truth, ratings=ratings, variance=kind)
    panel = found.panel
    return {
        "auc": panel.value,
        "var": panel.variance,
        "se": panel.se,
        "p_normal_vs_0.5": found.p_normal,
        "ci_normal": None if found.normal_low is None else [found.normal_low, found.normal_high],
        "df_BDG": found.df,
        "p_BDG_vs_0.5": panel.p,
        "ci_BDG": None if panel.low is None else [panel.low, panel.high],
    }


def _difference_fields(truth, ratings, kind, wanted):
    found = a.ustatistic_difference(truth=truth, ratings=ratings, variance=kind)
    # A variance that came out negative is printed by some programs and withheld by others.
    withheld = found.p is None and wanted.get("var_difference") is None
    return {
        "auc_a": found.first_auc,
        "auc_b": found.second_auc,
        "difference": found.value,
        "var_difference": None if withheld else found.variance,
        "p_normal": found.p_normal,
        "df_BDG": None if found.p is None and wanted.get("df_BDG") is None else found.df,
        "p_BDG": found.p,
        "ci_BDG": None if found.low is None else [found.low, found.high],
    }


def _or_fields(truth, ratings, kind):
    single = [_single_fields(truth, one, kind) for one in ratings]
    found = a.compare_conditions(truth=truth, ratings=ratings, covariance=kind)
    test, pair = found.random_both, (found.contrasts or (None,))[0]
    return {
        "variance_components": {
            "reader": found.var_reader,
            "treatment:reader": found.var_condition_reader,
            "Error": found.error,
            "Cov1": found.cov1,
            "Cov2": found.cov2,
            "Cov3": found.cov3,
        },
        "global_F": test and test.statistic,
        "df1": test and test.df1,
        "df2": test and test.df2,
        "p": test and test.p,
        "difference": pair and pair.difference,
        "se_difference": pair and pair.se,
        "ci95_difference": pair and [pair.low, pair.high],
        "single_treatment": single,
    }


def _single_fields(truth, ratings, kind):
    found = a.reader_averaged_auc(truth=truth, ratings=ratings, covariance=kind, scale="identity")
    return {
        "auc": found.value,
        "ms_reader": found.ms_reader,
        "cov2": found.cov2,
        "se": found.se,
        "df": found.df,
        "ci95": None if found.low is None else [found.low, found.high],
        "t_vs_0.5": found.statistic,
        "p_vs_0.5": found.p,
    }


def _rjafroc_fields(truth, ratings):
    found = a.compare_conditions(truth=truth, ratings=ratings, covariance="jackknife")
    conditions, readers = len(ratings), ratings.shape[2]
    squares = [
        (found.ms_condition, conditions - 1),
        (found.ms_reader, readers - 1),
        (found.ms_condition_reader, (conditions - 1) * (readers - 1)),
    ]
    both, cases, raters = found.random_both, found.random_cases, found.random_readers
    pair = (found.contrasts or (None,))[0]
    return {
        "foms": found.areas,
        "TRanova": [{"SS": ms * df, "DF": df, "MS": ms} for ms, df in squares],
        "VarCom": {
            "VarR": found.var_reader,
            "VarTR": found.var_condition_reader,
            "Cov1": found.cov1,
            "Cov2": found.cov2,
            "Cov3": found.cov3,
            "Var": found.error,
        },
        "RRRC": {
            "F": both and both.statistic,
            "ddf": both and both.df2,
            "p": both and both.p,
            "ci": pair and [pair.low, pair.high],
        },
        "FRRC": {"chisq": cases and cases.statistic, "p": cases and cases.p},
        "RRFC": {"F": raters and raters.statistic, "p": raters and raters.p},
    }


def _percent_correct(truth, ratings, threshold):
    correct = [np.where(np.isnan(one), np.nan, (one >= threshold) == truth[:, None]).astype(float) for one in ratings]
    found = [a.panel_accuracy(correct=one) for one in correct]
    got = {
        "threshold": threshold,
        "percent_correct": [one.value for one in found],
        "var_readers_and_cases_random": [one.variance for one in found],
        "naive_pooled_binomial_var_treatment1": found[0].naive_variance,
        "variance_inflation_treatment1": found[0].inflation,
    }
    if len(found) == 2:
        got["difference"] = found[0].value - found[1].value
        got["var_difference"] = a.accuracy_difference_variance(first=correct[0], second=correct[1])
    return got


IRR_CAC = {
    "percent_agreement": "percent_agreement",
    "gwet_ac1": "gwet_ac1",
    "fleiss_kappa": "fleiss_kappa",
    "conger_kappa": "conger_kappa",
    "krippendorff_alpha_nominal": "krippendorff_alpha",
    "brennan_prediger": "brennan_prediger",
}


def agreement(problem, report):
    given, wanted = problem.given, problem.wanted
    if isinstance(given, dict) and {"first", "second"} <= set(given):
        compare(_cohen(given), wanted, report)
        return
    compare(agreement_fields(table_in(given), report, wanted), wanted, report)


def irr_cac_fields(ratings):
    got = {}
    for key, name in IRR_CAC.items():
        found = a.agreement(ratings=ratings, coefficient=name)
        got[key] = {"coeff": found.coefficient, "se": found.se, "pa": found.pa, "pe": found.pe, "p": found.p}
    return got


def agreement_fields(ratings, report, wanted):
    fleiss = a.fleiss_kappa(ratings=ratings)
    complete = [row for row in ratings if None not in row]
    conger = a.agreement(ratings=complete, coefficient="conger_kappa") if complete else None
    irr = {
        "subjects_listwise": fleiss.n_cases,
        "raters": fleiss.n_raters,
        "kappa": fleiss.kappa,
        "z": fleiss.z,
        "p": fleiss.p,
        "conger_exact_kappa": conger and conger.coefficient,
        "category_kappa": list(fleiss.category_kappa),
    }
    alphas = {
        metric: a.krippendorff_alpha(ratings=ratings, metric=metric).value
        for metric in ("nominal", "ordinal", "interval", "ratio")
    }
    printed = {}
    for metric, alpha in alphas.items():
        printed[metric], through_irr = alpha_as_printed(
            alpha, ratings, wanted.get("krippendorff_alpha", {}).get(metric)
        )
        if through_irr:
            report.note("krippendorff_alpha: compared through irr's small-sample factor for complete tables")
    return {"irr": irr, "irr_fleiss": irr, "irrCAC": irr_cac_fields(ratings), "krippendorff_alpha": printed}


def _cohen(given):
    pair = {"first": given["first"], "second": given["second"]}
    plain = a.cohen_kappa(**pair)
    return {
        "n": plain.n,
        "kappa": plain.kappa,
        "z": plain.z,
        "p": plain.p,
        "ase_vcd": plain.se,
        "ci95_psych": None if plain.low is None else [plain.low, plain.high],
        "percent_agreement": plain.percent_agreement,
        "kappa_linear": a.cohen_kappa(**pair, weights="linear").kappa,
        "kappa_quadratic": a.cohen_kappa(**pair, weights="quadratic").kappa,
    }
