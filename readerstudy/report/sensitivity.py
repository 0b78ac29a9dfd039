"""What the primary measure hangs on as one table: other choices, each rater and patient left out, other margins."""

from readerstudy.analysis import Estimate, Sensitivity
from readerstudy.report.data import Row

SENSITIVITY_MEANINGS = {
    "analysis": "What was done otherwise",
    "of": "The other choice, the rater or the cases left out, or the margin (0.15 is 15 points)",
    "value": "The primary measure",
    "value_low": "Lower limit of its interval",
    "value_high": "Upper limit of its interval",
    "p": "Two-sided p-value against chance; empty where the test permutes the truth",
    "equivalence_p": "p-value of the two one-sided tests of equivalence within the margin",
    "reason": "Why something is missing",
}


def sensitivity_rows(found: Sensitivity) -> list[Row]:
    """One row per analysis; none of what was not tested at all."""
    rows = [_row("other covariance", found.covariance, found.other, found.p)] if found.covariance else []
    rows.append(_row("raters fixed", "these raters", found.fixed_readers, found.fixed_readers.p))
    if found.missing_rule:
        rows.append(_row("other rule for missing answers", found.missing_rule, found.other_rule, found.other_rule.p))
    for name, left in (("one rater left out", found.raters), ("one patient left out", found.patients)):
        for one in left:
            limits = {"value": one.value, "value_low": one.low, "value_high": one.high, "p": one.p}
            rows.append({"analysis": name, "of": " ".join(one.left_out), **limits})
    rows += [{"analysis": "other margin", "of": point.margin, "equivalence_p": point.p} for point in found.margins]
    return rows


def _row(name: str, of: str, found: Estimate, p: float | None) -> Row:
    limits = {"value": found.value, "value_low": found.low, "value_high": found.high}
    return {"analysis": name, "of": of, **limits, "p": p, "reason": found.reason}
