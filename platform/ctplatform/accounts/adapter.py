from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class InvitationOnlyAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts are made by an administrator or through an invitation link, never by signing up."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
