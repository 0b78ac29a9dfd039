"""What nobody planned stands beside the result: a study that was done before, opened again, or read by somebody else."""

import json
import re
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ctplatform.accounts import programs, resetting
from ctplatform.accounts import services as accounts
from ctplatform.accounts.models import AccountEvent, Invitation, Role
from ctplatform.accounts.record import RECORD as RECORD_OF_ACCOUNTS
from ctplatform.accounts.record import Author
from ctplatform.datasets.withdrawal import withdraw
from readerstudy.design import services as design
from readerstudy.ledger.triggers import LEDGER
from readerstudy.locking import execution
from readerstudy.models import CaseTruth, DisplayCheck, DisplayPolicy, StudyRater
from readerstudy.report.loading import report_data
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.unblinding.restored import note_restore
from readerstudy.verification import verify
from tests.readerstudy.test_room import SCREEN, found
from tests.readerstudy.worlds import Browser, make_draft, make_world


def deviations(study, cast):
    if study.accepts_ratings:
        unblinding.close(study=study, actor=cast.owner)
    unblinding.unblind(study=study, actor=cast.owner, typed_title=study.title)
    return said_of(study)


def said_of(study):
    study.refresh_from_db()
    assert verify(study).problems == []
    said = report_data(UnblindedStudy(study)).deviations
    # Two raters are too few for the planned analysis, which is told as well.
    return [sentence for sentence in said if not sentence.startswith("Primary analysis: ")]


@pytest.fixture
def read(cast, collecting):
    for person in (cast.rater, cast.second_rater):
        Browser(person, collecting).rate_all(answer=lambda position: ("real", "synthetic")[position % 2])
    return collecting


def test_a_plain_study_tells_of_nothing(read, cast):
    assert deviations(read, cast) == []


def test_a_study_that_was_opened_again_says_why(read, cast):
    unblinding.close(study=read, actor=cast.owner)
    unblinding.reopen(study=read, actor=cast.owner, reason="The result of the third rater is wanted")
    [said] = deviations(read, cast)
    assert said.startswith("The study was closed and, on 20")
    assert said.endswith("opened for reading again: The result of the third rater is wanted")


def test_a_study_that_is_done_again_says_what_was_known_before(read, cast, stages):
    """By a copy of a copy as well, or by hand: what counts is the cases and the people."""
    deviations(read, cast)
    again = design.copy_study(study=read, actor=cast.owner, title="Again")
    design.change_design(study=again, actor=cast.owner, seed=read.seed)
    design.set_raters(study=again, actor=cast.owner, users=[cast.second_rater, cast.idle_rater])
    stages.open(again)
    for person in (cast.second_rater, cast.idle_rater):
        Browser(person, again).rate_all(answer=lambda position: ("real", "synthetic")[position % 2])
    assert deviations(again, cast) == [
        "12 of the 12 cases were cases of a study that was unblinded before the lock.",
        "1 of the raters had cases of this study to read in another one that was locked before.",
    ]


def test_a_link_by_which_somebody_could_have_read_for_a_rater_is_told(read, cast):
    resetting.make_link(user=cast.second_rater, author=Author(user=cast.owner))
    resetting.make_link(user=cast.rater, author=Author(user=None), detail="By e-mail")
    resetting.make_link(user=cast.idle_rater, author=Author(user=cast.owner))
    unblinding.close(study=read, actor=cast.owner)
    wiped(AccountEvent)
    [said] = deviations(read, cast)
    assert said.startswith(f"{cast.owner} made a link for a new password of rater 2 on 20")


def test_a_link_that_was_used_long_before_the_lock_is_told_too(draft, cast, stages, monkeypatch):
    """Its password opens the account for as long as the person keeps it."""
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() - timedelta(days=200))
    resetting.make_link(user=cast.second_rater, author=Author(user=cast.owner))
    monkeypatch.setattr(timezone, "now", now)
    study = stages.open(draft)
    for person in (cast.rater, cast.second_rater):
        Browser(person, study).rate_all(answer=lambda position: ("real", "synthetic")[position % 2])
    [said] = [one for one in deviations(study, cast) if "link" in one]
    assert said.startswith(f"{cast.owner} made a link for a new password of rater 2 on 20")


def wiped(model):
    """By somebody with a shell: what the study's record holds by then can't go unseen."""
    RECORD_OF_ACCOUNTS.uninstall(connection)
    model.objects.all().delete()


def test_another_key_of_a_program_while_it_reads_is_told(cast, stages):
    """Whoever has the key answers in the program's name."""
    program, _ = programs.register_program(
        name="Detector", version="2.1", digest="0123456789abcdef" * 4, run_number=1, author=Author(user=cast.owner)
    )
    people = [cast.rater, cast.second_rater, program.user]
    study = stages.open(make_draft(cast, make_world(cast.owner), raters=people))
    for person in people[:2]:
        Browser(person, study).rate_all(answer=lambda position: ("real", "synthetic")[position % 2])
    programs.renew_key(program=program, author=Author(user=cast.administrator))
    said = [one for one in deviations(study, cast) if "key" in one]
    assert [one.partition(" on ")[0] for one in said] == [
        f"{cast.administrator} gave Detector 2.1 (program) another key"
    ]


