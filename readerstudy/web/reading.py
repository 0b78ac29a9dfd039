"""The pages of raters: what to do next, and the reading room."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.generic import TemplateView

from ctplatform.accounts.permissions import current_user
from readerstudy.models import Session
from readerstudy.reading.sessions import Standing, median_seconds_per_case, sessions_of, standings


@dataclass(frozen=True, kw_only=True)
class SessionRow:
    session: Session
    standing: Standing
    minutes_left: int | None

    @property
    def title(self) -> str:
        return self.session.rater.study.title


class SessionsView(LoginRequiredMixin, TemplateView):
    template_name = "readerstudy/sessions.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        sessions = list(sessions_of(current_user(self.request)).order_by("-rater__study__opened_at", "number"))
        at, seconds = standings(sessions), median_seconds_per_case(sessions)
        rows = [_row(session, at[session.pk], seconds.get(session.pk)) for session in sessions]
        rows.sort(key=lambda row: row.standing.state != "open")
        return super().get_context_data(rows=rows, **kwargs)


def _row(session: Session, at: Standing, seconds: float | None) -> SessionRow:
    left = None if seconds is None else max(1, round((at.total - at.done) * seconds / 60))
    return SessionRow(session=session, standing=at, minutes_left=left)


class ReadingRoomView(LoginRequiredMixin, TemplateView):
    template_name = "readerstudy/rate.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        session = get_object_or_404(sessions_of(current_user(self.request)), token=kwargs["token"])
        return super().get_context_data(title=session.rater.study.title, back=reverse("reading:sessions"), **kwargs)
