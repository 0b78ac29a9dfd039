"""Pages of generators: the list, one with what was measured of it, its files, and its retirement."""

import io
import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.generic import DetailView, FormView, View

from ctplatform.accounts.permissions import StaffPageMixin, current_user
from ctplatform.datasets.models import Dataset
from ctplatform.errors import DomainError
from ctplatform.lists import ListPage
from ml.generator.card import CARD_NAME
from synthesis import generator_reports
from synthesis.filters import GeneratorFilter
from synthesis.generators.services import order_registration, reinstate, retire
from synthesis.models import Generator, SignatureAtlas, TrainingRun
from synthesis.web.figures import areas_figure, classifiers_figure
from synthesis.web.forms import RegistrationForm


class GeneratorListView(StaffPageMixin, ListPage):
    template_name = "synthesis/generators.html"
    filterset_class = GeneratorFilter
    queryset = Generator.objects.select_related("registered_by").with_gate()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        runs = TrainingRun.objects.visible_to(current_user(self.request)).select_related("job")[:10]
        context = super().get_context_data(runs=runs, **kwargs)
        for generator in context["object_list"]:
            generator.gate = generator_reports.gate_summary(generator.judged)
        return context


class RegisterGeneratorView(StaffPageMixin, FormView[RegistrationForm]):
    template_name = "synthesis/register.html"
    form_class = RegistrationForm

    def form_valid(self, form: RegistrationForm) -> HttpResponse:
        try:
            job = order_registration(ordered_by=current_user(self.request), **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
            return self.form_invalid(form)
        return redirect("jobs:job", pk=job.pk)


class GeneratorView(StaffPageMixin, DetailView[Generator]):
    template_name = "synthesis/generator.html"
    model = Generator

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user, reports = current_user(self.request), self.object.reports
        card = self.object.card_for(user)
        realism = reports.get(generator_reports.REALISM_NAME)
        areas = generator_reports.auc_rows(realism)
        rows = generator_reports.classifier_rows(reports.get(generator_reports.CLASSIFICATION_NAME))
        headline = [row for row in rows if row.classifier in (generator_reports.HEADLINE_CLASSIFIER, "network")]
        return super().get_context_data(
            card=json.dumps(card, indent=2),
            facts=generator_reports.card_lines(card),
            gate=generator_reports.gate_lines(realism),
            gate_summary=generator_reports.gate_summary(realism),
            scan_lines=generator_reports.scan_lines(realism),
            scan_notes=generator_reports.scan_notes(realism),
            scans_summary=generator_reports.scans_summary(realism),
            datasets=Dataset.objects.visible_to(user),
            atlases=SignatureAtlas.objects.visible_to(user)
            .filter(generator=self.object)
            .select_related("job", "dataset")
            .defer("content"),
            areas=areas_figure(areas).svg(name="areas") if areas else "",
            received=generator_reports.received(reports),
            classifiers=rows,
            classifiers_figure=classifiers_figure(headline).svg(name="classifiers") if headline else "",
            **kwargs,
        )


class ArtefactFileView(StaffPageMixin, View):
    """The files as they were registered, for measuring elsewhere."""

    name = ""

    def get(self, request: HttpRequest, pk: UUID) -> FileResponse:
        generator = get_object_or_404(Generator, pk=pk)
        if generator.awaits_emptying:
            raise Http404
        return self.file_of(generator)

    def file_of(self, generator: Generator) -> FileResponse:
        file = default_storage.open(f"{generator.storage_prefix}/{self.name}", "rb")
        return FileResponse(file, as_attachment=True, filename=self.name)


class CardFileView(ArtefactFileView):
    """To those who may not see all names of the card, a card without them."""

    name = CARD_NAME

    def file_of(self, generator: Generator) -> FileResponse:
        card = generator.card_for(current_user(self.request))
        if card == generator.card:
            return super().file_of(generator)
        return FileResponse(io.BytesIO(json.dumps(card, indent=2).encode()), as_attachment=True, filename=self.name)


class RetireGeneratorView(StaffPageMixin, View):
    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        generator = get_object_or_404(Generator, pk=pk)
        try:
            retire(generator=generator, user=current_user(request), reason=request.POST.get("reason", ""))
        except DomainError as error:
            messages.error(request, error.message)
        return redirect(generator)


class ReinstateGeneratorView(StaffPageMixin, View):
    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        generator = get_object_or_404(Generator, pk=pk)
        try:
            reinstate(generator=generator, user=current_user(request))
        except DomainError as error:
            messages.error(request, error.message)
        return redirect(generator)
