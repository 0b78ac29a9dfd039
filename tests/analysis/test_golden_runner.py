"""The golden runner itself: it follows keys, not names, and fails on wrong numbers and on keys it does not know."""

import copy

import pytest

from tests.analysis.golden.compare import UnknownKeyError
from tests.readerstudy.test_golden import prepared, run_case

TRUTH, SCORE = [0, 0, 0, 1, 1, 1], [1, 2, 3, 2, 3, 4]
CASE = {
    "schema": "stats-golden/1",
    "module": "auc",
    "input": {"truth": TRUTH, "made_up": SCORE},
    "expected": {"made_up": {"auc": 7 / 9}},
    "tolerance": {"abs": 1e-9},
}


def changed(**parts):
    return {**copy.deepcopy(CASE), **parts}


def test_a_right_number_passes_and_is_counted():
    report = run_case(CASE)
    assert (report.compared, report.wrong) == (1, [])


@pytest.mark.parametrize("value", [0.78, None, "0.777", [7 / 9]])
def test_a_wrong_number_fails(value):
    assert run_case(changed(expected={"made_up": {"auc": value}})).wrong


@pytest.mark.parametrize(
    "expected",
    [
        {"made_up": {"auc": 7 / 9, "area_of_something": 1}},
        {"area_of_something": 1},
        {"nobody": {"auc": 7 / 9}},
    ],
)
def test_an_unknown_key_fails(expected):
    with pytest.raises(UnknownKeyError, match="nothing computes"):
        run_case(changed(expected=expected))


def test_an_unknown_module_fails():
    with pytest.raises(KeyError):
        run_case(changed(module="astrology"))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"data_set": {"truth": TRUTH, "s": SCORE}}, {"data_set": {"s": {"auc": 7 / 9}}}),
        ({"data_set": {"truth": TRUTH, "s": SCORE}}, {"s": {"auc": 7 / 9}}),
        ({"truth": TRUTH, "s": SCORE}, {"data_set": {"s": {"auc": 7 / 9}}}),
        (
            {"one": {"truth": TRUTH, "s": SCORE}, "two": {"truth": TRUTH, "s": SCORE[::-1]}},
            {"one": {"s": {"auc": 7 / 9}}, "two": {"s": {"auc": 2 / 9}}},
        ),
    ],
)
def test_names_of_data_sets_are_looked_through(given, wanted):
    case = changed(input=given, expected=wanted)
    report = run_case(case)
    assert report.wrong == []
    assert report.compared == len(list(prepared(case)))


def test_tolerances_of_a_field_win_over_the_default():
    near = {"made_up": {"auc": 7 / 9 + 0.005}}
    assert run_case(changed(expected=near)).wrong
    assert not run_case(changed(expected=near, tolerance={"default": {"abs": 1e-9}, "auc": {"abs": 0.01}})).wrong


def test_missing_is_expected_where_the_case_says_null():
    case = changed(input={"truth": [1, 1], "made_up": [1, 2]}, expected={"made_up": {"auc": None, "z_vs_0.5": None}})
    assert run_case(case).wrong == []
    assert run_case(changed(expected={"made_up": {"z_vs_0.5": None}})).wrong
