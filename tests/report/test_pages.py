"""A study that is hard to report goes through every page, the archive and the API with the same numbers."""

import csv
import io
import json
import re
import zipfile
from html import unescape

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from PIL import Image

from ctplatform.jobs.models import JobStatus
from readerstudy.models import CaseTruth, Presentation
from readerstudy.report import figure_files
from readerstudy.report.figures.flow_steps import flow_steps
from readerstudy.report.loading import report_data
from readerstudy.report.services import request_report
from readerstudy.report.tables import raters_csv
from readerstudy.report.text import methods_paragraph
from readerstudy.results import analysis_of, responses_of
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from readerstudy.web import report as pages
from tests.factories import make_dataset
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
        limits = "" if share.low is None else f" {share.low:.3f}–{share.high:.3f}"
        # Whoever stopped early may have seen one kind only, which has no share correct.
        assert share.value is None or f"{share.value:.3f}{limits}" in text
    ties = analysis.ensemble.n_ties
    assert ties > 0
    # How many more there are than the one that is made follows from orders that are drawn anew every time.
    assert f"split evenly on {ties} case{'' if ties == 1 else 's'}." in text
    # Ties may leave cases of one kind alone, which have no share correct.
    accuracy = analysis.ensemble.accuracy
    assert accuracy.value is not None or "cases were judged, so nothing can be tested" in accuracy.reason
    assert f"{analysis.design.n_missing} missing" in text
    assert analysis.design.n_missing > 0
    assert "read on a phone" in text


def test_unequal_classes_are_tested_over_patients_and_named_as_a_deviation(unequal, client_of_owner):
    analysis = analysis_of(UnblindedStudy(unequal))
    assert analysis.design.n_synthetic == 8
    assert analysis.design.n_real == 4
    assert {row.test for row in analysis.raters} == {"permutation"}
    assert (analysis.design.n_patients, analysis.design.unit) == (3, "patient")
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
    (areas,) = (words for words in re.findall(r"<h2>(.*?)</h2>", html, re.DOTALL) if "AUC with" in words)
    assert re.search(r"· average .*planned</span> · single raters .*exploratory</span>", areas), areas
    lines = re.findall(r"<h2>The panel in other ways</h2> <dl.*?>(.*?)</dl>", html, re.DOTALL)[0]
    assert lines.count("<dt>") == lines.count("tag-planned") + lines.count("tag-exploratory") > 5


def test_raters_of_one_experience_are_a_part_of_their_own(finished, client_of_owner):
    for years, locked in zip((2, 2, 20, 20), finished.protocol["raters"], strict=False):
        locked["experience_years"] = years
    finished.save()

    part = client_of_owner.get(f"/studies/{finished.pk}/results/?experience=junior")
    results = part.context["results"]
    assert results.part == "2 of the raters"
    assert "Does this part differ from the rest?" in part.content.decode()
    (sentence,) = results.interactions
    assert "these raters and the others" in sentence
    assert [reading.rater for reading in results.data.analysis.raters] == ["1", "2"]
    whole = client_of_owner.get(f"/studies/{finished.pk}/results/").context["results"].data.analysis.raters
    by_rater = {reading.rater: reading.correct for reading in whole}
    assert all(r.correct == by_rater[r.rater] for r in results.data.analysis.raters)
    assert "Exploratory: only 2 of the raters" in part.content.decode()

    (compared,) = report_data(UnblindedStudy(finished)).comparisons
    assert compared[0] == "Experience of the raters"
    assert compared[1] == sentence.replace("these raters and the others", "“below 5 years” and “10 years and more”")
    assert not results.data.comparisons, "a part is not cut up once more"


def test_of_two_generators_one_line_says_how_they_differ(finished, client_of_owner):
    for number, truth in enumerate(CaseTruth.objects.filter(case__study=finished, synthetic=True)):
        truth.details = {**truth.details, "generator_digest": "ab"[number % 2] * 64}
        truth.save()
    lines = [words for name, words in report_data(UnblindedStudy(finished)).comparisons if "Generator" in name]
    assert len(lines) == 1
    assert "“aaaaaaaaaaaa” and “bbbbbbbbbbbb”" in lines[0]
    html = page(client_of_owner, "results", finished)
    assert lines[0] in unescape(html)
    heading = re.search(r"<h2>Parts of the study (.*?)</h2>", html, re.DOTALL)
    assert "tag-exploratory" in heading[1]


def test_the_raters_experience_is_that_of_the_lock(finished):
    """Who may be moved between parts after the answers are known moves the result."""
    user = finished.raters.get(number=1).user
    before = report_data(UnblindedStudy(finished)).raters[0].experience_years
    user.experience_years = 33
    user.save()
    data = report_data(UnblindedStudy(finished))
    assert before is None is data.raters[0].experience_years
    assert verify(finished).intact
    assert raters_csv(data).splitlines()[0].split(",")[4] == "experience_years"
    # Protocols of before did not hold it: the account is all there is.
    del finished.protocol["raters"][0]["experience_years"]
    assert report_data(UnblindedStudy(finished)).raters[0].experience_years == 33


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
    assert {
        "report.html",
        "report.pdf",
        "guidelines.csv",
        "recompute.R",
        "study.imrmc",
        "plan.json",
        "figures/roc.png",
    } <= names
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
        ("figure-png", ["flow"]),
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
    ratings = client_of_owner.get(reverse("study-ratings", args=[collected.pk]), {"format": "csv"}).getvalue().decode()
    header = ratings.splitlines()[0]
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


@BOTH
def test_the_contents_lead_to_every_section(study, client_of_owner):
    html = page(client_of_owner, "results", study)
    contents = re.findall(r'<li><a href="#([\w-]+)">', html)
    assert contents == re.findall(r'<section id="([\w-]+)"', html)
    assert len(contents) == html.count("<section") > 12


