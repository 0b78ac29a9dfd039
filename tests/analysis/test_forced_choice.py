"""One among m images: values of the fact sheets and of R, worked examples, and laws."""

from itertools import product
from math import sqrt

import numpy as np
import pytest
from scipy import stats

from readerstudy.analysis import (
    analyse_choices,
    area_of_share,
    choice_power,
    d_prime_of_share,
    joint_test,
    judge_choices,
    judge_preference,
    most_frequent_share,
    panel_share,
    prefer,
    read_choices,
    read_unsure_pairs,
    readings_that_count,
    share_of_area,
    share_of_d_prime,
    share_of_twins,
    sureness_test,
    trials_for,
    trials_needed,
)
from readerstudy.analysis.panel.forced_choice import CASES_ONLY, counts_of
from readerstudy.analysis.planning.choice_power import _limits, joint_p

# Four readers choose one of four images in ten trials; 1 is the real one.
CHOSEN = ["1214131211", "1134132214", "2114111312", "1312131241"]
QUARTETS = np.array([[int(image) - 1 for image in reader] for reader in CHOSEN], dtype=float).T

SHARES_OF_AREAS = {
    2: (0.4000, 0.4500, 0.5000, 0.5500, 0.6000, 0.6500, 0.7000),
    3: (0.2391, 0.2848, 0.3333, 0.3848, 0.4391, 0.4964, 0.5568),
    4: (0.1672, 0.2065, 0.2500, 0.2978, 0.3502, 0.4073, 0.4696),
    6: (0.1019, 0.1318, 0.1667, 0.2069, 0.2530, 0.3056, 0.3657),
    8: (0.0721, 0.0961, 0.1250, 0.1594, 0.2001, 0.2480, 0.3043),
}
AREAS = (0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.70)


@pytest.mark.parametrize("images", SHARES_OF_AREAS)
def test_an_area_becomes_a_share_of_right_choices(images):
    shares = [share_of_area(area, images=images) for area in AREAS]
    assert shares == pytest.approx(SHARES_OF_AREAS[images], abs=5e-5)
    assert [area_of_share(share, images=images) for share in shares] == pytest.approx(AREAS, abs=1e-9)


@pytest.mark.parametrize(
    ("share", "images", "d_prime"),
    [(0.6, 2, 0.358287), (0.4, 3, 0.228854), (0.29, 4, 0.149664), (0.4, 4, 0.521527), (0.5, 8, 1.341838)],
)
def test_d_prime_of_a_share(share, images, d_prime):
    """Within 1e-4 of psyphy::dprime.mAFC, which stops earlier."""
    assert d_prime_of_share(share, images=images) == pytest.approx(d_prime, abs=1e-6)


def test_below_chance_d_prime_is_negative_and_the_mirror_of_above():
    assert d_prime_of_share(0.4, images=2) == pytest.approx(-d_prime_of_share(0.6, images=2), abs=1e-9)
    assert share_of_d_prime(0.0, images=5) == pytest.approx(1 / 5, abs=1e-12)
    assert read_choices(right=1, n=20, images=4).d_prime.value < 0


def test_twins_are_no_pairs_at_random():
    shares = [share_of_twins(0.6, correlation=rho) for rho in (0.0, 0.3, 0.5, 0.7)]
    assert shares == pytest.approx([0.6, 0.619, 0.640, 0.678], abs=5e-4)


def test_one_reader_as_sensr_finds_it():
    """40 of 100 by discrim(..., method = "threeAFC"), and the one-sided p of binom.test."""
    read = read_choices(right=40, n=100, images=3)
    assert read.d_prime.value == pytest.approx(0.228854, abs=1e-6)
    assert read.d_prime_se == pytest.approx(0.163763, abs=1e-6)
    assert read.p_greater == pytest.approx(0.096623, abs=1e-6)


def test_all_right_has_no_d_prime_but_a_share():
    read = read_choices(right=8, n=8, images=2)
    assert read.share.value == 1
    assert read.d_prime.value is None
    assert "no limit" in read.d_prime.reason


