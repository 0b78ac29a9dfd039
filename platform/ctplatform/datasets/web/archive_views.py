"""Archives: which there are, whether they answer, looking for series in one and ordering that they are fetched."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.generic import TemplateView, View

from ctplatform.accounts.permissions import StaffPageMixin, current_user
from ctplatform.datasets.archives import client, configured, orders
from ctplatform.datasets.archives.wanted import Wanted
from ctplatform.datasets.models import Dataset
from ctplatform.datasets.web.forms import SearchForm
from ctplatform.datasets.web.views import visible_dataset
from ctplatform.errors import DomainError


class ArchivePageMixin(StaffPageMixin):
    """To those who may not use archives these pages do not exist."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not configured.may_use_archives(current_user(request)):
            raise Http404
        return super().dispatch(request, *args, **kwargs)


class ArchiveListView(ArchivePageMixin, TemplateView):
    template_name = "datasets/archives.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(archives=configured.archives(), **kwargs)


class TestArchiveView(ArchivePageMixin, View):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, name: str) -> HttpResponse:
        try:
            client.check(configured.archive_called(name))
        except DomainError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, gettext("%(name)s answers.") % {"name": name})
        return redirect("datasets:archives")


class RetrieveView(ArchivePageMixin, View):
    """A search is sent by POST as well: what it asks for names patients, and addresses are written into logs."""

    def get(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        return self.page(request, self.dataset(request, pk), self.form(request))

    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        dataset = self.dataset(request, pk)
        form = self.form(request, request.POST)
        if "series" in request.POST or "fetch" in request.POST:
            return self.fetch(request, dataset, form)
        if not form.is_valid():
            return self.page(request, dataset, form, status=422)
        try:
            found = client.find_series(configured.archive_called(form.cleaned_data["archive"]), **form.wanted)
        except DomainError as error:
            form.add_error(None, error.message)
            return self.page(request, dataset, form, status=error.http_status_code)
        return self.page(request, dataset, form, found=found, most=client.MOST_FOUND)

    def fetch(self, request: HttpRequest, dataset: Dataset, form: SearchForm) -> HttpResponse:
        pairs = [value.partition("/") for value in request.POST.getlist("series")]
        try:
            job = orders.request_retrieval(
                dataset=dataset,
                user=current_user(request),
                archive_name=request.POST.get("archive", ""),
                wanted=[Wanted(study=study, series=series) for study, _, series in pairs],
                text_looked_at="text_looked_at" in request.POST,
            )
        except DomainError as error:
            form.is_valid()
            form.add_error(None, error.message)
            return self.page(request, dataset, form, status=error.http_status_code)
        return redirect(reverse("jobs:job", args=[job.pk]))

    def form(self, request: HttpRequest, data: Any = None) -> SearchForm:
        return SearchForm(data, archive_names=configured.archive_names(current_user(request)))

    def dataset(self, request: HttpRequest, pk: UUID) -> Dataset:
        dataset = visible_dataset(request, pk)
        if not dataset.editable_by(current_user(request)):
            raise Http404
        return dataset

    def page(
        self, request: HttpRequest, dataset: Dataset, form: SearchForm, status: int = 200, **context: Any
    ) -> HttpResponse:
        shown = {"dataset": dataset, "form": form, **context}
        response = render(request, "datasets/retrieve.html", shown, status=status)
        response["Cache-Control"] = "no-store"
        return response
