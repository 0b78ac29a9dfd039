"""Positive controls where several images are shown at a time: trials of their own, counted apart, as the plan froze it."""

import csv
import io
import json
import random
import shutil
import subprocess
from html import unescape

import pytest

from readerstudy.choices import choice_results, choices_of
from readerstudy.design import services as design
from readerstudy.design.arms import REAL
from readerstudy.design.readiness import before_lock, blocking, readiness
from readerstudy.locking.orders import cases_to_order
from readerstudy.models import CaseTruth, Presentation, Study
from readerstudy.report.choices.archive import choice_text_files
from readerstudy.report.choices.page import choice_page
from readerstudy.report.choices.report import choice_report
from readerstudy.report.choices.words import methods_paragraph, results_text
from readerstudy.report.export import as_json
from readerstudy.report.figures.flow_steps import flow_steps
from readerstudy.report.registration import registration_files
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.readerstudy.worlds import Browser, make_draft, make_world, unblind

pytestmark = pytest.mark.django_db

CONTROLS = 6
GRADE = {"kind": "grade", "name": "realism", "question": "How realistic is it?", "options": ["not", "fairly", "fully"]}


@pytest.fixture
def large(recorded, cast):
    return recorded("large world", lambda: make_world(cast.owner, sources=4, edits_per_source=3))


def with_controls(cast, stages, large, *, find, matched, images=2):
    settings = {"images": images, "find": find, "matched": matched}
    draft = make_draft(cast, large, cases=20, task_name="forced_choice", task_settings=settings, confidence_levels=0)
    stages.draw(draft)
    design.change_design(study=draft, actor=cast.owner, cases_planned=20 - CONTROLS * images)
    return mark_some(Study.objects.get(pk=draft.pk))


def mark_some(draft):
    """Edits without which the other cases can be locked: of few cases, some parts are told apart by where they lie."""
    edits = CaseTruth.objects.filter(case__study=draft, synthetic=True).order_by("scan__name", "case_id")
    cases = list(edits.values_list("case_id", flat=True))
    for attempt in range(60):
        chosen = random.Random(attempt).sample(cases, CONTROLS)
        design.mark_controls(study=draft, actor=draft.owner, case_ids=chosen, control=True)
        marked = Study.objects.get(pk=draft.pk)
        if not blocking(readiness(marked)):
            return marked
        design.mark_controls(study=draft, actor=draft.owner, case_ids=chosen, control=False)
    raise AssertionError(blocking(readiness(marked)))


def read(study, user, *, right_in_controls):
    """Always the first image, but in trials of controls the right one, or the wrong one."""
    browser = Browser(user, study)
    finds = study.asked.task.put_together()["finds_synthetic"]
    graded = {"further": {item.name: 2 for item in study.asked.items}} if study.asked.items else {}
    for position, token in enumerate(browser.tokens()[::2]):
        slots = list(Presentation.objects.get(token=token).trial.select_related("stimulus__case__truth"))
        truths = [slot.stimulus.case.truth for slot in slots]
        side = position % 2
        if any(truth.control for truth in truths):
            found = next(side for side, truth in enumerate(truths) if truth.synthetic == finds)
            side = found if right_in_controls else 1 - found
        assert browser.rate(slots[side].token, answer="chosen", confidence=None, **graded).status_code == 201


@pytest.mark.parametrize(("find", "matched"), [("synthetic", False), ("real", True)])
def test_their_trials_are_locked_read_and_counted_apart(cast, stages, large, find, matched):
    draft = with_controls(cast, stages, large, find=find, matched=matched)
    assert blocking(readiness(draft)) == []
    [check] = [check for check in before_lock(draft).checks if check.title == "Positive controls"]
    assert (check.met, check.message) == (True, f"{CONTROLS} trials of positive controls. They are counted apart.")
    study = stages.open_drawn(draft)
    assert "edits degraded on purpose" in " ".join(study.protocol["analysis_plan"]["in_words"])
    for user in (cast.rater, cast.second_rater):
        read(study, user, right_in_controls=True)
    opened = UnblindedStudy(unblind(study))
    results = choice_results(opened)
    assert results.choices.trials == 10 - CONTROLS == len(choices_of(opened).trials)
    controls = {code for trial in choices_of(opened, controls=True).trials for code in trial}
    assert len(controls) == 2 * CONTROLS
    assert not controls & {code for trial in choices_of(opened).trials for code in trial}
    found = results.controls
    # Trials that several patients gave are one chance for each patient of an image to find; each other one is its own.
    patients = [[opened.patients[code] for code in trial] for trial in choices_of(opened, controls=True).trials]
    chances = {str(row) if len(set(own)) == 1 else own[0] for row, own in enumerate(patients)}
    proven = 2 * 0.5 ** len(chances) <= 0.05
    assert proven or not matched
    assert (found.n, found.right, found.answered, found.passed) == (CONTROLS, 2 * CONTROLS, 2 * CONTROLS, proven)
    assert (found.reason == "") == proven
    report = choice_report(opened)
    assert ("so these raters find such edits" in " ".join(results_text(report))) == proven
    assert "6 trials of positive controls" in methods_paragraph(report)
    assert not any("were planned" in deviation for deviation in report.deviations)
    assert verify(study).intact


