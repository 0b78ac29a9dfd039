"""Studies in which one of several images is to be found, read by virtual raters and unblinded; and one not locked."""

import copy
import csv
import io
import json
import math
import shutil
import subprocess
from dataclasses import replace

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import Client, TestCase
from django.urls import reverse

from readerstudy.analysis import analyse_choices
from readerstudy.choices import ProgramChoices, choice_results, choices_of
from readerstudy.design.cases import truths_of
from readerstudy.locking import execution
from readerstudy.models import RatingEvent
from readerstudy.report.choices.archive import R_SCRIPTS, choice_text_files
from readerstudy.report.choices.figures import choice_figures
from readerstudy.report.choices.page import choice_page
from readerstudy.report.choices.report import choice_report, verified_choice_report
from readerstudy.report.choices.tables import result_rows
from readerstudy.report.choices.words import methods_paragraph, panel_lines, results_text
from readerstudy.report.choices.written import choice_document
from readerstudy.report.export import rating_rows
from readerstudy.report.text import p_words
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import StudyLedger, UnblindedStudy
from readerstudy.verification import verify
from tests.readerstudy.test_forced_choice_study import CASES, pairs_draft
from tests.readerstudy.worlds import Cast, Stages, make_draft, make_world

pytestmark = pytest.mark.django_db
RATERS = 3


def read(cast, stages, study, *, skill="0.8"):
    """From the draft over the lock to the last answer, which virtual raters send through the API."""
    call_command("simulate_raters", str(study.pk), "--raters", str(RATERS), verbosity=0)
    stages.open(study)
    call_command("simulate_raters", str(study.pk), "--skill", skill, "--seed", "5")
    study.refresh_from_db()
    return study


def unblinded(study):
    unblinding.close(study=study, actor=study.owner)
    unblinding.unblind(study=study, actor=study.owner, typed_title=study.title)
    study.refresh_from_db()
    return UnblindedStudy(study)


def shared(django_db_blocker, make):
    """One study for many tests, taken back at the end."""
    with django_db_blocker.unblock(), transaction.atomic():
        cast, stages = Cast.create(), Stages(TestCase.captureOnCommitCallbacks)
        yield make(cast, stages)
        transaction.set_rollback(True)


def a_client(study):
    client = Client()
    client.force_login(study.owner)
    return client


@pytest.fixture(scope="module")
def pairs(django_db_setup, django_db_blocker):
    """Pairs with confidence; what was told before the unblinding stands beside the study."""

    def make(cast, stages):
        study = read(cast, stages, pairs_draft(cast, raters=[], confidence_levels=3))
        client = a_client(study)
        sealed = {
            "api": client.get(reverse("study-choices", args=[study.pk])).status_code,
            "sides": {row["side"] for row in rating_rows(StudyLedger(study))},
            "look": client.get(reverse("studies:blinded-look", args=[study.pk])).content.decode(),
        }
        return unblinded(study), sealed

    yield from shared(django_db_blocker, make)


@pytest.fixture(scope="module")
def quartets(django_db_setup, django_db_blocker):
    """Four images, put together at random, of which one is real."""

    def make(cast, stages):
        world = make_world(cast.owner, sources=6, edits_per_source=3)
        settings = {"images": 4, "find": "real", "matched": False}
        study = make_draft(
            cast,
            world,
            cases=24,
            field_of_view_mm=13.75,
            raters=[],
            task_name="forced_choice",
            task_settings=settings,
            confidence_levels=0,
        )
        return unblinded(read(cast, stages, study))

    yield from shared(django_db_blocker, make)


