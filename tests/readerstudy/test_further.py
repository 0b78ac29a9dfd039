"""Further questions after the answer, from the draft to the report."""

import csv
import io
import json
from collections import Counter

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from readerstudy.analysis import adjust_p_values
from readerstudy.ledger.chain import event_content
from readerstudy.models import RatingEvent
from readerstudy.report.archive import text_files
from readerstudy.report.further_words import further_words
from readerstudy.report.loading import report_data
from readerstudy.report.questions import FurtherQuestion
from readerstudy.tasks.items import KINDS, items_of, refusal_of
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.readerstudy.worlds import Browser, make_draft, make_world, unblind

QUESTIONS = [
    {"kind": "grade", "name": "quality", "question": "How good is the picture?", "options": ["Poor", "Fair", "Good"]},
    {"kind": "choice", "name": "diagnosis", "question": "What is it?", "options": ["Cyst", "Metastasis"]},
    {"kind": "number", "name": "visible", "question": "How well is the lesion seen?"},
    {"kind": "text", "name": "remark", "question": "Anything odd?"},
]
GIVEN = {"quality": 3, "diagnosis": 1, "visible": 0, "remark": "nothing, said Dr Who"}
RATERS, CASES = 4, 14


@pytest.fixture
def drafting():
    return {"further_questions": QUESTIONS}


@pytest.fixture
def unblinded(recorded, cast, stages):
    def make():
        world = make_world(cast.owner, sources=4, edits_per_source=3)
        study = make_draft(cast, world, cases=CASES, raters=[], field_of_view_mm=13.75, further_questions=QUESTIONS)
        call_command("simulate_raters", "Trial", "--raters", str(RATERS), verbosity=0)
        stages.open(study)
        call_command("simulate_raters", str(study.pk), "--skill", "0.6", "--seed", "5")
        return unblind(study)

    return recorded("unblinded with further questions", make)


def test_every_kind_of_question_takes_its_example_and_what_virtual_raters_say():
    for item in items_of(QUESTIONS):
        assert all(item.takes(value) for value in (item.example(), *(item.simulated(n / 50) for n in range(50))))
    assert [item.kind for item in items_of(QUESTIONS)] == list(KINDS)
    assert items_of([item.described() for item in items_of(QUESTIONS)]) == items_of(QUESTIONS)


def test_several_questions_are_judged_by_the_adjusted_p():
    """Four with p .03, .2, .4 and .6: by Holm (R: p.adjust) .12, .6, .8 and .8."""
    p_values = (0.03, 0.2, 0.4, 0.6)
    adjusted = adjust_p_values(p_values, method="holm")
    assert adjusted == pytest.approx([0.12, 0.6, 0.8, 0.8])
    questions = [
        FurtherQuestion(name=f"q{number}", question="?", kind="choice", arms=(), p=p, p_adjusted=own)
        for number, (p, own) in enumerate(zip(p_values, adjusted, strict=True))
    ]
    said = further_words(questions, alpha=0.05)
    assert "adjusted p = 0.120" in said[0]
    assert not any(words.endswith("the kinds differ.") for words in said)
    assert further_words(questions[:1], alpha=0.05)[0].endswith(": the kinds differ.")


