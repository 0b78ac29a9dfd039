"""How much the primary measure hangs on one covariance, on the raters, one patient, missing answers and the margin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import special

from readerstudy.analysis.default.panel import enough_raters
from readerstudy.analysis.default.raters import votes_over_patients
from readerstudy.analysis.default.sections import (
    Alternative,
    EnsembleReading,
    LeftOut,
    MarginPoint,
    PrimaryTest,
    Sensitivity,
)
from readerstudy.analysis.estimate import Estimate, missing
from readerstudy.analysis.numeric import t_two_sided_p
from readerstudy.analysis.options import AnalysisOptions, MissingRule, Primary
from readerstudy.analysis.panel.ensemble import majority_vote
from readerstudy.analysis.panel.equivalence import auc_tost, half_point_tost
from readerstudy.analysis.panel.mrmc import PanelAuc, reader_averaged_auc
from readerstudy.analysis.panel.percent_correct import reader_averaged_accuracy
from readerstudy.analysis.table import ResponseTable

Measured = Callable[[ResponseTable], PanelAuc]
# Margins that reviewers ask about, in proportion points.
MARGINS = (0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3)


def sensitivity_section(
    table: ResponseTable,
    whole: ResponseTable,
    primary: PrimaryTest,
    majority: EnsembleReading,
    *,
    planned: Primary | None,
    options: AnalysisOptions,
) -> Sensitivity:
    """Estimate the primary measure by other choices, and without each rater and each patient in turn.

    `table` is what the missing rule left of `whole`. The other covariance of an AUC is the jackknife's, which is the
    analysis of Dorfman, Berbaum & Metz (Invest Radiol 1992;27:723) with Hillis' degrees of freedom (Stat Med
    2007;26:596), or DeLong's where the plan chose that one. With the raters fixed the variance of their mean is that of
    its cases alone (Hillis 2014); the majority of a panel has no other.
    """
    if primary.method == "none":
        return _of_nothing(primary.estimate.reason or "nothing was tested")
    measured, other = _measure(primary, planned, options)
    found, with_all = other(table) if other else None, measured(table)
    names = {"delong": "jackknife", "jackknife": "delong"}
    rule = _other_rule(whole, options)
    return Sensitivity(
        covariance=names[options.covariance] if other else None,
        other=found.estimate() if found else missing("the primary measure has no other covariance"),
        p=found.p if found else None,
        fixed_readers=_of_these_readers(with_all, primary, planned, options=options),
        missing_rule=rule,
        other_rule=_alternative(measured(whole.restricted(rule))) if rule else _none("no answer is missing"),
        smallest_margin=_smallest_margin(primary),
        margins=_margins(with_all, primary, majority, planned, clustered=table.clustered, options=options),
        raters=tuple(_without_rater(table, column, measured) for column in range(table.n_raters)),
        patients=tuple(_without_patient(table, number, measured) for number in np.unique(table.patients)),
    )


def _of_nothing(reason: str) -> Sensitivity:
    return Sensitivity(
        covariance=None,
        other=missing(reason),
        p=None,
        fixed_readers=_none(reason),
        missing_rule=None,
        other_rule=_none(reason),
        smallest_margin=None,
        margins=(),
        raters=(),
        patients=(),
    )


def _none(reason: str) -> Alternative:
    return Alternative(value=None, reason=reason)


def _alternative(found: PanelAuc) -> Alternative:
    return Alternative(**vars(found.estimate()), p=found.p)


def _measure(
    primary: PrimaryTest, planned: Primary | None, options: AnalysisOptions
) -> tuple[Measured, Measured | None]:
    level = 1 - options.alpha
    if primary.measure == "AUC":

        def area(table: ResponseTable, *, swapped: bool = False) -> PanelAuc:
            chosen = options.covariance
            if swapped:
                chosen = "delong" if chosen == "jackknife" else "jackknife"
            scores = table.calls if table.ratings is None else table.ratings
            found = reader_averaged_auc(
                truth=table.truth, ratings=scores, patients=table.patients, covariance=chosen, level=level
            )
            # What is left may be too few raters for the test of the primary analysis.
            return found if enough_raters(found) else replace(found, p=None)

        return area, lambda table: area(table, swapped=True)
    if planned == "ensemble":
        return lambda table: _majority(table, options=options), None
    return (
        lambda table: reader_averaged_accuracy(
            truth=table.truth, calls=table.calls, patients=table.patients, level=level
        ),
        None,
    )


def _majority(table: ResponseTable, *, options: AnalysisOptions) -> PanelAuc:
    vote = majority_vote(table.calls)
    half = options.tie_rule == "half_credit" and vote.n_ties
    votes = vote.votes if half else vote.decided(tie_rule=options.tie_rule)[:, None]
    return votes_over_patients(table.truth, votes, table.patients, level=1 - options.alpha)


def _of_these_readers(
    panel: PanelAuc, primary: PrimaryTest, planned: Primary | None, *, options: AnalysisOptions
) -> Alternative:
    if planned == "ensemble" and primary.measure != "AUC":
        return _none("the majority speaks of these very raters already")
    fixed = panel.of_these_readers()
    limits = fixed.interval(level=1 - options.alpha)
    if limits is None or fixed.value is None or fixed.se is None or fixed.df is None:
        return Alternative(value=fixed.value, reason=fixed.reason or "no variance over cases")
    scaled = special.logit(fixed.value) * fixed.value * (1 - fixed.value) / fixed.se
    p = t_two_sided_p(float(scaled), fixed.df) if primary.measure == "AUC" else None
    return Alternative(value=fixed.value, low=limits[0], high=limits[1], p=p)


def _other_rule(whole: ResponseTable, options: AnalysisOptions) -> MissingRule | None:
    if whole.complete:
        return None
    return "available" if options.missing_rule == "complete_cases" else "complete_cases"


def _smallest_margin(primary: PrimaryTest) -> float | None:
    """What the interval of equivalence reaches from chance, on its farther side."""
    band, null = primary.equivalence, primary.null
    if band.low is None or band.high is None or null is None:
        return None
    return max(null - band.low, band.high - null)


def _margins(
    panel: PanelAuc,
    primary: PrimaryTest,
    majority: EnsembleReading,
    planned: Primary | None,
    *,
    clustered: bool,
    options: AnalysisOptions,
) -> tuple[MarginPoint, ...]:
    null = primary.null
    if primary.equivalence.low is None or null is None:
        return ()
    exact = planned == "ensemble" and primary.measure != "AUC" and not clustered

    def p_within(margin: float) -> float | None:
        if exact:
            return half_point_tost(points=majority.correct, trials=majority.n, margin=margin, alpha=options.alpha).p
        return auc_tost(panel=panel, margin=margin, alpha=options.alpha, null=null).p

    return tuple(MarginPoint(margin=margin, p=p_within(margin)) for margin in MARGINS)


def _without_rater(table: ResponseTable, column: int, measured: Measured) -> LeftOut:
    keep = [other for other in range(table.n_raters) if other != column]
    left = replace(
        table,
        calls=table.calls[:, keep],
        ratings=None if table.ratings is None else table.ratings[:, keep],
        rater_ids=tuple(table.rater_ids[other] for other in keep),
        order=None,
        choices=None,
        times_ms=None,
    )
    return _left_out(measured, left, (table.rater_ids[column],)) if keep else _nothing((table.rater_ids[column],))


def _without_patient(table: ResponseTable, number: int, measured: Measured) -> LeftOut:
    gone = table.patients == number
    names = tuple(case for case, out in zip(table.case_ids, gone, strict=True) if out)
    return _left_out(measured, table.of_cases(~gone), names)


def _left_out(measured: Measured, left: ResponseTable, names: tuple[str, ...]) -> LeftOut:
    found = measured(left)
    estimate: Estimate = found.estimate()
    return LeftOut(left_out=names, value=estimate.value, low=estimate.low, high=estimate.high, p=found.p)


def _nothing(names: tuple[str, ...]) -> LeftOut:
    return LeftOut(left_out=names, value=None, low=None, high=None, p=None)
