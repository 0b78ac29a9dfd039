from collections import Counter
from typing import Any

import django_filters
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy, ngettext
from django.views.generic import TemplateView

from ctplatform.datasets.models import Lesion, Scan
from ctplatform.errors import ConflictError
from ctplatform.lists import ListFilter, ListPage, Ordering
from readerstudy.design import services
from readerstudy.design.arms import arm_order
from readerstudy.design.candidates import accepted_scans, lesions_of_kind
from readerstudy.design.cases import arm_of
from readerstudy.design.same_cases import take_same_cases
from readerstudy.models import CaseTruth, Template
from readerstudy.web.common import StudyActionView, StudyPageMixin, valid
from readerstudy.web.forms import CasesForm, PlacesForm

PER_PAGE = 40


class DraftCasesMixin(StudyPageMixin):
    """Which kind a case is may be seen in a draft only: the lock seals it, for the team as well."""

    def refuse_unfit(self) -> None:
        if not self.study.is_draft:
            raise ConflictError(gettext("The cases are sealed since the lock; they open with the unblinding."))


class CaseFilter(ListFilter):
    q = django_filters.CharFilter(field_name="scan__name", lookup_expr="icontains", label=gettext_lazy("Scan"))
    kind = django_filters.ChoiceFilter(
        choices=[
            ("real", gettext_lazy("Real")),
            ("synthetic", gettext_lazy("Synthetic")),
            ("control", gettext_lazy("Positive control")),
        ],
        method="of_kind",
        label=gettext_lazy("Kind"),
        empty_label=gettext_lazy("All"),
    )
    arm = django_filters.ChoiceFilter(method="of_arm", label=gettext_lazy("Arm"), empty_label=gettext_lazy("All"))
    ordering = Ordering(
        fields={"scan__name": "scan", "diameter_mm": "diameter", "depth_mm": "depth", "synthetic": "kind"},
        field_labels={
            "scan__name": gettext_lazy("Scan"),
            "diameter_mm": gettext_lazy("Diameter"),
            "depth_mm": gettext_lazy("Depth"),
            "synthetic": gettext_lazy("Kind"),
        },
        first="scan",
    )

    class Meta:
        model = CaseTruth
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.arms = {truth.pk: arm_of(truth) for truth in self.queryset or ()}
        names = [arm.name for arm in sorted(set(self.arms.values()), key=arm_order)]
        self.filters["arm"].extra["choices"] = [(name, name.capitalize()) for name in names]

    def of_arm(self, truths: QuerySet[CaseTruth], _name: str, arm: str) -> QuerySet[CaseTruth]:
        return truths.filter(pk__in=[pk for pk, known in self.arms.items() if known.name == arm])

    def of_kind(self, truths: QuerySet[CaseTruth], _name: str, kind: str) -> QuerySet[CaseTruth]:
        if kind == "control":
            return truths.filter(control=True)
        return truths.filter(synthetic=kind == "synthetic", control=False)


class CasesView(DraftCasesMixin, ListPage):
    template_name = "readerstudy/cases.html"
    paginate_by = PER_PAGE
    filterset_class = CaseFilter

    def get_queryset(self) -> QuerySet[CaseTruth]:
        truths = CaseTruth.objects.filter(case__study=self.study).select_related("case", "scan", "scan__dataset")
        return truths.order_by("scan__name")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        may_edit = self.study.editable_by(self.person)
        context = super().get_context_data(study=self.study, may_edit=may_edit, **kwargs)
        arms = context["filter"].arms
        for truth in context["page_obj"]:
            truth.arm = arms[truth.pk]
        counted = Counter(arms.values())
        context["arms"] = [(arm.name, counted[arm]) for arm in sorted(counted, key=arm_order)]
        return context


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
        services.request_draw(study=self.study, actor=self.person, fresh_seed="new_seed" in self.request.POST)
        return ""


class SameCasesView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        count = take_same_cases(study=self.study, actor=self.person)
        return ngettext("%(count)s case taken over.", "%(count)s cases taken over.", count) % {"count": count}


class AddCasesView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        form = valid(PlacesForm(self.request.POST, study=self.study))
        added = services.add_cases(study=self.study, actor=self.person, candidates=form.candidates())
        return ngettext("%(count)s case added.", "%(count)s cases added.", added) % {"count": added}

    def next_page(self) -> str:
        return reverse("studies:cases", args=[self.study.pk])


class MarkControlsView(StudyActionView):
    """The ticked cases become positive controls, or ordinary ones again."""

    def act(self, **kwargs: Any) -> str:
        form = valid(CasesForm(self.request.POST, study=self.study))
        chosen = [case.pk for case in form.cleaned_data["case"]]
        control = self.request.POST.get("control", "yes") == "yes"
        marked = services.mark_controls(study=self.study, actor=self.person, case_ids=chosen, control=control)
        if control:
            said = ngettext(
                "%(count)s case marked as positive control.", "%(count)s cases marked as positive controls.", marked
            )
        else:
            said = ngettext("%(count)s case made ordinary again.", "%(count)s cases made ordinary again.", marked)
        return said % {"count": marked}

    def next_page(self) -> str:
        return reverse("studies:cases", args=[self.study.pk])


class RemoveCasesView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        form = valid(CasesForm(self.request.POST, study=self.study))
        chosen = [case.pk for case in form.cleaned_data["case"]]
        removed = services.remove_cases(study=self.study, actor=self.person, case_ids=chosen)
        return ngettext("%(count)s case removed.", "%(count)s cases removed.", removed) % {"count": removed}

    def next_page(self) -> str:
        return reverse("studies:cases", args=[self.study.pk])
