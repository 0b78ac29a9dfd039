"""The report as a document: one content in HTML and PDF, and a map of reporting guidelines that leads somewhere."""

import csv
import io
import re
from dataclasses import replace
from html import unescape

import pytest
from pypdf import PdfReader

from ctplatform.documents.html import html_file
from ctplatform.documents.pdf import pdf
from readerstudy.report.archive import text_files
from readerstudy.report.card import card_rows
from readerstudy.report.checklists import CHECKLISTS, NOT_STATED, where
from readerstudy.report.data import GeneratorFacts, Material
from readerstudy.report.figures.catalogue import figures
from readerstudy.report.results_text import results_text
from readerstudy.report.written import report_document
from tests.report.sample import sample_report


def squeezed(text):
    return re.sub(r"\s+", "", text)


@pytest.fixture(scope="module")
def data():
    comparisons = [("Generator", "Difference of the AUC between “A” and “B”: 0.100, p = 0.300.")]
    return replace(sample_report(cases_of_a_patient=3, excluded={4}), comparisons=comparisons, deviations=["One."])


@pytest.fixture(scope="module")
def document(data):
    return report_document(data, figures(data))


@pytest.fixture(scope="module")
def printed(document):
    pages = PdfReader(io.BytesIO(pdf(document))).pages
    return [page.extract_text() for page in pages]


def test_the_opening_counts_virtual_raters_among_those_who_take_part_as_the_texts_do(data, document):
    words = results_text(data)[0]
    assert words.startswith("1 of 3 raters is simulated")
    assert [block.text for block in document.opening if block.tone == "warning"] == [words]


def words_of(document):
    for block in [*document.opening, *(block for section in document.sections for block in section.blocks)]:
        if block.block == "paragraph":
            yield block.text
        elif block.block == "bullets":
            yield from block.items
        elif block.block in ("facts", "table"):
            yield from (cell for row in block.rows for cell in row)


def test_html_and_pdf_say_the_same(document, printed):
    written = squeezed(unescape(re.sub(r"<[^>]+>", "", html_file(document))))
    paper = "".join(printed)
    for number in range(1, len(printed) + 1):
        footer = rf"A study · Report of a blinded reader study\s*{number} / {len(printed)}"
        paper, found = re.subn(footer, "", paper)
        assert found == 1
    paper = squeezed(paper)
    texts = list(words_of(document))
    assert len(texts) > 300
    assert [text for text in texts if squeezed(text) not in written] == []
    assert [text for text in texts if squeezed(text) not in paper] == []


def test_every_section_of_the_report_is_on_paper_and_numbered(document, printed):
    for section in document.sections:
        assert any(section.title in page for page in printed), section.title
    for number, page in enumerate(printed, start=1):
        assert f"{number} / {len(printed)}" in page


def test_the_guidelines_have_all_their_items():
    stard, claim = CHECKLISTS
    assert len({item.number.rstrip("abcd") for item in stard.items}) == 40
    assert len(stard.items) == 48
    assert [item.number for item in claim.items] == [str(number) for number in range(1, 45)]


def test_what_the_map_names_is_there(data, document):
    known = {section.title for section in document.sections} | set(text_files(data))
    named = {place for checklist in CHECKLISTS for item in checklist.items for place in item.places}
    assert named <= known


def test_what_nobody_told_the_platform_is_not_stated(data):
    def told(of, topic):
        return {where(i, of) for checklist in CHECKLISTS for i in checklist.items if i.topic == topic}

    facts = [("Scanners", "X"), ("Age, years", "40 to 60")]
    material = Material(datasets=[("D", "somewhere", "CC0", 3)], facts=facts)
    richer = replace(data, material=material, plan={"sample_size": "Because."})
    for topic in ("Intended size, and why", "Devices and software", "Source of the data", "Sources of the data"):
        assert told(data, topic) == {NOT_STATED}, topic
        assert NOT_STATED not in told(richer, topic), topic
    for topic in ("Funding", "Ethics approval", "Limitations", "Training"):
        assert told(richer, topic) == {NOT_STATED}, topic


def test_the_map_is_a_table_too(data):
    rows = list(csv.DictReader(io.StringIO(text_files(data)["guidelines.csv"].decode())))
    assert len(rows) == sum(len(checklist.items) for checklist in CHECKLISTS)
    assert {"guideline": "CLAIM 2024", "item": "44", "topic": "Funding", "where": NOT_STATED} in rows


def test_the_card_tells_what_is_known_and_marks_what_is_not(data):
    assert dict(card_rows(data))["Made by"] == NOT_STATED
    made = GeneratorFacts(name="G 2", digest="a" * 64, made="", operations=["Insert"], cases=18, recorded=17)
    known = replace(data, material=Material(generators=[made], reviewers=2))
    card = dict(card_rows(known))
    assert "G 2 (insert): 18 cases" in card["Made by"]
    assert "accepted by 2 people" in card["Constraint: are they plausible?"]
    assert "17 of 18" in card["Completeness: is everything recorded?"]
    assert card["Congruence: are they like patients' images?"] == data.analysis.primary.sentence
    assert card["Training of the generator"] == NOT_STATED


def test_the_card_tells_of_each_generator_how_it_was_trained(data):
    facts = {"digest": "", "made": "", "operations": [], "cases": 9, "recorded": 9}
    made = [GeneratorFacts(name="G", training="9 steps", **facts), GeneratorFacts(name="H", **facts)]
    card = dict(card_rows(replace(data, material=Material(generators=made))))
    assert card["Training of the generator"] == f"G: 9 steps. H: {NOT_STATED}."


def test_without_readers_or_numbers_there_is_still_a_report():
    empty = sample_report(raters=1, levels=0)
    assert pdf(report_document(empty, figures(empty))).startswith(b"%PDF")
