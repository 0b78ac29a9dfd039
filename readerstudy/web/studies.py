from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.views.generic import FormView, TemplateView, UpdateView, View

from ctplatform.accounts.permissions import StaffPageMixin, current_user
from ctplatform.errors import ConflictError
from ctplatform.lists import ListPage
from readerstudy.auditing.certificate import what_leaks
from readerstudy.design import following, services, shelving
from readerstudy.design.chain import chain_checks, place_in_chain, what_becomes_of_others
from readerstudy.design.phases import continued, linked_for, phase_words
from readerstudy.design.published import LISTED
from readerstudy.design.readiness import before_lock
from readerstudy.design.same_raters import take_same_raters
from readerstudy.design.templates import defaults_of
from readerstudy.design.together import last_entry
from readerstudy.filters import StudyFilter
from readerstudy.locking.stimuli import round_trip_of
from readerstudy.models import Study, StudyState, Template
from readerstudy.planning.arrival import arrival_policy, grace_ends_at
from readerstudy.planning.plans import plan_of, sentences_of
from readerstudy.reading.preview import session_token
from readerstudy.reading.progress import progress_of
from readerstudy.tasks.labels import ENGLISH
from readerstudy.unblinding.services import first_to_unblind, may_confirm
from readerstudy.unblinding.under_way import under_way
from readerstudy.unblinding.withdrawn import withdrawn_words
from readerstudy.verification.displays import CHECKED
from readerstudy.verification.told import TOLD
from readerstudy.web.common import DraftFormMixin, StudyActionView, StudyPageMixin, typed_before, valid
from readerstudy.web.forms import (
    GroupsForm,
    NewStudyForm,
    PublishedForm,
    RatersForm,
    ReopenForm,
    StudyForm,
    TeamForm,
    UnblindForm,
)
from readerstudy.web.planning_grid import answered
from readerstudy.web.protocol_words import round_trip_words
from readerstudy.web.task_fields import entered


class StudyListView(StaffPageMixin, ListPage):
    template_name = "readerstudy/studies.html"
    paginate_by = 25
    filterset_class = StudyFilter

    def get_filterset_kwargs(self, filterset_class: Any) -> dict[str, Any]:
        """Whoever comes without a wish sees the studies that are worked at."""
        given = super().get_filterset_kwargs(filterset_class)
        asked = given["data"].copy()
        asked.setdefault("archived", "false")
        return {**given, "data": asked}

    def get_queryset(self) -> QuerySet[Study]:
        return Study.objects.visible_to(current_user(self.request)).select_related("owner").for_lists()


class CoordinatorPageMixin(StaffPageMixin):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.user.is_authenticated and not current_user(request).may_coordinate:
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)


