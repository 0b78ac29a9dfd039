"""The report on trials that show several images at a time, as a document: what HTML file and PDF both print."""

from collections.abc import Sequence

from ctplatform.documents.document import Document, Facts, Paragraph, Section, Table
from readerstudy.report import checklists as titles
from readerstudy.report.card import card_rows
from readerstudy.report.choices import words
from readerstudy.report.choices.report import ChoiceReport
from readerstudy.report.figures.catalogue import Figure
from readerstudy.report.figures.figure_tables import Table as Rows
from readerstudy.report.text import simulated_words
from readerstudy.report.written import (
    NO_EVIDENCE,
    at_the_end_sections,
    checklist_blocks,
    further_sections,
    groups_sections,
    material_blocks,
    named,
    phases_sections,
    picture_blocks,
    plan_blocks,
    proof_blocks,
    raters_table,
)


def choice_document(report: ChoiceReport, drawn: Sequence[Figure]) -> Document:
    simulated = simulated_words(report)
    return Document(
        title=str(report.study["title"]),
        subtitle="Report of a blinded reader study",
        moment=str(report.study["unblinded_at"]),
        opening=[
            Paragraph(text=str(report.study["question"])),
            *([Paragraph(text=simulated, tone="warning")] if simulated else []),
            Paragraph(text=words.headline(report.results), tone="verdict"),
        ],
        sections=[
            Section(title=titles.RESULTS, blocks=[Paragraph(text=text) for text in words.results_text(report)]),
            Section(title=titles.READERS, blocks=[_table(words.raters_table(report))]),
            *_panel(report),
            *phases_sections(report),
            Section(
                title=named(titles.ARMS, words.arms_status(report)),
                blocks=[_table(words.arms_table(report)), Paragraph(text=words.arms_words(report))],
            ),
            *_programs(report),
            *groups_sections(report),
            *further_sections(report),
            *at_the_end_sections(report),
            Section(title=titles.METHODS, blocks=[Paragraph(text=words.methods_paragraph(report))]),
            Section(title=titles.PLAN, blocks=plan_blocks(report)),
            Section(title=titles.DATA, blocks=material_blocks(report)),
            Section(title=titles.WHO, blocks=[raters_table(report.raters)]),
            Section(title=titles.CARD, blocks=[Facts(rows=card_rows(report))]),
            Section(title=titles.FIGURES, blocks=picture_blocks(drawn)),
            Section(title="Reporting guidelines", blocks=checklist_blocks(report)),
            Section(title=titles.PROOF, blocks=proof_blocks(report)),
        ],
    )


def _panel(report: ChoiceReport) -> list[Section]:
    rows = [(named(name, report.status(section)), said) for name, section, said in words.panel_lines(report)]
    if not rows:
        return []
    return [Section(title=titles.PANEL, blocks=[Facts(rows=rows), Paragraph(text=NO_EVIDENCE)])]


def _programs(report: ChoiceReport) -> list[Section]:
    table = words.programs_table(report)
    return [] if table is None else [Section(title=titles.PROGRAMS, blocks=[_table(table)])]


def _table(table: Rows) -> Table:
    return Table(columns=table.columns, rows=table.rows, numbers=True)
