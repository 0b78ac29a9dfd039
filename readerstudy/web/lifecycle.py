from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.text import slugify
from django.views.generic import TemplateView, View

from readerstudy.locking import services as locking
from readerstudy.models import StudyRater
from readerstudy.report import export
from readerstudy.unblinding import services as unblinding
from readerstudy.web.common import StudyActionView, StudyPageMixin, valid
from readerstudy.web.forms import ExclusionForm, UnblindForm


class LockView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        locking.request_lock(study=self.study, actor=self.person)
        return ""


class OpenView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        locking.open_for_reading(study=self.study, actor=self.person)
        return "The study is open: raters find it when they log in."


class CloseView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        unblinding.close(study=self.study, actor=self.person)
        return "The study is closed; it takes no more ratings."


class UnblindView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        form = valid(UnblindForm(self.request.POST))
        unblinding.unblind(study=self.study, actor=self.person, typed_title=form.cleaned_data["typed_title"])
        return "The study is unblinded."


class ExcludeRaterView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        rater = get_object_or_404(StudyRater, pk=kwargs["rater_pk"], study=self.study)
        form = valid(ExclusionForm(self.request.POST))
        unblinding.exclude_rater(rater=rater, actor=self.person, reason=form.cleaned_data["reason"])
        return f"{rater} is excluded; the ratings stay in the ledger."


class LeakAuditView(StudyPageMixin, TemplateView):
    template_name = "readerstudy/leak_audit.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        audit = self.study.leak_audit
        findings = sorted(audit.get("findings", []), key=lambda finding: (not finding["leak"], finding["sort"]))
        return super().get_context_data(study=self.study, audit=audit, findings=findings, **kwargs)


class ExportView(StudyPageMixin, View):
    """One row per rating; columns of the truth only after the unblinding."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        name = f"{slugify(self.study.title) or 'study'}-ratings.{kwargs['form']}"
        if kwargs["form"] == "csv":
            response = HttpResponse(export.as_csv(self.study), content_type="text/csv; charset=utf-8")
        else:
            response = HttpResponse(export.as_json(self.study), content_type="application/json")
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response
