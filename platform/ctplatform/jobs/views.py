from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.generic import DetailView, View

from ctplatform.accounts.models import User
from ctplatform.accounts.permissions import StaffPageMixin, current_user
from ctplatform.errors import DomainError
from ctplatform.jobs import services
from ctplatform.jobs.filters import JobFilter
from ctplatform.jobs.models import Job, JobStatus, fetch_retry_refusals
from ctplatform.jobs.waiting import fetch_ahead, place_of
from ctplatform.lists import ListPage


class VisibleJobsMixin(StaffPageMixin):
    request: HttpRequest

    def get_queryset(self) -> QuerySet[Job]:
        user = self.request.user
        return Job.objects.visible_to(user).select_related("owner") if isinstance(user, User) else Job.objects.none()


class JobListView(VisibleJobsMixin, ListPage):
    template_name = "jobs/jobs.html"
    filterset_class = JobFilter

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        fetch_retry_refusals(context["object_list"])
        fetch_ahead(context["object_list"])
        return context


class JobView(VisibleJobsMixin, DetailView[Job]):
    template_name = "jobs/job.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if self.object.status == JobStatus.QUEUED:
            kwargs["place"] = place_of(self.object, current_user(self.request)).sentence()
        return super().get_context_data(**kwargs)


class JobRowView(VisibleJobsMixin, DetailView[Job]):
    """The part of a page that shows one job; htmx asks for it again until the job has ended."""

    template_name = "jobs/_row.html"


class _JobActionView(VisibleJobsMixin, View):
    action: Any

    def post(self, request: HttpRequest, pk: str) -> HttpResponse:
        job = get_object_or_404(self.get_queryset(), pk=pk)
        try:
            type(self).action(job=job, actor=current_user(request))
        except DomainError as error:
            messages.error(request, error.message)
        back = request.POST.get("next", "")
        return redirect(back if url_has_allowed_host_and_scheme(back, allowed_hosts=None) else "jobs:jobs")


class CancelJobView(_JobActionView):
    action = staticmethod(services.cancel)


class RetryJobView(_JobActionView):
    action = staticmethod(services.retry)
