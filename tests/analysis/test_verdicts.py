"""Verdicts that must be impossible, each with the numbers of the study in which it was once printed."""

import numpy as np
import pytest
from scipy import stats

from readerstudy.analysis import (
    AnalysisOptions,
    AnalysisPlan,
    agreement,
    auc,
    case_interaction,
    compare_arms,
    default_analysis,
    fit_mixed_binary,
    kappa_of_rare_answers,
    level_words,
    logit_auc,
    panel_model,
    plan_for,
    rater_interaction,
    response_table,
)
from readerstudy.analysis.default import raters as rater_rows
from readerstudy.analysis.patients import df_of_patients, patient_numbers
from readerstudy.analysis.rater.auc import ONE_PATIENT

BALANCED = np.tile([1.0, 0.0], 250)


def at_chance(*, cases=300, raters=5, seed=4):
    """Raters who vary their answers and know nothing."""
    ratings = np.random.default_rng(seed).integers(1, 7, (cases, raters)).astype(float)
    return {"truth": np.tile([1.0, 0.0], cases // 2), "calls": (ratings > 3).astype(float), "ratings": ratings}


def with_controls(data, *, found, number=12):
    """The same study with positive controls that all raters rate 6 or 1."""
    raters = data["calls"].shape[1]
    return {
        "truth": np.append(data["truth"], np.ones(number)),
        "calls": np.vstack([data["calls"], np.full((number, raters), float(found))]),
        "ratings": np.vstack([data["ratings"], np.full((number, raters), 6.0 if found else 1.0)]),
        "controls": np.append(np.zeros(len(data["truth"])), np.ones(number)),
    }


def test_one_kind_of_case_is_tested_against_nothing():
    """16 real cases, 11 right: the null was once taken from the same answers, and 0.688 "lay within 0.69"."""
    calls = np.tile(np.repeat([0.0, 1.0], [11, 5])[:, None], 4)
    found = default_analysis(truth=np.zeros(16), calls=calls, ratings=1 + 5 * calls)
    primary = found.primary
    assert primary.verdict == "not assessable"
    assert "only real cases were judged" in primary.sentence
    assert (primary.p, primary.null, primary.estimate.value, primary.equivalence.low) == (None,) * 4
    for row in (*found.raters, found.ensemble):
        assert row.verdict == "not assessable"
        assert (row.p, row.binomial_p, row.fisher_p, row.equivalence.p, row.accuracy.value) == (None,) * 5
    assert (found.pooled.binomial_p, found.pooled.accuracy.value) == (None, None)


def test_raters_who_press_one_key_are_equivalent_to_nothing():
    """499 of 500 answers equal: AUC 0.498, 90 % interval 0.494 to 0.502, once "Equivalent" without a warning."""
    ratings = np.ones((500, 3))
    ratings[[0, 2, 5], [0, 1, 2]] = 6.0
    found = default_analysis(truth=BALANCED, calls=(ratings > 3).astype(float), ratings=ratings)
    assert abs(found.primary.estimate.value - 0.5) < 0.01
    assert found.primary.verdict == "not assessable"
    assert "99.8 %" in found.primary.sentence
    assert found.primary.equivalence.equivalent is None
    assert "same answer" in found.primary.equivalence.reason
    assert [row.varies for row in found.assay.raters] == [False] * 3
    assert [row.share_called_synthetic for row in found.assay.raters] == [0.002] * 3
    assert {row.verdict for row in found.raters} == {"not assessable"}


@pytest.mark.parametrize("many", [1, 5])
def test_confidence_that_varies_beside_one_answer_proves_nothing(many):
    """One key, pressed with a confidence at random: area and share correct lie at chance, whatever is shown."""
    data = with_controls(at_chance(), found=True)
    data["calls"][:300, :many] = 1.0
    data["ratings"][:300, :many] = np.random.default_rng(1).integers(4, 7, (300, many))
    found = default_analysis(**data)
    assert [row.varies for row in found.assay.raters] == [False] * many + [True] * (5 - many)
    assert found.primary.verdict == "not assessable"
    assert {row.verdict.value for row in found.raters[:many]} == {"not assessable"}


def test_one_constant_rater_of_five_is_enough_and_is_named():
    data = at_chance()
    data["ratings"][:, 2], data["calls"][:, 2] = 2.0, 0.0
    found = default_analysis(**with_controls(data, found=True))
    assert found.primary.verdict == "not assessable"
    assert "rater 3: 100.0 %" in found.primary.sentence
    assert [row.verdict == "not assessable" for row in found.raters].count(True) >= 1


def test_a_difference_that_was_found_needs_no_proof_that_it_could_be():
    truth = np.repeat([1.0, 0.0], 10)
    calls = np.repeat(truth[:, None], 4, axis=1)
    assert default_analysis(truth=truth, calls=calls, ratings=1 + 5 * calls).primary.verdict == "discriminates"


@pytest.mark.parametrize("rule", ["auc", "found"])
def test_equivalent_is_said_only_when_the_controls_were_found(rule):
    options, data = AnalysisOptions(control_rule=rule), at_chance()
    without = default_analysis(**data, options=options)
    missed = default_analysis(**with_controls(data, found=False), options=options)
    found = default_analysis(**with_controls(data, found=True), options=options)
    assert [one.primary.verdict.value for one in (without, missed, found)] == [
        "not assessable",
        "not assessable",
        "equivalent to chance within the margin",
    ]
    assert "no positive controls" in without.primary.sentence
    assert "12 positive controls were" in missed.primary.sentence
    assert (found.assay.controls.found, found.assay.controls.passed, found.assay.sensitive) == (12, True, True)


def test_controls_that_one_rater_answered_prove_nothing_for_the_others():
    """Rated by one rater of four they once proved sensitivity for all."""
    data = with_controls(at_chance(raters=4), found=True)
    controls = data["controls"] == 1
    for name in ("calls", "ratings"):
        data[name][np.ix_(controls, [1, 2, 3])] = np.nan
    found = default_analysis(**data, options=AnalysisOptions(control_rule="found"))
    assert found.assay.controls.passed
    assert not found.assay.sensitive
    assert found.primary.verdict == "not assessable"
    assert "rater 2: 0 of 12, rater 3: 0 of 12, rater 4: 0 of 12" in found.primary.sentence
    assert {row.verdict for row in found.raters[1:]} <= {"not assessable", "inconclusive"}
    assert found.raters[0].equivalence.reason is None
    assert [(row.answered, row.found, row.enough) for row in found.assay.controls.raters] == [
        (12, 12, True),
        *[(0, 0, False)] * 3,
    ]


@pytest.mark.parametrize(("left", "sensitive"), [(9, True), (8, False)])
def test_three_quarters_of_the_controls_are_enough(left, sensitive):
    data = with_controls(at_chance(), found=True)
    rows = np.flatnonzero(data["controls"])[left:]
    for name in ("calls", "ratings"):
        data[name][rows, 2] = np.nan
    found = default_analysis(**data)
    assert (found.assay.sensitive, found.primary.verdict == "not assessable") == (sensitive, not sensitive)
    # Who judged nothing but controls is in no verdict.
    for name in ("calls", "ratings"):
        data[name][data["controls"] == 0, 2] = np.nan
    assert default_analysis(**data).assay.sensitive


def test_controls_are_counted_apart_and_move_no_other_number():
    data = at_chance()
    without, found = default_analysis(**data), default_analysis(**with_controls(data, found=True))
    assert (found.design.n_cases, found.design.n_controls, found.design.balanced) == (300, 12, True)
    assert found.primary.estimate == without.primary.estimate
    assert found.agreement == without.agreement
    assert [row.p for row in found.raters] == [row.p for row in without.raters]
    assert len(found.difficulty.cases) == 300


def test_a_share_of_controls_decides_where_the_plan_counts_them():
    data = with_controls(at_chance(), found=True, number=8)
    data["calls"][-3:] = 0.0
    for share, passed in ((0.625, True), (0.75, False)):
        outcome = default_analysis(
            **data, options=AnalysisOptions(control_rule="found", control_share=share)
        ).assay.controls
        assert (outcome.found, outcome.passed) == (5, passed)


@pytest.mark.parametrize("share", [0.01, 0.75])
def test_raters_who_call_nearly_everything_synthetic_have_found_no_controls(share):
    """Four of five answers synthetic, blindly: within the limit of equal answers, and every control was "found"."""
    data = with_controls(at_chance(), found=True)
    data["calls"][:300] = np.random.default_rng(3).random((300, 5)) < 0.8
    options = AnalysisOptions(control_rule="found", control_share=share)
    found = default_analysis(**{**data, "ratings": None}, options=options)
    assert (found.assay.controls.found, found.assay.controls.passed) == (12, False)
    assert found.assay.hardly_varied is None
    assert found.primary.verdict == "not assessable"
    assert "real cases synthetic too" in found.primary.sentence


def test_controls_without_confidence_and_with_one_rater():
    data = with_controls(at_chance(raters=1), found=True)
    outcome = default_analysis(**{**data, "ratings": None}).assay.controls
    assert outcome.passed
    assert outcome.auc.value > 0.5
    with pytest.raises(ValueError, match="a positive control is synthetic"):
        default_analysis(truth=[1, 0], calls=[[1], [0]], controls=[0, 1])


def split_panel():
    """60 cases, four raters: an even split on 24, right on 27 of the other 36."""
    truth = np.tile([1.0, 0.0], 30)
    split = np.array([1.0, 1.0, 0.0, 0.0])
    rows = [split if k < 24 else np.full(4, truth[k] if k < 51 else 1 - truth[k]) for k in range(60)]
    return {"truth": truth, "calls": np.array(rows)}


@pytest.mark.parametrize("primary", [False, True])
def test_half_credit_is_half_credit(primary):
    """Left out: 27 of 36, p .004, "Discriminates"; half credit is 39 of 60."""
    left_out = default_analysis(**split_panel()).ensemble
    assert (left_out.accuracy.value, round(left_out.binomial_p, 3)) == (0.75, 0.004)
    if primary:
        plan = AnalysisPlan(primary="ensemble", family="raters", tie_rule="half_credit")
        whole = default_analysis(**split_panel(), plan=plan)
        assert (whole.primary.estimate.value, whole.primary.p) == (0.65, whole.ensemble.p)
    else:
        whole = default_analysis(**split_panel(), options=AnalysisOptions(tie_rule="half_credit"))
    row = whole.ensemble
    assert (row.correct, row.n, row.accuracy.value, row.test) == (39, 60, 0.65, "permutation")
    assert row.accuracy.low < 0.65 < row.accuracy.high
    assert row.binomial_p is None
    # 200,000 random orders of the truth in R give .0041.
    assert row.p == pytest.approx(0.004222, abs=1e-6)


def test_half_credit_without_a_tie_is_the_usual_row():
    truth = np.tile([1.0, 0.0], 10)
    data = {"truth": truth, "calls": np.repeat(truth[:, None], 3, axis=1)}
    half = default_analysis(**data, options=AnalysisOptions(tie_rule="half_credit")).ensemble
    assert half.test == "binomial"
    assert half.p == default_analysis(**data).ensemble.p


def test_a_perfect_panel_is_separated_and_said_so():
    """It once printed d\u2032 15.29, p = 1.000."""
    truth = np.tile([1.0, 0.0], 10)
    found = panel_model(truth=truth, calls=np.repeat(truth[:, None], 4, axis=1))
    assert found.d_prime is None
    assert "complete separation" in found.detection.reason


def test_a_mixed_model_lets_raters_differ_in_skill():
    """Raters who differ strongly around no skill: without their own slopes the truth looked detected in 13 to 34 %."""
    random, truth = np.random.default_rng(12), np.tile([1.0, 0.0], 40)
    skill = np.array([1.6, 1.2, 0.1, -0.6, -0.3])
    calls = ((truth - 0.5)[:, None] * skill + random.normal(size=(80, 5)) > 0).astype(float)
    case, rater = np.nonzero(np.ones_like(calls))
    kind = truth[case]
    without = fit_mixed_binary(
        answer=calls[case, rater],
        design=np.column_stack([np.ones(400), kind]),
        rater=rater.astype(float),
        case=case.astype(float),
        link="probit",
    )
    found = panel_model(truth=truth, calls=calls).detection
    assert without.p[1] < 0.01
    assert found.p[1] > 0.2
    assert found.sd_rater_slope > 0.4


def test_equivalence_of_raters_is_adjusted_over_the_family():
    """Five raters at the margin: one of them is falsely equivalent in 18 % without the adjustment, 5 % with it."""
    random, truth = np.random.default_rng(3), np.tile([1.0, 0.0], 50)
    options, plain, adjusted = AnalysisOptions(family="raters"), 0, 0
    for _ in range(200):
        right = random.random((100, 5)) < 0.65
        table = response_table(truth=truth, calls=np.where(right, truth[:, None], 1 - truth[:, None]))
        columns = rater_rows.tested_raters(table, balanced=True, options=options)
        family, _ = rater_rows.adjusted_family(columns, columns[0], options=options)
        plain += any(column.tost.p <= 0.05 for column in columns)
        adjusted += any(one.equivalence <= 0.05 for one in family)
    assert plain / 200 > 0.1
    assert adjusted / 200 < 0.08


def test_the_verdict_of_a_rater_follows_the_adjusted_test():
    """Alone each of these would be equivalent (p .04); as five they are not."""
    truth = np.tile([1.0, 0.0], 50)
    calls = np.where((np.arange(100) < 57)[:, None], truth[:, None], 1 - truth[:, None]).repeat(5, axis=1)
    shown = {
        "truth": np.append(truth, np.ones(10)),
        "calls": np.vstack([calls, np.ones((10, 5))]),
        "controls": np.append(np.zeros(100), np.ones(10)),
    }
    for row in default_analysis(**shown).raters:
        assert row.equivalence.p < 0.1
        assert row.equivalence.p_adjusted == pytest.approx(min(1.0, 6 * row.equivalence.p))
        assert row.verdict == "inconclusive"


@pytest.mark.parametrize(("level", "words"), [(0.975, "97.5"), (0.95, "95"), (0.9, "90"), (1 - 0.001, "99.9")])
def test_a_level_is_printed_as_it_is(level, words):
    assert level_words(level) == words


def test_the_sentence_says_its_own_levels():
    found = default_analysis(**at_chance(cases=20), options=AnalysisOptions(alpha=0.025))
    assert "[97.5 % interval" in found.primary.sentence


@pytest.mark.parametrize("area", [0.7, 0.95])
def test_limits_of_small_areas_cover(area):
    """10 + 10 cases, true area .95: plain limits cover 80 %, limits on the logit scale 93 to 98 %."""
    from scipy import stats

    random, gap = np.random.default_rng(1), stats.norm.ppf(area) * np.sqrt(2)
    truth, covered, plain, usable = np.repeat([1.0, 0.0], 10), 0, 0, 0
    for _ in range(400):
        scores = random.normal(size=20) + gap * truth
        found, wald = logit_auc(truth=truth, scores=scores), auc(truth=truth, scores=scores)
        if found.low is None or not found.se:
            continue
        usable += 1
        covered += found.low <= area <= found.high
        plain += wald.low <= area <= wald.high
        assert 0 < found.low < found.high < 1
        assert (found.p < 0.05) == (found.low > 0.5 or found.high < 0.5)
    assert covered / usable > 0.92
    assert plain < covered


def test_kappas_interval_covers_when_one_answer_is_rare():
    """5 raters, 50 cases, one answer in 5 %: the t interval covers 70 to 80 %."""
    random, q, kappa = np.random.default_rng(2), 0.95, 0.2
    shape = (1 - kappa) / kappa
    covered = plain = usable = 0
    for _ in range(400):
        chance = random.beta(q * shape, (1 - q) * shape, size=(50, 1))
        ratings = (random.random((50, 5)) < chance).astype(float)
        limits, usual = kappa_of_rare_answers(ratings=ratings), agreement(ratings=ratings, coefficient="fleiss_kappa")
        if limits is None:
            continue
        usable += 1
        covered += limits[0] <= kappa <= limits[1]
        plain += usual.low is not None and usual.low <= kappa <= usual.high
    assert covered / usable > 0.9
    assert plain / usable < 0.85


def test_kappas_usual_interval_stays_where_answers_are_even():
    assert kappa_of_rare_answers(ratings=[[1, 0], [0, 1], [1, 1], [0, 0]]) is None
    assert kappa_of_rare_answers(ratings=[[1, 1]] * 4) is None
    assert kappa_of_rare_answers(ratings=[[None, None]]) is None


def test_planned_is_only_what_the_plan_names():
    found = default_analysis(**at_chance(cases=40), plan=plan_for("real_or_synthetic")).status
    assert found["raters"] == found["ensemble"] == "planned"
    parts = ("rater_aucs", "rater_equivalence", "rater_bayes", "rater_detection", "tie_rules", "weighted_votes")
    assert {found[part] for part in parts} == {"exploratory"}
    named = default_analysis(**at_chance(cases=40), plan=AnalysisPlan(secondary=("rater_aucs",))).status
    assert (named["rater_aucs"], named["raters"]) == ("planned", "exploratory")


def test_what_stands_in_for_the_plan_is_called_a_fallback():
    truth = np.repeat([1.0, 0.0], 10)
    calls = np.repeat(truth[:, None], 4, axis=1)
    found = default_analysis(truth=truth, calls=calls, ratings=1 + 5 * calls, plan=plan_for("real_or_synthetic"))
    assert "could not be tested" in found.primary.fallback_reason
    assert found.status["primary"] == "fallback"


def test_parts_that_differ_are_found_and_equal_ones_are_not():
    random, truth = np.random.default_rng(5), np.tile([1.0, 0.0], 60)
    small = np.arange(120) < 60
    scores = random.normal(size=(120, 6)) + truth[:, None] * np.where(small, 2.0, 0.0)[:, None]
    unlike = case_interaction(truth=truth, scores=scores, inside=small, outside=~small)
    assert unlike.p < 0.001
    assert unlike.difference.low > 0
    alike = case_interaction(truth=truth, scores=random.normal(size=(120, 6)), inside=small, outside=~small)
    assert alike.p > 0.05
    seniors = np.arange(6) < 3
    skilled = random.normal(size=(120, 6)) + truth[:, None] * np.where(seniors, 2.0, 0.0)
    assert rater_interaction(truth=truth, scores=skilled, inside=seniors).p < 0.01
    assert (
        "fewer than two cases" in case_interaction(truth=truth, scores=scores, inside=truth == 1, outside=small).reason
    )
    assert rater_interaction(truth=truth, scores=scores[:, :2], inside=seniors[:2]).reason


def arms_of_patients(sizes, *, readers=5, real=40, seed=3):
    """Two equal arms, of which each patient has as many cases as the sizes say, and real cases of a patient each."""
    random = np.random.default_rng(seed)
    patients = np.concatenate([np.repeat(np.arange(of) + 100 * at, each) for at, (of, each) in enumerate(sizes)])
    patients = np.concatenate([patients, 1000 + np.arange(real)])
    truth = (patients < 1000).astype(float)
    shared = random.normal(size=1100)[patients]
    scores = truth[:, None] * 0.5 + shared[:, None] + random.normal(size=(len(truth), readers))
    first = patients < 100
    return {"truth": truth, "scores": scores, "patients": patients.tolist()}, first


def test_of_one_patient_nothing_tells_whether_parts_or_raters_differ():
    asked, first = arms_of_patients([(1, 20), (20, 1)])
    found = case_interaction(**asked, inside=first | (asked["truth"] == 0), outside=~first)
    assert (found.p, found.reason) == (None, ONE_PATIENT)
    assert found.difference.value is not None
    assert found.difference.limits is None
    alone = {name: np.asarray(values)[first | (asked["truth"] == 0)] for name, values in asked.items()}
    found = rater_interaction(**alone, inside=np.arange(5) < 2)
    assert (found.p, found.reason) == (None, ONE_PATIENT)


def test_a_part_against_a_part_is_arm_against_arm():
    """Both are Obuchowski-Rockette's difference of two areas with the contributions of patients (`compare_arms`)."""
    asked, first = arms_of_patients([(4, 5), (10, 2)], readers=6)
    found = case_interaction(**asked, inside=first | (asked["truth"] == 0), outside=~first)
    arms = np.where(asked["truth"] == 0, "real", np.where(first, "A", "B")).tolist()
    calls, own = asked["scores"] > 0, {name: asked[name] for name in ("truth", "patients")}
    [pair] = compare_arms(arms=arms, calls=calls.astype(float), ratings=asked["scores"], **own).contrasts
    assert found.difference.value == pytest.approx(pair.difference.value)
    assert found.df <= pair.df + 1e-9
    half = stats.t.ppf(0.975, found.df) * pair.se
    assert found.difference.high - found.difference.value == pytest.approx(half)


def test_few_patients_bound_what_is_known_of_groups_of_raters():
    """Where raters of a group are alike, only the degrees of freedom of the patients are left."""
    asked, _ = arms_of_patients([(3, 13)], readers=8)
    asked["scores"] = np.repeat(asked["scores"][:, :2], 4, axis=1)
    found = rater_interaction(**asked, inside=np.arange(8) < 4)
    assert found.df == pytest.approx(df_of_patients(asked["truth"], patient_numbers(asked["patients"], cases=79)))


def nearly_perfect(change):
    truth = np.tile([1.0, 0.0], 30)
    calls = np.repeat(truth[:, None], 5, axis=1)
    return panel_model(truth=truth, calls=change(calls)).detection


def two_cases_wrong(calls):
    """Of all raters: the same two cases."""
    calls[:2] = 1 - calls[:2]
    return calls


def two_turned_round(calls):
    calls[:, 3:] = 1 - calls[:, 3:]
    return calls


def one_knows_all(calls):
    calls[:, 1:] = (np.random.default_rng(0).random((60, 4)) < 0.5) + 0.0
    return calls


@pytest.mark.parametrize("change", [two_cases_wrong, two_turned_round, one_knows_all])
def test_answers_that_are_nearly_separated_have_a_reason_and_no_number(change):
    """The same two cases wrong for all five raters: once "d\u2032 26.26, p .017", without a warning."""
    found = nearly_perfect(change)
    assert found.coefficients == ()
    assert "separat" in found.reason


def test_a_skilled_panel_keeps_its_model():
    random, truth = np.random.default_rng(4), np.tile([1.0, 0.0], 30)
    latent = 2.2 * (truth - 0.5)[:, None] + 0.6 * random.normal(size=(60, 1)) + random.normal(size=(60, 5))
    assert panel_model(truth=truth, calls=(latent > 0) + 0.0).d_prime == pytest.approx(2.2, abs=0.8)
