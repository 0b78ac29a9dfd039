"""Results of edits to be judged by looking: many small pictures, and one decision about those that were chosen."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.generic import View

from ctplatform.accounts.permissions import StaffPageMixin, current_user
from ctplatform.datasets.models import Verdict
from ctplatform.lists import ListPage
from ctplatform.waiting import counted
from synthesis.edits.pictures import pictures_png
from synthesis.edits.reviewing import USUAL_REASONS, review_together
from synthesis.filters import ResultFilter
from synthesis.models import EditOrderQuerySet
from synthesis.web.edits import visible_synthesis

REFUSALS_SHOWN = 3


class GalleryView(StaffPageMixin, ListPage):
    template_name = "synthesis/gallery.html"
    filterset_class = ResultFilter
    paginate_by = 24

    def get_queryset(self) -> EditOrderQuerySet:
        return visible_synthesis(self.request).filter(result_scan__isnull=False)

    def get_filterset_kwargs(self, filterset_class: Any) -> dict[str, Any]:
        """Whoever comes without a wish sees what is still to review."""
        given = super().get_filterset_kwargs(filterset_class)
        asked = given["data"].copy()
        asked.setdefault("review", Verdict.PENDING)
        return {**given, "data": asked}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        to_review = visible_synthesis(self.request).to_review().count()
        return super().get_context_data(to_review=to_review, usual_reasons=USUAL_REASONS, **kwargs)


class DecideTogetherView(StaffPageMixin, View):
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        # A chosen box says which result and which verdict was seen beside its picture.
        seen = dict(filter(None, (_chosen(value) for value in request.POST.getlist("chosen"))))
        accept = request.POST.get("decision") == "accept"
        outcome = review_together(
            chosen=list(visible_synthesis(request).filter(pk__in=seen)),
            reviewer=current_user(request),
            accept=accept,
            reason=request.POST.get("reason", ""),
            seen=seen,
        )
        if not seen:
            messages.error(request, "Choose at least one result.")
        if outcome.decided:
            done = "accepted" if accept else "rejected"
            messages.success(request, f"{counted(len(outcome.decided), 'result')} {done}.")
        for order, refusal in outcome.refused[:REFUSALS_SHOWN]:
            messages.error(request, f"{order}: {refusal}")
        if len(outcome.refused) > REFUSALS_SHOWN:
            messages.error(request, f"{len(outcome.refused) - REFUSALS_SHOWN} more were refused for such reasons.")
        back = request.POST.get("next", "")
        safe = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
        return redirect(back if safe else reverse("synthesis:gallery"))


def _chosen(value: str) -> tuple[UUID, str] | None:
    key, _, verdict = value.partition(" ")
    try:
        return UUID(key), verdict
    except ValueError:
        # No form of ours sends this; what else was chosen is decided.
        return None


class PicturesView(StaffPageMixin, View):
    def get(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        order = get_object_or_404(visible_synthesis(request).filter(result_scan__isnull=False), pk=pk)
        try:
            content = pictures_png(order)
        except FileNotFoundError:
            raise Http404 from None
        return HttpResponse(content, content_type="image/png", headers={"Cache-Control": "private, max-age=86400"})
