"""Parts of a study: what differs may be chosen, real cases stay where a choice says nothing about them."""

from hypothesis import given
from hypothesis import strategies as st

from readerstudy.report.covariates import chosen_cases, chosen_raters, covariates_of
from readerstudy.report.data import ReportedCase, ReportedRater
from readerstudy.results import named_part


def case(number, *, synthetic, diameter_mm=12.0, generator="", kind=""):
    return ReportedCase(
        number=number,
        code=f"C{number}",
        synthetic=synthetic,
        scan="",
        patient=1,
        dataset="",
        subject="",
        host_scan="",
        diameter_mm=diameter_mm,
        depth_mm=None,
        generator=generator,
        kind=kind,
    )


CASES = [
    case(1, synthetic=False, diameter_mm=5),
    case(2, synthetic=False, diameter_mm=30),
    case(3, synthetic=True, diameter_mm=9.99, generator="aaa", kind="metastasis"),
    case(4, synthetic=True, diameter_mm=10, generator="bbb", kind="metastasis"),
    case(5, synthetic=True, diameter_mm=20, generator="bbb", kind="cyst"),
]


def test_only_what_differs_is_offered():
    assert [covariate.name for covariate in covariates_of(CASES, [], {})] == ["size", "generator", "kind"]
    alike = [case(number, synthetic=number > 2, generator="aaa" if number > 2 else "") for number in range(5)]
    assert covariates_of(alike, [], {}) == []


def test_a_generator_is_compared_with_all_real_cases():
    assert chosen_cases(CASES, {"generator": "bbb"}) == {"C1", "C2", "C4", "C5"}
    assert chosen_cases(CASES, {"generator": "bbb", "kind": "cyst"}) == {"C1", "C2", "C5"}


def test_sizes_take_real_and_synthetic_cases_alike():
    assert chosen_cases(CASES, {"size": "small"}) == {"C1", "C3"}
    assert chosen_cases(CASES, {"size": "large"}) == {"C2", "C5"}


def test_unknown_choices_choose_nothing():
    assert chosen_cases(CASES, {}) is None
    assert chosen_cases(CASES, {"size": "huge", "page": "2"}) is None


def rater(number, years, excluded_reason=""):
    return ReportedRater(number=number, simulated=False, excluded_reason=excluded_reason, experience_years=years)


RATERS = [rater(1, 2), rater(2, 4), rater(3, 10), rater(4, None), rater(5, 7, excluded_reason="left")]


def test_raters_are_parted_by_experience():
    (experience,) = covariates_of([], RATERS, {"experience": "senior"})
    # The only one of the middle group is excluded; who said nothing is in no group.
    assert [name for name, _ in experience.choices] == ["junior", "senior"]
    assert chosen_raters(RATERS, {"experience": "junior"}) == {"1", "2"}
    assert chosen_raters(RATERS, {"experience": "senior"}) == {"3"}
    assert chosen_raters(RATERS, {"experience": "middle"}) is None
    assert chosen_raters(RATERS, {}) is None
    assert covariates_of([], [rater(1, 2), rater(2, 3)], {}) == []


@given(st.lists(st.floats(min_value=0, max_value=500), min_size=1, max_size=30))
def test_sizes_part_the_cases(diameters):
    cases = [case(number, synthetic=number % 2 == 0, diameter_mm=mm) for number, mm in enumerate(diameters)]
    offered = covariates_of(cases, [], {})
    if offered:
        parts = [chosen_cases(cases, {"size": size}) for size, _ in offered[0].choices]
        assert sum(map(len, parts)) == len(cases)
        assert frozenset().union(*parts) == {one.code for one in cases}


def test_a_part_without_any_rater_is_not_kept_as_the_whole():
    parts = [(None, None), (frozenset(), None), (None, frozenset()), (frozenset("1"), None), (None, frozenset("1"))]
    assert len({tuple(named_part(*part)) for part in parts}) == len(parts)