class NewStudyView(CoordinatorPageMixin, FormView[NewStudyForm]):
    template_name = "readerstudy/new.html"
    form_class = NewStudyForm

    def get_initial(self) -> dict[str, Any]:
        language = current_user(self.request).language or ENGLISH
        template = next(iter(Template))
        answer = answered(self.request.GET.get("planner", ""))
        return {
            "template": template,
            "title": defaults_of(template, language)["title"],
            "cases_planned": answer.cases if answer else 100,
            "planner": self.request.GET.get("planner", "") if answer else "",
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(published=LISTED, **kwargs)

    def form_valid(self, form: NewStudyForm) -> HttpResponse:
        settings = dict(form.cleaned_data)
        answer = answered(settings.pop("planner"))
        if answer:
            # The paragraph speaks of the planner's number of cases; whoever changes it writes another one.
            same_size = answer.cases == settings["cases_planned"]
            settings["plan_options"] = answer.plan_options if same_size else {**answer.plan_options, "sample_size": ""}
        study = services.create_study(owner=current_user(self.request), **settings)
        return redirect(study)


class StartPublishedView(CoordinatorPageMixin, FormView[PublishedForm]):
    """Drafts with the settings of a publication, one for each phase, by one button of the page of new studies."""

    http_method_names = ("post",)
    form_class = PublishedForm

    def form_valid(self, form: PublishedForm) -> HttpResponse:
        first, *later = following.start(key=form.cleaned_data["published"], owner=current_user(self.request))
        if later:
            messages.info(
                self.request,
                gettext(
                    "%(count)s drafts are made, each continuing the one before. This is the first; the others are "
                    "linked below."
                )
                % {"count": 1 + len(later)},
            )
        return redirect(first)

    def form_invalid(self, form: PublishedForm) -> HttpResponse:
        messages.error(self.request, gettext("There is no such published study. Choose one of the list."))
        return redirect("studies:new")


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
            plan_sentences=sentences_of(self.study, plan_of(self.study)),
            # Raters check their displays and are told of cases again and again; exports and report tell of that.
            record=self.study.record.exclude(action__in=[CHECKED, TOLD]).select_related("actor").order_by("-id")[:50],
            seen=last_entry(self.study),
            round_trip=round_trip_words(round_trip_of(self.study)),
            followed=following.followed(self.study),
            phase=phase_words(continued(self.study)),
            linked=linked_for(self.study, self.person),
            place_in_chain=place_in_chain(self.study, self.person),
            departures=following.departures_told(self.study),
            team_form=TeamForm(owner=self.study.owner, initial={"members": self.study.members.all()}),
            **specific,
            **kwargs,
        )

    def _draft_context(self) -> dict[str, Any]:
        lock = before_lock(self.study)
        return {
            "lock": lock,
            "lock_words": gettext("Lock now, with what is not mended") if lock.advice else gettext("Lock now"),
            "checks": [*lock.checks, *chain_checks(self.study, self.person)],
            "given_up": what_becomes_of_others(self.study, self.person),
            "ready": lock.ready,
            "case_count": lock.cases,
            "busy_job": self.study.busy_job,
            "last_draw": self.study.draw_job,
            "last_lock": self.study.lock_job,
            "raters_form": RatersForm(initial={"users": self.study.raters.values_list("user", flat=True)}),
            "groups_form": GroupsForm(study=self.study),
            "raters": self.study.raters.select_related("user__program"),
            "leaks": what_leaks(self.study),
            "leak_figures": [finding for finding in self.study.leak_audit.get("findings", []) if finding["leak"]],
        }

    def _running_context(self) -> dict[str, Any]:
        progress = progress_of(self.study)
        rating = [row for row in progress if row.rater.excluded_at is None]
        missing = under_way(self.study)
        asked = first_to_unblind(self.study)
        return {
            "withdrawn": withdrawn_words(self.study),
            "busy_job": self.study.busy_job,
            "last_audit": self.study.audit_job,
            "leaks": what_leaks(self.study),
            "progress": progress,
            "done": sum(row.done for row in rating),
            "total": sum(row.total for row in rating),
            "unblind_form": UnblindForm(initial={"typed_title": typed_before(self.request, self.study)}),
            "asked_to_unblind": asked,
            "may_confirm": asked is not None and may_confirm(self.study, self.person),
            "verified": self.study.record.filter(action="verified").order_by("-id").first(),
            "reopen_form": ReopenForm(),
            "under_way": missing,
            "close_words": gettext("Close now, with what is missing") if missing else gettext("Close now"),
            "holding": sum(row.may_hold for row in missing),
            "grace_hours": arrival_policy(self.study).grace_hours,
            "grace_ends_at": grace_ends_at(self.study),
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

    def as_entered(self, study: Study, name: str) -> dict[str, Any]:
        if name == "continues":
            return {name: study.continues_id or ""}
        return entered(study) if name == "task_settings" else super().as_entered(study, name)

    def save(self, form: StudyForm) -> str:
        services.change_design(study=self.study, actor=self.person, seen=self.seen(), **form.cleaned_data)
        return gettext("The protocol is saved.")


class RatersView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        form = valid(RatersForm(self.request.POST))
        services.set_raters(study=self.study, actor=self.person, users=form.cleaned_data["users"], seen=self.seen())
        return gettext("The raters are saved.")


class SameRatersView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        return take_same_raters(study=self.study, actor=self.person).words


class GroupsView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        form = valid(GroupsForm(self.request.POST, study=self.study))
        services.set_groups(study=self.study, actor=self.person, groups=form.groups(), seen=self.seen())
        return gettext("The groups are saved.")


class TeamView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        form = valid(TeamForm(self.request.POST, owner=self.study.owner))
        services.share(study=self.study, actor=self.person, members=form.cleaned_data["members"], seen=self.seen())
        return gettext("The team is saved.")


class ArchiveView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        shelving.archive(study=self.study, actor=self.person)
        return gettext("The study is archived: it is in the list when you ask for archived ones.")


class TakeBackView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        shelving.take_back(study=self.study, actor=self.person)
        return gettext("The study is back in the list.")


class GiveUpView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        shelving.give_up(study=self.study, actor=self.person)
        return gettext("The draft “%(title)s” is given up.") % {"title": self.study.title}

    def next_page(self) -> str:
        return reverse("studies:studies")

    def after_refusal(self) -> str:
        return self.study.get_absolute_url()


class CopyView(StudyPageMixin, View):
    """A member who coordinates may copy a study too; the copy is the member's own."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return redirect(services.copy_study(study=self.study, actor=self.person))


class PreviewView(StudyPageMixin, TemplateView):
    template_name = "readerstudy/rate.html"

    def refuse_unfit(self) -> None:
        if not self.study.is_draft or not self.study.cases.exists():
            raise ConflictError(gettext("A preview needs a draft with at least one case."))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            token=session_token(self.study), title=self.study.title, back=self.study.get_absolute_url(), **kwargs
        )
