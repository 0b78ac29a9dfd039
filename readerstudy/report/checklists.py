"""Where the report says what reporting guidelines ask for; what the platform can't know is "not stated".

The index test is the raters' judgement, the reference standard how each case was made, the program under study its
generator. Items are named in short and in our own words; authors fill in the official forms.

Sources: STARD-AI, Sounderajah et al., Nat Med 2025;31:3283 (40 items, 48 with their parts); CLAIM, Tejani et al.,
Radiol Artif Intell 2024;6:e240300 (44 items). Every number and subject was compared, CLAIM's with a copy of its
published form, STARD-AI's with a transcription that was itself compared with the paper's Table 2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from readerstudy.report.data import ReportedStudy

NOT_STATED = "not stated"
# Titles of the report's sections.
RESULTS, READERS, PANEL, COMPARISONS = "Results", "Numbers per rater", "The panel in other ways", "Parts of the study"
PROGRAMS = "Programs (exploratory)"
REPEATS = "Cases shown twice"
ARMS = "By arm"
METHODS, PLAN, DATA, WHO = "Methods", "Analysis plan", "Cases, scans and edits", "Raters"
CARD, FIGURES, PROOF = "Card of the synthetic cases", "Figures", "Proof"

Places = tuple[str, ...]
Known = Callable[[ReportedStudy], bool]


@dataclass(frozen=True, kw_only=True)
class Item:
    """`places` are sections and files of the report; `known` tells whether this study says it at all."""

    number: str
    topic: str
    places: Places = ()
    known: Known = lambda _data: True


@dataclass(frozen=True, kw_only=True)
class Checklist:
    name: str
    items: Sequence[Item]


def where(item: Item, data: ReportedStudy) -> str:
    places = [place for place in item.places if place not in data.lacks]
    return ", ".join(places) if places and item.known(data) else NOT_STATED


def _size(data: ReportedStudy) -> bool:
    return bool(data.plan.get("sample_size"))


def _sources(data: ReportedStudy) -> bool:
    return any(source for _, source, _, _ in data.material.datasets)


def _licences(data: ReportedStudy) -> bool:
    return any(licence for _, _, licence, _ in data.material.datasets)


def _scanners(data: ReportedStudy) -> bool:
    return any(name == "Scanners" for name, _ in data.material.facts)


def _acquisition(data: ReportedStudy) -> bool:
    return bool(data.material.facts)


def _people(data: ReportedStudy) -> bool:
    return any(name in ("Age, years", "Sex") for name, _ in data.material.facts)


def _experience(data: ReportedStudy) -> bool:
    return bool(data.raters) and all(rater.experience_years is not None for rater in data.raters if not rater.excluded)


def _flow(data: ReportedStudy) -> bool:
    return "edited" in data.flow


def _parts(data: ReportedStudy) -> bool:
    return bool(data.comparisons)


def _item(number: str, topic: str, *places: str, known: Known = lambda _data: True) -> Item:
    return Item(number=number, topic=topic, places=places, known=known)


STARD_AI = Checklist(
    name="STARD-AI 2025",
    items=(
        _item("1", "Title names a study of accuracy"),
        _item("2", "Structured abstract"),
        _item("3", "Background and intended use"),
        _item("4", "Objectives and hypotheses", PLAN),
        _item("5", "Planned before the data, or after", METHODS, PROOF),
        _item("6", "Ethics approval"),
        _item("7", "Eligibility of patients and of data", DATA, FIGURES, known=_flow),
        _item("8", "How patients were identified"),
        _item("9", "Setting, place and dates"),
        _item("10", "Consecutive, random or convenience series"),
        _item("11", "Source of the data", DATA, known=_sources),
        _item("12", "Who annotated, and how", DATA, known=_flow),
        _item("13", "Devices and software", DATA, METHODS, known=_scanners),
        _item("14", "Acquisition and preprocessing", DATA, METHODS, known=_acquisition),
        _item("15a", "Index test", METHODS),
        _item("15b", "How the program was developed"),
        _item("15c", "Cut-offs and categories of the index test", METHODS),
        _item("15d", "Who reads, and with which expertise", WHO, known=_experience),
        _item("16a", "Reference standard", DATA),
        _item("16b", "Why this reference standard", DATA),
        _item("16c", "Categories of the reference standard", DATA),
        _item("17a", "What the raters knew", METHODS, "blinding.json"),
        _item("17b", "What those who set the reference knew", METHODS, PROOF),
        _item("18", "Statistical methods", METHODS, PLAN),
        _item("19", "Indeterminate results", METHODS),
        _item("20", "Missing data", METHODS, PLAN),
        _item("21", "Analyses of variability, planned or exploratory", PANEL, PLAN, "sensitivity.csv"),
        _item("22", "Intended size, and why", METHODS, PLAN, known=_size),
        _item("23", "Errors, bias and fairness: methods"),
        _item("24", "Flow, as a diagram", FIGURES),
        _item("25", "Patients and technique: baseline", DATA, known=_people),
        _item("26a", "Severity: sizes of the lesions", DATA, "cases.csv"),
        _item("26b", "Other diagnoses"),
        _item("27", "Time between test and reference", DATA),
        _item("28", "Do the cases represent the intended use"),
        _item("29", "External data: how they differ"),
        _item("30", "Cross-tabulation", FIGURES, "results.csv"),
        _item("31", "Accuracy with its precision", RESULTS, READERS),
        _item("32", "Adverse events"),
        _item("33", "Limitations"),
        _item("34", "Implications for practice"),
        _item("35", "Ethics and fairness of its use"),
        _item("36", "Number and name of the registration"),
        _item("37", "Where the protocol is", PROOF, "plan.json"),
        _item("38", "Funding"),
        _item("39", "Commercial interests"),
        _item("40a", "Data and code, with restrictions", DATA, "ratings.csv", "recompute.R", known=_licences),
        _item("40b", "Are outputs stored and auditable", PROOF),
    ),
)
CLAIM = Checklist(
    name="CLAIM 2024",
    items=(
        _item("1", "Title names the kind of program"),
        _item("2", "Structured abstract"),
        _item("3", "Background and clinical role"),
        _item("4", "Aims and hypotheses", PLAN),
        _item("5", "Prospective or retrospective", METHODS, PROOF),
        _item("6", "Goal of the study", PLAN),
        _item("7", "Sources of the data", DATA, known=_sources),
        _item("8", "Inclusion and exclusion", DATA, FIGURES, known=_flow),
        _item("9", "Preprocessing", METHODS),
        _item("10", "Selection of parts of the data", DATA, FIGURES, known=_flow),
        _item("11", "De-identification"),
        _item("12", "Missing data", METHODS, PLAN),
        _item("13", "Acquisition of the images", DATA, known=_acquisition),
        _item("14", "Reference standard", DATA),
        _item("15", "Why this reference standard", DATA),
        _item("16", "Who annotated"),
        _item("17", "How test data were annotated", DATA, known=_flow),
        _item("18", "Variability between raters; within them not measured", RESULTS, FIGURES),
        _item("19", "How data were assigned to partitions"),
        _item("20", "Level at which partitions are disjoint"),
        _item("21", "Intended size, and why", METHODS, PLAN, known=_size),
        _item("22", "The model"),
        _item("23", "Software", METHODS),
        _item("24", "Initial parameters"),
        _item("25", "Training"),
        _item("26", "Choice of the model"),
        _item("27", "Ensembles of models"),
        _item("28", "Measures of performance", METHODS, RESULTS),
        _item("29", "Uncertainty and tests", METHODS, RESULTS),
        _item("30", "Robustness and sensitivity analyses", PANEL, "sensitivity.csv"),
        _item("31", "Explanations of the model"),
        _item("32", "Test on internal data"),
        _item("33", "Test on external data"),
        _item("34", "Registration of a trial"),
        _item("35", "Numbers included and excluded, as a diagram", FIGURES),
        _item("36", "Demographic and clinical characteristics", DATA, known=_people),
        _item("37", "Performance, also of parts", READERS, COMPARISONS, known=_parts),
        _item("38", "Accuracy with its precision", RESULTS, READERS),
        _item("39", "Errors: which cases", FIGURES, "cases.csv", "ratings.csv"),
        _item("40", "Limitations"),
        _item("41", "Implications for practice"),
        _item("42", "Where the protocol is", PROOF, "plan.json"),
        _item("43", "Software, model and data: availability", DATA, "ratings.csv", known=_licences),
        _item("44", "Funding"),
    ),
)
CHECKLISTS = (STARD_AI, CLAIM)


def checklist_rows(data: ReportedStudy) -> list[dict[str, str]]:
    return [
        {"guideline": checklist.name, "item": item.number, "topic": item.topic, "where": where(item, data)}
        for checklist in CHECKLISTS
        for item in checklist.items
    ]
