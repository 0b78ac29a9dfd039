from itertools import chain
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils.dateparse import parse_datetime
from django.utils.text import slugify
from django.utils.translation import gettext
from django.views.generic import TemplateView, View

from readerstudy.auditing.certificate import limits_words, shown_audit, what_leaks
from readerstudy.locking import services as locking
from readerstudy.models import StudyRater
from readerstudy.opening import services as opening
from readerstudy.report import export
from readerstudy.report.tables import BOM
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.blinded_look import look_blinded
from readerstudy.verification import Verification
from readerstudy.web.common import StudyActionView, StudyPageMixin, keep_typed, typed_before, valid
from readerstudy.web.forms import ExclusionForm, ReopenForm, UnblindForm


def say_verified(request: HttpRequest, verification: Verification) -> None:
    say = messages.info if verification.intact else messages.error
    say(request, verification.sentence())


class LockView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        locking.request_lock(study=self.study, actor=self.person, seen=self.seen())
        return ""


class OpenView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        opening.request_opening(study=self.study, actor=self.person)
        return ""


class CheckForLeaksView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        opening.request_audit(study=self.study, actor=self.person)
        return ""


class CloseView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        say_verified(self.request, unblinding.close(study=self.study, actor=self.person))
        return gettext("The study is closed; it takes no more ratings.")


class ReopenView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        form = valid(ReopenForm(self.request.POST))
        unblinding.reopen(study=self.study, actor=self.person, reason=form.cleaned_data["reason"])
        return gettext("The study is open again: raters go on where they were.")


class UnblindView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        form = valid(UnblindForm(self.request.POST))
        typed_title = form.cleaned_data["typed_title"]
        keep_typed(self.request, self.study, typed_title)
        verification = unblinding.unblind(study=self.study, actor=self.person, typed_title=typed_title)
        typed_before(self.request, self.study)
        if verification is None:
            return gettext("You have asked for the unblinding; another person of the team confirms it on this page.")
        say_verified(self.request, verification)
        return gettext("The study is unblinded.")


class ConfirmUnblindingView(UnblindView):
    """Where a study asks for two people the second one may be anybody of the team."""

    for_editors = False


class ExcludeRaterView(StudyActionView):
    def act(self, **kwargs: Any) -> str:
        rater = get_object_or_404(StudyRater, pk=kwargs["rater_pk"], study=self.study)
        form = valid(ExclusionForm(self.request.POST))
        unblinding.exclude_rater(rater=rater, actor=self.person, reason=form.cleaned_data["reason"])
        return gettext("%(rater)s is excluded; the ratings stay in the ledger.") % {"rater": rater}


class LeakAuditView(StudyPageMixin, TemplateView):
    template_name = "readerstudy/leak_audit.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        audit = shown_audit(self.study)
        listed = audit.get("measured") or audit.get("findings", [])
        findings = sorted(listed, key=lambda finding: (not finding.get("leak"), finding["family"], finding["sort"]))
        return super().get_context_data(
            study=self.study,
            audit=audit,
            findings=findings,
            with_figures=bool(audit.get("findings")),
            leaks=what_leaks(self.study),
            limits=limits_words(audit) if audit else "",
            checked_at=parse_datetime(audit.get("checked_at") or ""),
            checks=self.study.record.filter(action="checked for leaks").order_by("-id"),
            **kwargs,
        )


class BlindedLookView(StudyPageMixin, TemplateView):
    """How every rater answers, without the truth; each look is in the record."""

    template_name = "readerstudy/blinded_look.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        look = look_blinded(study=self.study, actor=self.person)
        return super().get_context_data(study=self.study, look=look, limit=round(100 * look.limit), **kwargs)


class ExportView(StudyPageMixin, View):
    """One row per rating; columns of the truth only after the unblinding."""

    def get(self, request: HttpRequest, **kwargs: Any) -> StreamingHttpResponse:
        form = kwargs["form"]
        name = f"{slugify(self.study.title) or 'study'}-ratings.{form}"
        ledger = export.fetched(self.study, actor=self.person, form=form)
        if form == "json":
            response = StreamingHttpResponse(export.as_json(ledger), content_type="application/json")
        else:
            table = export.codebook_as_csv if form == "codebook.csv" else export.as_csv
            # A spreadsheet reads letters beyond ASCII only after this mark; other programs would take it for a letter.
            mark = [BOM] if request.GET.get("for") == "spreadsheet" else []
            response = StreamingHttpResponse(chain(mark, table(ledger)), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response
