"""Groups of raters: what each panel reaches, and whether two of them differ. Raters differ, cases are shared."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from readerstudy.analysis.estimate import ArrayLike, Estimate, MatrixLike, as_matrix, as_truth, is_rated, missing
from readerstudy.analysis.panel.interaction import LEAST_OF_KIND, rater_interaction, share_interaction

# With two the spread of raters hangs on one difference.
LEAST_OF_GROUP = 3
FEW_RATERS = f"descriptive: a group of fewer than {LEAST_OF_GROUP} raters stands for nobody else"


@dataclass(frozen=True, kw_only=True)
class GroupReading:
    """The panel's measure among the raters of one group, without interval where these are too few."""

    group: str
    raters: Annotated[tuple[str, ...], "Their numbers"]
    measure: str
    estimate: Estimate


@dataclass(frozen=True, kw_only=True)
class GroupContrast:
    """The first group minus the second; `p` of no difference, with raters nested in groups and crossed with cases."""

    first: str
    second: str
    measure: str
    difference: Estimate
    p: float | None = None
    df: float | None = None


@dataclass(frozen=True, kw_only=True)
class GroupsComparison:
    """Every group, and of exactly two their difference. Empty where raters have no groups."""

    readings: tuple[GroupReading, ...] = ()
    contrast: GroupContrast | None = None
    ungrouped: Annotated[tuple[str, ...], "Numbers of the raters in no group"] = ()


def compare_reader_groups(
    *,
    truth: ArrayLike,
    scores: MatrixLike,
    groups: Sequence[str],
    measure: str,
    patients: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> GroupContrast | None:
    """Of the raters' `groups` (raters,), "" for none, the two that there are; None where there are more or fewer.

    `scores` (cases, raters): ratings, or calls, whose area is the mean of sensitivity and specificity.
    """
    names = sorted(set(groups) - {""})
    if len(names) != 2:
        return None
    first, second = names
    truths, answers = as_truth(truth), as_matrix(scores)
    counted = np.array(groups) != ""
    for kind in (0, 1):
        # Whoever did not answer two cases of both kinds has no area.
        counted &= is_rated(answers[truths == kind]).sum(axis=0) >= LEAST_OF_KIND
    inside = np.array(groups)[counted] == first
    if min(int(inside.sum()), int((~inside).sum())) < LEAST_OF_GROUP:
        return GroupContrast(first=first, second=second, measure=measure, difference=missing(FEW_RATERS))
    found = rater_interaction(truth=truth, scores=answers[:, counted], inside=inside, patients=patients, level=level)
    return GroupContrast(
        first=first, second=second, measure=measure, difference=found.difference, p=found.p, df=found.df
    )


def compare_groups_of_choices(
    *,
    right: MatrixLike,
    groups: Sequence[str],
    measure: str,
    patients: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> GroupContrast | None:
    """As `compare_reader_groups`, by the raters' shares of right choices: `right` (trials, raters), NaN = none."""
    names = sorted(set(groups) - {""})
    if len(names) != 2:
        return None
    first, second = names
    hits = as_matrix(right)
    counted = (np.array(groups) != "") & (is_rated(hits).sum(axis=0) >= LEAST_OF_KIND)
    inside = np.array(groups)[counted] == first
    if min(int(inside.sum()), int((~inside).sum())) < LEAST_OF_GROUP:
        return GroupContrast(first=first, second=second, measure=measure, difference=missing(FEW_RATERS))
    found = share_interaction(right=hits[:, counted], inside=inside, patients=patients, level=level)
    return GroupContrast(
        first=first, second=second, measure=measure, difference=found.difference, p=found.p, df=found.df
    )


def without_interval(estimate: Estimate, raters: int) -> Estimate:
    """Of too few raters the value alone."""
    if raters >= LEAST_OF_GROUP or estimate.value is None:
        return estimate
    return Estimate(value=estimate.value, reason=FEW_RATERS)
