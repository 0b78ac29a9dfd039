"""Descriptions of the readings that figures show beside the analysis: blocks of trials, times, pairs of raters."""

from collections.abc import Sequence
from itertools import combinations, pairwise
from statistics import quantiles

from readerstudy.analysis import proportion_interval
from readerstudy.report.data import ReportedRater, Row
from readerstudy.report.figures.plots.agreement import PairAgreement
from readerstudy.report.figures.plots.shares import Group, GroupSeries
from readerstudy.report.figures.plots.times import TimeRow
from readerstudy.tasks.task import GivenAnswer, Task

MOST_BLOCKS = 10
LEAST_BLOCK = 5


def rows_of(rows: Sequence[Row], rater: ReportedRater) -> list[Row]:
    return [row for row in rows if row["rater"] == rater.number]


def blocks_of_trials(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Up to ten blocks of equal length over the positions of the order, first and last position included."""
    last = max((row["position"] for row in rows), default=0)
    if not last:
        return []
    count = max(1, min(MOST_BLOCKS, last // LEAST_BLOCK))
    edges = [round(number * last / count) for number in range(count + 1)]
    return [(low + 1, high) for low, high in pairwise(edges)]


def accuracy_by_block(rows: Sequence[Row], blocks: Sequence[tuple[int, int]]) -> list[Group]:
    groups = []
    for low, high in blocks:
        right = [row["correct"] for row in rows if low <= row["position"] <= high]
        share = proportion_interval(successes=sum(right), trials=len(right), method="wilson")
        groups.append(Group(label=f"{low}–{high}", n=len(right), value=share.value, low=share.low, high=share.high))
    return groups


def accuracy_by_block_and_rater(
    rows: Sequence[Row], raters: Sequence[ReportedRater], blocks: Sequence[tuple[int, int]]
) -> list[GroupSeries]:
    return [GroupSeries(label=rater.label, groups=accuracy_by_block(rows_of(rows, rater), blocks)) for rater in raters]


def reading_times(rows: Sequence[Row], raters: Sequence[ReportedRater]) -> list[TimeRow]:
    found = []
    for rater in raters:
        seconds = [row["reading_ms"] / 1000 for row in rows_of(rows, rater)]
        if seconds:
            found.append(TimeRow(label=rater.label, n=len(seconds), seconds=_percentiles(seconds)))
    return found


def _percentiles(values: list[float]) -> tuple[float, float, float, float, float]:
    if len(values) == 1:
        return (values[0],) * 5
    cuts = quantiles(values, n=20, method="inclusive")
    return cuts[0], cuts[4], cuts[9], cuts[14], cuts[18]


def pair_agreement(rows: Sequence[Row], raters: Sequence[ReportedRater], task: Task) -> list[PairAgreement]:
    answers = [{row["case"]: task.call(GivenAnswer.of_row(row)) for row in rows_of(rows, rater)} for rater in raters]
    pairs = []
    for first, second in combinations(range(len(raters)), 2):
        shared_cases = answers[first].keys() & answers[second].keys()
        same = sum(answers[first][case] == answers[second][case] for case in shared_cases)
        share = same / len(shared_cases) if shared_cases else None
        pairs.append(PairAgreement(first=first, second=second, n=len(shared_cases), share=share))
    return pairs
