"""The golden runner itself: it follows keys, not names, and fails on wrong numbers and on keys it does not know."""

import copy

import pytest

from tests.analysis.golden.compare import UnknownKeyError
from tests.readerstudy.test_golden import run_case

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
    report = run_case(changed(input=given, expected=wanted))
    assert report.wrong == []
    assert report.compared == str(wanted).count("auc")


# Hanley & McNeil, Radiology 1982;143:29, table I: five categories, 58 normal and 51 abnormal images.
HANLEY = {"normal": [33, 6, 6, 11, 2], "abnormal": [3, 2, 2, 11, 33]}
BINARY = {"truth": [0, 0, 0, 0, 1, 1, 1, 1], "rating": [0, 0, 0, 1, 0, 1, 1, 1]}
PATTERNS = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1]]


@pytest.mark.parametrize(
    ("module", "given", "wanted", "compared"),
    [
        ("auc", {"hanley": HANLEY, "binary": BINARY}, {"hanley": {"auc": 0.893170}, "binary": {"auc": 0.75}}, 2),
        ("auc", {"hanley": HANLEY, "binary": BINARY}, {"rows": [{"input": HANLEY, "expected": {"auc": 0.893170}}]}, 1),
        ("auc", BINARY, {"hanley": {"auc": 0.75}, "binary": {"auc": 0.75}}, 2),
        ("auc", BINARY, {"auc": 0.75}, 1),
        ("auc", {"truth": BINARY["truth"], "binary": BINARY["rating"]}, {"auc": 0.75}, 1),
        ("signal_detection", {"hanley": HANLEY}, {"hanley": {"unequal_variance": {"auc_binormal": 0.91133}}}, 1),
        ("binomial_test", {"x": 8, "n": 10}, {"estimate": 0.8, "p_greater": 0.0546875}, 2),
        ("binomial_test", {"one": {"x": 8, "n": 10}, "two": {"x": 5, "n": 10}}, {"two": {"estimate": 0.5}}, 1),
        ("proportion_ci", {"rows": "below"}, {"rows": [{"x": 8, "n": 10, "expected": {"estimate": 0.8}}]}, 1),
        ("proportion_ci", {"x": 8, "n": 10}, {"estimate": 0.8}, 1),
        ("bayes", {"x": 5, "n": 10}, {"estimate": 0.5, "posterior": {"a": 6}}, 2),
        ("rater_level", {"rater_accuracy": [0.5, 0.7]}, {"estimate": 0.6, "mean": 0.6, "df": 1}, 3),
        ("multiplicity", {"p": [0.01, 0.04]}, {"holm": [0.02, 0.04]}, 2),
        (
            "equivalence",
            {},
            {"rows": [{"input": {"x": 5, "n": 10, "margin": 0.1}, "expected": {"equivalent": False}}]},
            1,
        ),
        ("chance", {"table": {"tp": 3, "fn": 1, "fp": 1, "tn": 3}}, {"table": {"accuracy": 0.75}}, 1),
        ("irt", {"patterns": PATTERNS}, {"patterns": {"proportion_correct": [4 / 6, 3 / 6, 2 / 6]}}, 3),
        (
            "irt",
            {"lsat": {"patterns": PATTERNS}},
            {"rows": [{"expected": {"proportion_correct": [4 / 6, 0.5, 2 / 6]}}]},
            3,
        ),
        (
            "irt",
            {"person": [1, 1, 2, 2, 3, 3], "item": [1, 2] * 3, "response": [1, 0, 1, 1, 0, 0]},
            {"proportion_correct": [2 / 3, 1 / 3]},
            2,
        ),
        (
            "agreement",
            {"first_set": [[1, 1], [0, 1], [0, 0]], "second_set": [[1, 1], [0, 0], [0, 0]]},
            {"second_set": {"irr": {"kappa": 1}}, "first_set": {"irrCAC": {"percent_agreement": {"coeff": 2 / 3}}}},
            2,
        ),
        (
            "paired",
            {"rows": "below"},
            {"rows": [{"input": {"t_table": [[1, 4], [2, 5]]}, "expected": {"t": {"p_exact": 0.6875}}}]},
            1,
        ),
        ("drift", {"correct": [1, 0, 1, 1], "order": [1, 2, 3, 4]}, {"first_half_accuracy": 0.5}, 1),
        (
            "mrmc",
            {"binary": {"reader": [1] * 8, "case": list(range(8)), **BINARY}},
            {"binary": {"per_reader": {"1.1": {"auc": 0.75}}, "percent_correct_ustat": {"percent_correct": [0.75]}}},
            2,
        ),
    ],
)
def test_layouts_that_no_case_here_has(module, given, wanted, compared):
    report = run_case(changed(module=module, input=given, expected=wanted, tolerance={"abs": 1e-5}))
    assert report.wrong == []
    assert report.compared == compared


