from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.generic import DetailView, FormView, TemplateView, View

from ctplatform.accounts.permissions import StaffPageMixin, current_user
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Origin, Scan
from ctplatform.datasets.scans.voxels import load_bytes
from ctplatform.errors import DomainError
from synthesis.edits import services
from synthesis.generators.training import order_training
from synthesis.models import GENERATOR_BULK, SynthesisJob, SynthesisJobQuerySet, TrainingRun
from synthesis.web.filters import SynthesisFilter
from synthesis.web.forms import BatchForm, InsertionForm, RemovalForm, TrainingForm
from synthesis.web.job_page import WaitingPageMixin
from synthesis.web.loss_curves import loss_curves

PER_PAGE = 30
PANEL_ORDERS = 8


def visible_synthesis(request: HttpRequest) -> SynthesisJobQuerySet:
    related = ("job", "source_scan", "result_scan__provenance__reviewed_by", "generator", "ordered_by")
    unseen = [f"generator__{name}" for name in GENERATOR_BULK]
    return SynthesisJob.objects.visible_to(current_user(request)).select_related(*related).defer(*unseen)


class SynthesisListView(StaffPageMixin, TemplateView):
    template_name = "synthesis/jobs.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        orders = visible_synthesis(self.request)
        filtered = SynthesisFilter(self.request.GET, queryset=orders)
        page = Paginator(filtered.qs, PER_PAGE).get_page(self.request.GET.get("page"))
        return super().get_context_data(
            filter=filtered, page_obj=page, to_review=orders.to_review().count(), total=orders.count(), **kwargs
        )


class PanelView(StaffPageMixin, View):
    """The ordering panel of a scan's page; the viewer fills the place, the forms keep what was typed."""

    def get(self, request: HttpRequest, scan_id: UUID) -> HttpResponse:
        return self.panel(request, self.scan(request, scan_id))

    def scan(self, request: HttpRequest, scan_id: UUID) -> Scan:
        return get_object_or_404(Scan.objects.visible_to(current_user(request)), pk=scan_id)

    def panel(self, request: HttpRequest, scan: Scan, **forms: Any) -> HttpResponse:
        context = {
            "scan": scan,
            "has_liver": scan.masks.filter(kind=MaskKind.LIVER).exists(),
            "has_lesions": scan.lesions.exists(),
            "insertion": forms.get("insertion") or InsertionForm(),
            "removal": forms.get("removal") or RemovalForm(scan=scan),
            "refusal": forms.get("refusal"),
            **self.orders(request, scan),
        }
        return render(request, "synthesis/panel.html", context)

    def orders(self, request: HttpRequest, scan: Scan) -> dict[str, Any]:
        latest = list(visible_synthesis(request).filter(source_scan=scan)[:PANEL_ORDERS])
        return {"scan": scan, "orders": latest, "running": any(not order.job.is_terminal for order in latest)}


class PanelOrdersView(PanelView):
    """The list below the forms; htmx asks for it again while something runs."""

    def get(self, request: HttpRequest, scan_id: UUID) -> HttpResponse:
        return render(request, "synthesis/_orders.html", self.orders(request, self.scan(request, scan_id)))


class OrderInsertionView(PanelView):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, scan_id: UUID) -> HttpResponse:
        scan = self.scan(request, scan_id)
        form = InsertionForm(request.POST)
        refusal = None
        if form.is_valid():
            try:
                services.order_insertion(
                    ordered_by=current_user(request),
                    scan=scan,
                    generator=form.cleaned_data["generator"],
                    centre_lps_mm=form.centre_lps_mm,
                    spec=form.cleaned_data["spec"],
                )
            except DomainError as error:
                refusal = error.message
        return self.panel(request, scan, insertion=form, refusal=refusal)


