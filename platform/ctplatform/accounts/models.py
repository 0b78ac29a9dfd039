import hashlib
import secrets
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy

INVITATION_DAYS = 30
LAST_USED_PRECISION = timedelta(minutes=1)


class Role(models.TextChoices):
    ADMINISTRATOR = "administrator", gettext_lazy("Administrator")
    COORDINATOR = "coordinator", gettext_lazy("Coordinator")
    RESEARCHER = "researcher", gettext_lazy("Researcher")
    RATER = "rater", gettext_lazy("Rater")

    @property
    def in_record(self) -> str:
        """What is kept is written once, for readers of every language: in English."""
        with translation.override(settings.LANGUAGE_CODE):
            return str(self.label)


class User(AbstractUser):
    """One role per account: whoever coordinates a study and also reads uses two accounts, so that blinding holds."""

    role = models.CharField(max_length=20, choices=Role.choices, default=Role.RESEARCHER)
    display_name = models.CharField(max_length=120, blank=True)
    experience_years = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="Years of reading abdominal CT, as the person says; for looks at parts of a study",
    )
    is_simulated = models.BooleanField(
        default=False, help_text="A virtual rater of a dry run; marked wherever its ratings appear."
    )
    language = models.CharField(
        max_length=10, choices=settings.LANGUAGES, blank=True, help_text="Empty: as the browser asks"
    )
    access_number = models.PositiveIntegerField(
        default=1, help_text="Logins and tokens carry the number they were made under; a new number ends them all."
    )

    def __str__(self) -> str:
        return self.display_name or self.username

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A new password, whoever sets it and however, ends the logins and tokens made with the old one."""
        # Django keeps the new password here until it is saved, and not when it only hashes the old one anew.
        if getattr(self, "_password", None) is not None and not self._state.adding:
            self.access_number += 1
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "access_number"}
        super().save(*args, **kwargs)

    def get_session_auth_hash(self) -> str:
        return f"{self.access_number}:{super().get_session_auth_hash()}"

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        for fallback in super().get_session_auth_fallback_hash():
            yield f"{self.access_number}:{fallback}"

    @property
    def is_administrator(self) -> bool:
        return self.role == Role.ADMINISTRATOR

    @property
    def may_coordinate(self) -> bool:
        return self.role in {Role.ADMINISTRATOR, Role.COORDINATOR}

    @property
    def is_rater(self) -> bool:
        return self.role == Role.RATER

    @property
    def as_program(self) -> "Program | None":
        """What reads under this account where no person does."""
        return getattr(self, "program", None)


class Program(models.Model):
    """A program that reads studies as raters do, by the API: one version of it, in one run, is one account."""

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="program")
    version = models.CharField(max_length=80, help_text=gettext_lazy("As its makers name it"))
    digest = models.CharField(
        max_length=64,
        validators=[
            RegexValidator(r"\A[0-9a-f]{64}\Z", gettext_lazy("A SHA-256 has 64 characters of 0 to 9 and a to f."))
        ],
        help_text=gettext_lazy("SHA-256 of its weights, or of the file that holds all of it"),
    )
    run_number = models.PositiveIntegerField(
        default=1,
        validators=[MinValueValidator(1)],
        help_text=gettext_lazy("A program that answers otherwise each time reads in several runs"),
    )
    registered_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["digest", "version", "run_number"],
                name="one_account_per_run_of_a_program",
                violation_error_message=gettext_lazy(
                    "This run of this program has an account already. Give another run number."
                ),
            )
        ]

    def __str__(self) -> str:
        run = f", run {self.run_number}" if self.run_number > 1 else ""
        return f"{self.user} {self.version}{run}"

    def as_json(self) -> dict[str, str | int]:
        """As protocols freeze it."""
        names: dict[str, str | int] = {"name": str(self.user), "version": self.version}
        return {**names, "digest": self.digest, "run_number": self.run_number}


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self) -> Self:
        return self.filter(accepted_by=None, revoked_at=None, expires_at__gt=timezone.now())

    def for_token(self, token: str) -> Self:
        return self.filter(token_digest=token_digest(token))


def token_digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def default_expiry() -> object:
    return timezone.now() + timedelta(days=INVITATION_DAYS)


class Invitation(models.Model):
    """A link by which a person makes an account; the database keeps only the digest of its token."""

    token_digest = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=20, choices=Role.choices)
    name = models.CharField(max_length=120, help_text="For whom the link is meant")
    invited_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="invitations_sent")
    accepted_by = models.OneToOneField(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="invitation"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(default=default_expiry)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.get_role_display()})"

    @staticmethod
    def new_token() -> str:
        return secrets.token_urlsafe(32)


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def alive(self) -> Self:
        return self.filter(ended_at=None, access_number=models.F("user__access_number"), user__is_active=True)

    def with_key(self, key: str) -> "ApiToken | None":
        """The token with this key, if it still opens something."""
        return self.alive().filter(digest=token_digest(key)).select_related("user").first()


class ApiToken(models.Model):
    """A program's key to the API; the database keeps only its digest."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80, help_text="What uses it, such as the name of a script or a machine")
    digest = models.CharField(max_length=64, unique=True)
    access_number = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name

    def note_use(self) -> None:
        now = timezone.now()
        if self.last_used_at is None or now - self.last_used_at > LAST_USED_PRECISION:
            ApiToken.objects.filter(pk=self.pk).update(last_used_at=now)


