"""What is deposited before the first rating: all that was frozen, in the same words everywhere, and no case of it."""

import hashlib
import io
import json
import re
from html import unescape

import pytest
from django.test import Client
from pypdf import PdfReader

from readerstudy.analysis.planning.plan import plan_from_json
from readerstudy.models import CaseTruth
from readerstudy.report.registration import registration, registration_files


def words(text):
    """Without the places at which lines are broken."""
    return re.sub(r"\s+", "", text)


def pdf_words(content):
    return words("".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages))


def said(document):
    for block in [*document.opening, *(block for section in document.sections for block in section.blocks)]:
        if block.block == "paragraph":
            yield block.text
        elif block.block == "bullets":
            yield from block.items
        else:
            for row in block.rows:
                yield from row


@pytest.fixture
def locked(draft, stages):
    return stages.open(draft)


def test_page_file_and_pdf_say_the_same(locked, cast):
    client = Client()
    client.force_login(cast.member)
    page = words(_text(client.get(f"/studies/{locked.pk}/registration/").content.decode()))
    files = registration_files(locked)
    written, printed = words(_text(files["registration.html"].decode())), pdf_words(files["registration.pdf"])
    everything = list(said(registration(locked)))
    assert len(everything) > 30
    for text in everything:
        assert words(text) in written, text
        assert words(text) in printed, text
        assert words(text) in page, text


def _text(html):
    return unescape(re.sub(r"<[^>]+>", "", html.replace("<br>", "\n")))


def test_all_that_was_frozen_stands_in_it_and_nobody_and_no_case(locked):
    files = registration_files(locked)
    text = " ".join(said(registration(locked)))
    digests = [locked.protocol_digest, locked.plan_digest, locked.schedule_digest, *locked.protocol["sealed"].values()]
    for frozen in [*digests, *locked.protocol["analysis_plan"]["in_words"], locked.question]:
        assert frozen in text
    assert plan_from_json(json.dumps(json.loads(files["plan.json"])["plan"])).digest() == locked.plan_digest
    for line in files["SHA256SUMS"].decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(files[name]).hexdigest() == digest

    told = text + files["plan.json"].decode()
    names = [rater.user.username for rater in locked.raters.select_related("user")]
    truths = CaseTruth.objects.filter(case__study=locked).select_related("scan", "case")
    cases = [name for truth in truths for name in (truth.case.code, truth.scan.name, str(truth.scan_id))]
    assert len(names) > 1
    assert len(cases) > 30
    assert [name for name in [*names, *cases, locked.seal.salt] if name in told] == []

    locked.description, locked.title = "changed", "changed"
    assert registration_files(locked) == files, "what was frozen makes the same bytes"


def test_a_draft_says_that_nothing_is_frozen(draft):
    document = registration(draft)
    assert "may still change" in document.opening[0].text
    assert "What was frozen" not in [section.title for section in document.sections]
    files = registration_files(draft)
    assert "plan.json" not in files
    assert words("may still change") in pdf_words(files["registration.pdf"])


def test_a_pdf_for_archives_that_can_be_read_aloud(draft):
    root = PdfReader(io.BytesIO(registration_files(draft)["registration.pdf"])).trailer["/Root"]
    assert "pdfaid:part>2<" in root["/Metadata"].get_data().decode()
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"


def test_text_of_people_is_never_markup(draft):
    draft.title = 'A *bold* #strike[title] $x$ <script>alert("1")</script>'
    draft.question = '\\ #image("/etc/passwd") real // or `not`?'
    files = registration_files(draft)
    printed = pdf_words(files["registration.pdf"])
    assert words(draft.title) in printed
    assert words(draft.question) in printed
    assert b"<script>" not in files["registration.html"]
