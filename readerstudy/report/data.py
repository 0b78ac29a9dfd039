"""Everything that a report says, as plain data: no database, no web, so that every part of it can be tested alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from readerstudy.analysis import AnalysisOptions, DefaultAnalysis

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ReportedRater:
    number: int
    simulated: bool
    excluded_reason: str
    experience_years: int | None = None

    @property
    def key(self) -> str:
        """Names the rater in the analysis."""
        return str(self.number)

    @property
    def label(self) -> str:
        """Numbers instead of names: who rated is nobody's business outside of the study."""
        return f"Rater {self.number}{' (simulated)' if self.simulated else ''}"

    @property
    def excluded(self) -> bool:
        return bool(self.excluded_reason)


@dataclass(frozen=True, kw_only=True)
class ReportedCase:
    """A case after the unblinding. `number` counts from 1 in the order of the codes, for formats that want integers."""

    number: int
    code: str
    synthetic: bool
    scan: str
    subject: str
    diameter_mm: float
    depth_mm: float | None
    generator: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """One unblinded study.

    `ratings` has one row per ledger entry with the columns of `codebook`; `analysis` is what
    `readerstudy.analysis.default_analysis` returned; `plan` holds the frozen plan, `deviations` says in words where
    the study departed from it; `hashes` proves protocol, plan, schedule and ledger.
    """

    study: Mapping[str, Any]
    raters: list[ReportedRater]
    cases: list[ReportedCase]
    ratings: list[Row]
    codebook: Mapping[str, str]
    plan: Mapping[str, Any]
    plan_in_words: list[str]
    deviations: list[str]
    hashes: Mapping[str, Any]
    flow: Mapping[str, Any]
    analysis: DefaultAnalysis

    @property
    def options(self) -> AnalysisOptions:
        """The options that the analysis ran under."""
        return self.analysis.options

    @property
    def counted(self) -> list[Row]:
        """The ratings that the analysis saw: not superseded, of raters who are not excluded."""
        return [row for row in self.ratings if row["valid"] and not row["excluded"]]

    @property
    def simulated_raters(self) -> int:
        return sum(rater.simulated and not rater.excluded for rater in self.raters)

    @property
    def rater_labels(self) -> dict[str, str]:
        return {rater.key: rater.label for rater in self.raters}
