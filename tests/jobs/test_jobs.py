"""The laws of the one job mechanism: one winner, written once, nothing lost with a dead worker."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from ctplatform.accounts.models import Role
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs import registry, services
from ctplatform.jobs.execution import LeasedContext, claim, execute
from ctplatform.jobs.models import Job, JobStatus
from ctplatform.jobs.tasks import requeue_lost_jobs_task
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def kind():
    """A kind of work whose behaviour each test sets."""
    behaviour = {"run": lambda payload, context: lambda: {"answer": 42}, "abandoned": []}

    def run(payload, context):
        return behaviour["run"](payload, context)

    registry.register(
        "test.work",
        run,
        on_abandoned=lambda payload, reason: behaviour["abandoned"].append(reason),
        refuse_retries=lambda payloads: [behaviour.get("refusal", "")] * len(payloads),
    )
    return behaviour


def make_job(**fields):
    fields.setdefault("owner", make_user())
    return Job.objects.create(kind="test.work", title="Some work", **fields)


def expire_lease(job):
    Job.objects.filter(pk=job.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_a_job_runs_and_keeps_what_it_returned(kind):
    job = make_job()
    execute(str(job.pk))
    job.refresh_from_db()
    assert (job.status, job.result, job.progress, job.attempts) == (JobStatus.SUCCEEDED, {"answer": 42}, 1.0, 1)


def test_a_finished_job_does_not_run_again(kind):
    runs = []
    kind["run"] = lambda payload, context: runs.append(1) or dict
    job = make_job()
    execute(str(job.pk))
    execute(str(job.pk))
    assert len(runs) == 1


def test_only_one_of_two_claims_wins(kind):
    job = make_job()
    assert claim(str(job.pk)) is not None
    assert claim(str(job.pk)) is None


def test_a_claim_falls_to_another_worker_when_the_lease_has_run_out(kind):
    job = make_job()
    first = claim(str(job.pk))
    expire_lease(job)
    second = claim(str(job.pk))
    assert second is not None
    assert second.attempts == 2
    assert second.lease_token != first.lease_token


def test_a_worker_that_lost_its_lease_writes_nothing(kind):
    written = []

    def slow(payload, context):
        other_worker_takes_over(context.job_id)
        return lambda: written.append(1) or {}

    def other_worker_takes_over(job_id):
        Job.objects.filter(pk=job_id).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        assert claim(job_id) is not None

    kind["run"] = slow
    job = make_job()
    execute(str(job.pk))
    job.refresh_from_db()
    assert job.status == JobStatus.RUNNING
    assert written == []


def test_the_result_is_undone_with_the_terminal_state(kind):
    """When writing the result fails, the job fails and nothing of the result stays."""

    def write():
        make_user(username="made-by-the-result")
        raise DomainError("The disk is full. Free some space and retry.")

    kind["run"] = lambda payload, context: write
    job = make_job()
    execute(str(job.pk))
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert job.error == "The disk is full. Free some space and retry."
    from ctplatform.accounts.models import User

    assert not User.objects.filter(username="made-by-the-result").exists()


def test_progress_renews_the_lease_and_is_visible(kind):
    job = claim(str(make_job().pk))
    expire_lease(job)
    LeasedContext(job).progress(0.25, "a quarter")
    job.refresh_from_db()
    assert (job.progress, job.message) == (0.25, "a quarter")
    assert job.lease_expires_at > timezone.now()


def test_cancelling_a_running_job_stops_it_at_the_next_progress_report(kind):
    def run(payload, context):
        running = Job.objects.get(pk=context.job_id)
        services.cancel(job=running, actor=running.owner)
        context.progress(0.5)
        raise AssertionError("went on after the cancellation")

    kind["run"] = run
    job = make_job()
    execute(str(job.pk))
    job.refresh_from_db()
    assert job.status == JobStatus.CANCELLED
    assert kind["abandoned"] == ["Cancelled"]


def test_cancelling_a_waiting_job_ends_it_at_once(kind):
    waiting = make_job()
    job = services.cancel(job=waiting, actor=waiting.owner)
    assert job.status == JobStatus.CANCELLED
    execute(str(job.pk))
    job.refresh_from_db()
    assert job.status == JobStatus.CANCELLED


def test_an_ended_job_cannot_be_cancelled(kind):
    job = make_job(status=JobStatus.SUCCEEDED)
    with pytest.raises(ConflictError, match="already ended"):
        services.cancel(job=job, actor=job.owner)


def test_an_unexpected_error_is_told_without_its_details(kind, caplog):
    def run(payload, context):
        raise RuntimeError("password=hunter2")

    kind["run"] = run
    job = make_job()
    execute(str(job.pk))
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert "hunter2" not in job.error
    assert str(job.pk) in job.error
    assert "hunter2" in caplog.text


def test_work_that_its_app_refuses_to_try_again_stays_ended(kind, client):
    kind["refusal"] = "What it was ordered with is gone. Order again."
    job = make_job(owner=make_user(), status=JobStatus.FAILED, error="Broken")
    with pytest.raises(ConflictError):
        services.retry(job=job, actor=job.owner)
    client.force_login(job.owner)
    page = client.post(f"/jobs/{job.pk}/retry/", {"next": "/jobs/"}, follow=True).content.decode()
    assert "Order again." in page
    answer = client.post(f"/api/jobs/{job.pk}/retry/")
    assert answer.status_code == 409
    assert "Order again." in answer.content.decode()
    job.refresh_from_db()
    assert (job.status, job.error) == (JobStatus.FAILED, "Broken")


def test_retry_gives_a_failed_job_a_fresh_start(kind, django_capture_on_commit_callbacks):
    job = make_job(status=JobStatus.FAILED, attempts=3, error="broken")
    with django_capture_on_commit_callbacks(execute=True):
        services.retry(job=job, actor=job.owner)
    job.refresh_from_db()
    assert (job.status, job.attempts, job.error) == (JobStatus.SUCCEEDED, 1, "")


def test_a_successful_job_is_not_retried(kind):
    done = make_job(status=JobStatus.SUCCEEDED)
    with pytest.raises(ConflictError):
        services.retry(job=done, actor=done.owner)


def test_lost_jobs_are_sent_again(kind):
    long_ago = timezone.now() - timedelta(hours=1)
    waiting = make_job(sent_at=long_ago)
    orphaned = make_job(sent_at=long_ago, status=JobStatus.RUNNING, attempts=1, lease_expires_at=long_ago)
    alive = make_job(sent_at=long_ago, status=JobStatus.RUNNING, lease_expires_at=timezone.now() + timedelta(minutes=1))
    just_sent = make_job(sent_at=timezone.now())
    sent = []
    requeue_with(sent)
    assert set(sent) == {str(waiting.pk), str(orphaned.pk)}
    for job in (alive, just_sent):
        job.refresh_from_db()
    assert (alive.status, just_sent.status) == (JobStatus.RUNNING, JobStatus.QUEUED)


def requeue_with(sent):
    from unittest import mock

    with mock.patch("ctplatform.jobs.tasks.run_job_task.apply_async", lambda args, queue: sent.append(args[0])):
        requeue_lost_jobs_task()


def test_a_job_that_kills_its_worker_every_time_fails_in_the_end(kind):
    long_ago = timezone.now() - timedelta(hours=1)
    job = make_job(sent_at=long_ago, status=JobStatus.RUNNING, attempts=3, max_attempts=3, lease_expires_at=long_ago)
    requeue_lost_jobs_task()
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert "3 times" in job.error
    assert len(kind["abandoned"]) == 1


@pytest.mark.parametrize("status", JobStatus)
def test_python_and_sql_agree_on_what_has_ended(status):
    job = make_job(status=status)
    assert job.is_terminal == Job.objects.terminal().filter(pk=job.pk).exists()


def test_people_see_their_own_jobs_and_administrators_all(client, kind):
    alice, bob = make_user(), make_user()
    administrator = make_user(role=Role.ADMINISTRATOR)
    job = make_job(owner=alice)
    for user, expected in ((alice, 200), (bob, 404), (administrator, 200)):
        client.force_login(user)
        for path in (f"/jobs/{job.pk}/", f"/jobs/{job.pk}/row/", f"/api/jobs/{job.pk}/"):
            assert client.get(path).status_code == expected, (user, path)
    client.force_login(bob)
    for path in (f"/jobs/{job.pk}/cancel/", f"/api/jobs/{job.pk}/cancel/"):
        assert client.post(path).status_code == 404
    client.force_login(make_user(role=Role.RATER))
    for path in ("/jobs/", f"/jobs/{job.pk}/", "/api/jobs/", f"/api/jobs/{job.pk}/"):
        assert client.get(path).status_code == 404
    client.logout()
    assert client.get("/api/jobs/").status_code in {401, 403}
    assert client.get("/jobs/").status_code == 302


def test_the_job_page_shows_a_running_job(client, kind):
    owner = make_user()
    job = make_job(owner=owner, status=JobStatus.RUNNING, progress=0.4, message="slice 4 of 10")
    client.force_login(owner)
    page = client.get("/jobs/").content.decode()
    assert "slice 4 of 10" in page
    assert f"/jobs/{job.pk}/row/" in page  # asks again
    client.post(f"/jobs/{job.pk}/cancel/", {"next": "//evil.example/"})
    job.refresh_from_db()
    assert job.cancel_requested


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_keeps_a_long_silent_step_alive(kind, settings):
    settings.CT_JOB_LEASE_SECONDS = 6
    seen = []

    def silent(payload, context):
        ends, deadline = set(), time.monotonic() + 120  # only against hanging
        # Until it was renewed again and again, and would have run out without that.
        while len(ends) < 4 or timezone.now() < min(ends):
            assert time.monotonic() < deadline
            ends.add(Job.objects.values_list("lease_expires_at", flat=True).get(pk=context.job_id))
            time.sleep(0.05)
        seen.append(claim(context.job_id))
        return dict

    kind["run"] = silent
    job = make_job()
    execute(str(job.pk))
    job.refresh_from_db()
    assert job.status == JobStatus.SUCCEEDED
    assert seen == [None]


@pytest.mark.django_db(transaction=True)
def test_of_many_simultaneous_claims_one_wins(kind):
    job = make_job()
    won = []
    barrier = threading.Barrier(8)

    def race():
        barrier.wait()
        won.append(claim(str(job.pk)))
        connections.close_all()

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(claimed is not None for claimed in won) == 1
