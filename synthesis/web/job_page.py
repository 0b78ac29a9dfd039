from typing import Any

from django.http import HttpRequest, HttpResponse

from ctplatform.accounts.permissions import current_user
from ctplatform.jobs.models import Job


class WaitingPageMixin:
    """The page of something that a job makes; it asks for itself again until the job has ended."""

    object: Any
    request: HttpRequest

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer: HttpResponse = super().get(request, *args, **kwargs)  # type: ignore[misc]
        if request.headers.get("HX-Request") and self.object.job.is_terminal:
            # A part that is exchanged brings no script along; the result's viewer needs the whole page.
            answer["HX-Refresh"] = "true"
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        jobs = Job.objects.visible_to(current_user(self.request))
        steers_job = jobs.filter(pk=self.object.job_id).exists()
        return super().get_context_data(steers_job=steers_job, **kwargs)  # type: ignore[misc, no-any-return]
