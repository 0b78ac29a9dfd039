from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.text import slugify
from django.views.generic import TemplateView, View

from readerstudy.design.following import followed
from readerstudy.models import Stimulus
from readerstudy.models.reading import FIRST_READING
from readerstudy.report.audit_archive import audit_files
from readerstudy.report.choices import words as choice_words
from readerstudy.report.choices.page import choice_page
from readerstudy.report.choices.report import choice_report
from readerstudy.report.download import report_file
from readerstudy.report.figure_files import MEDIA_TYPES, figure_file
from readerstudy.report.loading import report_data
from readerstudy.report.phases import phases_of, told_of_phases
from readerstudy.report.phases_words import phases_table, phases_words
from readerstudy.report.pictures import stimulus_png
from readerstudy.report.results_page import results_page
from readerstudy.report.results_text import results_text
from readerstudy.report.services import finished_report, latest_report, request_report
from readerstudy.report.text import methods_paragraph
from readerstudy.report.zipping import zipped
from readerstudy.results import computed_once, current_events_of_case
from readerstudy.unblinding.marked import mark_words
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.web.common import StudyActionView, StudyPageMixin


class UnblindedPageMixin(StudyPageMixin):
    """Before the unblinding the page of the study says why there is nothing."""

    opened: UnblindedStudy

    def refuse_unfit(self) -> None:
        self.opened = UnblindedStudy(self.study)


class ResultsView(UnblindedPageMixin, TemplateView):
    def get_template_names(self) -> list[str]:
        return ["readerstudy/choices.html" if self._several else "readerstudy/results.html"]

    @property
    def _several(self) -> bool:
        return self.study.asked.task.images > 1

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        results = choice_page(self.opened) if self._several else results_page(self.opened, self.request.GET.dict())
        # Not of a part of the study, and not kept with the page: the earlier study may be unblinded later.
        phases = None if self.request.GET else phases_of(self.opened)
        return super().get_context_data(
            study=self.study,
            results=results,
            followed=followed(self.study),
            phases=phases,
            phases_table=phases and phases_table(phases),
            phases_words=phases and phases_words(phases),
            **kwargs,
        )


class FigureView(UnblindedPageMixin, View):
    """A figure of the results page as a file, of the same part of the study."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        name, form = kwargs["name"], kwargs["form"]
        content = figure_file(self.opened, name, form, request.GET.dict())
        if content is None:
            raise Http404
        response = HttpResponse(content, content_type=MEDIA_TYPES[form])
        file_name = f"{slugify(self.study.title) or 'study'}-{name}.{form}"
        response["Content-Disposition"] = f'attachment; filename="{file_name}"'
        return response


class ReportView(UnblindedPageMixin, TemplateView):
    template_name = "readerstudy/report.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            study=self.study,
            texts=computed_once(self.opened, "texts", told_of_phases(self.study), lambda: _texts(self.opened)),
            job=latest_report(self.opened),
            finished=finished_report(self.opened),
            **kwargs,
        )


def _texts(opened: UnblindedStudy) -> dict[str, Any]:
    if opened.study.asked.task.images > 1:
        report = choice_report(opened)
        results, methods = choice_words.results_text(report), choice_words.methods_paragraph(report)
        return {"results": results, "methods": methods, "simulated_raters": report.simulated_raters}
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
        return report_file(self.opened)


class AuditArchiveView(UnblindedPageMixin, View):
    """What somebody outside needs to check chain, orders and truth without this platform."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        response = HttpResponse(zipped(audit_files(self.opened)), content_type="application/zip")
        name = f"{slugify(self.study.title) or 'study'}-audit.zip"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


class CaseResultView(UnblindedPageMixin, TemplateView):
    """One case after the unblinding: its picture, its truth, and what every rater said."""

    template_name = "readerstudy/case_result.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        truth = self.opened.truths.get(kwargs["code"])
        if truth is None:
            raise Http404
        task = self.study.asked.task
        answers = [
            (
                event,
                task.answer_in_words(event),
                task.call(event) == truth.synthetic if task.right_choice else None,
                mark_words(event, truth, task.mark) if task.mark else "",
            )
            for event in current_events_of_case(self.opened, kwargs["code"])
        ]
        return super().get_context_data(study=self.study, truth=truth, answers=answers, **kwargs)


class CasePictureView(UnblindedPageMixin, View):
    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        code = kwargs["code"]
        stimulus = get_object_or_404(Stimulus, case__study=self.study, case__code=code, reading=FIRST_READING)
        try:
            picture = computed_once(self.opened, "picture", [code], lambda: stimulus_png(self.opened, stimulus))
        except FileNotFoundError:
            raise Http404 from None
        response = HttpResponse(picture, content_type="image/png")
        response["Cache-Control"] = "private, max-age=31536000, immutable"
        return response
