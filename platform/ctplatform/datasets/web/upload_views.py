"""The upload page. Its size is judged before a byte of the body is read, so the CSRF check has to wait for that."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.generic import View

from ctplatform.accounts.permissions import StaffPageMixin, current_user
from ctplatform.datasets import services
from ctplatform.datasets.importing import uploads
from ctplatform.datasets.models import Dataset
from ctplatform.datasets.web.forms import UploadForm
from ctplatform.datasets.web.views import visible_dataset
from ctplatform.errors import DomainError


@method_decorator(csrf_exempt, name="dispatch")
class UploadView(StaffPageMixin, View):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            uploads.check_total(int(request.META.get("CONTENT_LENGTH") or 0))
        except DomainError as error:
            if not request.user.is_authenticated:
                return self.handle_no_permission()
            return self.refuse(request, error.message, status=413)
        protected = csrf_protect(super().dispatch)
        return protected(request, *args, **kwargs)

    def get(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        return self.page(request, self.dataset(request, pk), UploadForm())

    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        dataset = self.dataset(request, pk)
        form = UploadForm(request.POST, request.FILES)
        if not form.is_valid():
            reasons = " ".join(str(error) for errors in form.errors.values() for error in errors)
            return self.refuse(request, reasons, status=422, dataset=dataset, form=form)
        try:
            job = services.request_import(
                dataset=dataset,
                user=current_user(request),
                files=form.cleaned_data["files"],
                paths=request.POST.getlist("files_paths"),
                masks=form.cleaned_data["masks"],
                subject=form.cleaned_data["subject"],
                text_looked_at=form.cleaned_data["text_looked_at"],
                manifest=form.cleaned_data["manifest"],
                labels=form.cleaned_data["labels"],
                spacing=form.cleaned_data["spacing"],
            )
        except DomainError as error:
            form.add_error(None, error.message)
            return self.refuse(request, error.message, status=422, dataset=dataset, form=form)
        job_url = reverse("jobs:job", args=[job.pk])
        return JsonResponse({"job_url": job_url}, status=202) if _wants_json(request) else redirect(job_url)

    def dataset(self, request: HttpRequest, pk: UUID) -> Dataset:
        dataset = visible_dataset(request, pk)
        if not dataset.editable_by(current_user(request)):
            raise Http404
        return dataset

    def refuse(
        self,
        request: HttpRequest,
        message: str,
        *,
        status: int,
        dataset: Dataset | None = None,
        form: UploadForm | None = None,
    ) -> HttpResponse:
        if _wants_json(request):
            return JsonResponse({"detail": message}, status=status)
        if dataset is None or form is None:
            return render(request, "datasets/too_large.html", {"message": message}, status=status)
        return self.page(request, dataset, form, status=status)

    def page(self, request: HttpRequest, dataset: Dataset, form: UploadForm, status: int = 200) -> HttpResponse:
        context = {
            "dataset": dataset,
            "form": form,
            "limit_bytes": settings.CT_UPLOAD_MAX_BYTES,
            "limit_files": settings.DATA_UPLOAD_MAX_NUMBER_FILES,
        }
        return render(request, "datasets/upload.html", context, status=status)


def _wants_json(request: HttpRequest) -> bool:
    return request.accepts("application/json") and not request.accepts("text/html")
