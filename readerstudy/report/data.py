"""Everything that a report says, as plain data: no database, no web, so that every part of it can be tested alone."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from readerstudy.analysis import (
    AnalysisOptions,
    ArmsComparison,
    DefaultAnalysis,
    FreeResponseReading,
    GroupsComparison,
    PhaseChange,
    PlacesReading,
    ProgramReading,
    RepeatedReadings,
    Software,
)
from readerstudy.report.arm_marks import MarkMap
from readerstudy.report.questions import FurtherQuestion
from readerstudy.tasks.registry import FIRST, task_of
from readerstudy.tasks.task import Task

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ReportedDisplay:
    """The checks of one rater's display, over all sittings."""

    checks: int
    passed: int
    # Different ones, the first met first: "2560x1440 at 1.5".
    screens: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ReportedRater:
    number: int
    simulated: bool
    excluded_reason: str
    experience_years: int | None = None
    group: str = ""
    display: "ReportedDisplay | None" = None
    at_the_end: str | None = None
    """None: the rater did not come to it, or is a program; empty: nothing was written."""
    """What the rater said after the last case, where that was asked."""

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
    """A case after the unblinding. `number` counts from 1 in the order of the codes, for formats that want integers.

    `patient` is the patient's number in the study, whom the `dataset` calls `subject`; `host_scan` is the scan in which
    the case lies. Of an edited scan, all are those of the one it was made of. `control`: a positive control, or what
    stood beside one in its trial; both are counted apart.
    """

    number: int
    code: str
    synthetic: bool
    scan: str
    patient: int
    dataset: str
    subject: str
    host_scan: str
    diameter_mm: float
    depth_mm: float | None
    generator: str
    kind: str
    control: bool = False
    arm: str = ""


