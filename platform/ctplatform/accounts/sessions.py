"""Logins as Django keeps them in its database, found by a query that is written out: every request asks for one."""

from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from ctplatform.written import WrittenQuery

LOGIN = WrittenQuery(
    "SELECT {login} FROM django_session login WHERE login.session_key = %s AND login.expire_date > %s",
    login=(Session, ["session_data"]),
)


class SessionStore(DatabaseStore):
    def load(self) -> dict[str, Any]:
        for row in LOGIN.rows(self.session_key, timezone.now()):
            content: dict[str, Any] = self.decode(row["login"].session_data)
            return content
        self._session_key = None
        return {}
