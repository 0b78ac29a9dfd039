"""What raters are asked once, after the last case: from the draft over the ledger to results page and archive."""

import csv
import io
import json

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from readerstudy.design import services as design
from readerstudy.design.following import departures_told, start
from readerstudy.design.readiness import readiness
from readerstudy.ledger.chain import event_content
from readerstudy.models import RatingEvent, Study
from readerstudy.reading.practice import practice_token
from readerstudy.reading.preview import session_token
from readerstudy.report.archive import text_files
from readerstudy.report.choices.archive import choice_text_files
from readerstudy.report.choices.report import choice_report
from readerstudy.report.loading import report_data
from readerstudy.report.registration import registration
from readerstudy.tasks.ending import AT_THE_END, refusal_at_the_end
from readerstudy.tasks.items import items_of
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.readerstudy.worlds import Browser, make_draft, make_world, unblind

QUESTION = "Was anything unusual?"
WORDS = "The rims, said Dr Who; =1+1"


@pytest.fixture
def drafting():
    return {"end_question": QUESTION}


def all_but_the_last(reader, **changes):
    *before, last = reader.tokens()
    for token in before:
        assert reader.rate(token, **changes).status_code == 201
    return last


def ending(words):
    return {AT_THE_END: words}


def refusal(response):
    return response.json()["refusal"]["code"]


def test_words_come_with_the_last_case_and_stand_in_its_entry(reader, collecting):
    assert reader.standing()["study"]["at_the_end"] == QUESTION
    first = reader.tokens()[0]
    assert refusal(reader.rate(first, further=ending("too early"))) == "question_not_asked"
    last = all_but_the_last(reader)
    assert refusal(reader.rate(last, further=ending(7))) == "further_answer_missing"
    assert refusal(reader.rate(last, further=ending("a" * 2001))) == "further_answer_missing"
    assert refusal(reader.rate(last, further={**ending("x"), "more": "y"})) == "question_not_asked"
    response = reader.rate(last, further=ending(WORDS))
    assert (response.status_code, response.json()["state"]) == (201, "finished")
    event = RatingEvent.objects.get(presentation__token=last)
    assert event.further == event_content(event)["further"] == ending(WORDS)
    assert RatingEvent.objects.count() == 12
    collecting.refresh_from_db()
    assert collecting.protocol["end_question"] == QUESTION
    assert verify(collecting).intact


def test_the_same_answer_again_is_taken_once_and_another_under_its_name_is_refused(reader):
    last = all_but_the_last(reader)
    event_id = "6f1f0a3e-8f2e-4c55-9d2a-3f0f6f3a1b11"
    same = {**reader.known(last), "client_event_id": event_id, "shown_at": (now := "2026-12-01T00:00:00Z")}
    same |= {"answered_at": now}
    assert reader.rate(last, **same, further=ending(WORDS)).status_code == 201
    assert reader.rate(last, **same, further=ending(WORDS)).status_code == 200
    assert refusal(reader.rate(last, **same, further=ending("other"))) == "event_id_reused"
    assert RatingEvent.objects.filter(presentation__token=last).count() == 1


def test_the_policy_of_changes_holds_for_them(reader, cast, collecting):
    last = all_but_the_last(reader)
    assert reader.rate(last, further=ending("nothing")).status_code == 201
    assert reader.rate(last, further=ending(WORDS)).status_code == 201
    # To leave it empty takes no words back.
    assert reader.rate(last, answer="synthetic", further=ending("")).status_code == 201
    assert reader.rate(last, answer="real").status_code == 201
    study = unblind(collecting)
    opened = UnblindedStudy(study)
    assert [rater.at_the_end for rater in report_data(opened).raters] == [WORDS, None]


def test_a_program_and_whoever_says_nothing_are_taken_without(reader):
    assert reader.rate(all_but_the_last(reader)).status_code == 201


def test_a_study_that_asks_nothing_is_written_down_as_ever_and_takes_none(cast, world, stages):
    study = stages.open(make_draft(cast, world))
    assert "end_question" not in study.protocol
    reader = Browser(cast.rater, study)
    assert reader.standing()["study"]["at_the_end"] == ""
    assert refusal(reader.rate(all_but_the_last(reader), further=ending(WORDS))) == "question_not_asked"


def test_it_is_asked_as_it_was_frozen(reader, collecting):
    Study.objects.filter(pk=collecting.pk).update(end_question="Which were fake?")
    assert reader.standing()["study"]["at_the_end"] == QUESTION
    assert any("end_question" in problem for problem in verify(collecting).problems)


def test_no_further_question_has_its_name():
    with pytest.raises(ValueError, match="small letters"):
        items_of([{"kind": "text", "name": AT_THE_END, "question": "Why?"}])
    assert refusal_at_the_end(QUESTION, {}, last=True) is None


def test_practice_asks_nothing_and_a_preview_does(cast, world, collecting):
    client = Client()
    client.force_login(cast.rater)
    sitting = Browser(cast.rater, collecting).session
    practice = client.get(reverse("reading-api:session", args=[practice_token(sitting)])).json()
    assert practice["study"]["at_the_end"] == ""
    client.force_login(cast.owner)
    draft = make_draft(cast, world, end_question=QUESTION)
    preview = client.get(reverse("reading-api:session", args=[session_token(draft)])).json()
    assert preview["study"]["at_the_end"] == QUESTION


