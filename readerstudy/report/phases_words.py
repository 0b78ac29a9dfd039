"""The change against the earlier phase, in a table, in sentences and as rows of a file."""

from typing import Any

from readerstudy.analysis import PhaseChange, RaterChange
from readerstudy.report.data import Phases
from readerstudy.report.figures.figure_tables import Table
from readerstudy.report.text import level_percent_of, p_words, signed_words

CONFOUNDED = (
    "What raters had learned by reading, what they were told in between and what else differs between the phases can't "
    "be told apart. No plan froze this comparison: it is exploratory."
)
PHASES_MEANINGS = {
    "rater": "Number of the rater in this study; empty for all together",
    "measure": "What is compared",
    "n_first": "Answers that count in the earlier phase",
    "n_second": "Answers that count in this phase",
    "first": "The measure in the earlier phase",
    "second": "The measure in this phase",
    "difference": "This phase less the earlier one",
    "low": "Lower limit of the difference",
    "high": "Upper limit of the difference",
    "p": "Two-sided, raters and patients (or cases, by the plan) random; exchange_p decides where there is one",
    "exchange_p": "Two-sided, by exchanging both phases' answers to a patient's images (or an image); same images only",
    "reason": "Why there is no difference, or no interval",
}


def phases_table(phases: Phases) -> Table | None:
    """None where nothing is compared."""
    change = phases.change
    if change is None:
        return None
    there, here = f"{change.measure} there", f"{change.measure} here"
    return Table(
        columns=["Rater", "Answers there", "Answers here", there, here, "Change"],
        rows=[_row(one, level=level_percent_of(phases.alpha)) for one in change.raters],
    )


def _row(one: RaterChange, *, level: str) -> list[str]:
    shares = ["–" if share is None else f"{share:.3f}" for share in (one.first, one.second)]
    change = signed_words(one.difference, level=level)
    return [f"Rater {one.rater}", str(one.n_first), str(one.n_second), *shares, change]


def phases_words(phases: Phases) -> list[str]:
    """What became of all raters together, and what it can't tell."""
    change = phases.change
    if change is None:
        return [f"Nothing is compared with “{phases.earlier}”: {phases.reason}."]
    of = f" of {change.patients} patients" if change.units == "patients" else ""
    images = (
        f"both phases show the same {change.cases_second} images{of}"
        if change.same_images
        else f"{change.cases_first} images there and {change.cases_second} others here{of}"
    )
    raters = sum(one.difference.value is not None for one in change.raters)
    first, second = ("–" if share is None else f"{share:.3f}" for share in (change.first, change.second))
    gap = signed_words(change.difference, level=level_percent_of(phases.alpha))
    said = (
        f"{raters} rater{'' if raters == 1 else 's'} read both; {images}. Mean {change.measure} {first} in "
        f"“{phases.earlier}”, {second} here: change {gap}"
    )
    test = "" if change.p is None else f", {p_words(change.p)}"
    return [f"{said}{test} (random: {change.random}).", *_exchange(change), CONFOUNDED]


def _exchange(change: PhaseChange) -> list[str]:
    if change.exchange_p is None:
        return []
    how = "all exchanges" if change.exchanges is None else f"{change.exchanges} random exchanges"
    test = f"{p_words(change.exchange_p)} ({how})"
    images = "a patient's images" if change.units == "patients" else "an image"
    return [
        f"By exchanging both phases' answers to {images}, for all raters at once: {test}.",
        "Where the two p-values disagree, that of the exchange decides: it holds for any correlation among raters.",
    ]


def phases_rows(phases: Phases | None) -> list[dict[str, Any]]:
    """One row per rater and one of all together; none where nothing is compared."""
    change = None if phases is None else phases.change
    if change is None:
        return []
    together = {
        "rater": None,
        "p": change.p,
        "exchange_p": change.exchange_p,
        "n_first": sum(one.n_first for one in change.raters),
        "n_second": sum(one.n_second for one in change.raters),
    }
    rows: list[tuple[dict[str, Any], RaterChange | PhaseChange]] = [
        ({"rater": one.rater, "n_first": one.n_first, "n_second": one.n_second}, one) for one in change.raters
    ]
    return [
        {**dict.fromkeys(PHASES_MEANINGS), "measure": change.measure, **row, **_numbers(one)}
        for row, one in [*rows, (together, change)]
    ]


def _numbers(one: RaterChange | PhaseChange) -> dict[str, Any]:
    gap = one.difference
    return {
        "first": one.first,
        "second": one.second,
        "difference": gap.value,
        "low": gap.low,
        "high": gap.high,
        "reason": gap.reason,
    }
