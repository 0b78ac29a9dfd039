"""A study that is hard to report goes through every page, the archive and the API with the same numbers."""

import csv
import io
import json
import re
import zipfile

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from ctplatform.jobs.models import JobStatus
from readerstudy.models import Presentation
from readerstudy.report.loading import report_data
from readerstudy.report.services import request_report
from readerstudy.results import analysis_of
from readerstudy.unblinding.opened import UnblindedStudy
from tests.pages import shown
from tests.report.test_archive import NO_R, has_r, recompute
from tests.report.test_text import claims

BOTH = pytest.mark.parametrize("kind", ["finished", "unequal"])


@pytest.fixture
def client_of_owner(cast):
    client = Client()
    client.force_login(cast.owner)
    return client


@pytest.fixture
def study(kind, request):
    return request.getfixturevalue(kind)


def page(client, name, study, *args):
    response = client.get(reverse(f"studies:{name}", args=[study.pk, *args]))
    assert response.status_code == 200, (name, response.status_code)
    return shown(response)


def words_of(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


@BOTH
def test_every_page_of_a_hard_study_holds_and_claims_nothing(study, client_of_owner):
    code = study.cases.order_by("code").first().code
    pages = [page(client_of_owner, name, study) for name in ("study", "results", "report", "plan")]
    pages.append(page(client_of_owner, "case-result", study, code))
    for text in map(words_of, pages):
        assert claims(text) == []
        assert "None" not in text
        assert not re.search(r"\bnan\b", text)
    # no element of style or script, and no handler, that the security policy would refuse
    assert not any(re.search(r"<style|<script(?![^>]*\bsrc=)|\son[a-z]+=", text) for text in pages)


@BOTH
def test_numbers_on_the_page_are_those_of_the_analysis(study, client_of_owner):
    text = words_of(page(client_of_owner, "results", study))
    analysis = analysis_of(UnblindedStudy(study))
    assert analysis.primary.sentence in text
    assert analysis.primary.verdict.capitalize() in text
    for row in [*analysis.raters, analysis.ensemble]:
        share = row.accuracy
        assert f"{row.correct} of {row.n}" in text
        assert f"{share.value:.3f} {share.low:.3f}–{share.high:.3f}" in text
    assert f"split evenly on {analysis.ensemble.n_ties} cases" in text
    assert analysis.ensemble.n_ties > 0
    assert f"{analysis.design.n_missing} missing" in text
    assert analysis.design.n_missing > 0
    assert "read on a phone" in text


def test_unequal_classes_are_tested_by_fisher_and_named_as_a_deviation(unequal, client_of_owner):
    analysis = analysis_of(UnblindedStudy(unequal))
    assert analysis.design.n_synthetic == 8
    assert analysis.design.n_real == 4
    assert {row.test for row in analysis.raters} == {"fisher"}
    constant = analysis.raters[0]
    assert constant.accuracy.value == pytest.approx(8 / 12)
    assert constant.p == 1
    text = words_of(page(client_of_owner, "results", unequal))
    assert "The classes are unequal" in text
    assert "balanced: planned True, done False" in text


def test_every_number_is_planned_or_exploratory(finished, client_of_owner):
    html = page(client_of_owner, "results", finished)
    rows = re.findall(r"<tbody>(.*?)</tbody>", html, re.DOTALL)[0].split("<tr>")[1:]
    assert len(rows) == 5
    assert all("planned" in row for row in rows)
    for heading in re.findall(r"<h2>(.*?)</h2>", html, re.DOTALL):
        if not any(words in heading for words in ("Flow", "Each rater", "rests on", "other ways")):
            assert "tag-planned" in heading or "tag-exploratory" in heading, heading
    lines = re.findall(r"<h2>The panel in other ways</h2> <dl.*?>(.*?)</dl>", html, re.DOTALL)[0]
    assert lines.count("<dt>") == lines.count("tag-planned") + lines.count("tag-exploratory") > 5


def test_raters_of_one_experience_are_a_part_of_their_own(finished, client_of_owner):
    people = [rater.user for rater in finished.raters.filter(excluded_at=None).order_by("number")]
    for years, user in zip((2, 2, 20, 20, 20), people, strict=False):
        user.experience_years = years
        user.save()

    part = client_of_owner.get(f"/studies/{finished.pk}/results/?experience=junior")
    results = part.context["results"]
    assert results.part == "2 of the raters"
    assert [reading.rater for reading in results.data.analysis.raters] == ["1", "2"]
    whole = client_of_owner.get(f"/studies/{finished.pk}/results/").context["results"].data.analysis.raters
    by_rater = {reading.rater: reading.correct for reading in whole}
    assert all(r.correct == by_rater[r.rater] for r in results.data.analysis.raters)
    assert "Exploratory: only 2 of the raters" in part.content.decode()


def test_a_part_of_the_cases_is_exploratory_throughout(finished, client_of_owner):
    truths = [case.truth for case in finished.cases.select_related("truth")]
    for number, truth in enumerate(sorted(truths, key=lambda truth: truth.case.code)):
        truth.diameter_mm = 8.0 if number < 5 else 25.0
        truth.save()
    html = client_of_owner.get(reverse("studies:results", args=[finished.pk]), {"size": "small"}).content.decode()
    assert "only 5 of the cases" in words_of(html)
    assert "tag-exploratory" in html
    assert "tag-planned" not in html
    data = report_data(
        UnblindedStudy(finished), cases=frozenset(sorted(case.code for case in finished.cases.all())[:5])
    )
    assert data.analysis.design.n_cases == 5
    assert {row["case"] for row in data.ratings} == {case.code for case in data.cases}


@BOTH
def test_the_report_is_made_by_a_job_and_has_the_same_numbers(
    study, cast, client_of_owner, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        assert client_of_owner.post(reverse("studies:make-report", args=[study.pk])).status_code == 302
    assert "What is inside" in page(client_of_owner, "report", study)
    response = client_of_owner.get(reverse("studies:download-report", args=[study.pk]))
    with zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content))) as archive:
        names = set(archive.namelist())
        analysis = json.loads(archive.read("analysis.json"))
        ratings = list(csv.DictReader(io.StringIO(archive.read("ratings.csv").decode())))
        html = archive.read("report.html").decode()
    assert {"report.html", "recompute.R", "study.imrmc", "plan.json", "figures/roc.png"} <= names
    assert analysis == analysis_of(UnblindedStudy(study)).as_json()
    api = client_of_owner.get(reverse("study-results", args=[study.pk])).json()
    assert api == analysis
    assert len(ratings) == study.ledger_count
    counted = [row for row in ratings if row["valid"] == "1" and row["excluded"] == "0"]
    assert len(counted) == analysis["design"]["n_ratings"]
    for reading in analysis["raters"]:
        assert sum(row["correct"] == "1" for row in counted if row["rater"] == reading["rater"]) == reading["correct"]
    assert claims(words_of(html)) == []
    assert cast.rater.username not in html + json.dumps(ratings)


