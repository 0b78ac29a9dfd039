import secrets
import uuid
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from ctplatform.accounts.models import User
from readerstudy.models.case import Case
from readerstudy.models.study import Answer, Study

TOKEN_BYTES = 24
HIGHEST_LEVEL = 100
# Letters that are taken as the name of a group of raters.
LONGEST_GROUP = 40
FIRST_READING, SECOND_READING = 1, 2


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


class StudyRaterQuerySet(models.QuerySet["StudyRater"]):
    def panel(self) -> Self:
        """The people whose answers count; programs read beside them."""
        return self.filter(excluded_at=None, user__program=None)


class StudyRater(models.Model):
    """A person in a study, or a program that reads. Nobody is deleted: a person may be excluded, with a reason."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="raters")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="study_roles")
    number = models.PositiveIntegerField(help_text="Names this rater in the seeds of the orders")
    group = models.CharField(
        max_length=120, blank=True, help_text="Of raters whom the results compare; raters do not see it"
    )
    excluded_at = models.DateTimeField(null=True, blank=True)
    excluded_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    excluded_reason = models.CharField(max_length=300, blank=True)

    objects = StudyRaterQuerySet.as_manager()

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
        if self.user.as_program is not None:
            return f"{self.user.as_program} (program)"
        return f"{self.user} (simulated)" if self.user.is_simulated else str(self.user)


class Stimulus(models.Model):
    """The blinded copy of pixels that raters see; made once, at the lock, alike for both kinds.

    A case that comes twice has two, so that the second time travels in bytes of its own.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="stimuli")
    reading = models.PositiveSmallIntegerField(default=FIRST_READING, help_text="2: shown to whom the case comes again")
    key = models.CharField(max_length=200, unique=True, help_text="Where its slices lie in the storage")
    size_zyx = models.JSONField()
    spacing_zyx_mm = models.JSONField()
    start_slice = models.PositiveIntegerField()
    marker_zyx = models.JSONField(null=True, blank=True)
    ring_mm = models.FloatField(null=True, blank=True, help_text="Radius of the ring; empty: as before rings had sizes")
    lattice = models.JSONField(
        null=True, blank=True, help_text="Where its samples lie in the patient; of studies that ask for a place"
    )
    digest = models.CharField(max_length=64, help_text="SHA-256 over its samples")

    class Meta:
        verbose_name_plural = "stimuli"
        constraints = [
            models.UniqueConstraint(fields=["case", "reading"], name="stimulus_once_per_reading"),
            models.CheckConstraint(
                condition=Q(reading__in=[FIRST_READING, SECOND_READING]), name="stimulus_reading_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def again(self) -> bool:
        """Whether its rater saw the case before."""
        return self.reading != FIRST_READING

    def slice_key(self, index: int) -> str:
        return f"{self.key}/{index:03d}"


class Session(models.Model):
    """One sitting plan of one rater."""

    token = models.CharField(max_length=64, unique=True, default=new_token)
    rater = models.ForeignKey(StudyRater, on_delete=models.PROTECT, related_name="sessions")
    number = models.PositiveIntegerField(default=1)
    fetched_at = models.DateTimeField(null=True, blank=True, help_text="When a case was last sent to a browser")
    unsent = models.PositiveIntegerField(default=0, help_text="Answers that a browser said it still held")
    begun_at = models.DateTimeField(
        null=True, blank=True, help_text="When its rater was let in; of a study that continues another one"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rater", "number"], name="session_number_once_per_rater")]

    def __str__(self) -> str:
        return f"Session {self.number} of {self.rater}"


class DisplayCheck(models.Model):
    """What a rater's screen showed at the beginning of a sitting."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="display_checks")
    at = models.DateTimeField(default=timezone.now)
    passed = models.BooleanField()
    steps = models.JSONField(help_text="Per grey step: its grey, that of its surroundings, and whether it was found")
    screen = models.JSONField(help_text="Sizes, pixel ratio and depth as the browser tells them")

    class Meta:
        ordering = ["session", "at"]

    def __str__(self) -> str:
        return f"Display check of {self.session}: {'passed' if self.passed else 'not passed'}"


class Presentation(models.Model):
    """One image in the stored order. Its token is all that a rater's browser knows a case by.

    All images at one position are a trial: shown together, and answered by one entry of the ledger that names the
    image it is about.
    """

    token = models.CharField(max_length=64, unique=True, default=new_token)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="presentations")
    position = models.PositiveIntegerField()
    side = models.PositiveSmallIntegerField(default=0, help_text="Of several images at one position, from the left")
    stimulus = models.ForeignKey(Stimulus, on_delete=models.PROTECT, related_name="presentations")

    class Meta:
        ordering = ["session", "position", "side"]
        constraints = [
            models.UniqueConstraint(fields=["session", "position", "side"], name="one_presentation_per_side"),
            models.UniqueConstraint(fields=["session", "stimulus"], name="stimulus_once_per_session"),
        ]

    def __str__(self) -> str:
        return f"{self.session}, position {self.position}"

    @property
    def trial(self) -> models.QuerySet["Presentation"]:
        """What is shown together with this image, itself included, from the left."""
        return Presentation.objects.filter(session=self.session_id, position=self.position).order_by("side")

    def is_of_trial(self, other: "Presentation") -> bool:
        return (self.session_id, self.position) == (other.session_id, other.position)


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
    level = models.PositiveSmallIntegerField(null=True, blank=True, help_text="On the scale of a task that has one")
    mark = models.JSONField(null=True, blank=True, help_text="Slice, row and column of the picture that were marked")
    mark_lps_mm = models.JSONField(null=True, blank=True, help_text="The same place in the patient")
    marks = models.JSONField(
        null=True, blank=True, help_text="Any number of places of the picture, each with confidence and reason"
    )
    marks_lps_mm = models.JSONField(null=True, blank=True, help_text="The same places in the patient, in that order")
    further = models.JSONField(default=dict, blank=True, help_text="Answers to further questions, by their names")
    shown_at = models.DateTimeField()
    answered_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    reading_ms = models.PositiveIntegerField()
    load_ms = models.PositiveIntegerField()
    hidden_ms = models.PositiveIntegerField()
    # Empty in entries written before these were measured; such entries keep the digest they had.
    idle_ms = models.PositiveIntegerField(null=True, blank=True)
    waiting_ms = models.PositiveIntegerField(null=True, blank=True, help_text="Waiting for slices, after the first")
    counter = models.PositiveIntegerField(null=True, blank=True, help_text="The answer's number in its sitting")
    clock_offset_ms = models.BigIntegerField(
        null=True, blank=True, help_text="The server's clock less the browser's, when the answer was sent"
    )
    flags = models.JSONField(default=list, blank=True, help_text="What was unusual about its arrival")
    interactions = models.JSONField(default=dict)
    environment = models.JSONField(default=dict)
    previous_digest = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["study", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["study", "sequence"], name="ledger_sequence_once_per_study"),
            models.UniqueConstraint(fields=["study", "previous_digest"], name="ledger_does_not_fork"),
            models.CheckConstraint(
                condition=Q(answer=Answer.LEVEL, level__isnull=False, level__lte=HIGHEST_LEVEL, confidence=None)
                | Q(answer__in=[one for one in Answer if one != Answer.LEVEL], level=None),
                name="ledger_answer_is_known",
            ),
            models.CheckConstraint(
                condition=Q(mark__isnull=True, mark_lps_mm__isnull=True)
                | Q(mark__isnull=False, mark_lps_mm__isnull=False),
                name="ledger_mark_lies_in_the_patient",
            ),
            models.CheckConstraint(
                condition=Q(marks__isnull=True, marks_lps_mm__isnull=True)
                | Q(marks__isnull=False, marks_lps_mm__isnull=False),
                name="ledger_marks_lie_in_the_patient",
            ),
        ]

    def __str__(self) -> str:
        return f"Event {self.sequence}"