@pytest.mark.parametrize("key", ["estimate", "hanley", "binary", "patterns", "rows_of_something"])
def test_a_key_that_is_no_data_set_still_fails(key):
    with pytest.raises(UnknownKeyError, match=f"nothing computes {key}"):
        run_case(changed(module="agreement", input=[[1, 1], [0, 1]], expected={key: 0.5}))


def test_an_error_of_zero_is_none_here_and_said():
    case = changed(
        module="agreement",
        input=[[1, 1], [0, 0], [1, 1]],
        expected={"irrCAC": {"percent_agreement": {"coeff": 1, "se": 0, "p": 0}}},
    )
    report = run_case(case)
    assert report.wrong == []
    assert report.notes == ["irrCAC.percent_agreement: a standard error of exactly 0 is none here"]


def test_an_error_of_zero_where_we_have_one_is_wrong():
    case = changed(
        module="agreement",
        input=[[1, 1], [0, 1], [0, 0], [1, 1]],
        expected={"irrCAC": {"percent_agreement": {"se": 0}}},
    )
    assert run_case(case).wrong


def test_alpha_by_definition_or_as_irr_prints_it():
    ratings = [[1, 1, 2], [2, 2, 2], [1, 1, 1], [2, 1, 2]]
    for alpha, notes in ((0.38889, 0), (0.36111, 1)):
        case = changed(
            module="agreement",
            input=ratings,
            expected={"krippendorff_alpha": {"nominal": alpha}},
            tolerance={"abs": 1e-4},
        )
        report = run_case(case)
        assert (report.wrong, len(report.notes)) == ([], notes)


def test_differences_that_tie_on_paper_only():
    """0.58 - 0.5 and 0.5 - 0.42 are equal; in binary they are not, and R ranks what is left of that."""
    given = {"rater_accuracy": [0.58, 0.42, 0.61, 0.55], "mu": 0.5}
    for statistic in (7, 8):
        case = changed(module="rater_level", input=given, expected={"wilcoxon_V": statistic})
        assert bool(run_case(case).wrong) == (statistic != _unrounded_rank(given))


def _unrounded_rank(given):
    sizes = sorted((abs(value - given["mu"]), value > given["mu"]) for value in given["rater_accuracy"])
    return sum(rank for rank, (_, positive) in enumerate(sizes, start=1) if positive)


def test_tolerances_of_a_field_win_over_the_default():
    near = {"made_up": {"auc": 7 / 9 + 0.005}}
    assert run_case(changed(expected=near)).wrong
    assert not run_case(changed(expected=near, tolerance={"default": {"abs": 1e-9}, "auc": {"abs": 0.01}})).wrong


def test_missing_is_expected_where_the_case_says_null():
    case = changed(input={"truth": [1, 1], "made_up": [1, 2]}, expected={"made_up": {"auc": None, "z_vs_0.5": None}})
    assert run_case(case).wrong == []
    assert run_case(changed(expected={"made_up": {"z_vs_0.5": None}})).wrong
