"""Queries that are written out find what Django's own would."""

from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore as DjangosStore
from django.contrib.sessions.models import Session as Login
from django.db.models import Q
from django.utils import timezone

from ctplatform.accounts.sessions import SessionStore
from ctplatform.written import WrittenQuery
from readerstudy.ledger.rows import concerned, held_head
from readerstudy.models import Presentation, RatingEvent, Stimulus, Study, StudyState
from readerstudy.reading.shown import presentation_of
from tests.readerstudy.worlds import Browser

pytestmark = pytest.mark.django_db


@pytest.fixture
def answered(collecting, cast):
    reader = Browser(cast.rater, collecting)
    tokens = reader.tokens()
    for token in tokens[:3]:
        assert reader.rate(token).status_code == 201
    return tokens


def values(instance):
    return {
        field.attname: getattr(instance, field.attname)
        for field in instance._meta.concrete_fields
        if field.attname not in instance.get_deferred_fields()
    }


@pytest.mark.parametrize("model", [RatingEvent, Study, Stimulus])
def test_every_column_has_the_value_that_django_gives_it(answered, model):
    everything = WrittenQuery(f"SELECT {{one}} FROM {model._meta.db_table} one ORDER BY one.id", one=(model, None))
    found = [values(row["one"]) for row in everything.rows()]
    assert found
    assert found == [values(one) for one in model.objects.order_by("pk")]


def test_a_case_comes_with_its_sitting_and_its_study(answered, collecting, cast):
    for token in answered:
        found, expected = presentation_of(cast.rater, token), Presentation.objects.get(token=token)
        assert values(found) == values(expected)
        for shown, stored in (
            (found.session, expected.session),
            (found.session.rater, expected.session.rater),
            (found.session.rater.study, collecting),
            (found.stimulus, expected.stimulus),
        ):
            stored.refresh_from_db()
            assert values(shown).items() <= values(stored).items()
            assert shown.pk == stored.pk
        assert found.session.number == expected.session.number, "what was not fetched comes when it is asked for"


@pytest.mark.parametrize("state", StudyState)
def test_a_case_is_found_by_its_own_rater_in_studies_that_were_opened(answered, collecting, cast, state):
    dates = {"locked_at": None} if state == StudyState.DRAFT else {}
    dates |= {"unblinded_at": timezone.now()} if state == StudyState.UNBLINDED else {}
    Study.objects.filter(pk=collecting.pk).update(state=state, **dates)
    opened = state in (StudyState.COLLECTING, StudyState.CLOSED, StudyState.UNBLINDED)
    assert (presentation_of(cast.rater, answered[0]) is not None) == opened
    assert presentation_of(cast.owner, answered[0]) is None
    assert presentation_of(cast.rater, answered[0] + "x") is None


def test_what_an_answer_is_placed_among_is_what_django_finds(answered, collecting):
    sitting = Presentation.objects.get(token=answered[0]).session_id
    events = RatingEvent.objects.filter(presentation__session=sitting)
    last = events.order_by("-counter").first()
    assert last is not None
    for token in answered:
        presentation = Presentation.objects.get(token=token)
        for event in RatingEvent.objects.all():
            of_trial = Q(presentation__session=sitting, presentation__position=presentation.position)
            wanted = Q(client_event_id=event.client_event_id) | of_trial | Q(pk=last.pk)
            expected = RatingEvent.objects.filter(wanted).order_by("sequence")
            found = concerned(presentation, event.client_event_id)
            assert [values(one) for one in found] == [values(one) for one in expected]
            assert [one.presentation for one in found] == [one.presentation for one in expected]


def test_the_head_of_the_chain_comes_without_the_wide_columns(collecting):
    head = held_head(collecting.pk)
    assert {"protocol", "match_report", "leak_audit"} <= head.get_deferred_fields()
    assert head.frozen == collecting.frozen


def test_a_column_that_does_not_exist_is_refused_at_once():
    with pytest.raises(ValueError, match="no columns"):
        WrittenQuery("SELECT {study} FROM readerstudy_study study", study=(Study, ["titel"]))


def test_a_login_is_kept_as_django_keeps_it():
    old = DjangosStore()
    old["of"] = "an earlier version"
    old.create()
    assert SessionStore(old.session_key)["of"] == "an earlier version"
    Login.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    ended = SessionStore(old.session_key)
    assert "of" not in ended
    assert ended.session_key is None
    assert "of" not in SessionStore("never-made")
