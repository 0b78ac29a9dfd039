from typing import Any

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from ctplatform.accounts.models import Role
from ctplatform.accounts.single_sign_on import is_configured

SECONDS = 10


class Command(BaseCommand):
    help = "Say what the provider of single sign-on must know of this installation, and whether it answers."

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_configured():
            raise CommandError("Single sign-on is off: CT_OIDC_ISSUER names no provider.")
        callback = reverse("openid_connect_callback", args=[settings.CT_OIDC_PROVIDER_ID])
        hosts = [host for host in settings.ALLOWED_HOSTS if "*" not in host] or ["your host"]
        self.stdout.write("The provider sends people back to (redirect URI):")
        for host in hosts:
            self.stdout.write(f"  https://{host}{callback}")
        self.stdout.write(f"Roles follow from the claim “{settings.CT_OIDC_ROLE_CLAIM}”:")
        for group, role in settings.CT_OIDC_ROLES.items():
            self.stdout.write(f"  {group}: {Role(role).label}")
        self.stdout.write(f"{self._issuer()} answers.")

    def _issuer(self) -> str:
        address = f"{settings.CT_OIDC_ISSUER}/.well-known/openid-configuration"
        try:
            answer = requests.get(address, timeout=SECONDS)
            answer.raise_for_status()
            told = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise CommandError(f"{address} does not answer as a provider does: {error}") from error
        if str(told.get("issuer", "")).rstrip("/") != settings.CT_OIDC_ISSUER:
            raise CommandError(f"{address} is of another issuer: {told.get('issuer')}.")
        return str(told["issuer"])