WRONG = {
    "a grade that is not there": {"quality": 4},
    "a word for a grade": {"quality": "Good"},
    "true for one": {"diagnosis": True},
    "a number above": {"visible": 101},
    "a number for words": {"remark": 7},
    "too many words": {"remark": "a" * 2001},
    "what no database holds": {"remark": "a\x00b"},
    "half a letter": {"remark": "\ud800"},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_other_values_are_refused(change):
    items = items_of(QUESTIONS)
    assert refusal_of(items, GIVEN) is None
    assert refusal_of(items, {**GIVEN, **change}).code == "further_answer_missing"


BAD_QUESTIONS = {
    "a name with a space": {"name": "how good"},
    "one answer": {"options": ["Poor"]},
    "twice the same answer": {"options": ["Poor", "Poor"]},
    "no question": {"question": ""},
    "an unknown kind": {"kind": "song"},
}


@pytest.mark.parametrize("change", BAD_QUESTIONS.values(), ids=BAD_QUESTIONS)
def test_questions_that_make_no_sense_are_refused_in_words(change):
    with pytest.raises(ValueError, match=r"[a-z] "):
        items_of([{**QUESTIONS[0], **change}])
    with pytest.raises(ValueError, match="same short name"):
        items_of([QUESTIONS[0], QUESTIONS[0]])


def test_answers_stand_in_the_same_entry_of_the_ledger(reader, collecting):
    told = reader.standing()["study"]["further"]
    assert [one["name"] for one in told] == ["quality", "diagnosis", "visible", "remark"]
    assert [one["key"] for one in told[0]["choices"]] == ["1", "2", "3"]
    first = reader.tokens()[0]
    assert reader.rate(first).json()["refusal"]["code"] == "further_answer_missing"
    assert reader.rate(first, further={**GIVEN, "more": 1}).json()["refusal"]["code"] == "question_not_asked"
    assert reader.rate(first, further=GIVEN).status_code == 201
    event = RatingEvent.objects.get()
    assert (event.answer, event.further, event_content(event)["further"]) == ("real", GIVEN, GIVEN)
    collecting.refresh_from_db()
    assert collecting.protocol["further_questions"] == QUESTIONS
    assert verify(collecting).intact


def test_a_study_without_further_questions_is_written_down_as_ever(cast, world, stages):
    study = stages.open(make_draft(cast, world))
    assert "further_questions" not in study.protocol
    reader = Browser(cast.rater, study)
    assert reader.rate(reader.tokens()[0], further={"quality": 1}).status_code == 400
    assert reader.rate(reader.tokens()[0]).status_code == 201
    assert "further" not in event_content(RatingEvent.objects.get())


def test_the_page_saves_questions_and_says_what_is_wrong(cast, draft):
    client = Client()
    client.force_login(cast.owner)
    url = reverse("studies:further", args=[draft.pk])
    block = {"question-1": "How good?", "kind-1": "grade", "name-1": "quality", "options-1": "Poor\nGood"}
    wrong = client.post(url, {**block, "options-1": "Poor"})
    assert "needs 2 to 10 different answers" in wrong.content.decode()
    assert client.post(url, block).status_code == 302
    draft.refresh_from_db()
    expected = {"kind": "grade", "name": "quality", "question": "How good?", "options": ["Poor", "Good"]}
    assert draft.further_questions == [expected]
    assert client.get(url).context["form"]["options-1"].value() == "Poor\nGood"
    assert "How good?" in client.get(draft.get_absolute_url()).content.decode()
    change = draft.record.filter(action="design changed").latest("id").details["changed"]
    assert change == {"further_questions": [[], [expected]]}


def test_distributions_and_comparisons_follow_from_the_export(unblinded, cast):
    client = Client()
    client.force_login(cast.owner)
    text = client.get(reverse("studies:export-csv", args=[unblinded.pk])).getvalue().decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    found = client.get(reverse("study-further", args=[unblinded.pk])).json()["questions"]
    assert [one["name"] for one in found] == ["quality", "diagnosis", "visible"]
    grades = found[0]
    for arm in grades["arms"]:
        own = Counter(row["further_quality"] for row in rows if row["arm"] == arm["arm"])
        assert [count["n"] for count in arm["counts"]] == [own[str(grade)] for grade in (1, 2, 3)]
        assert arm["n"] == sum(own.values())
    assert grades["area"]["value"] == pytest.approx(mean_area(rows))
    assert found[1]["area"] is None
    assert all(0 < one["p"] <= one["p_adjusted"] <= 1 for one in found)


def mean_area(rows):
    """How often a synthetic case has the higher grade, over all pairs of one rater's answers."""
    areas = []
    for rater in {row["rater"] for row in rows}:
        real, synthetic = (
            [int(row["further_quality"]) for row in rows if (row["rater"], row["truth"]) == (rater, kind)]
            for kind in ("real", "synthetic")
        )
        wins = sum((high > low) + (high == low) / 2 for high in synthetic for low in real)
        areas.append(wins / len(real) / len(synthetic))
    return sum(areas) / len(areas)


def test_page_report_and_texts_tell_of_them_and_keep_free_text_back(unblinded, cast):
    client = Client()
    client.force_login(cast.owner)
    page = client.get(reverse("studies:results", args=[unblinded.pk])).content.decode()
    assert "Further questions" in page
    assert "How good is the picture?" in page
    files = text_files(report_data(UnblindedStudy(unblinded)))
    assert "After each answer they were asked: “How good is the picture?”" in files["methods.txt"].decode()
    assert "Further questions (exploratory)" in files["results.txt"].decode()
    assert {row["name"] for row in csv.DictReader(io.StringIO(files["further.csv"].decode()))} == {
        "quality",
        "diagnosis",
        "visible",
    }
    header = files["ratings.csv"].decode().splitlines()[0].split(",")
    assert "further_quality" in header
    assert "further_remark" not in header
    assert "further_remark" not in files["codebook.csv"].decode()
    exported = json.loads(client.get(reverse("studies:export-json", args=[unblinded.pk])).getvalue())
    assert "further_remark" in exported["codebook"]
    assert client.get(reverse("studies:registration", args=[unblinded.pk])).status_code == 200
