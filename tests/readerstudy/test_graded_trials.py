"""Further questions about every image of a trial: asked by side, told by image, whichever side it stood on."""

import csv
import io

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from readerstudy.design import services as design
from readerstudy.models import Presentation, RatingEvent
from readerstudy.reading.sessions import study_payload
from readerstudy.report.choices.archive import choice_text_files
from readerstudy.report.choices.report import choice_report
from readerstudy.report.choices.written import choice_document
from readerstudy.report.export import ledger_of, rating_rows
from readerstudy.tasks.items import MOST_OF_A_TRIAL, asked_of_trial, items_of
from readerstudy.tasks.labels import ENGLISH, GERMAN
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.readerstudy.test_forced_choice_study import Room, pairs_draft
from tests.readerstudy.worlds import unblind

GRADE = {
    "kind": "grade",
    "name": "realism",
    "question": "How realistic is it?",
    "options": ["unrealistic", "fair", "good", "fully realistic"],
}
WHY = {"kind": "text", "name": "why", "question": "Why?"}


def test_every_question_is_asked_of_every_image_and_has_a_name_of_its_own():
    items = items_of([GRADE, WHY])
    asked = asked_of_trial(items, 3, ENGLISH)
    assert [item.name for item in asked] == [f"{name}_image_{n}" for name in ("realism", "why") for n in (1, 2, 3)]
    assert asked[1].question == "Image 2: How realistic is it?"
    assert asked[1].options_in_words == items[0].options_in_words
    assert asked_of_trial(items, 1, ENGLISH) == items
    with pytest.raises(ValueError, match=f"at most {MOST_OF_A_TRIAL}"):
        asked_of_trial(items_of([GRADE, {**GRADE, "name": "a"}, {**GRADE, "name": "b"}]), 6, ENGLISH)
    with pytest.raises(ValueError, match="at most 291 letters"):
        asked_of_trial(items_of([{**GRADE, "question": "x" * 292}]), 2, ENGLISH)
    with pytest.raises(ValueError, match=r"“image_quality_overall_rating” is too long, .* at most 22"):
        asked_of_trial(items_of([{**GRADE, "name": "image_quality_overall_rating"}]), 2, ENGLISH)
    [first, _] = asked_of_trial(items_of([{**GRADE, "name": "x" * 22, "question": "x" * 291}]), 2, ENGLISH)
    assert len(first.question) == 300


def test_images_have_one_name_per_language_in_questions_and_answers(cast):
    draft = pairs_draft(cast, cases=8, further_questions=[GRADE], language=GERMAN)
    room = study_payload(draft)["study"]
    assert [answer["label"] for answer in room["answers"]] == ["Bild 1", "Bild 2"]
    assert [one["question"] for one in room["further"]] == [f"Bild {n}: How realistic is it?" for n in (1, 2)]
    assert [one["name"] for one in room["further"]] == ["realism_image_1", "realism_image_2"]


@pytest.fixture
def graded(cast, stages):
    study = stages.open(pairs_draft(cast, cases=8, further_questions=[GRADE, WHY]))
    assert study.protocol["further_questions"] == [GRADE, WHY]
    return study


def is_synthetic(token):
    return Presentation.objects.get(token=token).stimulus.case.truth.synthetic


def test_grades_belong_to_images_and_not_to_sides(cast, graded):
    rooms = [Room(person, graded) for person in (cast.rater, cast.second_rater)]
    told = rooms[0].standing()["study"]["further"]
    assert [one["question"] for one in told[:2]] == ["Image 1: How realistic is it?", "Image 2: How realistic is it?"]
    for room in rooms:
        for position in range(4):
            images = room.images(position)
            # Real ones are graded 4, synthetic ones 2, wherever they stand; the left one is chosen.
            given = {f"realism_image_{n}": 2 if is_synthetic(one) else 4 for n, one in enumerate(images, start=1)}
            given |= {"why_image_1": "", "why_image_2": "a seam"}
            incomplete = {name: value for name, value in given.items() if name != "realism_image_2"}
            refused = room.choose(images[0], side=0, further=incomplete).json()
            assert refused["refusal"]["code"] == "further_answer_missing"
            assert "Image 2: How realistic" in str(refused)
            refused = room.choose(images[0], side=0, further={**given, "realism": 2}).json()["refusal"]
            assert refused["code"] == "question_not_asked"
            assert room.choose(images[0], side=0, further=given).status_code == 201
    sealed = list(rating_rows(ledger_of(graded)))
    assert not [name for name in sealed[0] if "realism" in name], "until the unblinding it would tell the kinds"
    unblind(graded)
    opened = UnblindedStudy(graded)
    report = choice_report(opened)
    [question] = report.further
    assert {arm.arm == "real": [one.n for one in arm.counts] for arm in question.arms} == {
        True: [0, 0, 0, 8],
        False: [0, 8, 0, 0],
    }
    assert question.area.value == 0
    files = choice_text_files(report)
    grades = list(csv.DictReader(io.StringIO(files["grades.csv"].decode())))
    assert len(grades) == 2 * 4 * 2
    assert {(row["arm"] == "real", row["answer"]) for row in grades} == {(True, "4"), (False, "2")}
    assert "a seam" not in "".join(content.decode() for name, content in files.items() if name != "ratings.csv")
    assert "After each answer they were asked of every image: “How realistic is it?”" in files["methods.txt"].decode()
    assert "Further questions (exploratory): “How realistic is it?”" in files["results.txt"].decode()
    assert "Further questions" in [section.title for section in choice_document(report, []).sections]
    client = Client()
    client.force_login(cast.owner)
    page = client.get(reverse("studies:results", args=[graded.pk])).content.decode()
    assert "fully realistic: 8" in page
    found = client.get(reverse("study-further", args=[graded.pk])).json()["questions"]
    assert found[0]["area"]["value"] == 0
    assert verify(graded).intact
    assert RatingEvent.objects.first().further["realism_image_1"] in {2, 4}


def test_more_than_one_can_grade_is_refused_in_the_draft(cast):
    draft = pairs_draft(cast, cases=8)
    three = [{**GRADE, "name": name} for name in ("one", "two", "three")]
    with pytest.raises(ValidationError, match="18 answers would be asked"):
        design.change_design(
            study=draft,
            actor=cast.owner,
            cases_planned=12,
            task_settings={"images": 6, "find": "real", "matched": True},
            further_questions=three,
        )
    design.change_design(study=draft, actor=cast.owner, further_questions=three)
