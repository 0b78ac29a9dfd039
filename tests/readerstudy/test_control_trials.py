"""Positive controls where several images are shown at a time: trials of their own, counted apart, as the plan froze it."""

import pytest

from readerstudy.choices import choice_results, choices_of
from readerstudy.design import services as design
from readerstudy.design.readiness import before_lock, blocking, readiness
from readerstudy.locking.orders import cases_to_order
from readerstudy.models import CaseTruth, Presentation, Study
from readerstudy.report.choices.report import choice_report
from readerstudy.report.choices.words import methods_paragraph, results_text
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.readerstudy.worlds import Browser, make_draft, make_world, unblind

pytestmark = pytest.mark.django_db

CONTROLS = 6


@pytest.fixture
def large(recorded, cast):
    return recorded("large world", lambda: make_world(cast.owner, sources=4, edits_per_source=3))


def with_controls(cast, stages, large, *, find, matched, images=2):
    settings = {"images": images, "find": find, "matched": matched}
    draft = make_draft(cast, large, cases=20, task_name="forced_choice", task_settings=settings, confidence_levels=0)
    stages.draw(draft)
    synthetic = CaseTruth.objects.filter(case__study=draft, synthetic=True).order_by("case_id")
    chosen = list(synthetic.values_list("case_id", flat=True)[:CONTROLS])
    design.mark_controls(study=draft, actor=cast.owner, case_ids=chosen, control=True)
    design.change_design(study=draft, actor=cast.owner, cases_planned=20 - CONTROLS * images)
    return Study.objects.get(pk=draft.pk)


def read(study, user, *, right_in_controls):
    """Always the first image, but in trials of controls the right one, or the wrong one."""
    browser = Browser(user, study)
    finds = study.asked.task.put_together()["finds_synthetic"]
    for position, token in enumerate(browser.tokens()[::2]):
        slots = list(Presentation.objects.get(token=token).trial.select_related("stimulus__case__truth"))
        truths = [slot.stimulus.case.truth for slot in slots]
        side = position % 2
        if any(truth.control for truth in truths):
            found = next(side for side, truth in enumerate(truths) if truth.synthetic == finds)
            side = found if right_in_controls else 1 - found
        assert browser.rate(slots[side].token, answer="chosen", confidence=None).status_code == 201


@pytest.mark.parametrize(("find", "matched"), [("synthetic", False), ("real", True)])
def test_their_trials_are_locked_read_and_counted_apart(cast, stages, large, find, matched):
    draft = with_controls(cast, stages, large, find=find, matched=matched)
    assert blocking(readiness(draft)) == []
    [check] = [check for check in before_lock(draft).checks if check.title == "Positive controls"]
    assert (check.met, check.message) == (True, f"{CONTROLS} trials of positive controls; they are counted apart.")
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
    assert (found.n, found.right, found.answered, found.passed) == (CONTROLS, 2 * CONTROLS, 2 * CONTROLS, True)
    assert found.reason == ""
    report = choice_report(opened)
    assert "so these raters find such edits" in " ".join(results_text(report))
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
