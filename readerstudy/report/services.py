"""Ordering the report of a study and finding the one that was made."""

from django.db import transaction
from django.db.models import QuerySet

from ctplatform.accounts.models import User
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job, JobStatus
from readerstudy.models import Study, record
from readerstudy.permissions import refuse_unless_in_team
from readerstudy.unblinding.opened import UnblindedStudy

KIND = "study.report"


def request_report(*, study: Study, actor: User) -> Job:
    """Order the archive; a report that is being made already is returned instead of making it twice."""
    refuse_unless_in_team(study, actor)
    opened = UnblindedStudy(study)
    with transaction.atomic():
        # The lock keeps two people from ordering it at the same moment.
        Study.objects.select_for_update().get(pk=study.pk)
        latest = latest_report(opened)
        if latest is not None and not latest.is_terminal:
            return latest
        job = jobs.enqueue(
            kind=KIND,
            title=f"Report of “{study.title}”",
            owner=actor,
            payload={"study": str(study.pk)},
            result_url=f"{study.get_absolute_url()}report/",
        )
        record(study=study, actor=actor, action="report ordered")
    return job


def latest_report(opened: UnblindedStudy) -> Job | None:
    """The job that was ordered last, in whatever state."""
    return _reports(opened).order_by("-created_at").first()


def finished_report(opened: UnblindedStudy) -> Job | None:
    """The job whose archive can be downloaded."""
    return _reports(opened).filter(status=JobStatus.SUCCEEDED).order_by("-created_at").first()


def _reports(opened: UnblindedStudy) -> QuerySet[Job]:
    return Job.objects.filter(kind=KIND, payload__study=str(opened.study.pk))
