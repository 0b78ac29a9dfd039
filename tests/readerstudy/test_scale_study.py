"""A study that asks for a level of one scale, from the draft to the report."""

import csv
import io
import json
import shutil
import subprocess

import numpy as np
import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from readerstudy.analysis.panel.mrmc import reader_averaged_auc
from readerstudy.design import services as design
from readerstudy.ledger.chain import event_content
from readerstudy.models import RatingEvent
from readerstudy.report.archive import text_files
from readerstudy.report.loading import report_data
from readerstudy.results import analysis_of
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.readerstudy.worlds import Browser, make_draft, make_world, unblind

RATERS, CASES = 4, 14
TOWARDS_REAL = {"levels": 10, "towards": "real", "cannot_tell": True, "labels": ["Fake", "Genuine"]}


def scale_draft(cast, world, settings, **more):
    return make_draft(cast, world, task_name="scale", task_settings=settings, **more)


@pytest.fixture
def drafting():
    return {"task_name": "scale", "task_settings": TOWARDS_REAL}


@pytest.fixture
def simulated(recorded, cast, stages):
    def make():
        world = make_world(cast.owner, sources=4, edits_per_source=3)
        study = scale_draft(cast, world, TOWARDS_REAL, cases=CASES, raters=[], field_of_view_mm=13.75)
        call_command("simulate_raters", "Trial", "--raters", str(RATERS), verbosity=0)
        stages.open(study)
        call_command("simulate_raters", str(study.pk), "--skill", "0.8", "--seed", "5")
        study.refresh_from_db()
        return study

    return recorded("simulated scale", make)


@pytest.fixture
def unblinded(recorded, simulated):
    return recorded("unblinded scale", lambda: unblind(simulated))


def test_the_protocol_freezes_the_scale_with_all_that_was_left_as_usual(collecting):
    frozen = collecting.protocol
    assert frozen["task"] == {"name": "scale", "settings": {**TOWARDS_REAL, "cut_off": 6}}
    assert frozen["answers"] == ["level", "cannot_tell"]
    assert frozen["confidence_levels"] == 0
    assert any("Levels from 6 to 10 count as a call for “real”" in line for line in frozen["analysis_plan"]["in_words"])
    assert verify(collecting).intact
    type(collecting).objects.filter(pk=collecting.pk).update(task_settings={**TOWARDS_REAL, "cut_off": 7})
    collecting.refresh_from_db()
    assert "task_settings of the study differ from the protocol" in str(verify(collecting).problems)


def test_the_room_is_told_the_scale_and_takes_its_levels_only(reader):
    asked = reader.standing()["study"]
    assert [one["level"] for one in asked["answers"]] == [*range(1, 11), None]
    assert asked["confidence"] is None
    first, second, *_ = reader.tokens()
    for wrong in ({"answer": "real"}, {"answer": "level"}, {"answer": "level", "level": 11}):
        refused = reader.rate(first, confidence=None, **wrong)
        assert (refused.status_code, refused.json()["refusal"]["code"]) == (400, "no_such_answer")
    assert reader.rate(first, answer="level", level=3, confidence=2).json()["refusal"]["code"] == "confidence_not_asked"
    assert reader.rate(first, answer="level", level=3, confidence=None).status_code == 201
    taken = reader.rate(second, answer="cannot_tell", confidence=None).json()
    assert taken["previous_answer"]["answer"] == "cannot_tell"
    again = reader.rate(second, answer="level", level=9, confidence=None).json()
    assert again["previous_answer"]["level"] == 9
    assert list(RatingEvent.objects.order_by("sequence").values_list("answer", "level")) == [
        ("level", 3),
        ("cannot_tell", None),
        ("level", 9),
    ]


def test_the_chain_covers_the_level(reader, collecting):
    reader.rate(reader.tokens()[0], answer="level", level=3, confidence=None)
    reader.rate(reader.tokens()[1], answer="cannot_tell", confidence=None)
    with_level, without = RatingEvent.objects.order_by("sequence")
    assert event_content(with_level)["level"] == 3
    assert "level" not in event_content(without)
    collecting.refresh_from_db()
    assert verify(collecting).intact
    with_level.level = 4
    assert event_content(with_level)["level"] == 4


@pytest.mark.parametrize(
    "wrong", [{"answer": "level"}, {"answer": "real", "level": 3}, {"answer": "level", "level": 101}]
)
def test_the_database_refuses_what_is_no_answer_of_any_task(reader, wrong):
    reader.rate(reader.tokens()[0], answer="level", level=3, confidence=None)
    event = RatingEvent.objects.get()
    event.pk, event.sequence, event.previous_digest, event.level = None, 2, event.digest, wrong.get("level")
    event.client_event_id, event.answer = "00000000-0000-4000-8000-000000000001", wrong["answer"]
    with pytest.raises(IntegrityError), transaction.atomic():
        event.save(force_insert=True)


def test_the_page_of_the_protocol_saves_a_scale_and_says_what_is_wrong(cast, draft):
    client = Client()
    client.force_login(cast.owner)
    url = reverse("studies:design", args=[draft.pk])
    form = client.get(url).context["form"]
    entered = {name: form[name].value() for name in form.fields}
    entered = {name: value for name, value in entered.items() if value is not None and value is not False}
    entered.pop("task_settings", None)
    entered |= {"task_name": "scale", "scale-levels": "5", "scale-towards": "real", "scale-labels": "Fake\nGenuine"}
    wrong = client.post(url, {**entered, "scale-cut_off": "9"})
    assert "answers count as called from a level of 2 to 5" in wrong.content.decode()
    assert client.post(url, {**entered, "scale-cut_off": ""}).status_code == 302
    draft.refresh_from_db()
    assert draft.task_name == "scale"
    assert draft.task_settings == {
        "levels": "5",
        "towards": "real",
        "labels": ["Fake", "Genuine"],
        "cannot_tell": False,
    }
    shown = client.get(url).context["form"]
    assert (shown["scale-labels"].value(), shown["scale-levels"].value()) == ("Fake\nGenuine", "5")
    page = client.get(draft.get_absolute_url()).content.decode()
    assert "A level from 1 (“Fake”) to 5 (“Genuine”)" in page
    # and back again
    assert client.post(url, {**entered, "task_name": "real_or_synthetic"}).status_code == 302
    draft.refresh_from_db()
    assert (draft.task_name, draft.task_settings) == ("real_or_synthetic", {})


