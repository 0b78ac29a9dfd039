from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.generic import DetailView, TemplateView, View

from ctplatform.accounts.permissions import StaffPageMixin, current_user
from ctplatform.datasets import services
from ctplatform.datasets.archives.configured import archive_names, may_use_archives
from ctplatform.datasets.filters import DatasetFilter, ScanFilter
from ctplatform.datasets.importing import procedure
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Dataset, Provenance, Scan, Verdict
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.added_masks import why_lesions_stand
from ctplatform.datasets.scans.corrected import may_be_corrected, take_back_correction
from ctplatform.datasets.web.forms import (
    AcceptLiverForm,
    DatasetForm,
    MasksForm,
    MemberForm,
    ScanForm,
    TakeBackForm,
    WithdrawalForm,
)
from ctplatform.datasets.withdrawal import what_goes, withdraw
from ctplatform.errors import DomainError
from ctplatform.jobs.models import Job, JobStatus
from ctplatform.lists import ListPage
from ctplatform.waiting import counted
from ml.geometry import same_grid

DATASETS_PER_PAGE = 24
SCANS_PER_PAGE = 25
IMPORTS_SHOWN = 5


def visible_dataset(request: HttpRequest, pk: UUID) -> Dataset:
    return get_object_or_404(Dataset.objects.visible_to(current_user(request)).select_related("owner"), pk=pk)


def visible_scan(request: HttpRequest, pk: UUID) -> Scan:
    scans = Scan.objects.visible_to(current_user(request)).with_facts()
    return get_object_or_404(
        scans.select_related("dataset", "source_scan", "created_by", "withdrawn_by", "provenance__reviewed_by"), pk=pk
    )


def next_to_review(scan: Scan) -> Scan | None:
    """The next of its dataset that waits for a decision, in the order of the list."""
    waiting = Scan.objects.filter(dataset=scan.dataset_id, provenance__verdict=Verdict.PENDING).order_by("name")
    return waiting.filter(name__gt=scan.name).first() or waiting.exclude(pk=scan.pk).first()


def is_comparable(scan: Scan) -> bool:
    """Whether before and after can be shown side by side: one grid, and a place to look at."""
    made: Provenance | None = getattr(scan, "provenance", None)
    if made is None or made.centre_lps_mm is None or scan.source_scan is None:
        return False
    return same_grid(scan.geometry, scan.source_scan.geometry)


class DatasetListView(StaffPageMixin, ListPage):
    template_name = "datasets/datasets.html"
    filterset_class = DatasetFilter
    paginate_by = DATASETS_PER_PAGE

    def get_queryset(self) -> QuerySet[Dataset]:
        return Dataset.objects.visible_to(current_user(self.request)).with_facts().select_related("owner")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        covers = _first_scans([dataset.pk for dataset in context["page_obj"]])
        for dataset in context["page_obj"]:
            dataset.cover = covers.get(dataset.pk)
        context["archives"] = may_use_archives(current_user(self.request))
        return context


def _first_scans(dataset_ids: list[UUID]) -> dict[UUID, Scan]:
    """The scan whose picture stands for its dataset."""
    scans = Scan.objects.with_pixels().filter(dataset__in=dataset_ids).order_by("dataset", "-name")
    return {scan.dataset_id: scan for scan in scans.only("id", "name", "dataset_id")}


class DatasetView(StaffPageMixin, TemplateView):
    template_name = "datasets/dataset.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        dataset = visible_dataset(self.request, self.kwargs["pk"])
        scans = Scan.objects.filter(dataset=dataset).with_facts().select_related("source_scan", "provenance")
        filtered = ScanFilter(self.request.GET, queryset=scans)
        page = Paginator(filtered.qs, SCANS_PER_PAGE).get_page(self.request.GET.get("page"))
        editable = dataset.editable_by(current_user(self.request))
        imports = Job.objects.filter(kind=services.IMPORT_KIND, payload__dataset=str(dataset.pk))
        kwargs.setdefault("member_form", MemberForm(dataset=dataset) if editable else None)
        return super().get_context_data(
            dataset=dataset,
            filter=filtered,
            page_obj=page,
            total=scans.count(),
            to_review=scans.filter(provenance__verdict=Verdict.PENDING).count(),
            editable=editable,
            archives=archive_names(current_user(self.request)),
            imports=imports.select_related("owner")[:IMPORTS_SHOWN] if editable else [],
            **kwargs,
        )


