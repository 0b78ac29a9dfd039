from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.generic import FormView, TemplateView

from ctplatform.accounts.permissions import StaffPageMixin, current_user
from readerstudy.design import services
from readerstudy.design.cases import compared_arms, patients_and_kinds, truths_of
from readerstudy.models import Study
from readerstudy.planning.plans import draft_plan, plan_of, plan_power_in_words, sentences_of
from readerstudy.planning.words import NO_LOOKS
from readerstudy.web.common import DraftFormMixin, study_for
from readerstudy.web.planner_form import PlannerForm
from readerstudy.web.planning_forms import PlanForm
from readerstudy.web.planning_grid import grid_page, planner_defaults

# So long a page may keep a person and a thread waiting.
SIMULATED_SECONDS = 8.0


class PlannerView(StaffPageMixin, TemplateView):
    """How many raters and cases a study needs; may start from a study's plan."""

    template_name = "readerstudy/planner.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        study = self._study()
        initial = {name: field.initial for name, field in PlannerForm.base_fields.items()}
        if study is not None:
            initial |= planner_defaults(plan_of(study))
        asked = {name: self.request.GET.get(name, value) for name, value in initial.items()}
        form = PlannerForm(asked)
        page = grid_page(form.cleaned_data, seconds=SIMULATED_SECONDS) if form.is_valid() else None
        return super().get_context_data(
            form=form,
            page=page,
            simulated_seconds=SIMULATED_SECONDS,
            study=study,
            start_query=urlencode({"planner": urlencode(asked)}),
            **kwargs,
        )

    def _study(self) -> Study | None:
        asked = self.request.GET.get("study", "")
        try:
            return study_for(current_user(self.request), UUID(asked)) if asked else None
        except ValueError:
            # No study has such a key; the planner needs none.
            return None


class PlanView(DraftFormMixin[PlanForm], FormView[PlanForm]):
    """The analysis plan: a form while the study is a draft, a frozen text afterwards."""

    template_name = "readerstudy/plan.html"
    form_class = PlanForm

    def get_form_kwargs(self) -> dict[str, Any]:
        arms = compared_arms(truths_of(self.study)) if self.study.is_draft else []
        return {
            **super().get_form_kwargs(),
            "plan": draft_plan(self.study),
            "task": self.study.asked.task,
            "arms": arms,
            "later_phase": self.study.continues_id is not None,
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        plan = plan_of(self.study)
        return super().get_context_data(
            study=self.study,
            may_edit=self.study.is_draft and self.study.editable_by(self.person),
            sentences=sentences_of(self.study, plan),
            power_in_words=plan_power_in_words(self.study, drawn=self._drawn()),
            # What was frozen keeps its digest, whatever a later version adds to plans.
            digest=self.study.plan_digest or plan.digest(),
            no_looks=NO_LOOKS,
            **kwargs,
        )

    def _drawn(self) -> list[tuple[str, bool]]:
        """Patients and kinds of a draft's cases; sealed with the truth from the lock on."""
        if not self.study.is_draft:
            return []
        judged = (truth for truth in truths_of(self.study) if not truth.control)
        return patients_and_kinds(judged, same_names=plan_of(self.study).same_names)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.study.editable_by(self.person):
            raise PermissionDenied
        return super().post(request, *args, **kwargs)

    def save(self, form: PlanForm) -> str:
        options = form.plan_options()
        services.change_design(study=self.study, actor=self.person, seen=self.seen(), plan_options=options)
        return "The analysis plan is saved. It is frozen when the study is locked."

    def next_page(self) -> str:
        return reverse("studies:plan", args=[self.study.pk])
