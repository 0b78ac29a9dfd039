from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import F, QuerySet, TextField
from django.db.models.functions import Cast, Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.generic import DetailView, View

from ctplatform.accounts.permissions import StaffPageMixin, current_user
from ctplatform.datasets.models import Dataset
from ctplatform.datasets.scans.voxels import load_bytes
from ctplatform.errors import DomainError
from synthesis.atlas.services import order_atlas
from synthesis.models import ATLAS_COMPONENTS, Generator, SignatureAtlas
from synthesis.web.job_page import WaitingPageMixin

PATCHES_PER_PAGE = 50


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
        return visible.select_related("job", "generator", "dataset").defer("content")


class AtlasPatchesView(AtlasView):
    """The points as a table, for those who would rather read and sort than look."""

    template_name = "synthesis/atlas_patches.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        first = self.object.patches.first()
        if first is None:
            raise Http404
        components = [(f"pc{number}", f"PC {number}") for number in range(1, len(first.components) + 1)]
        # Normal liver has no diameter and comes before the smallest lesion.
        orders: dict[str, Any] = {"name": F("name"), "kind": F("what"), "diameter": Coalesce("diameter_mm", 0.0)}
        orders |= {f"pc{number}": F(name) for number, name in enumerate(ATLAS_COMPONENTS, start=1)}
        ordering = self.request.GET.get("ordering", "")
        order = orders.get(ordering.removeprefix("-"))
        patches = self.object.patches.all()
        if order is not None:
            patches = patches.order_by(order.desc() if ordering.startswith("-") else order.asc(), "number")
        page = Paginator(patches, PATCHES_PER_PAGE).get_page(self.request.GET.get("page"))
        return super().get_context_data(page_obj=page, components=components, **kwargs)


class AtlasPointsView(AtlasView):
    """The content as the database has it: a hundred thousand points would take seconds to read and to write again."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        found = self.get_queryset().filter(pk=kwargs["pk"]).exclude(patch_count=0)
        text = found.annotate(text=Cast("content", TextField())).values_list("text", flat=True).first()
        if text is None:
            raise Http404
        return HttpResponse(text, content_type="application/json")


class AtlasPicturesView(AtlasView):
    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        atlas = self.get_object()
        if not atlas.sheet_key:
            raise Http404
        return HttpResponse(load_bytes(atlas.sheet_key), content_type="image/png")
