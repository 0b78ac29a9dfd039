"""The audit beside a running platform: it takes back what it wrote, lets others write, and knows outcomes of before."""

import threading
import time
from collections import Counter
from contextlib import nullcontext

import pytest
from django.contrib.sessions.models import Session as Login
from django.db import connection
from django.urls import reverse

from ctplatform.accounts.models import User
from readerstudy.auditing import walk
from readerstudy.auditing.audit import audit_study
from readerstudy.auditing.certificate import leaks_of, limits_words, open_part
from readerstudy.auditing.visitor import Visitor
from readerstudy.blinding.leaks import FEWEST_CASES
from readerstudy.models import DisplayPolicy, Presentation, RatingEvent, Session, Study
from tests.readerstudy.planting import make_planted
from tests.readerstudy.worlds import Cast, Stages, make_draft, make_world


def unheard(_done, _message):
    pass


def tables():
    """Everything that a walk could leave behind or change."""
    return {
        model.__name__: sorted(map(str, model.objects.values_list()))
        for model in (Study, Session, Presentation, RatingEvent, Login, User)
    }


def test_a_study_that_is_being_read_is_checked_from_its_first_case_and_stays_as_it_was(collecting, reader):
    for token in reader.tokens()[:5]:
        reader.rate(token)
    before = tables()
    outcome = audit_study(collecting, on_progress=unheard)
    assert tables() == before
    assert (outcome["passed"], outcome["raters"]) == (True, 2)
    assert reader.standing()["progress"] == {"done": 5, "total": 12}


def test_a_sitting_of_some_positions_goes_by_their_order(collecting, reader):
    """As a rehearsal reads that began in the middle, or that shares few cases among the raters."""
    Presentation.objects.filter(session=reader.session).exclude(position__in=(3, 5, 8)).delete()
    tokens = reader.tokens()
    for number, token in enumerate(tokens, start=1):
        assert reader.standing()["next"][0] == token
        told = reader.rate(token).json()
        assert (told["progress"]["done"], told["previous"]) == (number, token)
        assert told["previous_answer"] == reader.standing()["previous_answer"]
        assert told["previous_answer"]["client_event_id"] == told["receipt"]["client_event_id"]
    assert reader.rate(tokens[-1], answer="synthetic").status_code == 201
    assert reader.client.get(reverse("reading-api:presentation", args=tokens[-1:])).status_code == 200


def test_a_visitor_is_whoever_it_is_said_to_be_and_needs_no_password(collecting, cast):
    User.objects.filter(pk=cast.rater.pk).update(password="!")
    cast.rater.refresh_from_db()
    own = Session.objects.get(rater__user=cast.rater)
    address = f"/api/reading/sessions/{own.token}/"
    assert Visitor(cast.rater).ask("GET", address).status == "200 OK"
    assert Visitor(cast.second_rater).ask("GET", address).code == 404
    assert Visitor().ask("GET", address).code == 401
    assert b"Reading needs JavaScript" in Visitor(cast.rater).ask("GET", f"/reading/{own.token}/").body


class Rests:
    """The clock of a check whose rests last until somebody else has written."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self):
        self.count, self.wrote = 0, threading.Event()

    def sleep(self, seconds):
        self.wrote.clear()
        assert self.wrote.wait(120)
        self.count += 1


@pytest.mark.django_db(transaction=True)
def test_others_can_write_while_a_study_is_checked(monkeypatch):
    cast = Cast.create()
    study = make_draft(cast, make_world(cast.owner))
    Stages(lambda **_: nullcontext()).open(study)
    monkeypatch.setattr(walk, "REHEARSAL_SECONDS", 0.01)
    rests, ended, failures = Rests(), threading.Event(), []
    monkeypatch.setattr(walk, "time", rests)

    def write():
        try:
            while not ended.is_set():
                User.objects.filter(pk=cast.other.pk).update(display_name=f"after {rests.count} rests")
                rests.wrote.set()
        except Exception as error:  # noqa: BLE001 - told to the test
            failures.append(error)
        finally:
            connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        outcome = audit_study(study, on_progress=unheard)
    finally:
        ended.set()
        writer.join()
    assert outcome["passed"]
    assert not failures  # who waits too long for the database is refused by it
    assert rests.count > study.raters.count()  # in the middle of a rater's reading too


def test_outcomes_of_earlier_versions_can_still_be_shown():
    findings = [{"name": "slot, rater 1", "sort": "blind", "distinct": 9, "auc": 0.9, "p": 0.0001, "leak": True}]
    earlier = {"passed": False, "cases": 40, "alpha_per_observable": 0.001, "findings": findings}
    assert leaks_of(earlier, sealed=False) == ["slot, rater 1"]
    assert leaks_of(earlier, sealed=True) == []
    assert "auc" not in str(open_part(earlier))
    assert "check again" in limits_words(earlier)


def family(name, smallest, *, judgeable=True):
    return {"name": name, "smallest_auc": smallest, "judgeable": judgeable}


def test_the_check_names_the_families_in_which_it_hardly_finds_anything():
    families = [
        family("form of the pixels", 0.86),
        family("times of the answers", 0.93),
        family("stored files", None),
        family("too few values", None, judgeable=False),
        family("all together", None),
    ]
    outcome = {"cases": 20, "judgeable": True, "requests": 9, "findings": [], "families": families}
    assert limits_words(outcome) == (
        "With 20 cases a leak is found with 90 % power when its AUC is at least 0.86 to 0.93, depending on what leaks; "
        "among “stored files” only what tells every case is found. "
        "Among “too few values” no statistic could have found one."
    )
    assert limits_words({**outcome, "families": families[:1]}).endswith("when its AUC is 0.86 or more.")


@pytest.mark.django_db
def test_a_pause_in_the_reading_is_no_leak_and_repeats_nothing(monkeypatch):
    monkeypatch.setattr("readerstudy.auditing.walk.REHEARSAL_SECONDS", 0)
    planted = make_planted(cases=FEWEST_CASES + 1)
    # However often the reading pauses, each case is looked at before its turn, and once.
    ahead = Counter(received.case_id for received in planted.walked.received if received.request == "slice ahead")
    assert ahead == dict.fromkeys(planted.walked.turn, 1)
    assert any("long answered" in received.request for received in planted.walked.received)
    Study.objects.filter(pk=planted.study.pk).update(display_check=DisplayPolicy.REQUIRE)
    assert not [leak for leak in planted.lock() if "display_check" in leak]
