from django import template
from django.conf import settings
from django.urls import reverse

from ctplatform.accounts import single_sign_on
from ctplatform.accounts.models import User

register = template.Library()


@register.simple_tag
def single_sign_on_address() -> str:
    """Where a login by the hospital's own begins; empty where there is none."""
    if not single_sign_on.is_configured():
        return ""
    return reverse("openid_connect_login", args=[settings.CT_OIDC_PROVIDER_ID])


@register.simple_tag
def single_sign_on_name() -> str:
    return str(settings.CT_OIDC_NAME)


@register.simple_tag
def languages_by_their_own_names() -> list[tuple[str, str]]:
    return list(settings.LANGUAGES)


@register.filter
def is_linked(user: User) -> bool:
    return single_sign_on.linked(user) is not None
