import numpy as np
import pytest

from ml.evaluation.realism.lineups import Lineups, by_network, by_table, verdict

SETS, SIZE, PATIENTS = 12, 6, 4


@pytest.fixture
def lineups():
    return Lineups.of([SIZE] * SETS, [f"p{n % PATIENTS}" for n in range(SETS)])


def table_of(lineups, *, shift=0.0, of_patients=0.0, seed=0):
    """Numbers of which patients have levels of their own, and odd ones stand out by ``shift``."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((len(lineups.sets), 6))
    values[:, 0] += shift * lineups.odd
    patients = np.unique(lineups.patients, return_inverse=True)[1]
    return values + of_patients * patients[:, None]


def test_a_set_counts_by_the_others_that_its_odd_one_stands_out_of():
    lineups = Lineups.of([4, 3], ["a", "b"])
    assert lineups.standing_out(np.array([0.5, 0.1, 0.5, 0.9, 3.0, 2.0, 1.0])) == pytest.approx([0.5, 1.0])


@pytest.mark.parametrize("held_out", ["patients", "lesions"])
def test_what_is_judged_was_never_learned_from(lineups, held_out):
    keys = lineups.patients if held_out == "patients" else lineups.sets
    judged = []
    for train, test in lineups.folds(held_out):
        assert not set(keys[train]) & set(keys[test])
        judged += list(test)
    assert sorted(judged) == list(range(len(lineups.sets)))


def test_lesions_of_one_patient_leave_no_patient_to_learn_from():
    one = Lineups.of([SIZE] * 6, ["p"] * 6)
    assert not one.can_hold_out("patients")
    assert one.can_hold_out("lesions")
    assert not Lineups.of([SIZE] * 3, ["p"] * 3).can_hold_out("lesions")


def test_a_difference_is_found_and_equal_laws_are_near_chance(lineups):
    def area(shift, seed=0):
        judge = by_table(table_of(lineups, shift=shift, seed=seed), seed=0)
        return verdict(lineups, judge, "patients", seed=0).estimate

    strong = area(4.0)
    assert strong.value > 0.9
    assert strong.low <= strong.value <= strong.high
    chances = [area(0.0, seed).value for seed in range(3)]
    assert abs(np.mean(chances) - 0.5) < 0.2


def test_levels_of_patients_tell_a_judge_nothing(lineups):
    found = [
        verdict(lineups, by_table(table_of(lineups, shift=2.0, of_patients=level), seed=0), "patients", seed=0).shares
        for level in (0.0, 1e3)
    ]
    assert found[0] == pytest.approx(found[1])


def test_a_network_finds_what_is_planted_and_does_not_hide_behind_the_many(lineups):
    rng = np.random.default_rng(0)
    patches = 0.2 * rng.standard_normal((len(lineups.sets), 6, 24, 24)).astype(np.float32)
    patches[lineups.odd, :, 8:16, 8:16] -= 0.5
    found = verdict(lineups, by_network(patches, seed=0), "lesions", seed=0)
    assert found.judge.startswith("network, ")
    assert found.estimate.value > 0.9


def test_some_of_the_sets_are_told_apart(lineups):
    found = verdict(lineups, by_table(table_of(lineups, shift=1.0), seed=0), "patients", seed=0)
    some = np.arange(SETS) < 5
    assert found.among(some, lineups.set_patients(), seed=0).value == pytest.approx(found.shares[:5].mean())
