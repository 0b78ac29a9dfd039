from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.html import format_html
from django.views.generic import DetailView, FormView, View

from ctplatform.accounts.permissions import StaffPageMixin, current_user
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Origin, Scan
from ctplatform.datasets.scans.voxels import load_bytes
from ctplatform.datasets.services import verdict_warnings, why_verdict_stands
from ctplatform.errors import DomainError
from ctplatform.jobs.models import Job
from ctplatform.jobs.waiting import duration_words, seconds_each
from ctplatform.lists import ListPage
from ml.training.config import FINE_TUNING
from synthesis.edits import services
from synthesis.edits.reviewing import USUAL_REASONS
from synthesis.edits.rows import EDIT_KIND
from synthesis.filters import EditOrderFilter, SourceFilter
from synthesis.generators.training import order_training
from synthesis.models import GENERATOR_BULK, EditOrder, EditOrderQuerySet, TrainingRun
from synthesis.web.forms import BatchForm, InsertionForm, RemovalForm, TrainingForm
from synthesis.web.job_page import WaitingPageMixin
from synthesis.web.loss_curves import loss_curves

PANEL_ORDERS = 8
SCANS_SHOWN = 100


def visible_synthesis(request: HttpRequest) -> EditOrderQuerySet:
    related = ("job", "source_scan", "result_scan__provenance__reviewed_by", "generator", "ordered_by")
    unseen = [f"generator__{name}" for name in GENERATOR_BULK]
    return EditOrder.objects.visible_to(current_user(request)).select_related(*related).defer(*unseen)


class SynthesisListView(StaffPageMixin, ListPage):
    template_name = "synthesis/jobs.html"
    filterset_class = EditOrderFilter

    def get_queryset(self) -> EditOrderQuerySet:
        return visible_synthesis(self.request)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        orders = visible_synthesis(self.request)
        return super().get_context_data(to_review=orders.to_review().count(), total=orders.count(), **kwargs)


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
            "insertion": forms.get("insertion") or InsertionForm(scan=scan),
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
        form = InsertionForm(request.POST, scan=scan)
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
    """Forms that choose among the scans that may be edited or learned from: filtered, a page of them at a time."""

    request: HttpRequest

    def get_form_kwargs(self) -> dict[str, Any]:
        scans = Scan.objects.visible_to(current_user(self.request)).filter(masks__kind=MaskKind.LIVER)
        sources = scans.exclude(origin=Origin.SYNTHETIC).select_related("dataset")
        self.filter = SourceFilter(self.request.GET, queryset=sources.with_facts(), request=self.request)
        self.page = Paginator(self.filter.qs, SCANS_SHOWN).get_page(self.request.GET.get("page"))
        chosen = {"scans": self.filter.qs, "shown": self.page.object_list}
        return super().get_form_kwargs() | chosen  # type: ignore[misc, no-any-return]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)  # type: ignore[misc]
        return context | {"filter": self.filter, "page_obj": self.page}  # type: ignore[no-any-return]


class BatchView(SourceScansMixin, StaffPageMixin, FormView[BatchForm]):
    template_name = "synthesis/batch.html"
    form_class = BatchForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        each = seconds_each(Job.objects.filter(kind=EDIT_KIND))
        lately = None if each is None else {"one": duration_words(each), "hundred": duration_words(100 * each)}
        return super().get_context_data(lately=lately, **kwargs)

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


class ReviewView(WaitingPageMixin, StaffPageMixin, DetailView[EditOrder]):
    """Before, after and difference, side by side, and the decision."""

    template_name = "synthesis/review.html"
    context_object_name = "synthesis"

    def get_queryset(self) -> QuerySet[EditOrder]:
        return visible_synthesis(self.request)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        waiting = visible_synthesis(self.request).to_review()
        following = waiting.exclude(pk=self.object.pk).order_by("ordered_at").first()
        result = self.object.result_scan
        if result is not None:
            kwargs |= {
                "stands": why_verdict_stands(result),
                "warnings": verdict_warnings(result),
                "decisions": result.decisions.select_related("by"),
            }
        return super().get_context_data(
            waiting=waiting.count(),
            following=following,
            usual_reasons=USUAL_REASONS,
            before=visible_synthesis(self.request).filter(result_scan=self.object.source_scan).first(),
            after=visible_synthesis(self.request).filter(source_scan=result) if result else [],
            **kwargs,
        )


class DecideView(StaffPageMixin, View):
    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        synthesis = get_object_or_404(visible_synthesis(request), pk=pk)
        accept = request.POST.get("decision") == "accept"
        reason = request.POST.get("because") or request.POST.get("reason", "")
        try:
            services.review(
                synthesis=synthesis,
                reviewer=current_user(request),
                accept=accept,
                reason=reason,
                seen=request.POST.get("seen", ""),
            )
        except DomainError as error:
            messages.error(request, error.message)
            return redirect(synthesis)
        done = "accepted" if accept else "rejected"
        messages.success(
            request,
            format_html('{}: {}. <a href="{}">Look again</a>', synthesis, done, synthesis.get_absolute_url()),
        )
        following = visible_synthesis(request).to_review().order_by("ordered_at").first()
        if request.POST.get("then") == "next" and following is not None:
            return redirect(following)
        return redirect(synthesis)


class OrderAgainView(StaffPageMixin, View):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        order = get_object_or_404(visible_synthesis(request), pk=pk)
        try:
            again = services.order_again(order=order, ordered_by=current_user(request))
        except DomainError as error:
            messages.error(request, error.message)
            return redirect(order)
        messages.success(request, f"Ordered again with the seed {again.seed}.")
        return redirect(again)


class OrderTrainingView(SourceScansMixin, StaffPageMixin, FormView[TrainingForm]):
    template_name = "synthesis/train.html"
    form_class = TrainingForm

    def get_initial(self) -> dict[str, Any]:
        given = self.request.GET.get("from")
        return super().get_initial() | ({"initial": given, "steps": FINE_TUNING.steps} if given else {})

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
        return TrainingRun.objects.visible_to(current_user(self.request)).select_related("job", "generator", "initial")

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
