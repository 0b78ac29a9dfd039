"""A study's life from draft to results, as a coordinator drives it."""

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ctplatform.accounts.models import Role, User
from ctplatform.errors import ConflictError, DomainError, ForbiddenError
from ctplatform.jobs.execution import execute
from ctplatform.jobs.models import JobStatus
from readerstudy.auditing.audit import attempts_to_lock
from readerstudy.design import services as design
from readerstudy.design.readiness import blocking, readiness
from readerstudy.locking import services as locking
from readerstudy.models import CaseTruth, Presentation, Stimulus, Study, StudyState, record
from readerstudy.opening import services as opening
from readerstudy.results import analysis_of, responses_of
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.pages import shown
from tests.readerstudy.worlds import Browser, decide, make_draft, make_world


def test_from_draft_to_results(cast, draft, stages):
    study = stages.open(draft)
    assert study.state == StudyState.COLLECTING
    assert Stimulus.objects.filter(case__study=study).count() == 12
    assert Presentation.objects.filter(session__rater__study=study).count() == 24

    truth = dict(CaseTruth.objects.filter(case__study=study).values_list("case", "synthetic"))
    for user in (cast.rater, cast.second_rater):
        browser = Browser(user, study)
        for token in browser.tokens():
            case = Presentation.objects.get(token=token).stimulus.case_id
            browser.rate(token, answer="synthetic" if truth[case] else "real", confidence=3)
        assert browser.standing()["state"] == "finished"

    unblinding.close(study=study, actor=cast.owner)
    unblinding.unblind(study=study, actor=cast.owner, typed_title="Trial")
    responses = responses_of(UnblindedStudy(study))
    assert sum(responses.truth) == 6
    assert [row.correct for row in analysis_of(UnblindedStudy(study)).raters] == [12, 12]
    assert analysis_of(UnblindedStudy(study)).ensemble.n_ties == 0
    assert verify(study).intact
    assert [entry.action for entry in study.record.all()][-4:] == ["closed", "verified", "verified", "unblinded"]


def test_a_study_goes_one_way_only(cast, collecting):
    for action in (
        lambda: design.request_draw(study=collecting, actor=cast.owner),
        lambda: design.change_design(study=collecting, actor=cast.owner, title="Other"),
        lambda: design.set_raters(study=collecting, actor=cast.owner, users=[]),
        lambda: design.remove_cases(study=collecting, actor=cast.owner, case_ids=[]),
        lambda: locking.request_lock(study=collecting, actor=cast.owner),
        lambda: opening.open_for_reading(study=collecting, actor=cast.owner),
        lambda: unblinding.unblind(study=collecting, actor=cast.owner, typed_title=collecting.title),
    ):
        with pytest.raises(ConflictError):
            action()
    assert Study.objects.get(pk=collecting.pk).state == StudyState.COLLECTING


def test_attempts_to_lock_are_counted_over_copies_of_drafts_that_were_refused(cast, draft, stages):
    record(study=draft, actor=cast.owner, action="lock ordered")
    record(study=draft, actor=cast.owner, action="lock ordered")
    copy = design.copy_study(study=draft, actor=cast.owner)
    again = design.copy_study(study=copy, actor=cast.owner)
    record(study=again, actor=cast.owner, action="lock ordered")
    sibling = design.copy_study(study=draft, actor=cast.owner)
    assert [attempts_to_lock(study) for study in (draft, copy, again, sibling)] == [3, 3, 3, 3]
    # What came to be locked is another study.
    stages.open(draft)
    assert attempts_to_lock(design.copy_study(study=draft, actor=cast.owner)) == 0


def test_unblinding_needs_the_title_typed(cast, collecting):
    unblinding.close(study=collecting, actor=cast.owner)
    with pytest.raises(DomainError, match="exactly"):
        unblinding.unblind(study=collecting, actor=cast.owner, typed_title="trial")
    assert Study.objects.get(pk=collecting.pk).state == StudyState.CLOSED