@dataclass(frozen=True, kw_only=True)
class GeneratorFacts:
    """A program that synthetic cases come from. `digest` is that of its weights and card, "" where nobody told it."""

    name: str
    digest: str
    made: str
    operations: Sequence[str]
    cases: int
    recorded: int
    """Cases of which host scan, diameter and place are known."""
    training: str = ""
    """What its card, or the manifest of its scans, told of how it was trained."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """What scans and edits the cases rest on, as far as it is known.

    `datasets` has name, source, licence and number of scans of each; `origins` how the scans came about; `facts` what
    is known of the acquisition and of the patients.
    """

    datasets: Sequence[tuple[str, str, str, int]] = ()
    origins: Mapping[str, int] = field(default_factory=dict)
    facts: Sequence[tuple[str, str]] = ()
    generators: Sequence[GeneratorFacts] = ()
    reviewers: int = 0


@dataclass(frozen=True, kw_only=True)
class PatientCounts:
    """Patients behind cases, and how many of them give which kinds."""

    patients: int
    synthetic: int
    real: int
    both: int
    most_cases: int

    @classmethod
    def of(cls, cases: Sequence[ReportedCase]) -> "PatientCounts":
        cases_of = Counter(case.patient for case in cases)
        synthetic, real = ({case.patient for case in cases if case.synthetic == kind} for kind in (True, False))
        return cls(
            patients=len(cases_of),
            synthetic=len(synthetic),
            real=len(real),
            both=len(synthetic & real),
            most_cases=max(cases_of.values(), default=0),
        )


@dataclass(frozen=True, kw_only=True)
class Phases:
    """What is said of the study that this one continues; `reason` where nothing is compared.

    `planned`: the plan names the comparison. `waits`: the earlier study is not unblinded yet. `several_images`: raters
    chose among several. `answers` are those that were compared.
    """

    earlier: str
    alpha: float
    planned: bool = False
    several_images: bool = False
    waits: bool = False
    reason: str = ""
    change: PhaseChange | None = None
    answers: Sequence[Row] = ()

    @property
    def status(self) -> str:
        return "planned" if self.planned else "exploratory"


@dataclass(frozen=True, kw_only=True)
class ReportedStudy(ABC):
    """What a report says of an unblinded study, whatever its raters were asked.

    `ratings` has one row per ledger entry with the columns of `codebook`; `plan` holds the frozen plan, `deviations`
    says in words where the study departed from it; `hashes` proves protocol, plan, schedule and ledger; `blinding` is
    the certificate of the check for leaks. `comparisons` tests parts of the study against one another: name and
    sentence.
    """

    # Files that other reports have.
    lacks: ClassVar[frozenset[str]] = frozenset()

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
    blinding: Mapping[str, Any]
    material: Material = field(default_factory=Material)
    comparisons: Sequence[tuple[str, str]] = ()
    # Of programs that read beside the people: `raters` and `ratings` are of people alone.
    ratings_of_programs: Sequence[Row] = ()
    # What the verification said when the archive was made, and whether it found everything as it was written.
    verified: str = ""
    intact: bool = True
    # None where the study continues no other one.
    phases: Phases | None = None
    further: Sequence[FurtherQuestion] = ()
    groups: GroupsComparison = field(default_factory=GroupsComparison)

    @property
    @abstractmethod
    def verdict_sentence(self) -> str:
        """What was found, in one sentence."""

    @property
    @abstractmethod
    def software(self) -> Software:
        """What computed it."""

    @property
    @abstractmethod
    def alpha(self) -> float:
        """The level of its tests."""

    @abstractmethod
    def status(self, section: str) -> str:
        """Whether the plan names this section of the analysis: "planned" or "exploratory"."""

    @property
    @abstractmethod
    def seed(self) -> int:
        """Of what is drawn at random."""

    @property
    @abstractmethod
    def planned_readings(self) -> int:
        """Of one rater."""

    @property
    @abstractmethod
    def analysed_readings(self) -> int:
        """Of all raters."""

    @property
    def task(self) -> Task:
        """What the raters were asked."""
        study = self.study
        settings = study.get("task_settings", {})
        return task_of(study.get("task_name", FIRST), settings, confidence_levels=study["confidence_levels"])

    @property
    def counted(self) -> list[Row]:
        """The ratings that the analysis saw: not superseded, of raters who are not excluded, no positive controls.

        Of a case that was shown twice the first one.
        """
        valid = [row for row in self.ratings if row["valid"] and not row["excluded"] and not row["again"]]
        apart = self.counted_apart
        return [row for row in valid if row["case"] not in apart]

    @property
    def judged_cases(self) -> list[ReportedCase]:
        """The cases without the positive controls and what stood beside them."""
        return [case for case in self.cases if not case.control]

    @property
    def counted_apart(self) -> frozenset[str]:
        """The codes of the other cases."""
        return frozenset(case.code for case in self.cases if case.control)

    @property
    def n_controls(self) -> int:
        """Positive controls alone, which are edits, without what stood beside them."""
        return sum(case.control and case.synthetic for case in self.cases)

    @property
    def patients(self) -> PatientCounts:
        """Behind the judged cases."""
        return PatientCounts.of(self.judged_cases)

    @property
    def n_scans(self) -> int:
        """Scans in which the judged cases lie; an edited scan and the one it was made of count once."""
        return len({(case.dataset, case.host_scan) for case in self.judged_cases})

    @property
    def simulated_raters(self) -> int:
        return sum(rater.simulated and not rater.excluded for rater in self.raters)

    @property
    def rater_labels(self) -> dict[str, str]:
        return {rater.key: rater.label for rater in self.raters}


@dataclass(frozen=True, kw_only=True)
class ReportData(ReportedStudy):
    """A study that showed its images one by one; `analysis` is what `analysis.default_analysis` returned."""

    analysis: DefaultAnalysis
    places: PlacesReading = field(default_factory=PlacesReading)
    free_response: FreeResponseReading = field(default_factory=FreeResponseReading)
    mark_map: MarkMap = field(default_factory=MarkMap)
    # None where all synthetic cases are of one arm
    arms: ArmsComparison | None = None
    programs: Sequence[ProgramReading] = ()
    # None where no case was shown twice.
    repeats: RepeatedReadings | None = None

    @property
    def verdict_sentence(self) -> str:
        return self.analysis.primary.sentence

    @property
    def software(self) -> Software:
        return self.analysis.software

    @property
    def alpha(self) -> float:
        return self.options.alpha

    def status(self, section: str) -> str:
        return (self.analysis.status or {}).get(section, "exploratory")

    @property
    def seed(self) -> int:
        return self.options.seed

    @property
    def planned_readings(self) -> int:
        return len(self.cases) + int(self.study.get("repeats", 0))

    @property
    def analysed_readings(self) -> int:
        return self.analysis.design.n_ratings

    @property
    def patients(self) -> PatientCounts:
        """As the analysis counted them, after what its rule of missing answers left out."""
        design = self.analysis.design
        return PatientCounts(
            patients=design.n_patients,
            synthetic=design.n_patients_synthetic,
            real=design.n_patients_real,
            both=design.n_patients_both,
            most_cases=design.most_cases_of_a_patient,
        )

    @property
    def options(self) -> AnalysisOptions:
        """The options that the analysis ran under."""
        return self.analysis.options