def test_readers_who_miss_them_prove_nothing(cast, stages, large):
    study = stages.open_drawn(with_controls(cast, stages, large, find="synthetic", matched=False))
    for user in (cast.rater, cast.second_rater):
        read(study, user, right_in_controls=False)
    found = choice_results(UnblindedStudy(unblind(study))).controls
    assert (found.right, found.passed) == (0, False)
    assert "does not count as found" in found.reason


@pytest.fixture
def found_real(cast, stages, large):
    """Four trials and six of controls, in which two raters chose the real image, which was right; all were answered."""
    draft = with_controls(cast, stages, large, find="real", matched=True)
    draft.further_questions = [GRADE]
    draft.save()
    study = stages.open_drawn(draft)
    for user in (cast.rater, cast.second_rater):
        read(study, user, right_in_controls=True)
    return UnblindedStudy(unblind(study))


def test_the_flow_counts_their_trials_where_it_counts_their_answers(found_real):
    steps = {step.text: step.left_out for step in flow_steps(choice_report(found_real))}
    assert not steps["Readings planned for 2 raters: 20"]
    assert not steps["Readings answered: 20"]
    assert steps["Ratings analysed: 8"] == ["ratings of positive controls, counted apart: 12"]


def test_what_stood_beside_a_control_is_counted_with_it(found_real):
    report, page = choice_report(found_real), choice_page(found_real)
    trials = choices_of(found_real).trials
    judged = {code for trial in trials for code in trial}
    assert {case.code for case in report.judged_cases} == judged
    assert {row["case"] for row in report.counted} <= judged
    assert len(report.counted) == 8
    scans = {found_real.hosts[code].pk for code in judged}
    patients = {found_real.patients[code] for code in judged}
    assert (report.n_scans, report.patients.patients) == (len(scans), len(patients))
    assert sum(count for *_, count in report.material.datasets) == len(scans) == sum(report.material.origins.values())
    assert sum(generator.cases for generator in report.material.generators) == 4
    assert (page.cases, page.scans, page.missing) == ((4, 4), len(scans), 0)
    words = methods_paragraph(report)
    assert f"judged 8 cases (4 synthetic, 4 real) and {CONTROLS} positive controls in trials of their own" in words
    [cases] = [step.text for step in flow_steps(report) if step.text.startswith("Cases")]
    assert cases.startswith(f"Cases: 8 (4 synthetic, 4 real), {len(scans)} scans, {len(patients)} patients and 6 ")
    assert (
        "4 real and 4 synthetic cases; 6 positive controls, edits degraded on purpose in trials with 6 real ones"
        in (unescape(registration_files(found_real.study)["registration.html"].decode()))
    )


def test_grades_of_their_trials_are_in_no_comparison(found_real):
    report = choice_report(found_real)
    [question] = report.further
    answers = {arm.arm: arm.n for arm in question.arms}
    # Of each of eight images two raters said something; controls are an arm of their own.
    assert answers.pop(REAL.name) == 8
    assert sum(answers.values()) == 2 * (4 + CONTROLS)
    assert sum(1 - row["control"] for row in report.grades) == 2 * 8


def test_every_table_tells_them_apart(found_real):
    files = choice_text_files(choice_report(found_real))
    tables = {name: list(csv.DictReader(io.StringIO(files[name].decode()))) for name in ("cases.csv", "ratings.csv")}
    told = {name: [sum(row["control"] == one for row in rows) for one in ("0", "1")] for name, rows in tables.items()}
    assert told == {"cases.csv": [8, 2 * CONTROLS], "ratings.csv": [8, 2 * CONTROLS]}


def test_the_export_says_what_stood_beside_each_control(found_real):
    exported = json.loads("".join(as_json(found_real)))
    together, truths = exported["control_trials"], found_real.truths
    assert len(together) == CONTROLS
    assert all((truths[real].synthetic, truths[edit].control) == (False, True) for real, edit in together)
    assert not {code for trial in together for code in trial} & {c for trial in exported["trials"] for c in trial}


def test_r_recomputes_without_them(found_real, tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    report = choice_report(found_real)
    for name, content in choice_text_files(report).items():
        if "/" not in name:
            (tmp_path / name).write_bytes(content)
    done = subprocess.run(["Rscript", "recompute.R"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    joint = report.results.choices.joint
    assert json.loads(done.stdout)["joint"]["right"] == joint.right
    assert json.loads(done.stdout)["joint"]["p"] == pytest.approx(joint.p)


def test_a_new_draw_leaves_the_trials_that_were_marked(cast, stages, large):
    draft = with_controls(cast, stages, large, find="real", matched=True)
    kept = {truth.case_id for truth in _of_controls(draft)}
    assert len(kept) == 2 * CONTROLS
    design.change_design(study=draft, actor=cast.owner, cases_planned=8)
    stages.draw(draft)
    assert {truth.case_id for truth in _of_controls(draft)} == kept
    pairs = list(CaseTruth.objects.filter(case__study=draft).values_list("pair", flat=True))
    assert {pairs.count(pair) for pair in pairs} == {2}
    assert len(pairs) == 8 + 2 * CONTROLS


def _of_controls(draft):
    pairs = CaseTruth.objects.filter(case__study=draft, control=True).values("pair")
    return CaseTruth.objects.filter(case__study=draft, pair__in=pairs)


def test_a_case_to_order_says_whether_it_is_one(cast, stages, large):
    draft = with_controls(cast, stages, large, find="real", matched=True)
    truths = list(CaseTruth.objects.filter(case__study=draft).select_related("scan"))
    assert sum(case.control for case in cases_to_order(truths)) == CONTROLS
