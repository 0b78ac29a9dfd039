from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.views.generic import TemplateView

from ctplatform.datasets.models import Lesion, Scan
from ctplatform.errors import ConflictError
from readerstudy.design import services
from readerstudy.design.candidates import accepted_scans, lesions_of_kind
from readerstudy.models import CaseTruth, Template
from readerstudy.web.common import StudyActionView, StudyPageMixin, valid
from readerstudy.web.forms import CasesForm, PlacesForm

PER_PAGE = 40
CASE_ORDERINGS = {"scan": "scan__name", "diameter": "diameter_mm", "depth": "depth_mm", "kind": "synthetic"}


class DraftCasesMixin(StudyPageMixin):
    """Which kind a case is may be seen in a draft only: the lock seals it, for the team as well."""

    def refuse_unfit(self) -> None:
        if not self.study.is_draft:
            raise ConflictError("The cases are sealed since the lock; they open with the unblinding.")


class CasesView(DraftCasesMixin, TemplateView):
    template_name = "readerstudy/cases.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        asked = {name: self.request.GET.get(name, "") for name in ("kind", "q", "sort")}
        truths = CaseTruth.objects.filter(case__study=self.study).select_related("case", "scan", "scan__dataset")
        if asked["kind"] in {"real", "synthetic"}:
            truths = truths.filter(synthetic=asked["kind"] == "synthetic")
        if asked["q"]:
            truths = truths.filter(scan__name__icontains=asked["q"])
        truths = truths.order_by(CASE_ORDERINGS.get(asked["sort"], "scan__name"), "case_id")
        page = Paginator(truths, PER_PAGE).get_page(self.request.GET.get("page"))
        return super().get_context_data(
            study=self.study, may_edit=self.study.editable_by(self.person), page_obj=page, asked=asked, **kwargs
        )


class CandidatesView(DraftCasesMixin, TemplateView):
    """Places to add by hand: lesions, or scans with a removed lesion."""

    template_name = "readerstudy/candidates.html"
    for_editors = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        asked = {name: self.request.GET.get(name, "") for name in ("kind", "q")}
        removed = self.study.template == Template.REMOVED_LESIONS
        rows: QuerySet[Scan] | QuerySet[Lesion]
        if removed:
            rows = accepted_scans(self.study).select_related("dataset").order_by("name")
            rows = rows.filter(name__icontains=asked["q"]) if asked["q"] else rows
        else:
            rows = lesions_of_kind(self.study, synthetic=asked["kind"] != "real").order_by("scan__name", "number")
            named = Q(scan__name__icontains=asked["q"]) | Q(scan__dataset__name__icontains=asked["q"])
            rows = rows.filter(named) if asked["q"] else rows
        page = Paginator(rows, PER_PAGE).get_page(self.request.GET.get("page"))
        return super().get_context_data(study=self.study, page_obj=page, asked=asked, removed=removed, **kwargs)


class DrawView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        services.request_draw(study=self.study, actor=self.person)
        return ""


class AddCasesView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        form = valid(PlacesForm(self.request.POST, study=self.study))
        added = services.add_cases(study=self.study, actor=self.person, candidates=form.candidates())
        return f"{added} cases were added."

    def next_page(self) -> str:
        return reverse("studies:cases", args=[self.study.pk])


class RemoveCasesView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        form = valid(CasesForm(self.request.POST, study=self.study))
        chosen = [case.pk for case in form.cleaned_data["case"]]
        removed = services.remove_cases(study=self.study, actor=self.person, case_ids=chosen)
        return f"{removed} cases were removed."

    def next_page(self) -> str:
        return reverse("studies:cases", args=[self.study.pk])
