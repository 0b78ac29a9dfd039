import hashlib
import secrets
from datetime import timedelta
from typing import Self

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone

INVITATION_DAYS = 30


class Role(models.TextChoices):
    ADMINISTRATOR = "administrator", "Administrator"
    COORDINATOR = "coordinator", "Coordinator"
    RESEARCHER = "researcher", "Researcher"
    RATER = "rater", "Rater"


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

    def __str__(self) -> str:
        return self.display_name or self.username

    @property
    def is_administrator(self) -> bool:
        return self.role == Role.ADMINISTRATOR

    @property
    def may_coordinate(self) -> bool:
        return self.role in {Role.ADMINISTRATOR, Role.COORDINATOR}

    @property
    def is_rater(self) -> bool:
        return self.role == Role.RATER


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
