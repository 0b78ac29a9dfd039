"""Adapters for proportions: tests, intervals, multiplicity, chance, equivalence, Bayes, power, published studies."""

import readerstudy.analysis as a
from tests.analysis.golden.compare import compare, interval
from tests.analysis.golden.reference import r_uniroot_midp, rounded_like

TWO_SIDED = {"p_two_sided_minlike": "p_minlike", "p_two_sided_central": "p_central", "p_two_sided_blaker": "p_blaker"}
METHODS = {
    "clopper_pearson": "clopper_pearson",
    "wilson": "wilson",
    "wilson_cc": "wilson_cc",
    "agresti_coull": "agresti_coull",
    "wald_clipped": "wald",
    "jeffreys_clamped": "jeffreys",
    "jeffreys_equal_tailed_raw": "jeffreys_raw",
    "midp": "midp",
    "blaker": "blaker",
}


def binomial_test(problem, report):
    given, wanted = problem.given, problem.wanted
    if isinstance(wanted, str):
        report.compared += 1
        if not _refused(given):
            report.wrong.append(f"{given} was not refused with a reason")
        return
    test = a.exact_binomial(successes=given["x"], trials=given["n"], null=given.get("p0", 0.5))
    got = {key: getattr(test, name) for key, name in TWO_SIDED.items()}
    got |= {key: getattr(test, key) for key in ("estimate", "p_greater", "p_less", "midp_greater", "midp_less")}
    compare({**got, "midp_two_sided_central": test.midp_central}, wanted, report)


def _refused(row):
    try:
        test = a.exact_binomial(successes=row["x"], trials=row["n"], null=row.get("p0", 0.5))
    except ValueError as refusal:
        return bool(str(refusal))
    share = a.proportion_interval(successes=row["x"], trials=row["n"])
    values = (test.p_minlike, test.p_greater, test.estimate, share.value, share.low)
    return bool(test.reason and share.reason) and values == (None,) * 5


def proportion_ci(problem, report):
    given, wanted = problem.given, problem.wanted
    counts = {"successes": given["x"], "trials": given["n"], "level": given.get("conf_level", 0.95)}
    got = {key: interval(a.proportion_interval(**counts, method=name)) for key, name in METHODS.items()}
    got["estimate"] = a.proportion_interval(**counts).value
    got["clopper_pearson_lower_one_sided"] = a.one_sided_limit(**counts).low
    got["clopper_pearson_upper_one_sided"] = a.one_sided_limit(**counts, side="upper").high
    if wanted.get("midp"):
        _check_midp(got, counts, report)
    if wanted.get("blaker"):
        report.note("blaker: the reference prints 8 decimals, compared as printed")
        got["blaker"] = rounded_like(got["blaker"], digits=8)
    compare(got, wanted, report)


def _check_midp(got, counts, report):
    """The reference's limits stop at R's root tolerance: follow its root finder on our mid-p values."""
    report.note("midp: limits of the reference carry R uniroot's tolerance of 1.2e-4; its steps are repeated")
    reference = r_uniroot_midp(counts)
    if max(abs(x - y) for x, y in zip(reference, got["midp"], strict=True)) > 1.3e-4:
        report.wrong.append(f"midp {got['midp']} is not the root near {reference}")
    got["midp"] = reference


def multiplicity(problem, report):
    methods = ("none", "bonferroni", "holm", "hochberg", "hommel", "fdr_bh", "fdr_by")
    p_values = problem.given["p"] if isinstance(problem.given, dict) else problem.given
    got = {name: a.adjust_p_values(p_values, method=name) for name in methods}
    compare({**got, "BH": got["fdr_bh"], "BY": got["fdr_by"]}, problem.wanted, report)


def chance(problem, report):
    given = problem.given
    compare(_permutation(given) if "calls" in given else table_of(given), problem.wanted, report)


def table_of(given):
    """Everything that a 2x2 table of truth and answer yields."""
    counts = a.Confusion(tp=given["tp"], fn=given["fn"], fp=given["fp"], tn=given["tn"])
    fisher = a.fisher_exact(counts)
    majority = a.majority_class_rate(counts)
    against = None if majority is None else _p(counts.correct, counts.n, majority)
    return {
        **{key: given[key] for key in ("tp", "fn", "fp", "tn")},
        "n": counts.n,
        "correct": counts.correct,
        "accuracy": a.accuracy(counts).value,
        "balanced_accuracy": a.balanced_accuracy(counts).value,
        "sensitivity": a.sensitivity(counts).value,
        "specificity": a.specificity(counts).value,
        "clopper_pearson": interval(a.accuracy(counts)),
        "share_called_synthetic": a.share_called_synthetic(counts),
        "naive_binom_two_sided_0.5": _p(counts.correct, counts.n),
        "binom_two_sided_vs_0.5": _p(counts.correct, counts.n),
        "binom_two_sided_0.5": _p(counts.correct, counts.n),
        "binom_two_sided": _p(counts.correct, counts.n),
        "binom_two_sided_majority_rate": against,
        "majority_class_rate": majority,
        "expected_accuracy_if_votes_ignore_truth": a.chance_accuracy(counts),
        "fisher_two_sided": fisher.p_two_sided,
        "fisher_greater": fisher.p_greater,
        "fisher_less": fisher.p_less,
        "sens_binom_vs_0.5": _p(counts.tp, counts.n_synthetic),
        "spec_binom_vs_0.5": _p(counts.tn, counts.n_real),
    }


