"""What would be noticed only when somebody logs in is noticed at the start."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from ctplatform.accounts.models import Role

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@register()
def single_sign_on_is_whole(**_: Any) -> list[CheckMessage]:
    if not settings.CT_OIDC_ISSUER:
        return []
    found: list[CheckMessage] = []
    issuer = urlsplit(settings.CT_OIDC_ISSUER)
    if issuer.scheme != "https" and issuer.hostname not in LOOPBACK:
        found.append(Error("CT_OIDC_ISSUER must begin with https://.", id="accounts.E001"))
    if not settings.CT_OIDC_ROLES:
        found.append(Error("CT_OIDC_ROLES gives no group a role, so nobody could log in.", id="accounts.E002"))
    for group, role in settings.CT_OIDC_ROLES.items():
        if role not in Role.values or not group:
            known = ", ".join(Role.values)
            found.append(
                Error(f"CT_OIDC_ROLES: “{group}={role}” gives no role. Roles are {known}.", id="accounts.E003")
            )
    return found
