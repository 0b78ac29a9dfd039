"""The change against the earlier phase, in a table, in sentences and as rows of a file."""

from typing import Any

from readerstudy.analysis import ChangeEquivalence, JudgedChange, PhaseChange, RaterChange, level_words
from readerstudy.planning.words import PHASE_SIDE_WORDS
from readerstudy.report.data import Phases
from readerstudy.report.figures.figure_tables import Table
from readerstudy.report.text import level_percent_of, p_words, signed_words

CONFOUNDED = (
    "What raters had learned by reading, what they were told in between and what else differs between the phases can't "
    "be told apart."
)
OF_THESE_RATERS = (
    "The exchange asks whether any of these raters changed, and holds for any correlation among them; where some get "
    "better and others worse it is small though raters on average don't change. Of raters in general only the first p "
    "speaks."
)
UNPLANNED = "No plan froze this comparison: it is exploratory."
PHASES_MEANINGS = {
    "rater": "Number of the rater in this study; empty for all together",
    "measure": "What is compared",
    "planned": "1: the plan names the comparison; 0: exploratory",
    "side": "two_sided, or the direction of the change that the plan names: higher or lower in this phase",
    "n_first": "Answers that count in the earlier phase",
    "n_second": "Answers that count in this phase",
    "first": "The measure in the earlier phase",
    "second": "The measure in this phase",
    "difference": "This phase less the earlier one",
    "low": "Lower limit of the difference",
    "high": "Upper limit of the difference",
    "p": "Of this side, raters and patients (or cases, by the plan) random",
    "exchange_p": "Of this side, by exchanging both phases' answers to a patient's images (or an image); only where "
    "both show the same",
    "decision_p": "p where the plan names the comparison, else empty: it decides",
    "margin": "Margin of equivalence of the plan, 0.15 is 15 points",
    "equivalence_p": "P-value of the two one-sided tests within that margin",
    "equivalence_low": "Lower limit of the interval that these tests agree with",
    "equivalence_high": "Upper limit of that interval",
    "equivalent": "1: equal within the margin; 0: not shown; empty: not assessable, or not named in the plan",
    "reason": "Why there is no difference, or no interval, or why nothing is called equal",
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
        nothing = f"Nothing is compared with “{phases.earlier}”: {phases.reason}."
        return [f"The plan names this comparison. {nothing}" if phases.planned else nothing]
    return [
        _change(phases, change),
        *_exchange(change),
        *([_of_trials(change)] if phases.several_images and not change.same_images else []),
        *(_judged(change.judged, change, phases) if change.judged else []),
        f"{CONFOUNDED}{'' if phases.planned else f' {UNPLANNED}'}",
    ]


def _change(phases: Phases, change: PhaseChange) -> str:
    of = f" of {change.patients} patients" if change.units == "patients" else ""
    shown = "trials" if phases.several_images else "images"
    images = (
        f"both phases show the same {change.cases_second} {shown}{of}"
        if change.same_images
        else f"{change.cases_first} {shown} there and {change.cases_second} others here{of}"
    )
    raters = sum(one.difference.value is not None for one in change.raters)
    first, second = ("–" if share is None else f"{share:.3f}" for share in (change.first, change.second))
    gap = signed_words(change.difference, level=level_percent_of(phases.alpha))
    said = (
        f"{raters} rater{'' if raters == 1 else 's'} read both; {images}. Mean {change.measure} {first} in "
        f"“{phases.earlier}”, {second} here: change {gap}"
    )
    test = "" if change.p is None else f", {_side(change)}{p_words(change.p)}"
    return f"{said}{test} (random: {change.random})."


def _side(change: PhaseChange) -> str:
    side = change.judged.side if change.judged else "two_sided"
    return "" if side == "two_sided" else f"one-sided for {PHASE_SIDE_WORDS[side]} "


def _of_trials(change: PhaseChange) -> str:
    """Images that were put together at random have other partners in each study, whose patients nobody counts."""
    unit = "patient" if change.units == "patients" else "case"
    return f"Trials were put together anew for each study; the {unit} of a trial is that of its image to find."


def _exchange(change: PhaseChange) -> list[str]:
    if change.exchange_p is None:
        return []
    how = "all exchanges" if change.exchanges is None else f"{change.exchanges} random exchanges"
    test = f"{_side(change)}{p_words(change.exchange_p)} ({how})"
    images = "a patient's images" if change.units == "patients" else "an image"
    said = f"By exchanging both phases' answers to {images}, for all raters at once: {test}."
    return [said, OF_THESE_RATERS]


def _judged(judged: JudgedChange, change: PhaseChange, phases: Phases) -> list[str]:
    """What the plan asked, and what the answer is."""
    if judged.p is None:
        return [f"Planned: the change can't be tested ({change.difference.reason}).", *_equal(judged, phases)]
    looked_for = PHASE_SIDE_WORDS[judged.side]
    found = (
        f"{looked_for} was found"
        if judged.found
        else f"no evidence of {looked_for}, which is none that nothing changed either"
    )
    return [f"Planned, raters and patients random: {p_words(judged.p)}, {found}.", *_equal(judged, phases)]


def _equal(judged: JudgedChange, phases: Phases) -> list[str]:
    band = judged.equivalence
    if band is None:
        return []
    margin = f"± {100 * band.margin:g} points"
    if band.low is None or band.high is None:
        return [f"Whether both are equal within {margin} can't be tested: {band.reason}."]
    inner = f"{level_words(1 - 2 * phases.alpha)} % interval {band.low:+.3f} to {band.high:+.3f}"
    tests = f"{inner}, two one-sided tests {p_words(band.p)}"
    if band.equivalent is None:
        return [f"Whether both are equal within {margin} is not assessable ({tests}): {band.reason}."]
    return [f"{'Equal' if band.equivalent else 'Not shown to be equal'} within {margin} ({tests})."]


def phases_rows(phases: Phases | None) -> list[dict[str, Any]]:
    """One row per rater and one of all together; none where nothing is compared."""
    change = None if phases is None else phases.change
    if phases is None or change is None:
        return []
    side = change.judged.side if change.judged else "two_sided"
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
    known = {"measure": change.measure, "planned": int(phases.planned), "side": side}
    return [
        {**dict.fromkeys(PHASES_MEANINGS), **known, **row, **_numbers(one), **judged}
        for row, one, judged in [*((row, one, {}) for row, one in rows), (together, change, _of_plan(change))]
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


def _of_plan(change: PhaseChange) -> dict[str, Any]:
    """What the plan asked of all raters together."""
    judged = change.judged
    if judged is None:
        return {}
    return {"decision_p": judged.p, **({} if judged.equivalence is None else _band(judged.equivalence, change))}


def _band(band: ChangeEquivalence, change: PhaseChange) -> dict[str, Any]:
    return {
        "margin": band.margin,
        "equivalence_p": band.p,
        "equivalence_low": band.low,
        "equivalence_high": band.high,
        "equivalent": None if band.equivalent is None else int(band.equivalent),
        "reason": band.reason or change.difference.reason,
    }


def planned_row(phases: Phases | None) -> dict[str, Any] | None:
    """The planned change as a row of results.csv; None where the plan names none, or nothing was compared."""
    change = None if phases is None else phases.change
    if change is None or change.judged is None:
        return None
    gap = change.difference
    band = {} if change.judged.equivalence is None else _band(change.judged.equivalence, change)
    return {
        "reader": "Change against the earlier phase",
        "change": gap.value,
        "change_low": gap.low,
        "change_high": gap.high,
        "test": f"change of the {change.measure}, {change.judged.side.replace('_', '-')}",
        "p": change.judged.p,
        **{name: band.get(name) for name in ("equivalence_low", "equivalence_high", "equivalence_p", "margin")},
    }
