"""The report as a document: what HTML file and PDF both print, verdict first."""

from collections.abc import Mapping, Sequence
from typing import Any

from ctplatform.documents.document import Block, Bullets, Document, Facts, Paragraph, Picture, Section, Table
from readerstudy.report import checklists as titles
from readerstudy.report.arms import arms_status, arms_table, arms_words, families_words
from readerstudy.report.at_the_end import at_the_end_words
from readerstudy.report.card import card_rows, diameter_words, review_words
from readerstudy.report.checklists import CHECKLISTS, NOT_STATED, where
from readerstudy.report.data import ReportData, ReportedRater, ReportedStudy
from readerstudy.report.display import DIGEST_WORDS
from readerstudy.report.figures.catalogue import Figure
from readerstudy.report.further_words import further_table, further_words
from readerstudy.report.groups_words import difference_words, groups_status, groups_table
from readerstudy.report.panel_lines import panel_lines, rater_details
from readerstudy.report.phases_words import phases_table, phases_words
from readerstudy.report.places_words import places_table, places_words
from readerstudy.report.programs import NOTE, programs_table, programs_words
from readerstudy.report.repeats import repeats_table, repeats_words
from readerstudy.report.results_text import results_text
from readerstudy.report.tables import result_rows
from readerstudy.report.text import (
    level_percent,
    methods_paragraph,
    p_number,
    patient_sentence,
    percent,
    share_interval_words,
    simulated_words,
    verdict_headline,
)

NUMBERS = (
    "Reader",
    "n",
    "Right",
    "Accuracy",
    "p",
    "p adjusted",
    "Sensitivity",
    "Specificity",
    "Called synthetic",
    "AUC",
)
NO_EVIDENCE = "A large p-value is no evidence that nobody can tell: only the interval within the margin is."
TRUTH = (
    "The truth of a case is known from how it was made: a synthetic one shows what a program changed, a real one what "
    "nobody changed. It was settled and sealed before the first rating."
)


def report_document(data: ReportData, drawn: Sequence[Figure]) -> Document:
    return Document(
        title=str(data.study["title"]),
        subtitle="Report of a blinded reader study",
        moment=str(data.study["unblinded_at"]),
        opening=_opening(data),
        sections=[
            Section(title=titles.RESULTS, blocks=[Paragraph(text=text) for text in results_text(data)]),
            Section(title=titles.READERS, blocks=_numbers(data)),
            Section(title=titles.PANEL, blocks=[Facts(rows=_panel(data)), Paragraph(text=NO_EVIDENCE)]),
            *phases_sections(data),
            *_comparisons(data),
            *_places(data),
            *_arms(data),
            *_programs(data),
            *groups_sections(data),
            *_repeats(data),
            *further_sections(data),
            *at_the_end_sections(data),
            Section(title=titles.METHODS, blocks=[Paragraph(text=methods_paragraph(data))]),
            Section(title=titles.PLAN, blocks=plan_blocks(data)),
            Section(title=titles.DATA, blocks=material_blocks(data)),
            Section(title=titles.WHO, blocks=[raters_table(data.raters)]),
            Section(title=titles.CARD, blocks=[Facts(rows=card_rows(data))]),
            Section(title=titles.FIGURES, blocks=picture_blocks(drawn)),
            Section(title="Reporting guidelines", blocks=checklist_blocks(data)),
            Section(title=titles.PROOF, blocks=proof_blocks(data)),
        ],
    )


def _opening(data: ReportData) -> list[Block]:
    simulated = simulated_words(data)
    return [
        Paragraph(text=str(data.study["question"])),
        *([Paragraph(text=simulated, tone="warning")] if simulated else []),
        Paragraph(text=verdict_headline(data.analysis.primary.verdict), tone="verdict"),
    ]


def _numbers(data: ReportData) -> list[Block]:
    level, intervals = level_percent(data.options), share_interval_words(data.analysis.design)
    details = rater_details(data)
    return [
        Table(
            columns=NUMBERS,
            rows=[_number_row(row) for row in result_rows(data.analysis, data.rater_labels)],
            caption=f"Accuracy, sensitivity and specificity with {level} % {intervals} intervals",
            numbers=True,
        ),
        Table(columns=details.columns, rows=details.rows, numbers=True),
    ]


def _number_row(row: Mapping[str, Any]) -> list[str]:
    return [
        str(row["reader"]),
        str(row["n"]),
        f"{row['correct']:g}",
        _share(row, "accuracy"),
        p_number(row["p"]),
        p_number(row["p_adjusted"]),
        _share(row, "sensitivity"),
        _share(row, "specificity"),
        percent(row["share_called_synthetic"]),
        _share(row, "auc"),
    ]


def _share(row: Mapping[str, Any], name: str) -> str:
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    if value is None:
        return "–"
    return f"{value:.3f}" if low is None else f"{value:.3f} ({low:.3f}–{high:.3f})"


def _panel(data: ReportData) -> list[tuple[str, str]]:
    status = data.analysis.status or {}
    return [(named(line.name, status.get(line.section, "")), line.words) for line in panel_lines(data)]


def named(name: str, status: str) -> str:
    return f"{name} ({status})" if status else name


def _comparisons(data: ReportData) -> list[Section]:
    if not data.comparisons:
        return []
    note = "Exploratory, not adjusted for their number; a difference is what is tested, not two verdicts side by side."
    return [
        Section(
            title=titles.COMPARISONS, blocks=[Paragraph(text=note, tone="note"), Facts(rows=list(data.comparisons))]
        )
    ]