def check_numbers(opened, *, find, images):
    """Every number from the rows of the export, without the code that counts."""
    rows = list(rating_rows(opened))
    assert all(row["correct"] == (row["truth"] == find) for row in rows)
    results = choice_results(opened)
    found = results.choices
    trials = len(opened.truths) // images
    right = [sum(row["correct"] for row in rows if row["rater"] == number) for number in range(1, RATERS + 1)]
    assert [reader.right for reader in found.readers] == right
    assert found.joint.right == sum(right) > RATERS * trials / images
    choices = choices_of(opened)
    assert all(opened.truths[trial[0]].synthetic == (find == "synthetic") for trial in choices.trials)
    assert {case for trial in choices.trials for case in trial} == set(opened.truths)
    matched = opened.study.asked.task.matched
    patients = choices.patients
    assert (
        analyse_choices(chosen=choices.chosen, images=images, patients=patients, matched=matched, margin=0.15) == found
    )
    assert sum(one.votes for one in results.preference.abilities) == RATERS * trials
    for number, side in enumerate(results.sides, start=1):
        own = [row["side"] for row in rows if row["rater"] == number]
        assert side == max(own.count(one) for one in range(1, images + 1)) / len(own)
    return results


def test_before_the_unblinding_only_sides_are_told(pairs):
    opened, sealed = pairs
    assert (sealed["api"], sealed["sides"]) == (409, {1, 2})
    assert "Most chosen side" in sealed["look"]
    assert "Called synthetic" not in sealed["look"]
    assert f"{CASES // 2} of {CASES // 2}" in sealed["look"]
    assert set(RatingEvent.objects.filter(study=opened.study).values_list("answer", flat=True)) == {"chosen"}


def test_page_api_and_export_tell_the_numbers_of_the_images_that_were_chosen(pairs):
    opened, _ = pairs
    study, client = opened.study, a_client(opened.study)
    assert verify(study).intact
    results = check_numbers(opened, find="real", images=2)
    page = client.get(reverse("studies:results", args=[study.pk])).content.decode()
    for words in (
        results.sentence.split(":")[0],
        "Exact joint test",
        "must not be compared with an AUC of single images",
        "Choices and confidence",
        f"{CASES // 2}, each of 2 images",
        "band: within the margin, 0.350 to 0.650",
    ):
        assert words in page
    assert client.get(reverse("studies:figure-svg", args=[study.pk, "forest-right"])).status_code == 200
    assert client.get(reverse("study-choices", args=[study.pk])).json()["choices"]["joint"]["right"] == (
        results.choices.joint.right
    )
    assert client.get(reverse("study-results", args=[study.pk])).status_code == 409
    exported = json.loads(client.get(reverse("studies:export-json", args=[study.pk])).getvalue())
    assert exported["analysis"]["sentence"] == results.sentence
    assert exported["codebook"]["side"] == "Where the chosen image stood, from 1 (left) to 2"
    assert exported["trials"] == [list(trial) for trial in choices_of(opened).trials]
    assert client.get(reverse("studies:audit-archive", args=[study.pk])).status_code == 200
    texts = client.get(reverse("studies:report", args=[study.pk])).content.decode()
    assert "The primary analysis was the exact joint test" in texts
    assert "in trials of 2 images side by side, matched" in texts
    code = choices_of(opened).trials[0][0]
    assert client.get(reverse("studies:case-result", args=[study.pk, code])).status_code == 200


def test_four_images_of_which_one_is_real(quartets):
    results = check_numbers(quartets, find="real", images=4)
    assert results.choices.shares_within == pytest.approx((0.1312, 0.4073), abs=0.02)
    assert verify(quartets.study).intact
    truths = truths_of(quartets.study)
    assert (len(truths), sum(truth.synthetic for truth in truths)) == (24, 18)
    page = a_client(quartets.study).get(reverse("studies:results", args=[quartets.study.pk])).content.decode()
    assert "6, each of 4 images: 6 real, 18 synthetic" in page
    assert "corresponds to an AUC of single images" in page


def test_every_column_of_every_table_is_explained_and_the_document_is_whole(pairs):
    report = verified_choice_report(pairs[0])
    files = choice_text_files(report)
    known = {(row["table"], row["column"]) for row in csv.DictReader(io.StringIO(files["codebook.csv"].decode()))}
    for name, content in files.items():
        table = name.removesuffix(".csv")
        if name.endswith(".csv") and "/" not in name and table not in {"codebook", "ratings_of_programs"}:
            columns = csv.DictReader(io.StringIO(content.decode())).fieldnames
            assert {(table, column) for column in columns} <= known, name
    document = choice_document(report, choice_figures(report))
    assert [figure.name for figure in choice_figures(report)] == ["forest-right", "times", "flow"]
    titles = [section.title for section in document.sections]
    assert titles[:4] == ["Results", "Numbers per rater", "The panel in other ways", "By arm (planned)"]
    assert "sensitivity.csv" not in files["guidelines.csv"].decode()
    assert report.verdict_sentence in files["results.txt"].decode()
    assert "beside the raters" not in files["results.txt"].decode()
    read = ProgramChoices(program="Net 1", reading=report.results.choices.readers[0])
    beside = replace(report, results=replace(report.results, programs=(read,)))
    assert f"Net 1 was right in {read.reading.right} of {read.reading.n} trials" in results_text(beside)[-1]
    assert not report.deviations