def test_programs_choose_a_scale_too(cast, draft):
    client = Client()
    client.force_login(cast.owner)
    url = reverse("study-detail", args=[draft.pk])
    wish = {"task_name": "scale", "task_settings": {"levels": 101}}
    answer = client.patch(url, json.dumps(wish), content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert answer.json()["task_name"] == "scale"
    wrong = client.patch(url, json.dumps({"task_settings": {"levels": 12}}), content_type="application/json")
    assert (wrong.status_code, "2 to 11 levels" in wrong.content.decode()) == (400, True)


def test_the_usual_plan_of_a_scale_is_the_area_under_the_curve(cast, draft):
    design.change_design(study=draft, actor=cast.owner, confidence_levels=0)
    design.change_design(study=draft, actor=cast.owner, task_name="scale", task_settings={"levels": 5})
    client = Client()
    client.force_login(cast.owner)
    page = client.get(reverse("studies:plan", args=[draft.pk])).content.decode()
    assert "AUC averaged over the raters" in page
    assert "Levels from 4 to 5 count as a call for “synthetic”" in page
    assert "this study asks for none" not in page


def test_results_are_those_of_the_levels_in_the_export(unblinded, cast):
    client = Client()
    client.force_login(cast.owner)
    text = client.get(reverse("studies:export-csv", args=[unblinded.pk])).getvalue().decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == RATERS * CASES
    cases, raters = (sorted({row[name] for row in rows}) for name in ("case", "rater"))
    truth = [next(int(row["truth"] == "synthetic") for row in rows if row["case"] == case) for case in cases]
    patients = [next(row["patient"] for row in rows if row["case"] == case) for case in cases]
    said = {(row["case"], row["rater"]): row for row in rows}
    scores = [[11 - float(said[case, rater]["level"] or 5.5) for rater in raters] for case in cases]
    expected = reader_averaged_auc(truth=truth, ratings=scores, patients=patients)
    analysis = analysis_of(UnblindedStudy(unblinded))
    assert analysis.mrmc.auc.value == pytest.approx(expected.value)
    assert analysis.primary.measure == "AUC"
    right = [int((float(row["level"] or 5.5) < 6) == (row["truth"] == "synthetic")) for row in rows]
    assert right == [int(row["correct"]) for row in rows]
    assert sum(right) == sum(row.correct for row in analysis.raters)
    # one level again and again is what makes a rater constant, not one side of the cut-off
    for row, rater in zip(analysis.assay.raters, raters, strict=True):
        levels = [said[case, rater]["level"] for case in cases]
        assert row.most_frequent_share == max(levels.count(one) for one in levels) / CASES


def test_page_report_and_texts_speak_of_the_scale(unblinded, cast):
    client = Client()
    client.force_login(cast.owner)
    page = client.get(reverse("studies:results", args=[unblinded.pk])).content.decode()
    assert "Levels from 6 to 10 count as a call for “real”" in page
    files = text_files(report_data(UnblindedStudy(unblinded)))
    methods = files["methods.txt"].decode()
    assert "on a scale from 1 (“Fake”) to 10 (“Genuine”) or said that they could not tell" in methods
    assert "the level was the score, turned round" in methods
    assert "answer and confidence" not in methods
    codebook = {(row["table"], row["column"]) for row in csv.DictReader(io.StringIO(files["codebook.csv"].decode()))}
    assert ("ratings", "level") in codebook
    assert "Score: level, higher is more surely synthetic." in files["study.imrmc"].decode()
    code = next(iter(UnblindedStudy(unblinded).truths))
    assert client.get(reverse("studies:case-result", args=[unblinded.pk, code])).status_code == 200
    registered = client.get(reverse("studies:registration", args=[unblinded.pk]))
    assert registered.status_code == 200


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_r_finds_the_same_areas(unblinded, tmp_path):
    data = report_data(UnblindedStudy(unblinded))
    for name, content in text_files(data).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(["Rscript", "recompute.R"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["primary"]["estimate"] == pytest.approx(data.analysis.primary.estimate.value)
    for theirs, ours in zip(found["raters"], data.analysis.raters, strict=True):
        assert theirs["auc"] == pytest.approx(ours.auc.value)
        assert theirs["correct"] == ours.correct


def test_somebody_who_sits_on_one_level_hardly_varies(reader, collecting, cast):
    """Two levels of one side are two answers; one level alone is one."""
    for position, token in enumerate(reader.tokens()):
        reader.rate(token, answer="level", level=1 + position % 2, confidence=None)
    other = Browser(cast.second_rater, collecting)
    for token in other.tokens():
        other.rate(token, answer="level", level=3, confidence=None)
    client = Client()
    client.force_login(cast.owner)
    look = client.get(reverse("studies:blinded-look", args=[collecting.pk])).context["look"]
    assert [row.varies for row in look.raters] == [True, False]
    assert np.isclose([row.share_called_synthetic for row in look.raters], 1).all()