def test_a_second_person_whom_the_first_one_invited_is_told(cast, stages):
    """Before the lock anybody is taken into the team; a link of an invitation can be used by whoever made it."""
    _, link = accounts.invite(invited_by=cast.owner, name="Myself", role=Role.RESEARCHER)
    myself = accounts.accept(token=link, username="myself", display_name="Myself", password="a long enough one")
    draft = make_draft(cast, make_world(cast.owner), unblinding_by_two=True)
    design.share(study=draft, actor=cast.owner, members=[cast.member, myself])
    study = stages.open(draft)
    for person in (cast.rater, cast.second_rater):
        Browser(person, study).rate_all(answer=lambda position: ("real", "synthetic")[position % 2])
    unblinding.close(study=study, actor=cast.owner)
    unblinding.unblind(study=study, actor=cast.owner, typed_title=study.title)
    unblinding.unblind(study=study, actor=myself, typed_title=study.title)
    wiped(Invitation)
    assert said_of(study) == [
        f"The unblinding, which {cast.owner} asked for, was confirmed by Myself, whose account {cast.owner} invited."
    ]


def test_a_study_that_was_put_back_from_a_backup_says_what_is_missing(read, cast):
    note_restore()
    [said] = deviations(read, cast)
    assert re.search(r"put back from a backup that ends at 20\S+, with 24 answers: what was answered or done", said)


def test_a_date_moved_by_seconds_does_not_put_an_exclusion_before_the_look(read, cast):
    client = Client()
    client.force_login(cast.member)
    client.get(reverse("studies:export-csv", args=[read.pk]))
    unblinding.exclude_rater(rater=read.raters.get(number=2), actor=cast.owner, reason="too sure")
    rater = StudyRater.objects.filter(study=read, number=2)
    rater.update(excluded_at=rater.get().excluded_at - timedelta(seconds=30))
    said = deviations(read, cast)
    assert f"Rater 2 was excluded after answers had been looked at (once, by {cast.member})." in said


def test_dates_of_a_study_that_was_opened_again_are_compared_with_the_record(read, cast):
    unblinding.close(study=read, actor=cast.owner)
    unblinding.reopen(study=read, actor=cast.owner, reason="A rater was ill")
    assert verify(read).problems == []
    study = type(read).objects.filter(pk=read.pk)
    for column in ("locked_at", "opened_at"):
        kept = getattr(read, column)
        study.update(**{column: kept - timedelta(days=1)})
        assert any(problem.startswith(f"{column} is not when") for problem in verify(read).problems)
        study.update(**{column: kept})
    # Answers would count as given after it.
    study.update(closed_at=read.opened_at)
    assert "closed_at is a date, but by the record there is none" in verify(read).problems


def test_a_scan_that_is_withdrawn_while_the_study_is_being_locked_ends_the_lock(draft, cast, stages, monkeypatch):
    """Its pixels would have been kept in the stimuli."""
    stages.draw(draft)
    scan = CaseTruth.objects.filter(case__study=draft, synthetic=True).first().scan
    check = execution.audit_study

    def meanwhile(*arguments, **named):
        withdraw(scan=scan, user=cast.owner, reason="Consent withdrawn")
        return check(*arguments, **named)

    monkeypatch.setattr(execution, "audit_study", meanwhile)
    job = stages.lock(draft)
    assert (job.status, draft.state) == ("failed", "draft")
    assert "was withdrawn" in job.error
    folder = job.payload["folder"]
    assert not default_storage.exists(folder) or default_storage.listdir(folder) == ([], [])


def post_check(browser):
    body = json.dumps({"steps": found(), "screen": SCREEN})
    url = reverse("reading-api:display-check", args=[browser.session.token])
    return browser.client.post(url, body, content_type="application/json")


def test_checks_of_displays_end_with_the_closing_and_are_verified(cast, world, stages):
    study = stages.open(make_draft(cast, world, display_check=DisplayPolicy.ADVISE))
    reader = Browser(cast.rater, study)
    assert post_check(reader).status_code == 201
    unblinding.close(study=study, actor=cast.owner)
    assert post_check(reader).json()["code"] == "study_not_open"
    unblinding.reopen(study=study, actor=cast.owner, reason="A rater was ill")
    assert post_check(reader).status_code == 201
    unblinding.exclude_rater(rater=study.raters.get(number=1), actor=cast.owner, reason="ill")
    assert post_check(reader).status_code == 409
    unblinding.close(study=study, actor=cast.owner)
    assert verify(study).problems == []
    DisplayCheck.objects.filter(session=reader.session).first().delete()
    assert "the checks of the raters' displays differ from those at the closing" in verify(study).problems


def test_a_slot_that_gets_another_number_is_noticed(read):
    """The order stays, and the export and the analysis by position would print another number."""
    LEDGER.uninstall(connection)
    last = read.raters.get(number=2).sessions.get().presentations.last()
    type(last).objects.filter(pk=last.pk).update(position=last.position + 20)
    assert "the slots of rater 2 are numbered otherwise" in verify(read).problems


def test_the_number_of_planned_cases_is_frozen(read):
    type(read).objects.filter(pk=read.pk).update(cases_planned=8)
    assert any("cases_planned of the study differ" in problem for problem in verify(read).problems)
