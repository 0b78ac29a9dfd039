import secrets
import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from ctplatform.accounts.models import User
from readerstudy.models.case import Case
from readerstudy.models.study import Answer, Study

TOKEN_BYTES = 24


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


class StudyRater(models.Model):
    """A person in a study. Nobody is deleted: a person may be excluded, with a reason."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="raters")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="study_roles")
    number = models.PositiveIntegerField(help_text="Names this rater in the seeds of the orders")
    excluded_at = models.DateTimeField(null=True, blank=True)
    excluded_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    excluded_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["study", "number"]
        constraints = [
            models.UniqueConstraint(fields=["study", "user"], name="rater_once_per_study"),
            models.UniqueConstraint(fields=["study", "number"], name="rater_number_once_per_study"),
            models.CheckConstraint(
                condition=Q(excluded_at=None) | ~Q(excluded_reason=""), name="rater_excluded_with_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return str(self.user)

    @property
    def name(self) -> str:
        return f"{self.user} (simulated)" if self.user.is_simulated else str(self.user)


class Stimulus(models.Model):
    """The blinded copy of pixels that raters see; made once, at the lock, alike for both kinds."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.OneToOneField(Case, on_delete=models.PROTECT, related_name="stimulus")
    key = models.CharField(max_length=200, unique=True, help_text="Where its slices lie in the storage")
    size_zyx = models.JSONField()
    spacing_zyx_mm = models.JSONField()
    start_slice = models.PositiveIntegerField()
    marker_zyx = models.JSONField(null=True, blank=True)
    digest = models.CharField(max_length=64, help_text="SHA-256 over its samples")

    class Meta:
        verbose_name_plural = "stimuli"

    def __str__(self) -> str:
        return self.key

    def slice_key(self, index: int) -> str:
        return f"{self.key}/{index:03d}"


class Session(models.Model):
    """One sitting plan of one rater."""

    token = models.CharField(max_length=64, unique=True, default=new_token)
    rater = models.ForeignKey(StudyRater, on_delete=models.PROTECT, related_name="sessions")
    number = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rater", "number"], name="session_number_once_per_rater")]

    def __str__(self) -> str:
        return f"Session {self.number} of {self.rater}"


class Presentation(models.Model):
    """One slot in the stored order. Its token is all that a rater's browser knows a case by."""

    token = models.CharField(max_length=64, unique=True, default=new_token)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="presentations")
    position = models.PositiveIntegerField()
    stimulus = models.ForeignKey(Stimulus, on_delete=models.PROTECT, related_name="presentations")

    class Meta:
        ordering = ["session", "position"]
        constraints = [
            models.UniqueConstraint(fields=["session", "position"], name="one_presentation_per_position"),
            models.UniqueConstraint(fields=["session", "stimulus"], name="stimulus_once_per_session"),
        ]

    def __str__(self) -> str:
        return f"{self.session}, position {self.position}"


class RatingEvent(models.Model):
    """One entry of the ledger. The database itself refuses to change or delete it (ledger.triggers)."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="events")
    sequence = models.PositiveIntegerField()
    presentation = models.ForeignKey(Presentation, on_delete=models.PROTECT, related_name="events")
    client_event_id = models.UUIDField(unique=True)
    supersedes = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="superseded_by"
    )
    answer = models.CharField(max_length=20, choices=Answer.choices)
    confidence = models.PositiveSmallIntegerField(null=True, blank=True)
    shown_at = models.DateTimeField()
    answered_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    reading_ms = models.PositiveIntegerField()
    load_ms = models.PositiveIntegerField()
    hidden_ms = models.PositiveIntegerField()
    interactions = models.JSONField(default=dict)
    environment = models.JSONField(default=dict)
    previous_digest = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["study", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["study", "sequence"], name="ledger_sequence_once_per_study"),
            models.UniqueConstraint(fields=["study", "previous_digest"], name="ledger_does_not_fork"),
            models.CheckConstraint(condition=Q(answer__in=Answer.values), name="ledger_answer_is_known"),
        ]

    def __str__(self) -> str:
        return f"Event {self.sequence}"
