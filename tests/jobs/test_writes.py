"""The transaction that ends a job is short: others write meanwhile, and what takes long is told."""

import logging
import threading

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connections, transaction

from ctplatform.accounts.models import User
from ctplatform.errors import DomainError
from ctplatform.jobs import execution, registry
from ctplatform.jobs.execution import claim, execute
from ctplatform.jobs.models import Job, JobStatus
from ml.generator import files
from synthesis.generators.services import ARTEFACT_FILES, REGISTER_KIND
from synthesis.models import Generator
from tests.factories import make_user

DEMO = settings.ROOT / "ml" / "weights" / "demo"
WRITES = 10


def uploaded_generator():
    for name in ARTEFACT_FILES:
        default_storage.save(f"uploads/generators/slow/{name}", ContentFile((DEMO / name).read_bytes()))
    payload = {"staged": "uploads/generators/slow", "name": "Slow"}
    return Job.objects.create(kind=REGISTER_KIND, title="Register", owner=make_user(), payload=payload)


def in_a_thread(job):
    def work():
        try:
            execute(str(job.pk))
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_others_write_while_a_slow_generator_is_registered(monkeypatch):
    load, loading, written = files.load_generator, threading.Event(), threading.Event()

    def slowly(folder):
        loading.set()
        assert written.wait(120)
        return load(folder)

    monkeypatch.setattr(files, "load_generator", slowly)
    job = uploaded_generator()
    worker = in_a_thread(job)
    assert loading.wait(120)
    try:
        # The generator is loaded only after these: had it kept the database, they could never end.
        for number in range(WRITES):
            User.objects.filter(pk=job.owner_id).update(display_name=f"Written meanwhile, {number}")
    finally:
        written.set()
        worker.join()
    job.refresh_from_db()
    assert job.status == JobStatus.SUCCEEDED, job.error
    assert Generator.objects.get().name == "Slow"
    assert not default_storage.exists("uploads/generators/slow/card.json")


@pytest.fixture
def kind():
    """A kind of work that stores a file and writes as the test says."""
    behaviour = {"write": lambda context: {}}

    def run(payload, context):
        default_storage.save("work/file", ContentFile(b"stored first"))
        context.unless_written(lambda: default_storage.delete("work/file"))
        return lambda: behaviour["write"](context)

    registry.register("test.storing", run)
    yield behaviour
    default_storage.delete("work/file")


class Clock:
    """The time as the end of a job reads it: it passes when the test says so."""

    def __init__(self):
        self.seconds = 0.0

    def monotonic(self):
        return self.seconds


def storing_job():
    return Job.objects.create(kind="test.storing", title="Some work", owner=make_user())


@pytest.mark.django_db
@pytest.mark.parametrize("slow", [True, False])
def test_the_log_tells_of_a_long_write(kind, monkeypatch, caplog, slow):
    clock = Clock()
    monkeypatch.setattr(execution, "time", clock)
    held = execution.LONG_WRITE_SECONDS + (0.5 if slow else -0.5)

    def write(context):
        clock.seconds += held
        return {}

    kind["write"] = write
    job = storing_job()
    with caplog.at_level(logging.WARNING):
        execute(str(job.pk))
    told = [record for record in caplog.records if "held the database" in record.message]
    assert [(record.job, record.kind) for record in told] == ([(str(job.pk), "test.storing")] if slow else [])
    assert all(record.seconds == held for record in told)


def refuse(context):
    raise DomainError("The name was taken meanwhile.")


def cancel(context):
    raise execution.JobCancelledError


def lose(context):
    raise execution.LeaseLostError


@pytest.mark.django_db
@pytest.mark.parametrize("write", [refuse, cancel, lose])
def test_what_was_stored_for_an_unwritten_result_goes(kind, write):
    kind["write"] = write
    execute(str(storing_job().pk))
    assert not default_storage.exists("work/file")


@pytest.mark.django_db
def test_what_was_stored_for_a_written_result_stays(kind):
    execute(str(storing_job().pk))
    assert default_storage.exists("work/file")


@pytest.mark.django_db
def test_files_go_after_the_transaction_and_one_that_stays_keeps_no_other(kind, caplog):
    order = []

    def write(context):
        depth = len(transaction.get_connection().savepoint_ids)

        def remove():
            order.append(len(transaction.get_connection().savepoint_ids) < depth)
            raise OSError("the disk is away")

        context._unwritten.insert(0, remove)
        refuse(context)

    kind["write"] = write
    job = storing_job()
    execute(str(job.pk))
    job.refresh_from_db()
    assert order == [True]
    assert job.error == "The name was taken meanwhile."
    assert not default_storage.exists("work/file")


@pytest.mark.django_db
def test_files_of_a_written_result_stay_when_its_worker_was_not_told(kind):
    """The commit went through and only its answer was lost: the rows are there, so the files must be."""
    job = storing_job()
    context = execution.LeasedContext(claim(str(job.pk)))
    context.unless_written(lambda: pytest.fail("removed the files of a written result"))
    context.end(JobStatus.SUCCEEDED)
    execution._end_without_result(job, context, JobStatus.FAILED, "connection lost")
    job.refresh_from_db()
    assert job.status == JobStatus.SUCCEEDED