def test_a_figure_is_saved_as_the_page_draws_it(finished, client_of_owner):
    response = client_of_owner.get(reverse("studies:results", args=[finished.pk]))
    html, shown_figures = response.content.decode(), response.context["results"].figures
    for figure in shown_figures:
        drawn = client_of_owner.get(reverse("studies:figure-svg", args=[finished.pk, figure.name]))
        assert drawn["Content-Type"] == "image/svg+xml"
        assert f'filename="trial-{figure.name}.svg"' in drawn["Content-Disposition"]
        declaration, _, svg = drawn.content.decode().partition("\n")
        assert declaration == '<?xml version="1.0" encoding="UTF-8"?>'
        assert svg.strip() in html
    saved = client_of_owner.get(reverse("studies:figure-png", args=[finished.pk, "roc"]))
    picture = Image.open(io.BytesIO(saved.content))
    assert picture.text["Title"] in html
    assert picture.width > 1500
    for name in ("figure-svg", "figure-png"):
        assert client_of_owner.get(reverse(f"studies:{name}", args=[finished.pk, "another"])).status_code == 404


def test_a_figure_of_a_part_is_saved_of_this_part(finished, client_of_owner):
    for years, locked in zip((2, 2, 20, 20), finished.protocol["raters"], strict=False):
        locked["experience_years"] = years
    finished.save()
    part = client_of_owner.get(f"/studies/{finished.pk}/results/?experience=junior").content.decode()
    address = f"/studies/{finished.pk}/results/figures/roc.svg?experience=junior"
    assert address in part
    whole = client_of_owner.get(address.partition("?")[0]).content
    assert client_of_owner.get(address).content != whole


def test_pictures_are_made_once_and_fetched_when_they_are_seen(finished, client_of_owner, settings, monkeypatch):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "pictures"}}
    html = page(client_of_owner, "results", finished)
    pictures = re.findall(r"<img [^>]*picture\.png[^>]*>", html)
    assert len(pictures) > 3
    assert all('loading="lazy"' in picture for picture in pictures)
    made = []
    for module, name in ((pages, "stimulus_png"), (figure_files, "png_of")):
        make = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, make=make, **named: made.append(1) or make(*args, **named))
    code = finished.cases.order_by("code").first().code
    for address in (("case-picture", code), ("figure-png", "roc")):
        first, second = (
            client_of_owner.get(reverse(f"studies:{address[0]}", args=[finished.pk, address[1]])) for _ in "ab"
        )
        assert first.content == second.content
    assert len(made) == 2


def test_other_peoples_studies_have_no_results(finished, cast):
    other = Client()
    other.force_login(cast.other)
    code = finished.cases.order_by("code").first().code
    for name, args in (
        ("report", []),
        ("download-report", []),
        ("case-picture", [code]),
        ("case-result", [code]),
        ("figure-svg", ["flow"]),
        ("figure-png", ["flow"]),
        ("plan", []),
    ):
        assert other.get(reverse(f"studies:{name}", args=[finished.pk, *args])).status_code == 404, name


def test_patients_and_scans_stand_on_page_methods_and_flow(finished, client_of_owner):
    """An edited scan belongs to the patient whose scan it was made of, whatever it is called itself."""
    for case in finished.cases.filter(truth__synthetic=True).select_related("truth__scan"):
        case.truth.scan.subject = f"renamed {case.code}"
        case.truth.scan.save()
    opened = UnblindedStudy(finished)
    patients = responses_of(opened).patients
    assert len(set(patients)) == 3
    assert not any(host.subject.startswith("renamed") for host in opened.hosts.values())
    design = analysis_of(opened).design
    assert (design.n_patients, design.n_patients_both, design.most_cases_of_a_patient) == (3, 3, 4)
    data = report_data(opened)
    text = words_of(page(client_of_owner, "results", finished))
    assert "3, in 3 scans: 3 with a synthetic case" in text
    assert "Raters and patients are random" in text or "patients are random and the raters fixed" in text
    assert "The cases lay in 3 scans of 3 patients" in methods_paragraph(data)
    assert "3 scans, 3 patients" in " ".join(step.text for step in flow_steps(data))
    assert {row["patient"] for row in data.ratings} == set(patients)
    assert {row["subject"] for row in data.ratings} == {host.subject for host in opened.hosts.values()}


def test_one_name_in_two_datasets_is_two_patients_unless_the_plan_says_otherwise(finished, cast):
    """Every hospital has a P01."""
    opened = UnblindedStudy(finished)
    hosts = {host.pk: host for host in opened.hosts.values()}
    elsewhere = make_dataset(owner=cast.owner)
    for number, host in enumerate(hosts.values()):
        moved = {"dataset": elsewhere} if number else {}
        type(host).objects.filter(pk=host.pk).update(subject="P01" if number < 2 else "P02", **moved)
    patients = responses_of(UnblindedStudy(finished)).patients
    assert len(set(patients)) == 3
    data = report_data(UnblindedStudy(finished))
    assert {(case.dataset, case.subject) for case in data.cases} == {
        (next(iter(hosts.values())).dataset.name, "P01"),
        (elsewhere.name, "P01"),
        (elsewhere.name, "P02"),
    }
    finished.protocol["analysis_plan"]["plan"]["same_names"] = "together"
    assert len(set(responses_of(UnblindedStudy(finished)).patients)) == 2
    # Who froze a plan before there was this choice, froze names.
    del finished.protocol["analysis_plan"]["plan"]["same_names"]
    assert len(set(responses_of(UnblindedStudy(finished)).patients)) == 2
    assert {case.host_scan for case in data.cases} == {scan.name for scan in opened.hosts.values()}