def test_not_better_than_an_area_of_06():
    """26 of 51 pairs: the one-sided test of sensR's similarity at d' = .3583 is the binomial below .6."""
    assert stats.binom.cdf(26, 51, share_of_d_prime(0.358287, images=2)) == pytest.approx(0.1212, abs=5e-5)


@pytest.mark.parametrize(
    ("counts", "tau", "d_prime", "p"),
    [((2, 2, 6), 0.415973, 0.774260, 0.147976), ((12, 10, 28), 0.392680, 0.606183, 0.010298)],
)
def test_pairs_with_cannot_tell_as_sensr_finds_them(counts, tau, d_prime, p):
    wrong, unsure, right = counts
    read = read_unsure_pairs(wrong=wrong, unsure=unsure, right=right)
    assert (read.tau, read.d_prime.value, read.p) == pytest.approx((tau, d_prime, p), abs=1e-6)
    if unsure == 10:
        assert read.se == pytest.approx(0.237980, abs=1e-6)
        assert read.d_prime.limits == pytest.approx((0.1424, 1.0758), abs=1e-4)
        assert read_choices(right=28, n=40, images=2).p == pytest.approx(0.0166, abs=5e-5)


@pytest.fixture(scope="module")
def quartets():
    return analyse_choices(chosen=QUARTETS, images=4)


def test_the_quartets_of_four_readers_one_by_one(quartets):
    assert [reader.right for reader in quartets.readers] == [6, 4, 6, 5]
    assert [reader.p for reader in quartets.readers] == pytest.approx([0.01973, 0.28044, 0.01973, 0.13444], abs=5e-6)
    assert quartets.p_adjusted == pytest.approx([0.0789, 0.2804, 0.0789, 0.2689], abs=5e-5)


def test_the_quartets_of_the_panel(quartets):
    panel = quartets.panel
    assert panel.share.value == pytest.approx(0.525)
    assert panel.se == pytest.approx(0.0946485, abs=1e-7)
    assert panel.df == pytest.approx(4.457, abs=5e-4)
    assert panel.p == pytest.approx(0.0385, abs=5e-5)
    assert panel.note == ""


def test_the_joint_null_of_the_quartets(quartets):
    joint = quartets.joint
    assert (joint.right, joint.expected) == (21, pytest.approx(10))
    assert joint.sd == pytest.approx(3.807887, abs=1e-6)
    assert joint.p_greater == pytest.approx(0.00506783, abs=1e-8)
    assert joint.p == pytest.approx(0.0101357, abs=1e-7)
    # choices of one trial hang together, which a binomial over all of them doesn't know
    assert read_choices(right=21, n=40, images=4).p == pytest.approx(0.000185, abs=5e-7)


def test_the_plurality_of_the_quartets(quartets):
    assert (quartets.plurality.right, quartets.plurality.decided, quartets.plurality.tied) == (7, 10, 0)
    assert quartets.plurality.p == pytest.approx(0.0035, abs=5e-5)


def test_the_mean_squares_are_those_of_the_two_way_table():
    """MSr, MSt, MSe by their own definition give the same standard error."""
    right = (QUARTETS == 0).astype(float)
    trials, readers = right.shape
    mean, by_reader, by_trial = right.mean(), right.mean(axis=0), right.mean(axis=1)
    of_readers = trials * ((by_reader - mean) ** 2).sum() / (readers - 1)
    of_trials = readers * ((by_trial - mean) ** 2).sum() / (trials - 1)
    left = right - by_reader - by_trial[:, None] + mean
    of_both = (left**2).sum() / ((readers - 1) * (trials - 1))
    assert (of_readers, of_trials, of_both) == pytest.approx((0.0916667, 0.4694444, 0.2027778), abs=1e-7)
    se = sqrt((of_readers + of_trials - of_both) / (readers * trials))
    assert panel_share(right=right, images=4).se == pytest.approx(se, abs=1e-12)


def test_a_negative_variance_falls_back_to_the_trials_and_says_so():
    right = np.array([[1, 0], [0, 1]] * 6, dtype=float)
    right[0] = [1, 1]
    panel = panel_share(right=right, images=2)
    assert panel.note == CASES_ONLY
    assert panel.se > 0


