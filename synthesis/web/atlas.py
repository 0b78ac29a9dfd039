from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.generic import DetailView, View

from ctplatform.accounts.permissions import StaffPageMixin, current_user
from ctplatform.datasets.models import Dataset
from ctplatform.datasets.scans.voxels import load_bytes
from ctplatform.errors import DomainError
from synthesis.atlas.services import order_atlas
from synthesis.models import LESION_KIND_LABELS, Generator, SignatureAtlas
from synthesis.web.job_page import WaitingPageMixin

PATCHES_PER_PAGE = 50
Point = dict[str, Any]


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
        return super().get_context_data(points=self.object.content.get("points", []), **kwargs)


class AtlasPatchesView(AtlasView):
    """The points as a table, for those who would rather read and sort than look."""

    template_name = "synthesis/atlas_patches.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        points = self.object.content.get("points")
        if not points:
            raise Http404
        components = [(f"pc{index + 1}", f"PC {index + 1}") for index in range(len(points[0]["components"]))]
        orders: dict[str, Callable[[Point], Any]] = {
            "name": lambda point: point["name"],
            "kind": what_it_is,
            "diameter": diameter_mm,
        }
        orders |= {name: component(index) for index, (name, _) in enumerate(components)}
        ordering = self.request.GET.get("ordering", "")
        order = orders.get(ordering.removeprefix("-"))
        rows = sorted(points, key=order, reverse=ordering.startswith("-")) if order else points
        page = Paginator(rows, PATCHES_PER_PAGE).get_page(self.request.GET.get("page"))
        for point in page.object_list:
            point["what"] = what_it_is(point)
            point["place"] = ",".join(f"{value:.2f}" for value in point["at"])
        return super().get_context_data(page_obj=page, components=components, **kwargs)


def what_it_is(point: Point) -> str:
    if not point["lesion"]:
        return "Normal liver"
    kind = LESION_KIND_LABELS.get(point["kind"])
    return f"{kind} lesion" if kind else "Lesion"


def diameter_mm(point: Point) -> float:
    """Normal liver has none and comes before the smallest lesion."""
    return point["diameter_mm"] or 0.0


def component(index: int) -> Callable[[Point], float]:
    return lambda point: point["components"][index]


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
