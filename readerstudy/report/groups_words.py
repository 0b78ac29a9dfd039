"""Groups of raters in a table, in sentences and as rows."""

from collections.abc import Mapping
from typing import Any

from readerstudy.analysis import GroupContrast, GroupsComparison
from readerstudy.report.data import ReportedStudy
from readerstudy.report.figures.figure_tables import Table
from readerstudy.report.text import level_percent_of, p_words, share_words

NO_GROUPS = "no rater is in a group"
GROUP_MEANINGS: Mapping[str, str] = {
    "group": "Group of raters as frozen at the lock, or two that are compared (first minus second)",
    "raters": "Raters of the group who take part",
    "measure": "What is estimated: the panel's primary measure, of choices the share of right ones; of two groups the "
    "difference of the raters' means",
    "value": "Its value",
    "low": "Lower limit of its interval",
    "high": "Upper limit of its interval",
    "p": "Two-sided p-value of no difference, raters (nested) and patients (or cases, by the plan) random",
    "df": "Degrees of freedom of the difference",
    "planned": "1: the plan names the comparison; 0: exploratory",
    "reason": "Why something is missing",
}


def groups_status(data: ReportedStudy) -> str:
    return data.status("groups")


def groups_table(data: ReportedStudy) -> Table | None:
    """None where raters have no groups."""
    if not data.groups.readings:
        return None
    level = level_percent_of(data.alpha)
    return Table(
        columns=["Group", "Raters", "Measure", "Of its panel"],
        rows=[
            [one.group, ", ".join(one.raters), one.measure, share_words(one.estimate, level=level)]
            for one in data.groups.readings
        ],
    )


def groups_words(data: ReportedStudy) -> str:
    """Each group and, of two, whether they differ."""
    found, level = data.groups, level_percent_of(data.alpha)
    if not found.readings:
        return f"{NO_GROUPS}."
    each = "; ".join(
        f"{one.group} ({len(one.raters)}): {one.measure} {share_words(one.estimate, level=level)}"
        for one in found.readings
    )
    return " ".join([f"{each}.", *difference_words(data)])


def difference_words(data: ReportedStudy) -> list[str]:
    found = data.groups
    left = f"Raters {', '.join(found.ungrouped)} are in no group." if found.ungrouped else ""
    return [words for words in (_difference(found, data), left) if words]


def _difference(found: GroupsComparison, data: ReportedStudy) -> str:
    contrast = found.contrast
    if contrast is None:
        return "Only two groups are compared with one another." if len(found.readings) > 2 else ""
    if contrast.p is None or contrast.difference.value is None:
        return f"Whether {contrast.first} and {contrast.second} differ is not tested: {contrast.difference.reason}."
    return _tested(contrast, level=level_percent_of(data.alpha), alpha=data.alpha)


def _tested(contrast: GroupContrast, *, level: str, alpha: float) -> str:
    differ = (
        "they differ"
        if contrast.p is not None and contrast.p <= alpha
        else "this is no evidence that they differ, nor that they are alike"
    )
    return (
        f"Difference of the {contrast.measure} averaged over raters, {contrast.first} minus {contrast.second}: "
        f"{share_words(contrast.difference, level=level)}, {p_words(contrast.p)}; {differ}. The unit is the rater: the "
        "groups have different raters and the same cases, both random. Nobody was put into a group by chance, so "
        "whatever else tells them apart may be the cause."
    )


def group_rows(data: ReportedStudy) -> list[dict[str, Any]]:
    rows = [
        {"group": one.group, "raters": len(one.raters), "measure": one.measure, **_limits(one.estimate)}
        for one in data.groups.readings
    ]
    contrast = data.groups.contrast
    if contrast is not None:
        known = {"p": contrast.p, "df": contrast.df, "planned": int(groups_status(data) == "planned")}
        name = f"{contrast.first} – {contrast.second}"
        rows.append({"group": name, "measure": contrast.measure, **_limits(contrast.difference), **known})
    return rows


def _limits(found: Any) -> dict[str, Any]:
    return {name: getattr(found, name) for name in ("value", "low", "high", "reason")}