def _p(successes, trials, null=0.5):
    return a.exact_binomial(successes=successes, trials=trials, null=null).p_minlike


def _permutation(given):
    test = a.case_label_permutation(truth=given["truth"], calls=given["calls"], method="exact")
    pooled = [
        call == truth
        for truth, row in zip(given["truth"], given["calls"], strict=True)
        for call in row
        if call is not None
    ]
    return {
        "mean_accuracy": test.accuracy,
        "null_mean_accuracy": test.null_accuracy,
        "perm_greater": test.p_greater,
        "perm_less": test.p_less,
        "perm_two_sided": test.p_two_sided,
        "n_label_assignments": test.n_assignments,
        "pooled_binomial_two_sided_for_contrast": _p(sum(pooled), len(pooled)),
    }


def equivalence(problem, report):
    given = problem.given
    test = _binomial_tost if "x" in given else _two_proportions if "n1" in given else _t_tost
    compare(test(given), problem.wanted, report)


def _binomial_tost(given):
    test = a.binomial_tost(
        successes=given["x"],
        trials=given["n"],
        null=given.get("p0", 0.5),
        margin=given["margin"],
        alpha=given.get("alpha", 0.05),
    )
    return {
        "estimate": given["x"] / given["n"] if given["n"] else None,
        "p_lower": test.p_lower,
        "p_upper": test.p_upper,
        "p_tost": test.p,
        "equivalent": test.equivalent,
        "ci_1_minus_2alpha_clopper_pearson": interval(test.interval),
        "nhst_two_sided": test.difference_p,
    }


def _tost_fields(test, letter):
    return {
        f"{letter}_lower": test.statistic_lower,
        "p_lower": test.p_lower,
        f"{letter}_upper": test.statistic_upper,
        "p_upper": test.p_upper,
        "p_tost": test.p,
        "equivalent": test.equivalent,
        "df": test.df,
        "ci_tost": interval(test.interval),
        "difference": test.interval.value,
        "estimate": test.interval.value,
        f"nhst_{letter}": test.difference_statistic,
        "nhst_p": test.difference_p,
    }


def _t_tost(given):
    names = {"m": "mean", "mu": "null", "sd": "sd", "n": "n", "low": "low", "high": "high", "alpha": "alpha"}
    return _tost_fields(a.t_tost(**{names[key]: value for key, value in given.items()}), "t")


def _two_proportions(given):
    names = {"p1": "first", "p2": "second", "n1": "n_first", "n2": "n_second"}
    return _tost_fields(a.two_proportion_tost(**{names.get(key, key): value for key, value in given.items()}), "z")


def bayes(problem, report):
    given, wanted = problem.given, problem.wanted
    counts = {"successes": given["x"], "trials": given["n"], "null": given.get("p0", 0.5)}
    found = a.bayes_binomial(
        **counts,
        prior_a=given.get("prior_a", 1),
        prior_b=given.get("prior_b", 1),
        rope=given.get("rope"),
        level=given.get("cred", 0.95),
    )
    got = {
        "estimate": given["x"] / given["n"] if given["n"] else None,
        "BF10_two_sided": found.bf10,
        "BF01_two_sided": found.bf01,
        "BF_plus0": found.bf_greater,
        "BF_minus0": found.bf_less,
        "posterior": {
            "a": found.posterior_a,
            "b": found.posterior_b,
            "mean": found.posterior.value,
            "equal_tailed": interval(found.posterior),
        },
        "p_in_rope": found.p_in_rope,
        "p_above_p0": found.p_above_null,
    }
    for key in wanted:
        if key.startswith("proportionBF_logistic_r") and key.endswith("_BF10"):
            scale = float(key.removeprefix("proportionBF_logistic_r").removesuffix("_BF10"))
            got[key] = a.logistic_prior_bf10(**counts, scale=scale)
    compare(got, wanted, report)


def power(problem, report):
    given, wanted = problem.given, problem.wanted
    # A pilot among the expected values is what the rows beside it are computed from.
    wanted = {key: value for key, value in wanted.items() if key != "pilot"}
    if not wanted:
        return
    compare(_power_kind(given)(given, problem.around), wanted, report)


