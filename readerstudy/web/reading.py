"""The pages of raters: what to do next, and the reading room."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.views.generic import TemplateView

from ctplatform.accounts.permissions import current_user
from ctplatform.errors import ConflictError
from readerstudy.models import RatingEvent, Session
from readerstudy.reading.phases import begin
from readerstudy.reading.practice import practice_token
from readerstudy.reading.sessions import (
    Standing,
    as_locked,
    last_receipts,
    median_seconds_per_case,
    sessions_of,
    shown_title,
    standings,
)


@dataclass(frozen=True, kw_only=True)
class SessionRow:
    session: Session
    standing: Standing
    minutes_left: int | None
    receipt: RatingEvent | None

    @property
    def title(self) -> str:
        return shown_title(self.session)


class SessionsView(LoginRequiredMixin, TemplateView):
    template_name = "readerstudy/sessions.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        own = list(sessions_of(current_user(self.request)).order_by("-rater__study__opened_at", "number"))
        sessions = as_locked(own)
        at, seconds, receipts = standings(sessions), median_seconds_per_case(sessions), last_receipts(sessions)
        rows = [
            _row(session, at[session.pk], seconds.get(session.pk), receipts.get(session.pk)) for session in sessions
        ]
        rows.sort(key=lambda row: row.standing.state != "open")
        return super().get_context_data(rows=rows, withheld=len(own) - len(sessions), **kwargs)


def _row(session: Session, at: Standing, seconds: float | None, receipt: RatingEvent | None) -> SessionRow:
    left = None if seconds is None else max(1, round((at.total - at.done) * seconds / 60))
    return SessionRow(session=session, standing=at, minutes_left=left, receipt=receipt)


class RoomMixin(LoginRequiredMixin, TemplateView):
    """A page of one's own sitting; who comes too early is told so on the list."""

    template_name = "readerstudy/rate.html"
    session: Session

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.session = get_object_or_404(sessions_of(current_user(request)), token=kwargs["token"])
        try:
            begin(self.session)
        except ConflictError as error:
            messages.error(request, error.message)
            return redirect("reading:sessions")
        return super().get(request, *args, **kwargs)


class ReadingRoomView(RoomMixin):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            title=self.session.rater.study.asked.title,
            back=reverse("reading:sessions"),
            practice=reverse("reading:practice", args=[self.session.token]),
            **kwargs,
        )


class PracticeRoomView(RoomMixin):
    """The room on cases that are nobody's, before the first one or at any time later."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            title=gettext("Practice: %(title)s") % {"title": self.session.rater.study.asked.title},
            back=reverse("reading:room", args=[self.session.token]),
            **{**kwargs, "token": practice_token(self.session)},
        )
