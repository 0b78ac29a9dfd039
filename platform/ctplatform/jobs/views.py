from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.generic import DetailView, ListView, View

from ctplatform.accounts.models import User
from ctplatform.accounts.permissions import StaffPageMixin
from ctplatform.errors import DomainError
from ctplatform.jobs import services
from ctplatform.jobs.models import Job, JobStatus, fetch_retry_refusals


class VisibleJobsMixin(StaffPageMixin):
    request: HttpRequest

    def get_queryset(self) -> QuerySet[Job]:
        user = self.request.user
        return Job.objects.visible_to(user).select_related("owner") if isinstance(user, User) else Job.objects.none()


class JobListView(VisibleJobsMixin, ListView[Job]):
    template_name = "jobs/jobs.html"
    paginate_by = 30

    def get_queryset(self) -> QuerySet[Job]:
        jobs = super().get_queryset()
        status = self.request.GET.get("status", "")
        return jobs.filter(status=status) if status in JobStatus.values else jobs

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        asked = self.request.GET.get("status", "")
        context = super().get_context_data(statuses=JobStatus.choices, status=asked, **kwargs)
        fetch_retry_refusals(context["object_list"])
        return context


class JobView(VisibleJobsMixin, DetailView[Job]):
    template_name = "jobs/job.html"


class JobRowView(VisibleJobsMixin, DetailView[Job]):
    """The part of a page that shows one job; htmx asks for it again until the job has ended."""

    template_name = "jobs/_row.html"


class _JobActionView(VisibleJobsMixin, View):
    action: Any

    def post(self, request: HttpRequest, pk: str) -> HttpResponse:
        job = get_object_or_404(self.get_queryset(), pk=pk)
        try:
            type(self).action(job=job)
        except DomainError as error:
            messages.error(request, error.message)
        back = request.POST.get("next", "")
        return redirect(back if url_has_allowed_host_and_scheme(back, allowed_hosts=None) else "jobs:jobs")


class CancelJobView(_JobActionView):
    action = staticmethod(services.cancel)


class RetryJobView(_JobActionView):
    action = staticmethod(services.retry)