def test_the_patient_is_the_unit():
    """Every trial doubled under the name of its patient knows no more than once."""
    right = (QUARTETS == 0).astype(float)
    alone = panel_share(right=right, images=4)
    doubled = panel_share(right=np.repeat(right, 2, axis=0), images=4, patients=np.repeat(np.arange(10), 2).tolist())
    unaware = panel_share(right=np.repeat(right, 2, axis=0), images=4)
    assert doubled.se == pytest.approx(alone.se, rel=0.05)
    assert unaware.se < 0.85 * alone.se


def test_a_choice_that_is_missing_leaves_the_others():
    chosen = QUARTETS.copy()
    chosen[0, 0] = np.nan
    found = analyse_choices(chosen=chosen, images=4)
    assert (found.readers[0].right, found.readers[0].n) == (5, 9)
    assert found.panel.share.value == pytest.approx((5 / 9 + 0.4 + 0.6 + 0.5) / 4)
    assert found.joint.right == 20


@pytest.mark.parametrize("images", [2, 3, 4])
def test_the_joint_test_counts_every_way_to_name_the_images(images):
    random = np.random.default_rng(images)
    chosen = random.integers(0, images, (5, 3)).astype(float)
    counts = counts_of(chosen, images=images)
    totals = [
        sum(counts[trial, image] for trial, image in enumerate(named)) for named in product(range(images), repeat=5)
    ]
    found = joint_test(counts)
    greater, less = np.mean(np.array(totals) >= found.right), np.mean(np.array(totals) <= found.right)
    assert (found.p_greater, found.p_less) == pytest.approx((greater, less), abs=1e-12)
    assert found.p == pytest.approx(min(1, 2 * min(greater, less)), abs=1e-12)


def test_sureness_of_one_reader_is_the_signed_rank_test():
    right, sure = [True, True, False, True, True, False, True], [7, 2, 1, 5, 6, 3, 4]
    signed = [level if hit else -level for hit, level in zip(right, sure, strict=True)]
    expected = stats.wilcoxon(signed, method="exact").pvalue
    assert sureness_test(right=right, confidence=sure).p == pytest.approx(expected, abs=1e-12)


def test_somebody_who_always_presses_one_key_agrees_and_tells_nothing():
    """The images lie at random behind the keys: all choose the same image, right once in m."""
    chosen = np.repeat((np.arange(40) % 4).astype(float)[:, None], 3, axis=1)
    found = analyse_choices(chosen=chosen, images=4)
    assert found.panel.share.value == 0.25
    assert found.joint.p == pytest.approx(1, abs=0.1)
    assert found.agreement.observed == 1


def test_independent_guesses_agree_as_often_as_chance_says():
    chosen = np.random.default_rng(4).integers(0, 3, (4000, 4)).astype(float)
    agreement = analyse_choices(chosen=chosen, images=3).agreement
    assert agreement.expected == pytest.approx(1 / 3, abs=0.01)
    assert agreement.kappa == pytest.approx(0, abs=0.02)


def test_equivalence_is_asked_on_the_scale_of_the_area():
    random = np.random.default_rng(11)
    guesses = random.integers(0, 4, (600, 6)).astype(float)
    found = analyse_choices(chosen=guesses, images=4, margin=0.1)
    assert found.shares_within == pytest.approx((0.1672, 0.3502), abs=5e-5)
    assert found.panel.equivalent
    assert not analyse_choices(chosen=guesses, images=4, margin=0.005).panel.equivalent


def verdict_of(chosen, *, images=4, unproven="", constant=False, margin=0.15):
    found = analyse_choices(chosen=chosen, images=images, margin=margin)
    return judge_choices(found, alpha=0.05, unproven=unproven, constant=constant)


def test_the_verdict_is_that_of_the_exact_test_and_of_the_interval():
    guesses = np.random.default_rng(11).integers(0, 4, (600, 6)).astype(float)
    assert verdict_of(QUARTETS).verdict == "discriminates"
    assert "finds it" in verdict_of(QUARTETS).sentence
    assert verdict_of(guesses).verdict == "equivalent to chance within the margin"
    assert verdict_of(guesses, unproven="nobody knows").sentence.endswith("is not said: nobody knows.")
    assert verdict_of(guesses, constant=True).verdict == "not assessable"
    assert "not evidence" in verdict_of(guesses[:12]).sentence
    assert verdict_of(np.full((4, 2), np.nan)).verdict == "inconclusive"


