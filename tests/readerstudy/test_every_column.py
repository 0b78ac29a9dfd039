"""Whoever owns the database changes one column of a finished study, whichever it is: the verification says so, or the
column is listed here with the reason why it changes nothing that is reported. Both are tried for every column.
"""

import copy
import json
import uuid
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import IntegrityError, connection, models, transaction
from django.test import Client
from django.urls import reverse

from ctplatform.accounts.models import Role
from ctplatform.datasets.models import Provenance, Scan
from ctplatform.datasets.withdrawal import withdraw
from readerstudy.ledger.triggers import LEDGER
from readerstudy.models import (
    AuditEntry,
    Case,
    CaseTruth,
    DisplayCheck,
    DisplayPolicy,
    Presentation,
    RatingEvent,
    Session,
    Stimulus,
    Study,
    StudyRater,
    StudySeal,
)
from readerstudy.report.archive import text_files
from readerstudy.report.loading import report_data
from readerstudy.results import responses_of
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.factories import make_user
from tests.readerstudy.test_room import SCREEN, found
from tests.readerstudy.worlds import Browser, make_draft

# What the verification doesn't tell, and why nobody needs to know.
NOTHING_REPORTED = {
    "Study.description": "notes of the team",
    "Study.owner": "who decides while it runs; every decision stands with its actor in the record",
    "Study.created_at": "when somebody began a draft",
    "Study.archived_at": "where the study is listed",
    "Study.copied_from": "what was repeated is counted at the lock, by scans and places",
    "Study.stack_slices": "of the draft; the frozen size of a stimulus has the depth of the stacks",
    "Study.plan_options": "of the draft; the frozen plan counts",
    "Study.repeat_distance": "of a study in which no case comes twice",
    "Study.draw_job": "work that has ended",
    "Study.lock_job": "work that has ended",
    "Study.audit_job": "work that has ended",
    "CaseTruth.lesion": "where the draw found the place, which is sealed itself",
    "CaseTruth.position": "what the draw matched by; the match it gave is sealed",
    "CaseTruth.pair": "what the draw matched by; the match it gave is sealed",
    "Session.token": "the address of a sitting; no answer is named by it",
    "Session.fetched_at": "of the moment while it was read; what was missing at the closing is in the record",
    "Session.unsent": "of the moment while it was read; what was missing at the closing is in the record",
    "Session.begun_at": "when a rater was let into a study that continues another one; both ledgers hold their times",
    "Session.number": "there is one sitting for each rater, and its slots are numbered by themselves",
}


def other_values(field, row, rows):
    """What somebody would write instead."""
    value = getattr(row, field.attname)
    if field.is_relation:
        others = field.related_model.objects.exclude(pk=value).values_list("pk", flat=True)
        yield from others.order_by("pk")[:1]
    elif field.choices:
        yield next(choice for choice, _ in field.choices if choice != value)
    elif isinstance(field, models.JSONField):
        yield turned(copy.deepcopy(value))
        yield from [type(value)()] if value else []
    elif isinstance(field, models.BooleanField):
        yield not value
    elif isinstance(field, models.DateTimeField):
        yield (value or row_date(row)) + timedelta(days=1)
    elif isinstance(field, models.UUIDField):
        yield uuid.uuid4()
    elif isinstance(field, models.CharField | models.TextField):
        yield f"x{value[1:]}" if value and value[0] != "x" else f"y{value[1:]}"
        yield from [""] if value else []
    else:
        yield 1 if value is None else value + 1
    if field.null and value is not None:
        yield None


def row_date(row):
    study = getattr(row, "study", None) or Study.objects.exclude(locked_at=None).first()
    return study.locked_at


def turned(value):
    """The first leaf changed."""
    if isinstance(value, dict) and value:
        key = min(value)
        return {**value, key: turned(value[key])}
    if isinstance(value, list) and value:
        return [turned(value[0]), *value[1:]]
    return {True: False, False: True}.get(value, "another") if isinstance(value, bool) else "another"


@pytest.fixture
def finished(cast, world, stages):
    """A study with all that can happen to one: answers revised, a rater excluded, closed and opened again, looked at,
    displays checked, and pixels withdrawn.
    """
    people = [cast.rater, cast.second_rater, cast.idle_rater]
    study = stages.open(make_draft(cast, world, raters=people, display_check=DisplayPolicy.ADVISE))
    first, second, third = (Browser(person, study) for person in people)
    check_display(first)
    first.rate_all(answer=lambda position: ("real", "synthetic")[position % 2])
    first.rate(first.tokens()[-1], answer="real")
    unblinding.close(study=study, actor=cast.owner)
    unblinding.reopen(study=study, actor=cast.owner, reason="A rater was ill")
    check_display(second)
    second.rate_all()
    third.rate_all(answer=lambda position: "synthetic")
    client = Client()
    client.force_login(cast.member)
    client.get(reverse("studies:blinded-look", args=[study.pk]))
    unblinding.exclude_rater(rater=study.raters.get(number=3), actor=cast.owner, reason="Knew the scans")
    unblinding.close(study=study, actor=cast.owner)
    withdraw(scan=world.edits[0], user=cast.owner, reason="Consent withdrawn", whole_patient=True)
    unblinding.unblind(study=study, actor=cast.owner, typed_title="Trial")
    # Others to whom a row could be made to belong.
    make_draft(cast, world)
    make_user(Role.RATER)
    return Study.objects.get(pk=study.pk)