def test_a_coordinator_writes_it_on_the_page_of_the_protocol_and_by_the_api(cast, world):
    draft = make_draft(cast, world)
    client = Client()
    client.force_login(cast.owner)
    url = reverse("study-detail", args=[draft.pk])
    told = client.patch(url, json.dumps({"end_question": QUESTION}), content_type="application/json")
    assert told.json()["end_question"] == QUESTION
    assert "Question at the end" in client.get(reverse("studies:design", args=[draft.pk])).content.decode()
    assert QUESTION in client.get(draft.get_absolute_url()).content.decode()
    assert draft.record.last().details["changed"] == {"end_question": ["", QUESTION]}
    draft.refresh_from_db()
    assert QUESTION in str(registration(draft))
    assert design.copy_study(study=draft, actor=cast.owner).end_question == QUESTION
    with pytest.raises(ValidationError):
        design.change_design(study=draft, actor=cast.owner, end_question="a" * 301)


def test_nobody_reads_it_before_the_unblinding(cast, reader, collecting):
    assert reader.rate(all_but_the_last(reader), further=ending(WORDS)).status_code == 201
    unblinding.close(study=collecting, actor=cast.owner)
    for person in (cast.owner, cast.member, cast.administrator):
        client = Client()
        client.force_login(person)
        for name in ("study", "export-csv", "export-json", "export-codebook", "results", "report", "registration"):
            page = client.get(reverse(f"studies:{name}", args=[collecting.pk]), follow=True)
            said = b"".join(page.streaming_content) if page.streaming else page.content
            assert b"Dr Who" not in said, name
            assert b"at_the_end" not in said, name
        api = reverse("study-detail", args=[collecting.pk])
        for path in ("", "progress/", "ratings/", "further/", "results/"):
            assert b"Dr Who" not in client.get(api + path).getvalue(), path


def test_afterwards_the_team_reads_it_on_the_results_page_and_in_the_archive(cast, reader, collecting):
    assert reader.rate(all_but_the_last(reader), further=ending(WORDS)).status_code == 201
    study = unblind(collecting)
    client = Client()
    client.force_login(cast.member)
    page = client.get(reverse("studies:results", args=[study.pk])).content.decode()
    assert '<a href="#at-the-end">Asked at the end</a>' in page
    assert "The rims, said Dr Who" in page
    assert "1 answered, 1 of them with words." in page
    assert "no answer" in page
    data = report_data(UnblindedStudy(study))
    files = {name: content.decode() for name, content in text_files(data).items()}
    raters = list(csv.DictReader(io.StringIO(files["raters.csv"])))
    assert [row["at_the_end"] for row in raters] == [WORDS, ""]
    assert ("raters", "at_the_end") in {
        (row["table"], row["column"]) for row in csv.DictReader(io.StringIO(files["codebook.csv"]))
    }
    assert "Dr Who" not in files["ratings.csv"]
    assert f"they were asked once, in their own words: “{QUESTION}”" in files["methods.txt"]
    exported = json.loads(client.get(reverse("studies:export-json", args=[study.pk])).getvalue())
    assert QUESTION in exported["codebook"]["at_the_end"]
    assert [row["at_the_end"] for row in exported["ratings"]] == [None] * 11 + [WORDS]


def test_the_naive_phase_of_a_publication_that_asked_it_asks_it(cast):
    naive, *later = start(key="tordjman_2026", owner=cast.owner)
    assert naive.end_question.startswith("Was anything unusual")
    assert not any(one.end_question for one in later)
    assert not any("at the end" in words for words in departures_told(naive))
    naive = design.change_design(study=naive, actor=cast.owner, end_question="")
    assert any("here nothing is asked at the end" in words for words in departures_told(naive))
    naive = design.change_design(study=naive, actor=cast.owner, end_question="Which were fake?")
    [words] = [check for check in readiness(naive) if check.title == "Words"]
    assert "“fake”" in words.message


@pytest.fixture
def choosing(cast, stages):
    """Trials of two images."""
    world = make_world(cast.owner, sources=4, edits_per_source=3)
    draft = make_draft(
        cast, world, cases=14, field_of_view_mm=13.75, task_name="forced_choice", raters=[], end_question=QUESTION
    )
    call_command("simulate_raters", "Trial", "--raters", "2", verbosity=0)
    design.set_raters(study=draft, actor=cast.owner, users=[*(r.user for r in draft.raters.all()), cast.rater])
    return stages.open(draft)


def test_trials_of_several_images_end_with_it_as_well(cast, choosing):
    reader = Browser(cast.rater, choosing)
    trials = list(reader.session.presentations.filter(side=1).order_by("position").values_list("token", flat=True))
    for token in trials[:-1]:
        assert reader.rate(token, answer="chosen").status_code == 201
    assert reader.rate(trials[-1], answer="chosen", further=ending(WORDS)).status_code == 201
    call_command("simulate_raters", str(choosing.pk), "--skill", "0.6", "--seed", "5")
    study = unblind(choosing)
    client = Client()
    client.force_login(cast.owner)
    page = client.get(reverse("studies:results", args=[study.pk])).content.decode()
    assert "The rims, said Dr Who" in page
    files = choice_text_files(choice_report(UnblindedStudy(study)))
    assert "The rims, said Dr Who" in files["raters.csv"].decode()