def test_a_small_difference_is_not_called_small_where_a_reader_always_chose_one_side():
    random = np.random.default_rng(4)
    chosen = np.where(random.random((600, 6)) < 0.05, 0, random.integers(0, 4, (600, 6))).astype(float)
    assert verdict_of(chosen).verdict == "detectable but within the margin"
    found = verdict_of(chosen, constant=True)
    assert found.verdict == "discriminates"
    assert found.sentence.endswith("is not said: some reader chose one side nearly always, whatever stood there.")


def test_readers_with_swapped_labels_discriminate():
    swapped = verdict_of((np.random.default_rng(3).random((60, 4)) < 0.8).astype(float), images=2)
    assert swapped.verdict == "discriminates"
    assert "chooses the other one" in swapped.sentence


def test_the_way_of_a_difference_is_that_of_the_test_where_choices_are_missing():
    """One reader of a single choice, right, and one of thirty, wrong: the mean of the shares is above chance."""
    chosen = np.ones((30, 2))
    chosen[:3, 0] = 0
    chosen[:, 1] = np.nan
    chosen[0, 1] = 0
    found = verdict_of(chosen, images=2)
    assert found.verdict == "discriminates"
    assert found.sentence.startswith("The panel discriminates: it uses the right information and chooses the other one")


def test_the_side_that_was_chosen_most():
    assert most_frequent_share([]) is None
    assert most_frequent_share([0, 1, 1, 3]) == 0.5


def test_an_image_that_a_trial_has_not_is_refused():
    with pytest.raises(ValueError, match="from 0 to 1"):
        analyse_choices(chosen=[[0, 2]], images=2)
    with pytest.raises(ValueError, match="2 to 8"):
        share_of_d_prime(0.0, images=9)


def test_abilities_of_pairs_as_bradleyterry2_finds_them():
    """real against A 28:22, real against B 34:16, A against B 30:20."""
    arms, counts = [["real", "A"], ["real", "B"], ["A", "B"]], [[28, 22], [34, 16], [30, 20]]
    found = prefer(arms=arms, counts=counts, reference="real", draws=200)
    real, a, b = found.abilities
    assert (real.ability, real.votes, real.shown) == (0, 62, 100)
    assert (a.ability, a.se) == pytest.approx((-0.27517, 0.23575), abs=5e-6)
    assert (b.ability, b.se) == pytest.approx((-0.71560, 0.24203), abs=5e-6)
    assert (found.deviance, found.deviance_df) == (pytest.approx(0.044789, abs=1e-6), 1)
    assert (found.statistic, found.df) == (pytest.approx(9.318272, abs=1e-6), 2)
    assert found.p_equal == pytest.approx(0.009475, abs=1e-6)


def test_every_arm_of_a_tuple_has_its_share_of_the_choices():
    """The quartets once more, each image from an arm of its own: with all arms in every trial abilities are log shares."""
    arms = [["real", "A", "B", "C"]] * 10
    found = prefer(arms=arms, counts=counts_of(QUARTETS, images=4).tolist(), reference="real")
    assert {one.arm: one.votes for one in found.abilities} == {"real": 21, "A": 8, "B": 6, "C": 5}
    assert [one.ability for one in found.abilities] == pytest.approx(np.log([1, 8 / 21, 6 / 21, 5 / 21]), abs=1e-8)
    # choices of one trial hang together: the exact test knows, the likelihood ratio doesn't
    assert found.p_equal < found.p_exact < 0.06


def test_two_images_of_one_arm_share_its_choices():
    found = prefer(arms=[["real", "A", "A"]] * 3, counts=[[4, 1, 1], [3, 2, 1], [5, 1, 0]], reference="real", draws=200)
    assert found.abilities[1].ability == pytest.approx(np.log((6 / 2) / 12), abs=1e-8)


