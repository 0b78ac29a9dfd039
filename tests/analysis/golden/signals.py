"""Adapters for signal detection and for sequential looks."""

import readerstudy.analysis as a
from tests.analysis.golden.compare import compare, interval
from tests.analysis.golden.data import counts_as_ratings, scores_of


def signal_detection(problem, report):
    given = counts_as_ratings(problem.given)
    compare(_detection(given) if "hits" in given else _rating_fields(given), problem.wanted, report)


def _detection(given):
    counts = a.Confusion(tp=given["hits"], fn=given["misses"], fp=given["false_alarms"], tn=given["correct_rejections"])
    probit = a.probit_d_prime(counts)
    greater = a.fisher_exact(counts).p_greater if probit.d_prime is not None else None
    got = {
        "hit_rate": a.sensitivity(counts).value,
        "false_alarm_rate": counts.fp / counts.n_real if counts.n_real else None,
        "a_prime": a.a_prime(counts),
        "sensR_glm": {
            "d_prime": probit.d_prime,
            "se": probit.se,
            "profile_ci95": interval(probit.profile),
            "wald_ci95": interval(probit.wald),
            "fisher_p_d_greater_0": greater,
        },
    }
    names = {"raw": "none", "loglinear": "loglinear", "replace_extremes_1_over_2N": "replace_extremes"}
    for key, correction in names.items():
        found = a.detection_indices(counts, correction=correction)
        got[key] = {
            "d_prime": found.d_prime,
            "c": found.criterion,
            "beta": found.beta,
            "ln_beta": found.ln_beta,
        }
    return got


def _rating_fields(given):
    (ratings,) = scores_of(given).values()
    pair = {"truth": given["truth"], "ratings": ratings}
    equal, free = a.rating_model(**pair, equal_variance=True), a.rating_model(**pair)
    return {
        "equal_variance": {
            "d_prime": equal.mean,
            "se": equal.se,
            "thresholds": list(equal.thresholds) or None,
            "loglik": equal.log_likelihood,
        },
        "unequal_variance": {
            "mu_signal": free.mean,
            "sd_signal": free.sd,
            "d_a": free.d_a,
            "auc_binormal": free.auc,
            "thresholds": list(free.thresholds) or None,
            "loglik": free.log_likelihood,
        },
    }


def sequential(problem, report):
    given, wanted = problem.given, problem.wanted
    looks = wanted.get("confseq_bernoulli_ci")
    for row in looks or ():
        found = a.bernoulli_confidence_interval(
            successes=row["x"], trials=row["n"], alpha=row["alpha"], best_at=row["t_opt"]
        )
        compare({**row, "ci": interval(found)}, row, report, ("confseq_bernoulli_ci",))
    rest = {key: value for key, value in wanted.items() if key != "confseq_bernoulli_ci"}
    if rest:
        compare(_process(given) if "correct" in given else _boundaries(given), rest, report)


def _boundaries(given):
    looks = given["looks"]
    found = a.group_sequential(
        information_rates=given.get("information_rates") or [(k + 1) / looks for k in range(looks)],
        design=given["design"],
        alpha=given["alpha"],
        sides=given["sided"],
        shape=next((given[key] for key in ("gammaA", "deltaWT", "shape") if key in given), None),
    )
    return {
        "critical_z": found.critical_z,
        "stage_p_one_sided": found.stage_p_one_sided,
        "cumulative_alpha_spent": found.cumulative_alpha,
    }


def _process(given):
    found = a.e_process(
        correct=given["correct"],
        null=given.get("p0", 0.5),
        alpha=given.get("alpha", 0.05),
        prior_a=given.get("prior_a", 1),
        prior_b=given.get("prior_b", 1),
    )
    return {
        "e_value": found.e_value,
        "e_value_greater": found.e_value_greater,
        "anytime_p": found.anytime_p,
        "conf_seq_lower": found.low,
        "conf_seq_upper": found.high,
        "running_intersection_lower": found.running_low,
        "running_intersection_upper": found.running_high,
        "first_rejection_trial": found.first_rejection,
        "first_rejection_trial_greater": found.first_rejection_greater,
    }