def test_r_recomputes_every_number(pairs, quartets, tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    for opened in (pairs[0], quartets):
        report = choice_report(opened)
        for name, content in choice_text_files(report).items():
            if "/" not in name:
                (tmp_path / name).write_bytes(content)
        done = subprocess.run(["Rscript", "recompute.R"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        ours, theirs = report.results, json.loads(done.stdout)
        found = ours.choices
        same = {
            "joint": [(theirs["joint"][name], getattr(found.joint, name)) for name in ("right", "expected", "sd", "p")],
            "panel": [
                (theirs["panel"]["share"], found.panel.share.value),
                (theirs["panel"]["low"], found.panel.share.low),
                (theirs["panel"]["high"], found.panel.share.high),
                *((theirs["panel"][name], getattr(found.panel, name)) for name in ("se", "df", "p", "d_prime")),
                (theirs["panel"]["margin_low"], found.shares_within[0]),
                (theirs["panel"]["margin_high"], found.shares_within[1]),
                (theirs["panel"]["within"], found.panel.equivalent),
            ],
            "readers": [
                pair
                for their, own, adjusted in zip(theirs["readers"], found.readers, found.p_adjusted, strict=True)
                for pair in (
                    (their["right"], own.right),
                    (their["share"], own.share.value),
                    (their["low"], own.share.low),
                    (their["p"], own.p),
                    (their["p_adjusted"], adjusted),
                    (their["d_prime"], own.d_prime.value),
                )
            ],
            "plurality": [
                (theirs["plurality"][name], getattr(found.plurality, name))
                for name in ("right", "decided", "tied", "p")
            ],
            "agreement": [(theirs["agreement"]["kappa"], found.agreement.kappa)],
            "confidence": [(0, 0)]
            + [(their, own.p) for their, own in zip(theirs["confidence"] or (), ours.sureness, strict=True)],
            "arms": [
                pair
                for one in ours.preference.abilities
                for pair in (
                    (theirs["arms"][one.arm]["chosen"], one.votes),
                    (theirs["arms"][one.arm]["choices"], one.shown),
                )
            ],
        }
        for name, values in same.items():
            their, own = ([math.nan if one is None else one for one in side] for side in zip(*values, strict=True))
            assert their == pytest.approx(own, rel=1e-6, abs=1e-9, nan_ok=True), name


def at_random(report, choices):
    """The report, had the same images stood together at random, so that patients count."""
    found = analyse_choices(chosen=choices.chosen, images=2, patients=choices.patients, margin=0.15)
    return replace(report, results=replace(report.results, choices=found))


def test_trials_of_one_patient_count_together_in_texts_tables_and_r(pairs, tmp_path):
    report, choices = choice_report(pairs[0]), choices_of(pairs[0])
    assert "whatever they have in common" in "".join(results_text(report))
    assert "no evidence" not in "".join(results_text(report)) + methods_paragraph(report)
    shared = at_random(report, choices)
    found, said = shared.results.choices, "".join(results_text(shared))
    assert found.by_patient
    assert found.decision_p == max(found.joint.p, found.panel.p)
    assert "whatever they have in common" not in said
    assert f"that of the averaged share decides: {p_words(found.decision_p)}" in said
    assert said.count("takes trials for independent, which those of one patient are not here") == 3
    assert "permutations within trials, the same in all trials of a patient" in said
    assert "choices in each patient; two-sided" in methods_paragraph(shared)
    assert "the larger of this p and that of the averaged share decided" in methods_paragraph(shared)
    assert result_rows(shared)[0]["p"] == found.decision_p
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    files = {name: own for name, own in choice_text_files(shared).items() if "/" not in name}
    files["settings.csv"] = files["settings.csv"].replace(b"matched,1", b"matched,0")
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(["Rscript", "recompute.R"], cwd=tmp_path, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout)
    assert (theirs["joint"]["p"], theirs["decision_p"]) == pytest.approx((found.joint.p, found.decision_p), rel=1e-6)


def test_what_an_interval_that_is_not_to_be_trusted_is_called(pairs):
    report = choice_report(pairs[0])
    panel = replace(report.results.choices.panel, note="one reader: nothing else", equivalent=None)
    noted = replace(report, results=replace(report.results, choices=replace(report.results.choices, panel=panel)))
    said = {name: words for name, _, words in panel_lines(noted)}
    assert "raters and trials random" not in said["Averaged over raters"]
    assert "is not to be trusted: one reader: nothing else" in said["Within the margin"]


def test_r_says_nothing_of_a_rater_who_did_not_answer(tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    tables = {
        "settings": [
            "name,value",
            "alpha,0.05",
            "margin,0.1",
            "unit,case",
            "images,2",
            "matched,1",
            "right_choice,1",
            "confidence,1",
        ],
        "raters": ["rater,excluded", "1,0", "2,0"],
        "ratings": ["rater,case,confidence,valid,excluded", "1,a,1,1,0", "1,d,2,1,0", "1,e,2,1,0"],
        "phase_answers": ["phase,rater,image,unit,truth,answer"],
        "trials": ["trial,image,case,patient,arm,chosen"]
        + [
            f"{n // 2},{n % 2},{case},{n // 2},{'real' if n % 2 else 'A'},{int(case in 'ade')}"
            for n, case in enumerate("abcdef")
        ],
    }
    for name, lines in tables.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    for name, script in R_SCRIPTS.items():
        (tmp_path / name).write_bytes(script.read_bytes())
    done = subprocess.run(["Rscript", "recompute.R"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [one["n"] for one in said["readers"]] == [3, 0]
    assert said["confidence"][0] is not None
    assert said["confidence"][1] is None


def test_preferences_have_no_right_choice(pairs):
    """The same answers, had raters been asked for the better image."""
    study = copy.deepcopy(pairs[0].study)
    study.plan_digest = "another plan, so that nothing is remembered"
    study.protocol["task"]["settings"]["find"] = "better"
    study.protocol["analysis_plan"]["plan"] |= {"primary": "preference", "secondary": []}
    opened = UnblindedStudy(study)
    results, report, page = choice_results(opened), choice_report(opened), choice_page(opened)
    assert results.verdict == ""
    assert "preferred" in results.sentence
    assert report.verdict_sentence == results.sentence
    assert {row["correct"] for row in rating_rows(opened)} == {None}
    assert "There was no right choice" in page.sentence
    assert (page.lines, page.arms_status) == ([], "planned")
    assert "Right" not in page.raters.columns
    assert [figure.name for figure in page.figures] == ["times", "flow"]
    files = choice_text_files(report)
    assert "whether any arm is preferred" in files["methods.txt"].decode()
    assert "right in" not in files["results.txt"].decode()
    assert len(files["results.csv"].decode().splitlines()) == 1


def test_an_order_with_the_real_ones_on_the_left_is_not_locked(cast, stages, monkeypatch):
    study = pairs_draft(cast, cases=24)
    original = execution.draw_orders

    def sorted_sides(study, truths, **named):
        orders = original(study, truths, **named)
        kinds = {str(truth.case_id): truth.synthetic for truth in truths}
        for number, order in orders.by_rater.items():
            trials = [sorted(order[n : n + 2], key=kinds.get) for n in range(0, len(order), 2)]
            orders.by_rater[number] = [case for trial in trials for case in trial]
        return orders

    monkeypatch.setattr(execution, "draw_orders", sorted_sides)
    stages.draw(study)
    stages.lock(study)
    assert study.state == "draft"
    assert any(name.startswith("side, rater") for name in study.leak_audit["leaks"])
