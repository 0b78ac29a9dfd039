"""Taking scans out: choosing them, the packages that are made and were made, and fetching one."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.generic import TemplateView, View

from ctplatform.accounts.models import User
from ctplatform.accounts.permissions import StaffPageMixin, current_user
from ctplatform.datasets.archives import orders as archive_orders
from ctplatform.datasets.archives.configured import archive_names
from ctplatform.datasets.exporting import orders
from ctplatform.datasets.exporting.files import export_file
from ctplatform.datasets.filters import ScanFilter
from ctplatform.datasets.kinds import ExportFormat
from ctplatform.datasets.models import Dataset, Export, Scan
from ctplatform.datasets.web.forms import ExportForm
from ctplatform.datasets.web.views import visible_dataset
from ctplatform.errors import DomainError
from ctplatform.form_fields import rows_of
from ctplatform.jobs.models import Job, JobStatus, fetch_retry_refusals

JOBS_SHOWN = 10


class OrderExportView(StaffPageMixin, View):
    """The scans that fit the filter of the dataset's page, ticked; the same filter may name a single one."""

    def get(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        dataset = visible_dataset(request, pk)
        scans = self.scans(request, dataset)
        return self.page(request, dataset, self.form(request, scans))

    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        dataset = visible_dataset(request, pk)
        form = ExportForm(request.POST, scans=dataset.scans.all(), archive_names=archive_names(current_user(request)))
        if not form.is_valid():
            return self.page(request, dataset, form, status=422)
        try:
            job = self.order(current_user(request), **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
            return self.page(request, dataset, form, status=error.http_status_code)
        return redirect("datasets:exports" if job.kind == orders.KIND else "jobs:jobs")

    def order(self, user: User, *, scans: list[Scan], form: ExportFormat, masks: bool, archive: str) -> Job:
        if archive:
            return archive_orders.request_sending(user=user, scans=scans, archive_name=archive, masks=masks)
        return orders.request_export(user=user, scans=scans, form=form, masks=masks)

    def form(self, request: HttpRequest, scans: QuerySet[Scan]) -> ExportForm:
        return ExportForm(
            scans=scans, archive_names=archive_names(current_user(request)), initial={"scans": list(scans)}
        )

    def scans(self, request: HttpRequest, dataset: Dataset) -> QuerySet[Scan]:
        """No more than go into one package: whoever wants others narrows the filter of the dataset's page."""
        present = Scan.objects.with_pixels().filter(dataset=dataset).with_facts()
        first = ScanFilter(request.GET, queryset=present).qs.values("pk")[: orders.MOST_SCANS]
        return Scan.objects.filter(pk__in=list(first.values_list("pk", flat=True))).only("pk", "name", "dataset_id")

    def page(self, request: HttpRequest, dataset: Dataset, form: ExportForm, status: int = 200) -> HttpResponse:
        listed = self.scans(request, dataset)
        rows_of(form, "scans").queryset = listed
        left_out = dataset.scans.with_pixels().count() - listed.count()
        context = {"dataset": dataset, "form": form, "most": orders.MOST_SCANS, "left_out": left_out}
        return render(request, "datasets/export.html", context, status=status)


class ExportListView(StaffPageMixin, TemplateView):
    template_name = "datasets/exports.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = current_user(self.request)
        unfinished = Job.objects.filter(kind=orders.KIND, owner=user).exclude(status=JobStatus.SUCCEEDED)
        jobs = list(unfinished.select_related("owner")[:JOBS_SHOWN])
        fetch_retry_refusals(jobs)
        is_busy = any(not job.is_terminal for job in jobs)
        return super().get_context_data(exports=Export.objects.visible_to(user), jobs=jobs, is_busy=is_busy, **kwargs)


def own_export(request: HttpRequest, pk: UUID) -> Export:
    return get_object_or_404(Export.objects.visible_to(current_user(request)), pk=pk)


class DownloadExportView(StaffPageMixin, View):
    def get(self, request: HttpRequest, pk: UUID) -> HttpResponseBase:
        return export_file(own_export(request, pk))


class DeleteExportView(StaffPageMixin, View):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        orders.delete_export(export=own_export(request, pk), actor=current_user(request))
        return redirect("datasets:exports")
