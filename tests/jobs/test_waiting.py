"""A waiting job says behind what it waits, and nothing of what others work at."""

from datetime import timedelta

import pytest
from django.utils import timezone

from ctplatform.accounts.models import Role
from ctplatform.jobs.models import Job, JobStatus, Queue
from ctplatform.jobs.waiting import duration_words, fetch_ahead, place_of
from ctplatform.management.commands.serve import PROFILES
from tests.factories import make_user
from tests.pages import shown

pytestmark = pytest.mark.django_db


def job(owner, title="Job", status=JobStatus.QUEUED, queue=Queue.GPU, **fields):
    return Job.objects.create(kind="synthesis.edit", title=title, owner=owner, status=status, queue=queue, **fields)


def test_it_counts_who_is_ahead_in_its_own_queue():
    owner = make_user()
    first, training, second, third = (
        job(owner, queue=queue) for queue in (Queue.GPU, Queue.TRAINING, Queue.GPU, Queue.GPU)
    )
    fetch_ahead(waiting := [first, training, second, third])
    assert [one.ahead for one in waiting] == [0, 0, 1, 2]
    assert place_of(third, owner).ahead == 2
    assert "It is the next one." in place_of(training, owner).sentence()


def test_it_names_what_is_at_work_only_to_who_may_see_it():
    owner, other = make_user(), make_user()
    job(other, "Insert a lesion into Mrs X", status=JobStatus.RUNNING, started_at=timezone.now())
    waiting = job(owner)
    assert place_of(waiting, owner).sentence() == "A job of somebody else is at work."
    assert "Mrs X" in place_of(waiting, make_user(Role.ADMINISTRATOR)).sentence()


def test_it_says_for_how_long_from_what_such_jobs_took(client):
    owner, now = make_user(), timezone.now()
    for minutes in (1, 2, 30):
        job(owner, status=JobStatus.SUCCEEDED, started_at=now - timedelta(minutes=minutes), finished_at=now)
    job(owner, "The first", status=JobStatus.RUNNING, started_at=now)
    job(owner)
    waiting = job(owner)
    assert "It begins in about 4 minutes" in place_of(waiting, owner).sentence()
    client.force_login(owner)
    assert "At work: The first. 1 more is ahead of it." in shown(client.get(f"/jobs/{waiting.pk}/"))
    assert "1 ahead of it" in shown(client.get("/jobs/"))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.02, "0.1 s"), (0.37, "0.37 s"), (3, "3 s"), (80, "80 s"), (170, "3 minutes"), (7300, "2 hours")],
)
def test_durations_are_said_roughly(seconds, words):
    assert duration_words(seconds) == words


@pytest.mark.parametrize("profile", PROFILES)
def test_no_edit_waits_for_a_training(profile):
    queues = [
        service.argv[service.argv.index("-Q") + 1] for service in PROFILES[profile]("", 0) if "-Q" in service.argv
    ]
    if profile == "live":
        queues = [word for service in PROFILES[profile]("", 0) for word in " ".join(service.argv).split(" ")]
    assert "training" in queues
