from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.generic import TemplateView

from ctplatform.accounts.models import User
from ctplatform.accounts.permissions import current_user
from ctplatform.jobs.models import Job
from ctplatform.jobs.waiting import fetch_ahead
from ctplatform.waiting import waiting_for

JOBS_SHOWN = 8


class HomeView(TemplateView):
    """Raters land where they read; everybody else sees what waits for them and what runs."""

    template_name = "home.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = request.user
        if not isinstance(user, User):
            return redirect("account_login")
        if user.is_rater:
            return redirect("reading:sessions")
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = current_user(self.request)
        unfinished = Job.objects.visible_to(user).unfinished().select_related("owner").order_by("created_at")
        jobs = list(unfinished[: JOBS_SHOWN + 1])
        fetch_ahead(jobs)
        return super().get_context_data(
            waiting=list(waiting_for(user)),
            jobs=jobs[:JOBS_SHOWN],
            more_jobs=len(jobs) > JOBS_SHOWN,
            **kwargs,
        )