def _power_kind(given):
    if "J" in given:
        return _mrmc_sample_size if _target(given) else _mrmc_power
    if "margin" in given:
        return _tost_sample_size if _target(given) else _tost_power
    return _sample_size if _target(given) else _power


def _target(given):
    return given.get("target_power", given.get("target"))


def _power(given, around):
    found = a.binomial_power(
        n=given["n"],
        null=given["p0"],
        share=given["p1"],
        alpha=given["alpha"],
        alternative=given.get("alternative", "two.sided"),
    )
    return {
        "power": found.power,
        "actual_size": found.actual_size,
        "smallest_significant_count_above": found.smallest_above,
        "largest_significant_count_below": found.largest_below,
    }


def _sample_size(given, around):
    found = a.binomial_sample_size(
        null=given["p0"],
        share=given["p1"],
        alpha=given["alpha"],
        alternative=given.get("alternative", "two.sided"),
        target=_target(given),
    )
    return {
        "n_first": found.first,
        "power_at_n_first": found.power_at_first,
        "n_from_which_power_never_drops_below": found.stays_from,
    }


def _tost_power(given, around):
    found = a.tost_power(
        n=given["n"],
        null=given["p0"],
        share=given.get("true_p", given["p0"]),
        margin=given["margin"],
        alpha=given["alpha"],
    )
    region = None if found.region is None else list(found.region)
    return {"power_tost": found.power, "equivalence_region": region}


def _tost_sample_size(given, around):
    found = a.tost_sample_size(
        null=given["p0"],
        share=given.get("true_p", given["p0"]),
        margin=given["margin"],
        alpha=given["alpha"],
        target=_target(given),
    )
    return {
        "n_first": found.first,
        "power_at_n_first": found.power_at_first,
        "n_from_which_power_never_drops_below": found.stays_from,
    }


def _pilot(given, around):
    parts = {**around.get("pilot", {}), **given}
    return a.PilotComponents(
        var_condition_reader=parts["VarTR"],
        error=parts["Var"],
        cov1=parts["Cov1"],
        cov2=parts["Cov2"],
        cov3=parts["Cov3"],
        cases=parts["k_star"],
    )


def _design(given, around):
    return {
        "pilot": _pilot(given, around),
        "readers": given["J"],
        "difference": given["effect_size"],
        "alpha": given.get("alpha", 0.05),
    }


def _mrmc_power(given, around):
    found = a.mrmc_power(**_design(given, around), cases=given["K"])
    return {"power_RRRC": found.power, "ncp": found.ncp, "ddf": found.df2, "F_crit": found.critical}


def _mrmc_sample_size(given, around):
    found = a.mrmc_sample_size(**_design(given, around), target=_target(given))
    return {"K": None, "power": None} if found is None else {"K": found[0], "power": found[1]}


def published_study(problem, report):
    given, wanted = problem.given, problem.wanted
    null = given.get("p0", 0.5)
    got = {}
    for name, (correct, n) in _counts_by_name(given).items():
        share = a.proportion_interval(successes=correct, trials=n)
        got[f"binom_{name}_two_sided"] = _p(correct, n, null)
        got[f"estimate_{name}"] = share.value
        got[f"clopper_pearson_{name}"] = interval(share)
        control = a.compare_groups(correct=[correct, n * null], n=[n, n])
        got[f"two_sample_chisq_vs_invented_control_{name}"] = control.p
    if "groups" in given:
        test = a.compare_groups(correct=given["groups"]["correct"], n=given["groups"]["n"])
        got |= {"group_chisq_statistic": test.statistic, "group_chisq_df": test.df, "group_p": test.p}
    if {"synthetic_called_synthetic", "synthetic_n", "real_n", "pooled_correct"} <= set(given):
        hits = given["synthetic_called_synthetic"]
        real_right = given["pooled_correct"] - hits
        counts = a.Confusion(tp=hits, fn=given["synthetic_n"] - hits, fp=given["real_n"] - real_right, tn=real_right)
        found = a.detection_indices(counts, correction="none")
        got |= {"d_prime_pooled": found.d_prime, "criterion_c_pooled": found.criterion}
    compare(got, wanted, report)


def _counts_by_name(given):
    found = {
        key.removesuffix("_correct"): (given[key], given[key.removesuffix("_correct") + "_n"])
        for key in given
        if key.endswith("_correct") and key.removesuffix("_correct") + "_n" in given
    }
    if "pooled" in found:
        found["overall"] = found["pooled"]
    if "synthetic_called_synthetic" in given:
        found["synthetic"] = (given["synthetic_called_synthetic"], given["synthetic_n"])
        if "pooled_correct" in given and "real_n" in given:
            real_right = given["pooled_correct"] - given["synthetic_called_synthetic"]
            found["real"] = (real_right, given["real_n"])
    return found
