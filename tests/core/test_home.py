"""The first page says what waits for whom, and leads to where it is done."""

from datetime import timedelta

import pytest
from django.utils import timezone

from ctplatform.accounts.models import Role
from ctplatform.datasets.models import Origin
from ctplatform.datasets.services import IMPORT_KIND
from ctplatform.jobs.models import Job, JobStatus
from readerstudy.models import RatingEvent, Study, StudyState
from readerstudy.reading.waiting import STALLED_AFTER
from readerstudy.unblinding import services as unblinding
from tests.factories import made_elsewhere, make_dataset, make_scan, make_user
from tests.pages import shown
from tests.readerstudy.worlds import Browser, Cast, Stages, make_draft, make_world
from tests.synthesis.test_orders import finish, make_source, order

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(client):
    def of(person):
        client.force_login(person)
        return shown(client.get("/"))

    return of


def test_nothing_waits_in_a_new_installation(home):
    assert "Nothing waits for you." in home(make_user(Role.COORDINATOR))


def test_edits_wait_for_whoever_may_judge_them(home):
    source = make_source()
    finish(order(source))
    page = home(source.dataset.owner)
    assert "1 edit to review" in page
    assert 'href="/synthesis/review/"' in page
    assert "to review" not in home(make_user())


def test_scans_of_other_programs_wait_too(home):
    dataset = make_dataset()
    scan = make_scan(dataset, origin=Origin.SYNTHETIC, provenance=made_elsewhere())
    page = home(dataset.owner)
    assert "1 imported synthetic scan to review" in page
    assert f'href="/datasets/scans/{scan.pk}/"' in page


def test_failed_work_is_told_for_a_week_to_whoever_ordered_it(home):
    source = make_source()
    owner = source.dataset.owner
    edit = order(source).job
    imported = Job.objects.create(kind=IMPORT_KIND, title="Import", owner=owner)
    failed = Job.objects.filter(pk__in=[edit.pk, imported.pk])
    failed.update(status=JobStatus.FAILED, finished_at=timezone.now())
    page = home(owner)
    assert "1 edit failed" in page
    assert "1 import failed" in page
    assert "failed in the last" not in home(make_user())
    failed.update(finished_at=timezone.now() - timedelta(days=8))
    assert "failed in the last" not in home(owner)


def test_what_runs_stands_below(home):
    source = make_source()
    waiting = order(source)
    assert waiting.job.title in home(source.dataset.owner)


def test_a_study_asks_for_its_next_step_and_for_raters_who_stalled(home, django_capture_on_commit_callbacks):
    cast, stages = Cast.create(), Stages(django_capture_on_commit_callbacks)
    study = make_draft(cast, make_world(cast.owner), cases=4, raters=[cast.rater, cast.second_rater])
    stages.open(study)
    Study.objects.filter(pk=study.pk).update(state=StudyState.LOCKED)
    assert f"Open “{study.title}”" in home(cast.owner)
    assert study.title not in home(cast.other)
    assert study.title not in home(cast.member)
    Study.objects.filter(pk=study.pk).update(state=StudyState.COLLECTING)
    assert study.title not in home(cast.owner)
    Browser(cast.rater, study).rate_all(lambda position: "real")
    long_ago = timezone.now() - STALLED_AFTER - timedelta(hours=1)
    Study.objects.filter(pk=study.pk).update(opened_at=long_ago)
    page = home(cast.owner)
    assert f"Remind 1 rater of “{study.title}”" in page
    assert f"{cast.second_rater} (4 left)" in page
    Browser(cast.second_rater, study).rate_all(lambda position: "synthetic")
    assert RatingEvent.objects.filter(study=study).count() == 8
    assert f"Close “{study.title}”" in home(cast.owner)
    unblinding.close(study=study, actor=cast.owner)
    assert f"Unblind “{study.title}”" in home(cast.owner)