def _places(data: ReportData) -> list[Section]:
    table = places_table(data)
    if table is None:
        return []
    sentences = [Paragraph(text=words) for words in places_words(data)]
    numbers = Table(columns=table.columns, rows=table.rows, numbers=True)
    return [Section(title="Marked places (planned)", blocks=[numbers, *sentences])]


def _arms(data: ReportData) -> list[Section]:
    table = arms_table(data)
    if table is None:
        return []
    status = arms_status(data)
    note = Paragraph(text=f"{status.capitalize()}. {families_words(data)}".removeprefix(". "), tone="note")
    sentences = [Paragraph(text=words) for words in arms_words(data)]
    numbers = Table(columns=table.columns, rows=table.rows, numbers=True)
    return [Section(title=titles.ARMS, blocks=[note, numbers, *sentences])]


def _programs(data: ReportData) -> list[Section]:
    table = programs_table(data)
    if table is None:
        return []
    sentences = [Paragraph(text=words) for words in [NOTE, *programs_words(data)]]
    return [
        Section(title=titles.PROGRAMS, blocks=[Table(columns=table.columns, rows=table.rows, numbers=True), *sentences])
    ]


def groups_sections(data: ReportedStudy) -> list[Section]:
    table = groups_table(data)
    if table is None:
        return []
    sentences = [Paragraph(text=words) for words in difference_words(data)]
    title = named("Groups of raters", groups_status(data))
    return [Section(title=title, blocks=[Table(columns=table.columns, rows=table.rows), *sentences])]


def _repeats(data: ReportData) -> list[Section]:
    table = repeats_table(data)
    if table is None:
        return []
    status = (data.analysis.status or {}).get("repeats", "")
    numbers = Table(columns=table.columns, rows=table.rows, numbers=True)
    return [Section(title=named(titles.REPEATS, status), blocks=[numbers, Paragraph(text=repeats_words(data))])]


def further_sections(data: ReportedStudy) -> list[Section]:
    table = further_table(data.further)
    if table is None:
        return []
    sentences = [Paragraph(text=words) for words in further_words(data.further, alpha=data.alpha)]
    note = Paragraph(text="Exploratory; these questions have no right answer.", tone="note")
    return [
        Section(title="Further questions", blocks=[note, Table(columns=table.columns, rows=table.rows), *sentences])
    ]


def at_the_end_sections(data: ReportedStudy) -> list[Section]:
    """Words of raters may name people, so the document only counts them."""
    words = at_the_end_words(data)
    if not words:
        return []
    told = f"{words} They stand in raters.csv as they were written: read them before you give it away."
    return [Section(title="Asked at the end", blocks=[Paragraph(text=told)])]


def phases_sections(data: ReportedStudy) -> list[Section]:
    """Against the study that this one continues."""
    if data.phases is None:
        return []
    table = phases_table(data.phases)
    numbers = [] if table is None else [Table(columns=table.columns, rows=table.rows, numbers=True)]
    sentences = [Paragraph(text=words) for words in phases_words(data.phases)]
    return [Section(title=named("Against the earlier phase", data.phases.status), blocks=[*numbers, *sentences])]


def plan_blocks(data: ReportedStudy) -> list[Block]:
    deviations = " ".join(data.deviations) or "none."
    return [Bullets(items=data.plan_in_words), Paragraph(text=f"Deviations: {deviations}")]


def material_blocks(data: ReportedStudy) -> list[Block]:
    material = data.material
    origins = ", ".join(f"{count} {words}" for words, count in material.origins.items())
    rows = [
        ("Cases", patient_sentence(data)),
        ("Lesions", diameter_words(data)),
        ("Edits", review_words(data)),
        ("Scans", origins),
        *material.facts,
    ]
    blocks: list[Block] = [Paragraph(text=TRUTH), Facts(rows=[row for row in rows if row[1]])]
    if material.datasets:
        blocks.append(
            Table(
                columns=["Dataset", "Source", "Licence", "Scans"],
                rows=[
                    [name, source or NOT_STATED, licence or NOT_STATED, str(count)]
                    for name, source, licence, count in material.datasets
                ],
            )
        )
    return blocks


def raters_table(raters: Sequence[ReportedRater]) -> Table:
    grouped = any(rater.group for rater in raters)
    return Table(
        columns=["Rater", *(["Group"] if grouped else []), "Experience", "Counted"],
        rows=[
            [
                rater.label,
                *([rater.group or "none"] if grouped else []),
                NOT_STATED if rater.experience_years is None else f"{rater.experience_years} years",
                f"no: {rater.excluded_reason}" if rater.excluded else "yes",
            ]
            for rater in raters
        ],
    )


def picture_blocks(drawn: Sequence[Figure]) -> list[Block]:
    return [Picture(drawing=figure.drawing, name=figure.name) for figure in drawn]


def checklist_blocks(data: ReportedStudy) -> list[Block]:
    note = (
        "Where this report says what the guidelines ask for. The index test is the raters' judgement, the reference "
        "standard how each case was made. Items are named in short; what is not stated is for the authors to say, in "
        "the official forms."
    )
    tables = [
        Table(
            columns=[checklist.name, "Item", "Where"],
            rows=[[item.number, item.topic, where(item, data)] for item in checklist.items],
        )
        for checklist in CHECKLISTS
    ]
    return [Paragraph(text=note, tone="note"), *tables]


def proof_blocks(data: ReportedStudy) -> list[Block]:
    said = [Paragraph(text=data.verified)] if data.verified else []
    digests = [(DIGEST_WORDS.get(name, name), str(digest)) for name, digest in data.hashes.items()]
    generators = [(f"Weights and card of {g.name}", g.digest) for g in data.material.generators if g.digest]
    return [*said, Facts(rows=[*digests, *generators], digests=True)]