class OrderRemovalView(PanelView):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, scan_id: UUID) -> HttpResponse:
        scan = self.scan(request, scan_id)
        form = RemovalForm(request.POST, scan=scan)
        refusal = None
        if form.is_valid():
            try:
                services.order_removal(ordered_by=current_user(request), **form.cleaned_data)
            except DomainError as error:
                refusal = error.message
        return self.panel(request, scan, removal=form, refusal=refusal)


class SourceScansMixin:
    """Forms that choose among the scans that may be edited or learned from."""

    request: HttpRequest

    def get_form_kwargs(self) -> dict[str, Any]:
        scans = Scan.objects.visible_to(current_user(self.request)).filter(masks__kind=MaskKind.LIVER)
        sources = scans.exclude(origin=Origin.SYNTHETIC).select_related("dataset")
        return super().get_form_kwargs() | {"scans": sources}  # type: ignore[misc, no-any-return]


class BatchView(SourceScansMixin, StaffPageMixin, FormView[BatchForm]):
    template_name = "synthesis/batch.html"
    form_class = BatchForm

    def form_valid(self, form: BatchForm) -> HttpResponse:
        data = form.cleaned_data
        try:
            job = services.order_batch(
                ordered_by=current_user(self.request),
                scans=list(data["scans"]),
                generator=data["generator"],
                order=data["order"],
            )
        except DomainError as error:
            form.add_error(None, error.message)
            return self.form_invalid(form)
        return redirect("jobs:job", pk=job.pk)


class ReviewView(WaitingPageMixin, StaffPageMixin, DetailView[SynthesisJob]):
    """Before, after and difference, side by side, and the decision."""

    template_name = "synthesis/review.html"
    context_object_name = "synthesis"

    def get_queryset(self) -> QuerySet[SynthesisJob]:
        return visible_synthesis(self.request)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        waiting = visible_synthesis(self.request).to_review()
        following = waiting.exclude(pk=self.object.pk).order_by("ordered_at").first()
        return super().get_context_data(waiting=waiting.count(), following=following, **kwargs)


class DecideView(StaffPageMixin, View):
    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        synthesis = get_object_or_404(visible_synthesis(request), pk=pk)
        accept = request.POST.get("decision") == "accept"
        try:
            services.review(
                synthesis=synthesis,
                reviewer=current_user(request),
                accept=accept,
                reason=request.POST.get("reason", ""),
                seen=request.POST.get("seen", ""),
            )
        except DomainError as error:
            messages.error(request, error.message)
            return redirect(synthesis)
        done = "accepted" if accept else "rejected"
        messages.success(request, f"{synthesis}: {done}.")
        following = visible_synthesis(request).to_review().order_by("ordered_at").first()
        if request.POST.get("then") == "next" and following is not None:
            return redirect(following)
        return redirect(synthesis)


class OrderTrainingView(SourceScansMixin, StaffPageMixin, FormView[TrainingForm]):
    template_name = "synthesis/train.html"
    form_class = TrainingForm

    def form_valid(self, form: TrainingForm) -> HttpResponse:
        data = {**form.cleaned_data, "scans": list(form.cleaned_data["scans"])}
        try:
            run = order_training(ordered_by=current_user(self.request), **data)
        except DomainError as error:
            form.add_error(None, error.message)
            return self.form_invalid(form)
        return redirect(run)


class TrainingView(WaitingPageMixin, StaffPageMixin, DetailView[TrainingRun]):
    template_name = "synthesis/training.html"
    context_object_name = "run"

    def get_queryset(self) -> QuerySet[TrainingRun]:
        return TrainingRun.objects.visible_to(current_user(self.request)).select_related("job", "generator")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(curves=loss_curves(self.object.curve), **kwargs)


class TrainingSamplesView(TrainingView):
    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        run = self.get_object()
        if not run.samples_key:
            raise Http404
        try:
            return HttpResponse(load_bytes(run.samples_key), content_type="image/png")
        except FileNotFoundError:
            # The training has just put a newer picture in its place.
            raise Http404 from None
