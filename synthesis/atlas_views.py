from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.generic import DetailView, View

from ctplatform.datasets.models import Dataset
from ctplatform.datasets.storage import load_bytes
from ctplatform.errors import DomainError
from ctplatform.permissions import StaffPageMixin, current_user
from synthesis.atlas import order_atlas
from synthesis.models import Generator, SignatureAtlas
from synthesis.waiting import WaitingPageMixin


class OrderAtlasView(StaffPageMixin, View):
    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        generator = get_object_or_404(Generator, pk=pk)
        try:
            dataset = get_object_or_404(
                Dataset.objects.visible_to(current_user(request)), pk=request.POST.get("dataset") or None
            )
            return redirect(order_atlas(ordered_by=current_user(request), generator=generator, dataset=dataset))
        except ValidationError:
            raise Http404 from None
        except DomainError as error:
            messages.error(request, error.message)
            return redirect(generator)


class AtlasView(WaitingPageMixin, StaffPageMixin, DetailView[SignatureAtlas]):
    template_name = "synthesis/atlas.html"
    context_object_name = "atlas"

    def get_queryset(self) -> QuerySet[SignatureAtlas]:
        visible = SignatureAtlas.objects.visible_to(current_user(self.request))
        return visible.select_related("job", "generator", "dataset")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        points = [
            {**point, "place": ",".join(f"{value:.2f}" for value in point["at"])}
            for point in self.object.content.get("points", [])
        ]
        return super().get_context_data(points=points, **kwargs)


class AtlasPointsView(AtlasView):
    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        content = self.get_object().content
        if not content:
            raise Http404
        return JsonResponse(content)


class AtlasPicturesView(AtlasView):
    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        atlas = self.get_object()
        if not atlas.sheet_key:
            raise Http404
        return HttpResponse(load_bytes(atlas.sheet_key), content_type="image/png")