def test_the_exact_test_of_two_arms_is_the_joint_test():
    counts = np.random.default_rng(2).multinomial(5, [0.6, 0.4], size=12)
    found = prefer(arms=[["real", "A"]] * 12, counts=counts.tolist(), reference="real", draws=40_000)
    assert found.p_exact == pytest.approx(joint_test(counts).p, abs=0.015)


def test_an_arm_that_is_never_chosen_has_no_ability():
    found = prefer(arms=[["real", "A"]] * 4, counts=[[3, 0]] * 4, reference="real", draws=100)
    assert found.abilities[1].ability is None
    assert "no limit" in found.reason


SIZES = {
    0.60: {2: (210, 164), 3: (181, 145), 4: (174, 146), 8: (202, 176)},
    0.65: {2: (97, 77), 3: (80, 63), 4: (77, 64), 8: (85, 75)},
    0.70: {2: (54, 43), 3: (44, 35), 4: (44, 35), 8: (43, 40)},
}


@pytest.mark.parametrize("area", SIZES)
def test_trials_that_one_reader_needs(area):
    """From these numbers on; of eight images at 0.60 the published 170 forgets that 175 have a power of 0.799."""
    found = {images: trials_needed(area=area, images=images) for images in SIZES[area]}
    assert {images: (one.to_detect, one.to_exclude) for images, one in found.items()} == SIZES[area]


def test_readers_who_agree_count_less():
    assert [readings_that_count(n, kappa=0.1) for n in (3, 5, 8)] == pytest.approx([2.5, 3.6, 4.7], abs=0.05)
    assert [readings_that_count(n, kappa=0.25) for n in (3, 5, 8)] == pytest.approx([2.0, 2.5, 2.9], abs=0.05)


def test_the_joint_test_keeps_its_level_where_readers_hang_together():
    """Eight readers, fifty quartets, an image effect that all share: pooled binomials call a fifth of them different."""
    random = np.random.default_rng(20)
    rejected = pooled = 0
    for _ in range(300):
        look = sqrt(0.3) * random.standard_normal((50, 1, 4)) + sqrt(0.7) * random.standard_normal((50, 8, 4))
        chosen = look.argmax(axis=2).astype(float)
        counts = counts_of(chosen, images=4)
        rejected += joint_test(counts).p <= 0.05
        pooled += read_choices(right=int(counts[:, 0].sum()), n=400, images=4).p <= 0.05
    # 4.5 % and 19.2 % were published; four standard errors of a simulation of this size
    assert rejected / 300 < 0.05 + 4 * sqrt(0.05 * 0.95 / 300)
    assert pooled / 300 > 0.1


def test_simulated_power_is_that_of_the_fact_sheet_and_the_fast_test_is_the_exact_one():
    """Area .60, shared part .3: exact joint test 84 % with 8 readers of 50 quartets; a true null is kept."""
    model = {"images": 4, "raters": 8, "trials": 50, "case_correlation": 0.3, "rater_sd": 0.0}
    assert choice_power(area=0.6, **model).detected == pytest.approx(0.84, abs=0.05)
    null = choice_power(area=0.5, **model)
    assert null.detected < 0.08
    assert null.within > 0.85
    # A wider margin, more trials and more readers never show less.
    assert choice_power(area=0.5, **{**model, "trials": 20}).within < null.within
    assert trials_for(images=4, raters=8, area=0.65) <= trials_for(images=2, raters=8, area=0.65)
    assert choice_power(area=0.6, **{**model, "raters": 0}).detected == 0
    random = np.random.default_rng(2)
    for _ in range(20):
        chosen = random.integers(0, 4, (40, 6)) * (random.random((40, 6)) < 0.8)
        exact = joint_test(counts_of(chosen.astype(float), images=4)).p
        fast = float(joint_p(chosen[None], images=4)[0])
        assert fast == pytest.approx(exact, abs=0.02)
    values = random.random((30, 5)) < 0.4
    share = panel_share(right=values.astype(float), images=4, alpha=0.05)
    low, high = (float(limit[0]) for limit in _limits(values[None], alpha=0.05))
    assert (low, high) == pytest.approx(share.equivalence_interval, abs=1e-9)