def check_display(browser):
    body = json.dumps({"steps": found(), "screen": SCREEN})
    url = reverse("reading-api:display-check", args=[browser.session.token])
    assert browser.client.post(url, body, content_type="application/json").status_code == 201


def rows_of(study):
    of_rater = {"session__rater__study": study}
    return {
        Study: Study.objects.filter(pk=study.pk),
        StudySeal: StudySeal.objects.filter(study=study),
        Case: Case.objects.filter(study=study),
        CaseTruth: CaseTruth.objects.filter(case__study=study),
        Stimulus: Stimulus.objects.filter(case__study=study),
        StudyRater: StudyRater.objects.filter(study=study),
        Session: Session.objects.filter(rater__study=study),
        Presentation: Presentation.objects.filter(**of_rater),
        DisplayCheck: DisplayCheck.objects.filter(**of_rater),
        RatingEvent: RatingEvent.objects.filter(study=study),
        AuditEntry: AuditEntry.objects.filter(study=study),
    }


def changes(rows):
    """Every column of the first and the last row with other values; a key names a row and is left alone."""
    for model, found_rows in rows.items():
        ordered = list(found_rows.order_by("pk"))
        for field in model._meta.concrete_fields:
            if field.primary_key:
                continue
            for row in {row.pk: row for row in (ordered[0], ordered[-1])}.values():
                for value in other_values(field, row, ordered):
                    yield f"{model.__name__}.{field.name}", model, row.pk, {field.attname: value}


class Trial:
    """Changes something, looks, and takes the change back."""

    def __init__(self, study):
        self.study = study
        self.before = self.reported()

    def reported(self):
        opened = UnblindedStudy(Study.objects.get(pk=self.study.pk))
        return responses_of(opened), text_files(report_data(opened))

    def of(self, model, pk, change):
        """None where the database itself refuses, else what the verification says and whether the report changes."""
        undo = transaction.savepoint()
        try:
            with transaction.atomic():
                LEDGER.uninstall(connection)
                model.objects.filter(pk=pk).update(**change)
            problems = verify(self.study).problems
            return problems, not problems and self.reported() != self.before
        except IntegrityError:
            return None
        finally:
            transaction.savepoint_rollback(undo)


@pytest.fixture
def analysed_once(settings):
    """What the analysis is given is compared itself; its numbers need not be computed every time."""
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "every column"}}
    yield
    cache.clear()


def test_whatever_column_is_changed_is_noticed_or_changes_nothing_that_is_reported(finished, analysed_once):
    assert verify(finished).problems == []
    trial, tried, unnoticed, reported = Trial(finished), set(), set(), set()
    for name, model, pk, change in changes(rows_of(finished)):
        outcome = trial.of(model, pk, change)
        if outcome is None:
            continue
        problems, changed = outcome
        tried.add(name)
        unnoticed |= set() if problems else {name}
        reported |= {(name, str(change))} if changed else set()
    assert (reported, unnoticed) == (set(), set(NOTHING_REPORTED))
    assert len(tried) > 100
    assert verify(finished).problems == []


def test_truths_exchanged_between_two_cases_are_noticed(finished):
    one = CaseTruth.objects.filter(case__study=finished, synthetic=True).first()
    other = CaseTruth.objects.filter(case__study=finished, synthetic=False).first()
    names = [field.attname for field in CaseTruth._meta.concrete_fields if not field.primary_key]
    values = {truth.pk: {name: getattr(truth, name) for name in names} for truth in (one, other)}
    for pk, taken in ((one.pk, other.pk), (other.pk, one.pk)):
        CaseTruth.objects.filter(pk=pk).update(**values[taken])
    assert "the sealed truth differs from what was locked" in verify(finished).problems


def test_another_provenance_after_the_lock_changes_no_arm(finished):
    """Names of generators and arms are those that were sealed with the truth."""
    trial = Trial(finished)
    scans = CaseTruth.objects.filter(case__study=finished, synthetic=True).values("scan")
    changed = {"generator_name": "Another", "generator_version": "9", "generator_digest": "f" * 64, "kind": "cystic"}
    Provenance.objects.filter(scan__in=scans).update(**changed)
    assert trial.reported() == trial.before
    assert verify(finished).problems == []


def test_pixels_that_are_said_to_be_withdrawn_must_be_in_the_record(finished):
    gone = Scan.objects.exclude(withdrawn_at=None).filter(pk__in=CaseTruth.objects.values("scan"))
    gone.update(withdrawn_at=None, withdrawn_by=None, withdrawn_reason="")
    assert any("another number of withdrawn pixels" in problem for problem in verify(finished).problems)
