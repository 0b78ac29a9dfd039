from typing import Any

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.text import slugify
from django.views.generic import TemplateView, View

from readerstudy.models import Stimulus
from readerstudy.report.loading import report_data
from readerstudy.report.pictures import stimulus_png
from readerstudy.report.results_page import results_page
from readerstudy.report.services import finished_report, latest_report, request_report
from readerstudy.report.text import methods_paragraph, results_text
from readerstudy.results import computed_once, current_events_of_case
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.web.common import StudyActionView, StudyPageMixin


class UnblindedPageMixin(StudyPageMixin):
    """Before the unblinding the page of the study says why there is nothing."""

    opened: UnblindedStudy

    def refuse_unfit(self) -> None:
        self.opened = UnblindedStudy(self.study)


class ResultsView(UnblindedPageMixin, TemplateView):
    template_name = "readerstudy/results.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        results = results_page(self.opened, self.request.GET.dict())
        return super().get_context_data(study=self.study, results=results, **kwargs)


class ReportView(UnblindedPageMixin, TemplateView):
    template_name = "readerstudy/report.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            study=self.study,
            texts=computed_once(self.opened, "texts", [], lambda: _texts(self.opened)),
            job=latest_report(self.opened),
            finished=finished_report(self.opened),
            **kwargs,
        )


def _texts(opened: UnblindedStudy) -> dict[str, Any]:
    data = report_data(opened)
    return {
        "results": results_text(data),
        "methods": methods_paragraph(data),
        "simulated_raters": data.simulated_raters,
    }


class MakeReportView(StudyActionView):
    """Everybody in the team may make the report: it changes nothing."""

    for_editors = False

    def act(self, **kwargs: Any) -> str:
        request_report(study=self.study, actor=self.person)
        return ""

    def next_page(self) -> str:
        return reverse("studies:report", args=[self.study.pk])


class DownloadReportView(UnblindedPageMixin, View):
    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        job = finished_report(self.opened)
        if job is None or not default_storage.exists(job.result["key"]):
            raise Http404
        name = f"{slugify(self.study.title) or 'study'}-report.zip"
        archive = default_storage.open(job.result["key"], "rb")
        response: HttpResponse | FileResponse = FileResponse(archive, as_attachment=True, filename=name)
        response["Content-Type"] = "application/zip"
        return response


class CaseResultView(UnblindedPageMixin, TemplateView):
    """One case after the unblinding: its picture, its truth, and what every rater said."""

    template_name = "readerstudy/case_result.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        truth = self.opened.truths.get(kwargs["code"])
        if truth is None:
            raise Http404
        events = current_events_of_case(self.opened, kwargs["code"])
        return super().get_context_data(study=self.study, truth=truth, events=events, **kwargs)


class CasePictureView(UnblindedPageMixin, View):
    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        stimulus = get_object_or_404(Stimulus, case__study=self.study, case__code=kwargs["code"])
        response = HttpResponse(stimulus_png(self.opened, stimulus), content_type="image/png")
        response["Cache-Control"] = "private, max-age=31536000, immutable"
        return response
