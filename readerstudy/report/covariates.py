"""Parts of a study by what its cases are (generator, kind, size) and by the raters' experience: exploratory looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from readerstudy.report.data import ReportedCase, ReportedRater

SIZES_MM = {"small": (0.0, 10.0), "medium": (10.0, 20.0), "large": (20.0, float("inf"))}
SIZE_WORDS = {"small": "below 10 mm", "medium": "10 to 20 mm", "large": "20 mm and more"}
EXPERIENCE_YEARS = {"junior": (0, 5), "middle": (5, 10), "senior": (10, 1000)}
EXPERIENCE_WORDS = {"junior": "below 5 years", "middle": "5 to 9 years", "senior": "10 years and more"}


@dataclass(frozen=True, kw_only=True)
class Covariate:
    name: str
    label: str
    choices: Sequence[tuple[str, str]]
    chosen: str


def covariates_of(
    cases: Sequence[ReportedCase], raters: Sequence[ReportedRater], asked: Mapping[str, str]
) -> list[Covariate]:
    """Those that differ between the cases or the raters of this study."""
    cases = [case for case in cases if not case.control]
    generators = sorted({case.generator for case in cases if case.generator})
    kinds = sorted({case.kind for case in cases if case.kind})
    present = [size for size, words in SIZE_WORDS.items() if any(_size(case) == size for case in cases)]
    found = [
        ("size", "Diameter", [(size, SIZE_WORDS[size]) for size in present]),
        ("generator", "Generator of the synthetic cases", [(name, name) for name in generators]),
        ("kind", "Kind of the synthetic lesions", [(name, name.replace("_", "-")) for name in kinds]),
        ("experience", "Experience of the raters", _experiences(raters)),
    ]
    return [
        Covariate(name=name, label=label, choices=choices, chosen=asked.get(name, ""))
        for name, label, choices in found
        if len(choices) > 1
    ]


def _size(case: ReportedCase) -> str:
    return next(name for name, (low, high) in SIZES_MM.items() if low <= case.diameter_mm < high)


def _experiences(raters: Sequence[ReportedRater]) -> list[tuple[str, str]]:
    present = {_experience(rater) for rater in raters if not rater.excluded}
    return [(name, words) for name, words in EXPERIENCE_WORDS.items() if name in present]


def _experience(rater: ReportedRater) -> str | None:
    years = rater.experience_years
    if years is None:
        return None
    return next(name for name, (low, high) in EXPERIENCE_YEARS.items() if low <= years < high)


def chosen_raters(raters: Sequence[ReportedRater], asked: Mapping[str, str]) -> frozenset[str] | None:
    """Keys of the raters with the asked experience; None when none is asked that exists."""
    wanted = asked.get("experience", "")
    if wanted not in dict(_experiences(raters)):
        return None
    return frozenset(rater.key for rater in raters if _experience(rater) == wanted)


def chosen_cases(cases: Sequence[ReportedCase], asked: Mapping[str, str]) -> frozenset[str] | None:
    """Codes of the cases that fit; None when nothing is asked. Real cases have neither generator nor kind: all stay."""
    wanted = {covariate.name: covariate.chosen for covariate in covariates_of(cases, (), asked) if _known(covariate)}
    if not wanted:
        return None
    return frozenset(case.code for case in cases if _fits(case, wanted))


def _known(covariate: Covariate) -> bool:
    return covariate.chosen in dict(covariate.choices)


def _fits(case: ReportedCase, wanted: Mapping[str, str]) -> bool:
    if case.control:
        # They belong to no part: they prove that the raters look.
        return True
    if "size" in wanted and _size(case) != wanted["size"]:
        return False
    if not case.synthetic:
        return True
    return all(getattr(case, name) == wanted[name] for name in ("generator", "kind") if name in wanted)
