from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.generic import FormView, ListView, TemplateView, UpdateView, View

from ctplatform.accounts.permissions import StaffPageMixin, current_user
from ctplatform.errors import ConflictError
from readerstudy.design import services
from readerstudy.design.readiness import blocking, readiness
from readerstudy.design.templates import DEFAULTS
from readerstudy.models import Case, Study, StudyState
from readerstudy.planning.plans import plan_of
from readerstudy.planning.words import plan_sentences
from readerstudy.reading.preview import session_token
from readerstudy.reading.progress import progress_of
from readerstudy.web.common import DraftFormMixin, StudyActionView, StudyPageMixin, valid
from readerstudy.web.forms import NewStudyForm, RatersForm, StudyForm, TeamForm, UnblindForm

ORDERINGS = {"newest": "-created_at", "oldest": "created_at", "title": "title", "state": "state"}


class StudyListView(StaffPageMixin, ListView[Study]):
    template_name = "readerstudy/studies.html"
    paginate_by = 25

    def get_queryset(self) -> QuerySet[Study]:
        asked = self.request.GET
        studies = Study.objects.visible_to(current_user(self.request)).select_related("owner")
        if asked.get("state") in StudyState.values:
            studies = studies.filter(state=asked["state"])
        if asked.get("q"):
            studies = studies.filter(Q(title__icontains=asked["q"]) | Q(description__icontains=asked["q"]))
        counted = studies.annotate(case_count=Count("cases", distinct=True), rater_count=Count("raters", distinct=True))
        return counted.order_by(ORDERINGS.get(asked.get("sort", ""), "-created_at"), "pk")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        asked = {name: self.request.GET.get(name, "") for name in ("state", "q", "sort")}
        orderings = [("newest", "Newest"), ("oldest", "Oldest"), ("title", "Title"), ("state", "State")]
        return super().get_context_data(states=StudyState.choices, orderings=orderings, asked=asked, **kwargs)


class NewStudyView(StaffPageMixin, FormView[NewStudyForm]):
    template_name = "readerstudy/new.html"
    form_class = NewStudyForm

    def get_initial(self) -> dict[str, Any]:
        template, defaults = next(iter(DEFAULTS.items()))
        return {"template": template, "title": defaults["title"], "cases_planned": 100}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.user.is_authenticated and not current_user(request).may_coordinate:
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: NewStudyForm) -> HttpResponse:
        study = services.create_study(owner=current_user(self.request), **form.cleaned_data)
        return redirect(study)


class StudyView(StudyPageMixin, TemplateView):
    """One page per study; what it shows and offers follows from the state."""

    def get_template_names(self) -> list[str]:
        return ["readerstudy/study_draft.html" if self.study.is_draft else "readerstudy/study_running.html"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        specific = self._draft_context() if self.study.is_draft else self._running_context()
        return super().get_context_data(
            study=self.study,
            may_edit=self.study.editable_by(self.person),
            states=[(state, state == self.study.stage) for state in StudyState],
            plan_sentences=plan_sentences(plan_of(self.study)),
            record=self.study.record.select_related("actor").order_by("-id")[:50],
            team_form=TeamForm(owner=self.study.owner, initial={"members": self.study.members.all()}),
            **specific,
            **kwargs,
        )

    def _draft_context(self) -> dict[str, Any]:
        checks = readiness(self.study)
        return {
            "checks": checks,
            "ready": not blocking(checks),
            "case_count": Case.objects.filter(study=self.study).count(),
            "busy_job": self.study.busy_job,
            "last_draw": self.study.draw_job,
            "last_lock": self.study.lock_job,
            "raters_form": RatersForm(initial={"users": self.study.raters.values_list("user", flat=True)}),
            "raters": self.study.raters.select_related("user"),
            "leaks": [finding for finding in self.study.leak_audit.get("findings", []) if finding["leak"]],
        }

    def _running_context(self) -> dict[str, Any]:
        progress = progress_of(self.study)
        rating = [row for row in progress if row.rater.excluded_at is None]
        return {
            "progress": progress,
            "done": sum(row.done for row in rating),
            "total": sum(row.total for row in rating),
            "unblind_form": UnblindForm(),
        }


class BusyView(StudyPageMixin, TemplateView):
    """The part of the draft's page that waits for a job; when it has ended the whole page is fetched anew."""

    template_name = "readerstudy/_busy.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(study=self.study, busy_job=self.study.busy_job, **kwargs)

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        response = super().render_to_response(context, **kwargs)
        if context["busy_job"] is None:
            response["HX-Refresh"] = "true"
        return response


class DesignView(DraftFormMixin[StudyForm], UpdateView[Study, StudyForm]):
    for_editors = True
    template_name = "readerstudy/design.html"
    form_class = StudyForm

    def get_object(self, queryset: QuerySet[Study] | None = None) -> Study:
        return self.study

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "editor": self.person}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(study=self.study, **kwargs)

    def save(self, form: StudyForm) -> str:
        services.change_design(study=self.study, actor=self.person, **form.cleaned_data)
        return "The protocol is saved."


class RatersView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        form = valid(RatersForm(self.request.POST))
        services.set_raters(study=self.study, actor=self.person, users=form.cleaned_data["users"])
        return "The raters are saved."


class TeamView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        form = valid(TeamForm(self.request.POST, owner=self.study.owner))
        services.share(study=self.study, actor=self.person, members=form.cleaned_data["members"])
        return "The team is saved."


class CopyView(StudyPageMixin, View):
    """A member who coordinates may copy a study too; the copy is the member's own."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return redirect(services.copy_study(study=self.study, actor=self.person))


class PreviewView(StudyPageMixin, TemplateView):
    template_name = "readerstudy/rate.html"

    def refuse_unfit(self) -> None:
        if not self.study.is_draft or not self.study.cases.exists():
            raise ConflictError("A preview needs a draft with at least one case.")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            token=session_token(self.study), title=self.study.title, back=self.study.get_absolute_url(), **kwargs
        )
