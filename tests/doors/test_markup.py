"""Markup in a name or a text is text: on every page, in every export, in every drawing."""

import csv
import io
import json

import pytest
from django.apps import apps
from django.db import models
from django.test import Client

from ctplatform.documents.html import html_file
from readerstudy.report.archive import text_files
from readerstudy.report.figures.catalogue import figures
from readerstudy.report.loading import report_data
from readerstudy.report.written import report_document
from readerstudy.unblinding.opened import UnblindedStudy
from tests.doors.addresses import addresses

pytestmark = pytest.mark.django_db
SCRIPT, IMAGE, DRAWING = "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "<svg onload=alert(1)>"
MARKUPS = (SCRIPT, IMAGE, DRAWING)
OURS = ("accounts", "jobs", "datasets", "synthesis", "readerstudy")
# Made by the platform itself, never from what somebody typed, and compared with digests or used as addresses.
NOT_TYPED = {"username", "password", "digest", "token", "token_digest", "code", "key", "storage_prefix", "sheet_key"}
NOT_TYPED |= {
    "samples_key",
    "result_url",
    "queue",
    "kind",
    "device",
    "salt",
    "schedule_seed",
    "content_digest",
    "generator_digest",
    "stored_digest",
    "emptied_digest",
    "made_of",
    "precision",
    "ledger_head",
    "at",
}
NOT_TYPED |= {
    "protocol_digest",
    "plan_digest",
    "schedule_digest",
    "previous_digest",
    "task_name",
    "published",
    "email",
    "first_name",
    "last_name",
}
# Kept append-only with a chain of digests over it; holds choices and numbers.
UNTOUCHED = {"RatingEvent", "AuditEntry", "AccountEvent"}


def typed_fields(model):
    for field in model._meta.concrete_fields:
        is_text = isinstance(field, models.CharField | models.TextField)
        if is_text and not field.choices and field.name not in NOT_TYPED and not field.is_relation:
            yield field


def spoil(markup):
    """Put markup into every text that a person could have typed; returns how many fields took it."""
    spoilt = set()
    for label in OURS:
        for model in apps.get_app_config(label).get_models():
            if model.__name__ in UNTOUCHED:
                continue
            for field in typed_fields(model):
                rows = (
                    model.objects.exclude(withdrawn_at=None)
                    if field.name == "withdrawn_reason"
                    else model.objects.all()
                )
                for number, pk in enumerate(rows.values_list("pk", flat=True)):
                    text = f"{number} {markup}"
                    assert field.max_length is None or len(text) <= field.max_length, field
                    model.objects.filter(pk=pk).update(**{field.name: text})
                    spoilt.add(f"{model.__name__}.{field.name}")
    return spoilt


def content(answer):
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


@pytest.mark.parametrize("state", ["things", "many_things"])
def test_markup_is_never_let_through(state, request, cast):
    things = request.getfixturevalue(state)
    found, seen = [], set()
    spoilt = spoil(" ".join(MARKUPS))
    assert {"User.display_name", "Dataset.name", "Scan.name", "Study.title", "Generator.name", "Job.error"} <= spoilt
    for user in (cast.administrator, cast.owner, cast.member, cast.rater):
        browser = Client(raise_request_exception=False)
        browser.force_login(user)
        for address in addresses(things):
            answer = browser.get(address.path)
            assert answer.status_code < 500, (address, user.role)
            kind = answer.headers.get("Content-Type", "").split(";")[0]
            assert answer.headers["X-Content-Type-Options"] == "nosniff", address
            if kind not in {"text/html", "image/svg+xml"}:
                if getattr(answer, "file_to_stream", None):
                    answer.file_to_stream.close()
                continue
            page = content(answer).decode()
            seen |= {address.route} if "alert(1)" in page else set()
            found += [(str(address), user.role, markup) for markup in MARKUPS if markup in page]
    assert found == []
    assert len(seen) > 15, seen


def test_exports_hold_markup_as_text(many_things, finished):
    spoil(" ".join(MARKUPS))
    finished.refresh_from_db()
    data = report_data(UnblindedStudy(finished))
    drawn = figures(data)
    page = html_file(report_document(data, drawn))
    assert "&lt;script&gt;" in page
    drawings = [figure.drawing.svg(name=figure.name) for figure in drawn]
    for markup in MARKUPS:
        assert markup not in page
        assert not [text for text in drawings if markup in text]
    for name, raw in text_files(data).items():
        if name.endswith(".json"):
            json.loads(raw)
        if name.endswith(".csv"):
            rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig")), strict=True))
            widths = {len(row) for row in rows}
            assert len(widths) == 1, (name, widths)