def test_states_partition_rows_alike_in_python_and_sql(cast):
    now = timezone.now()
    for state in StudyState:
        study = Study(owner=cast.owner, title=state, template="inserted_lesions", question="?", state=state)
        study.locked_at = None if state == StudyState.DRAFT else now
        study.unblinded_at = now if state == StudyState.UNBLINDED else None
        study.save()
    rows = list(Study.objects.all())
    for name, in_python in (
        ("draft", lambda s: s.is_draft),
        ("sealed", lambda s: s.stage.sealed),
        ("collecting", lambda s: s.accepts_ratings),
        ("terminal", lambda s: s.stage.terminal),
    ):
        assert set(getattr(Study.objects, name)()) == {study for study in rows if in_python(study)}, name
    # every state is exactly one of draft, sealed, terminal
    assert all(s.is_draft + s.stage.sealed + s.stage.terminal == 1 for s in rows)


def test_the_database_refuses_a_state_without_its_date(draft):
    for change in ({"state": "locked"}, {"state": "nonsense"}, {"state": "unblinded", "locked_at": timezone.now()}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Study.objects.filter(pk=draft.pk).update(**change)


def test_readiness_says_what_is_missing(cast, draft, stages):
    messages = " ".join(blocking(readiness(draft)))
    assert "0 of 12 planned cases are chosen" in messages
    with pytest.raises(ConflictError, match="This study cannot be locked yet: 0 of 12"):
        locking.request_lock(study=draft, actor=cast.owner)
    stages.draw(draft)
    assert blocking(readiness(draft)) == []
    design.set_raters(study=draft, actor=cast.owner, users=[])
    assert blocking(readiness(draft)) == ["No person is chosen to rate; invite people and choose them here."]


def test_a_withdrawn_acceptance_blocks_the_lock(draft, stages):
    stages.draw(draft)
    scan = CaseTruth.objects.filter(case__study=draft, synthetic=True).first().scan
    decide(scan, accept=False)
    assert any("1 synthetic case is not accepted" in message for message in blocking(readiness(draft)))


def test_a_leak_blocks_the_lock_and_leaves_nothing_behind(cast, stages, monkeypatch):
    """The synthetic scans are brighter everywhere, not only in the lesion: raters would see the scan, not the lesion."""
    draft = make_draft(cast, make_world(cast.owner, sources=4, edits_per_source=3), cases=24)
    stages.draw(draft)
    from readerstudy.locking import stimuli

    original = stimuli.pixels_of

    def brighter(study, truth, frame, **named):
        pixels, cut = original(study, truth, frame, **named)
        return (pixels + (40 if truth.synthetic else 0)).astype(pixels.dtype), cut

    monkeypatch.setattr(stimuli, "pixels_of", brighter)
    job = stages.lock(draft)
    assert job.status == JobStatus.SUCCEEDED
    assert job.result["locked"] is False
    assert "surroundings of the lesion: mean HU" in job.result["leaks"]
    assert draft.state == StudyState.DRAFT
    assert draft.busy_job is None
    assert Stimulus.objects.count() == 0
    assert stored_stimuli(job) == []


def stored_stimuli(job):
    from django.core.files.storage import default_storage

    try:
        folders, _ = default_storage.listdir(job.payload["folder"])
    except FileNotFoundError:
        return []
    return folders


def test_a_failed_lock_leaves_nothing_behind_and_can_be_tried_again(draft, stages, monkeypatch):
    from readerstudy.locking import execution

    stages.draw(draft)

    def broken(*_, **__):
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(execution, "audit_study", broken)
        job = stages.lock(draft)
    assert job.status == JobStatus.FAILED
    assert stored_stimuli(job) == []
    assert stages.lock(draft).result["locked"] is True


def test_copies_take_every_protocol_field_and_nothing_else(cast, collecting):
    """A new field of Study must be decided upon: copied, or not."""
    own = {
        *("id", "title", "state", "owner", "members", "datasets", "copied_from", "created_at", "seed"),
        # A copy is a study of its own, whatever the first one continues.
        *("continues", "least_gap_days", "other_patients"),
        *("draw_job", "lock_job", "audit_job", "match_report", "leak_audit", "flow"),
        *("protocol", "protocol_digest", "plan_digest", "schedule_digest"),
        *("locked_at", "opened_at", "closed_at", "unblinded_at", "ledger_count", "ledger_head", "archived_at"),
    }
    fields = {field.name for field in Study._meta.get_fields() if not (field.auto_created and not field.concrete)}
    assert fields == own | set(design.COPIED_FIELDS)
    design.share(study=collecting, actor=cast.owner, members=[cast.other])
    copy = design.copy_study(study=collecting, actor=cast.other)
    assert all(getattr(copy, name) == getattr(collecting, name) for name in design.COPIED_FIELDS)
    assert (copy.state, copy.owner, copy.cases.count(), copy.copied_from) == ("draft", cast.other, 0, collecting)
    assert copy.datasets.count() == 0  # the other coordinator may not see the dataset
    assert copy.seed != collecting.seed


def test_excluding_a_rater_keeps_the_ratings_and_leaves_them_out(cast, collecting):
    browser = Browser(cast.rater, collecting)
    browser.rate_all()
    Browser(cast.second_rater, collecting).rate_all()
    rater = browser.session.rater
    with pytest.raises(DomainError, match="Say why"):
        unblinding.exclude_rater(rater=rater, actor=cast.owner, reason="  ")
    unblinding.exclude_rater(rater=rater, actor=cast.owner, reason="had seen the cases before")
    assert collecting.events.count() == 24
    assert browser.standing()["state"] == "closed"
    unblinding.close(study=collecting, actor=cast.owner)
    unblinding.unblind(study=collecting, actor=cast.owner, typed_title="Trial")
    assert [row.rater for row in analysis_of(UnblindedStudy(collecting)).raters] == ["2"]
    with pytest.raises(ConflictError, match="between the lock and the unblinding"):
        unblinding.exclude_rater(
            rater=Browser(cast.second_rater, collecting).session.rater, actor=cast.owner, reason="too good"
        )


def test_only_rater_accounts_rate_and_never_join_the_team(cast, draft):
    with pytest.raises(DomainError, match="Only rater accounts"):
        design.set_raters(study=draft, actor=cast.owner, users=[cast.member])
    with pytest.raises(DomainError, match="can't be in the team"):
        design.share(study=draft, actor=cast.owner, members=[cast.rater])
    with pytest.raises(DomainError, match="Only coordinators"):
        design.create_study(owner=cast.member, template="inserted_lesions")


@pytest.mark.parametrize("order", [locking.request_lock, opening.request_opening, opening.request_audit])
def test_a_job_does_not_outlive_the_right_to_order_it(cast, draft, stages, order):
    """Ordered by an editor who is none any more when the job runs, or when it is tried again."""
    stages.draw(draft)
    if order is not locking.request_lock:
        stages.lock(draft)
    job = order(study=draft, actor=cast.owner)
    User.objects.filter(pk=cast.owner.pk).update(role=Role.RESEARCHER)
    state = draft.state
    run(job)
    assert job.status == JobStatus.FAILED
    assert "administrators decide about this study" in job.error
    with pytest.raises(ForbiddenError):
        order(study=draft, actor=User.objects.get(pk=cast.owner.pk))
    assert Study.objects.get(pk=draft.pk).state == state


def run(job):
    execute(str(job.pk))
    job.refresh_from_db()


def test_drawing_again_gives_the_same_cases_unless_a_new_seed_is_asked_for(cast, draft, stages):
    def drawn():
        stages.draw(draft)
        truths = CaseTruth.objects.filter(case__study=draft)
        return {(truth.scan_id, *truth.place_lps_mm) for truth in truths}, draft.seed

    first, again = drawn(), drawn()
    assert first == again
    client = Client()
    client.force_login(cast.owner)
    page = shown(client.get(draft.get_absolute_url()))
    assert f"“Draw again” gives the same cases (seed {first[1]})" in page
    client.post(reverse("studies:draw", args=[draft.pk]), {"new_seed": "yes"})
    draft.refresh_from_db()
    seeds = [entry.details["seed"] for entry in draft.record.filter(action="draw of cases ordered").order_by("id")]
    assert seeds == [first[1], first[1], draft.seed]
    assert draft.seed != first[1]