def test_a_report_in_the_making_is_not_made_twice(finished, cast):
    first = request_report(study=finished, actor=cast.owner)
    assert request_report(study=finished, actor=cast.member) == first
    assert first.status == JobStatus.QUEUED


def test_the_command_writes_the_same_files(finished, tmp_path, capsys):
    call_command("report", str(finished.pk), "--out", str(tmp_path / "new" / "folder"))
    folder = tmp_path / "new" / "folder"
    assert json.loads((folder / "analysis.json").read_text()) == analysis_of(UnblindedStudy(finished)).as_json()
    assert (folder / "figures" / "flow.svg").exists()


@pytest.mark.skipif(not has_r(), reason=NO_R)
def test_r_finds_the_numbers_of_a_study_from_the_database(unequal, tmp_path):
    data = report_data(UnblindedStudy(unequal))
    recompute(data, tmp_path)


def test_nothing_before_the_unblinding(collected, cast, client_of_owner, tmp_path):
    code = collected.cases.order_by("code").first().code
    for name, args in (
        ("results", []),
        ("report", []),
        ("download-report", []),
        ("case-result", [code]),
        ("case-picture", [code]),
    ):
        response = client_of_owner.get(reverse(f"studies:{name}", args=[collected.pk, *args]), follow=True)
        assert response.redirect_chain, name
        assert "sealed until the study is closed and unblinded" in response.content.decode(), name
    response = client_of_owner.post(reverse("studies:make-report", args=[collected.pk]), follow=True)
    assert "sealed until the study is closed and unblinded" in response.content.decode()
    with pytest.raises(CommandError, match="sealed"):
        call_command("report", str(collected.pk), "--out", str(tmp_path))
    assert not list(tmp_path.iterdir())
    for path in ("results/", "results/?format=csv"):
        response = client_of_owner.get(reverse("study-detail", args=[collected.pk]) + path)
        assert response.status_code == 409
    ratings = client_of_owner.get(reverse("study-ratings", args=[collected.pk]), {"format": "csv"}).content.decode()
    header = next(line for line in ratings.splitlines() if not line.startswith("#"))
    assert not {"truth", "correct", "scan", "subject", "diameter_mm", "depth_mm"} & set(header.split(","))


def test_the_page_of_a_case_says_who_was_right(finished, client_of_owner):
    presentation = Presentation.objects.filter(session__rater__study=finished).first()
    case = presentation.stimulus.case
    text = words_of(page(client_of_owner, "case-result", finished, case.code))
    assert ("Synthetic" if case.truth.synthetic else "Real") in text
    answers = [
        event for event in finished.events.filter(superseded_by=None) if event.presentation.stimulus.case == case
    ]
    right = sum((event.answer == "synthetic") == case.truth.synthetic for event in answers)
    assert text.count(" right ") == right
    assert text.count(" wrong ") == len(answers) - right
    picture = client_of_owner.get(reverse("studies:case-picture", args=[finished.pk, case.code]))
    assert picture.content.startswith(b"\x89PNG")
    assert "private" in picture["Cache-Control"]


def test_other_peoples_studies_have_no_results(finished, cast):
    other = Client()
    other.force_login(cast.other)
    code = finished.cases.order_by("code").first().code
    for name, args in (
        ("report", []),
        ("download-report", []),
        ("case-picture", [code]),
        ("case-result", [code]),
        ("plan", []),
    ):
        assert other.get(reverse(f"studies:{name}", args=[finished.pk, *args])).status_code == 404, name