def test_trials_of_one_patient_are_drawn_together():
    """Every choice made twice under the name of its patient knows no more than once; images of one scan cancel him."""
    twice, patients = np.repeat(QUARTETS, 2, axis=0), np.repeat(np.arange(10), 2).tolist()
    once = analyse_choices(chosen=QUARTETS, images=4)
    found = analyse_choices(chosen=twice, images=4, patients=patients)
    unaware = analyse_choices(chosen=twice, images=4)
    assert found.by_patient
    assert found.joint.p == pytest.approx(once.joint.p, abs=1e-12)
    assert unaware.joint.p < once.joint.p / 3
    assert found.decision_p == max(found.joint.p, found.panel.p) > found.joint.p
    assert (once.by_patient, once.decision_p) == (False, once.joint.p)
    matched = analyse_choices(chosen=twice, images=4, patients=patients, matched=True)
    assert (matched.by_patient, matched.decision_p) == (False, unaware.joint.p)


def test_arms_are_exchanged_alike_in_all_trials_of_a_patient():
    arms, counts = [["real", "A"]] * 12, counts_of(QUARTETS[:, :1] > 0, images=2).tolist()
    counts += [[1, 0], [1, 0]]
    once = prefer(arms=arms, counts=counts, reference="real", draws=2000).p_exact
    twice = {"arms": arms * 2, "counts": counts * 2, "reference": "real", "draws": 2000}
    assert prefer(**twice, patients=[*range(12)] * 2).p_exact == once
    assert prefer(**twice).p_exact < once


def test_the_decision_keeps_its_level_where_patients_give_several_trials():
    """Five readers, pairs put together at random, patients and images differ, the kinds do not."""
    random, studies, trials, spread, patients = np.random.default_rng(7), 80, 50, 0.2, 10
    patient, rejected, of_trials = np.repeat(np.arange(patients), 5), 0, 0
    for _ in range(studies):
        look = sqrt(0.2) * random.standard_normal((trials, 2))
        for image, whose in enumerate((patient, random.permutation(patient))):
            look[:, image] += sqrt(spread) * random.standard_normal(patients)[whose]
        seen = look[:, :, None] + sqrt(0.8 - spread) * random.standard_normal((trials, 2, 5))
        chosen = seen.argmax(axis=1).astype(float)
        rejected += analyse_choices(chosen=chosen, images=2, patients=patient.tolist()).decision_p <= 0.05
        of_trials += joint_test(counts_of(chosen, images=2)).p <= 0.05
    # Four standard errors of a simulation of this size; of 1,000 such studies trials as draws reject in a fifth.
    assert rejected / studies < 0.05 + 4 * sqrt(0.05 * 0.95 / studies)
    assert of_trials / studies > 0.05 + 4 * sqrt(0.05 * 0.95 / studies)


def test_no_margin_is_judged_by_an_interval_that_is_too_short():
    """Two of three readers choose against one another; and one reader, whose interval knows no spread of readers."""
    random = np.random.default_rng(82)
    against = random.random((40, 3)) < 0.62
    against[:, 1] = np.where(random.random(40) < 0.85, ~against[:, 0], against[:, 1])
    too_short = analyse_choices(chosen=(~against).astype(float), images=2, margin=0.15)
    assert (too_short.panel.note, too_short.panel.equivalent) == (CASES_ONLY, None)
    alone = (np.arange(600) >= 329).astype(float)[:, None]
    for chosen in ((~against).astype(float), alone):
        assert verdict_of(chosen, images=2).verdict == "discriminates"
    wrong_half = (np.arange(600) >= 300).astype(float)[:, None]
    unclear = verdict_of(wrong_half, images=2)
    assert unclear.verdict == "inconclusive"
    assert "is not held against the margin (one reader: the interval takes the trials alone" in unclear.sentence


def test_a_preference_is_said_of_a_small_p_only():
    assert "is preferred" in judge_preference(0.01, alpha=0.05)
    assert "not evidence" in judge_preference(0.2, alpha=0.05)
    assert "nothing to compare" in judge_preference(None, alpha=0.05)