class AccountEventKind(models.TextChoices):
    LOGGED_IN = "logged_in", gettext_lazy("Logged in")
    LOGIN_REFUSED = "login_refused", gettext_lazy("Wrong password")
    LOGIN_PAUSED = "login_paused", gettext_lazy("Logins paused after too many wrong passwords")
    LOGGED_OUT = "logged_out", gettext_lazy("Logged out")
    PASSWORD_CHANGED = "password_changed", gettext_lazy("Changed the password")
    RESET_LINK_MADE = "reset_link_made", gettext_lazy("Made a link for a new password")
    PASSWORD_RESET = "password_reset", gettext_lazy("Chose a new password by a link")
    SECOND_FACTOR_CHANGED = "second_factor_changed", gettext_lazy("Changed the second factor")
    SIGNED_OUT_EVERYWHERE = "signed_out_everywhere", gettext_lazy("Signed out everywhere")
    EMAIL_CHANGED = "email_changed", gettext_lazy("Changed the e-mail address")
    ROLE_CHANGED = "role_changed", gettext_lazy("Changed the role")
    DEACTIVATED = "deactivated", gettext_lazy("Deactivated")
    REACTIVATED = "reactivated", gettext_lazy("Activated again")
    TOKEN_MADE = "token_made", gettext_lazy("Made an API token")
    TOKEN_ENDED = "token_ended", gettext_lazy("Ended an API token")
    PROGRAM_REGISTERED = "program_registered", gettext_lazy("Registered a program that reads")
    INVITED = "invited", gettext_lazy("Invited somebody")
    INVITATION_WITHDRAWN = "invitation_withdrawn", gettext_lazy("Withdrew an invitation")
    JOINED = "joined", gettext_lazy("Made the account from an invitation")
    JOINED_BY_SIGN_ON = "joined_by_sign_on", gettext_lazy("Made the account at the first single sign-on")
    LINKED = "linked", gettext_lazy("Linked the account with single sign-on")
    UNLINKED = "unlinked", gettext_lazy("Ended the link with single sign-on")


class AccountEvent(models.Model):
    """Who did what with whose account, when and from where; append-only in the database."""

    kind = models.CharField(max_length=30, choices=AccountEventKind.choices)
    subject = models.ForeignKey(User, on_delete=models.PROTECT, related_name="account_events")
    actor = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", help_text="Empty when nobody was logged in"
    )
    address = models.GenericIPAddressField(null=True, help_text="Empty when it was done on the server itself")
    detail = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["subject", "-id"], name="account_event_by_subject")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} at {self.at:%Y-%m-%d %H:%M}"