class DatasetFormView(StaffPageMixin, View):
    """Creates a dataset, or edits the one that the address names."""

    def get(self, request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
        dataset = self.dataset(request, pk)
        return self.page(request, DatasetForm(instance=dataset), dataset)

    def post(self, request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
        dataset, user = self.dataset(request, pk), current_user(request)
        form = DatasetForm(request.POST, instance=dataset)
        if not form.is_valid():
            return self.page(request, form, dataset, status=422)
        if dataset is None:
            dataset = services.create_dataset(owner=user, **form.cleaned_data)
        else:
            services.update_dataset(dataset=dataset, user=user, **form.cleaned_data)
        return redirect(dataset)

    def dataset(self, request: HttpRequest, pk: UUID | None) -> Dataset | None:
        if pk is None:
            return None
        dataset = visible_dataset(request, pk)
        if not dataset.editable_by(current_user(request)):
            raise Http404
        return dataset

    def page(self, request: HttpRequest, form: DatasetForm, dataset: Dataset | None, status: int = 200) -> HttpResponse:
        return render(request, "datasets/dataset_form.html", {"form": form, "dataset": dataset}, status=status)


class _DatasetActionView(StaffPageMixin, View):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: UUID, **kwargs: Any) -> HttpResponse:
        dataset = visible_dataset(request, pk)
        try:
            return self.act(request, dataset, **kwargs)
        except DomainError as error:
            messages.error(request, error.message)
            return redirect(dataset)

    def act(self, request: HttpRequest, dataset: Dataset, **kwargs: Any) -> HttpResponse:
        raise NotImplementedError


class ShareView(_DatasetActionView):
    def act(self, request: HttpRequest, dataset: Dataset, **kwargs: Any) -> HttpResponse:
        form = MemberForm(request.POST, dataset=dataset)
        if form.is_valid():
            services.share(dataset=dataset, user=current_user(request), member=form.cleaned_data["member"])
        else:
            messages.error(request, gettext("Choose a person from the list."))
        return redirect(dataset)


class UnshareView(_DatasetActionView):
    def act(self, request: HttpRequest, dataset: Dataset, **kwargs: Any) -> HttpResponse:
        member = get_object_or_404(dataset.members, pk=kwargs["member"])
        services.unshare(dataset=dataset, user=current_user(request), member=member)
        return redirect(dataset)


class DeleteDatasetView(_DatasetActionView):
    def act(self, request: HttpRequest, dataset: Dataset, **kwargs: Any) -> HttpResponse:
        services.delete_dataset(dataset=dataset, user=current_user(request))
        messages.success(request, gettext("%(name)s was deleted.") % {"name": dataset.name})
        return redirect("datasets:datasets")


class ProcedureView(StaffPageMixin, TemplateView):
    template_name = "datasets/procedure.html"
    extra_context = {"procedure": procedure}


class ScanView(StaffPageMixin, DetailView[Scan]):
    template_name = "datasets/scan.html"
    context_object_name = "scan"

    def get_object(self, queryset: QuerySet[Scan] | None = None) -> Scan:
        return visible_scan(self.request, self.kwargs["pk"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        scan, user = self.object, current_user(self.request)
        estimates = Job.objects.filter(kind=services.LIVER_KIND, payload__scan=str(scan.pk))
        unfinished = estimates.filter(status__in=[JobStatus.QUEUED, JobStatus.RUNNING])
        grid = scan.geometry
        correctable = scan.dataset.editable_by(user) and may_be_corrected(scan)
        kwargs.setdefault("form", ScanForm(instance=scan))
        kwargs.setdefault("masks_form", MasksForm())
        return super().get_context_data(
            grid=grid,
            extent_mm=[round(side) for side in grid.extent_zyx_mm],
            masks=scan.masks.order_by("kind").select_related("accepted_by").prefetch_related("corrections__by"),
            correctable=correctable,
            lesions_stand=why_lesions_stand(scan) if correctable else "",
            lesions=scan.lesions.all(),
            has_liver=scan.masks.filter(kind=MaskKind.LIVER).exists(),
            liver_job=unfinished.first(),
            derived=scan.derived_scans.filter(pk__in=Scan.objects.visible_to(user)),
            editable=scan.dataset.editable_by(user),
            comparable=is_comparable(scan),
            **kwargs,
        )


class _ScanActionView(StaffPageMixin, View):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        scan = visible_scan(request, pk)
        try:
            return self.act(request, scan)
        except DomainError as error:
            messages.error(request, error.message)
            return redirect(scan)

    def act(self, request: HttpRequest, scan: Scan) -> HttpResponse:
        raise NotImplementedError


class EstimateLiverView(_ScanActionView):
    def act(self, request: HttpRequest, scan: Scan) -> HttpResponse:
        services.request_liver_estimate(scan=scan, user=current_user(request))
        messages.success(request, gettext("The liver is being estimated. Look at the result before you use it."))
        return redirect(scan)


class AcceptLiverView(_ScanActionView):
    def act(self, request: HttpRequest, scan: Scan) -> HttpResponse:
        form = AcceptLiverForm(request.POST)
        seen = form.cleaned_data["mask"] if form.is_valid() else None
        services.accept_liver(scan=scan, user=current_user(request), seen=seen)
        messages.success(request, gettext("Noted: you have looked at the estimated liver and found it right."))
        return redirect(scan)


class TakeBackView(_ScanActionView):
    def act(self, request: HttpRequest, scan: Scan) -> HttpResponse:
        form = TakeBackForm(request.POST)
        correction = form.cleaned_data["correction"] if form.is_valid() else 0
        take_back_correction(scan=scan, user=current_user(request), correction=correction)
        messages.success(request, gettext("The last correction was taken back; the record tells of both."))
        return redirect(scan)


class NewMasksView(_ScanActionView):
    def act(self, request: HttpRequest, scan: Scan) -> HttpResponse:
        form = MasksForm(request.POST, request.FILES)
        if not form.is_valid():
            messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
            return redirect(scan)
        job = services.request_masks(
            scan=scan,
            user=current_user(request),
            files=form.cleaned_data["masks"],
            kind=form.cleaned_data["kind"],
            labels=form.cleaned_data["labels"],
        )
        return redirect("jobs:job", pk=job.pk)


class EditScanView(_ScanActionView):
    def act(self, request: HttpRequest, scan: Scan) -> HttpResponse:
        form = ScanForm(request.POST, instance=Scan(dataset=scan.dataset, pk=scan.pk))
        if not form.is_valid():
            messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        else:
            services.update_scan(scan=scan, user=current_user(request), **form.cleaned_data)
        return redirect(scan)


class DecideScanView(_ScanActionView):
    """Accept or reject a synthetic scan, whoever made it."""

    def act(self, request: HttpRequest, scan: Scan) -> HttpResponse:
        accept = request.POST.get("decision") == "accept"
        services.give_verdict(
            scan=scan,
            reviewer=current_user(request),
            accept=accept,
            reason=request.POST.get("reason", ""),
            seen=request.POST.get("seen", ""),
        )
        messages.success(request, f"{scan.name}: {'accepted' if accept else 'rejected'}.")
        following = next_to_review(scan) if request.POST.get("then") == "next" else None
        return redirect(following or scan)


class CompareScanView(StaffPageMixin, DetailView[Scan]):
    """A synthetic scan beside the scan it was made of, and the decision."""

    template_name = "datasets/compare.html"
    context_object_name = "scan"

    def get_object(self, queryset: QuerySet[Scan] | None = None) -> Scan:
        scan = visible_scan(self.request, self.kwargs["pk"])
        if not is_comparable(scan):
            raise Http404
        return scan


class WithdrawScanView(StaffPageMixin, View):
    """Asks first, and says what goes and what stays."""

    def get(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        return self.page(request, self.scan(request, pk), WithdrawalForm())

    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        scan, form = self.scan(request, pk), WithdrawalForm(request.POST)
        if form.is_valid():
            try:
                gone = withdraw(scan=scan, user=current_user(request), **form.cleaned_data)
            except DomainError as error:
                form.add_error(None, error.message)
            else:
                messages.success(
                    request,
                    f"The pixels of {counted(len(gone), 'scan')} are gone; the rows say why.",
                )
                return redirect(scan)
        return self.page(request, scan, form, status=422)

    def scan(self, request: HttpRequest, pk: UUID) -> Scan:
        scan = visible_scan(request, pk)
        if not scan.dataset.editable_by(current_user(request)):
            raise Http404
        return scan

    def page(self, request: HttpRequest, scan: Scan, form: WithdrawalForm, status: int = 200) -> HttpResponse:
        alone, patient = (what_goes(scan, whole_patient=whole) for whole in (False, True))
        context = {"scan": scan, "form": form, "alone": alone, "patient": patient}
        return render(request, "datasets/withdraw.html", context, status=status)


class DeleteScanView(_ScanActionView):
    def act(self, request: HttpRequest, scan: Scan) -> HttpResponse:
        services.delete_scan(scan=scan, user=current_user(request))
        messages.success(request, gettext("%(name)s was deleted.") % {"name": scan.name})
        return redirect(scan.dataset)


class ThumbnailView(StaffPageMixin, View):
    def get(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        scan = get_object_or_404(Scan.objects.visible_to(current_user(request)).only("id"), pk=pk)
        try:
            content = voxels.load_bytes(voxels.thumbnail_key(scan.pk))
        except FileNotFoundError:
            raise Http404 from None
        return HttpResponse(
            content,
            content_type="image/png",
            headers={"Cache-Control": "private, max-age=31536000, immutable"},
        )
