"""What a plan asks of the change between two phases, and what the numbers of that change answer.

The t test decides: it takes raters and patients for random. The exchange of both phases' answers has another null, that
none of these raters changed: where some get better and others worse it finds what raters on average don't do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from readerstudy.analysis.numeric import t_two_sided_p
from readerstudy.analysis.panel.equivalence import difference_tost

Side = Literal["two_sided", "higher", "lower"]
ONE_RATER = "nothing tells how raters differ"


@dataclass(frozen=True, kw_only=True)
class PlannedChange:
    """`side`: which change the test looks for in the later phase. `margin`: by what both may differ and count as equal.

    `unproven` says why these raters could not have found a difference, so that "equal" is not said; None: they could.
    """

    side: Side = "two_sided"
    margin: float | None = None
    unproven: str | None = None


@dataclass(frozen=True, kw_only=True)
class ChangeEquivalence:
    """Two one-sided tests within the plan's margin; `low` and `high` are the 1 - 2 alpha limits.

    `equivalent` is None with a `reason` where it may not be said.
    """

    margin: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    equivalent: bool | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class JudgedChange:
    """A change that the plan names."""

    side: Side
    p: Annotated[float | None, "Decides: of raters and patients random, not of the exchange"]
    found: Annotated[bool | None, "Whether that p is at most alpha; null where there is no test"]
    equivalence: ChangeEquivalence | None = None


def judge_change(
    planned: PlannedChange,
    *,
    gap: float | None,
    se: float | None,
    df: float | None,
    p: float | None,
    raters_random: bool,
    reason: str | None,
    alpha: float,
) -> JudgedChange:
    """`p` is of the planned side; `reason` says why there is no interval."""
    return JudgedChange(
        side=planned.side,
        p=p,
        found=None if p is None else p <= alpha,
        equivalence=None
        if planned.margin is None
        else _equivalence(
            planned.margin,
            planned.unproven,
            gap=gap,
            se=se,
            df=df,
            raters_random=raters_random,
            reason=reason,
            alpha=alpha,
        ),
    )


def _equivalence(
    margin: float,
    unproven: str | None,
    *,
    gap: float | None,
    se: float | None,
    df: float | None,
    raters_random: bool,
    reason: str | None,
    alpha: float,
) -> ChangeEquivalence:
    """Raters who may not have looked change by nothing, whatever they are shown."""
    if gap is None or se is None or df is None:
        return ChangeEquivalence(margin=margin, reason=reason)
    if not raters_random:
        return ChangeEquivalence(margin=margin, reason=ONE_RATER)
    found = difference_tost(gap, se=se, df=df, low=-margin, high=margin, alpha=alpha)
    withheld = unproven if found.equivalent else None
    return ChangeEquivalence(
        margin=margin,
        low=found.interval.low,
        high=found.interval.high,
        p=found.p,
        equivalent=None if withheld else found.equivalent,
        reason=withheld,
    )


def p_of_side(statistic: float, df: float, side: Side) -> float:
    """P-value of t, of the tails that `side` names."""
    two = t_two_sided_p(statistic, df)
    if side == "two_sided":
        return two
    as_expected = statistic > 0 if side == "higher" else statistic < 0
    return two / 2 if as_expected else 1 - two / 2
