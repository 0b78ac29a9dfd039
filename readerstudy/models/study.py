import secrets
import uuid
from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse

from ctplatform.accounts.models import User
from ctplatform.datasets.models import Dataset
from ctplatform.jobs.models import Job

MAX_CONFIDENCE_LEVELS = 6


class StudyState(models.TextChoices):
    DRAFT = "draft", "Draft"
    LOCKED = "locked", "Locked"
    COLLECTING = "collecting", "Collecting"
    CLOSED = "closed", "Closed"
    UNBLINDED = "unblinded", "Unblinded"

    @property
    def sealed(self) -> bool:
        """From the lock until the unblinding nobody sees the truth or anything computed from it."""
        return self in {StudyState.LOCKED, StudyState.COLLECTING, StudyState.CLOSED}

    @property
    def terminal(self) -> bool:
        return self == StudyState.UNBLINDED

    @property
    def following(self) -> "StudyState | None":
        """A study goes one way only."""
        states = list(StudyState)
        position = states.index(self) + 1
        return states[position] if position < len(states) else None


class Template(models.TextChoices):
    INSERTED_LESIONS = "inserted_lesions", "Inserted lesions: is this lesion real or synthetic?"
    REMOVED_LESIONS = "removed_lesions", "Removed lesions: is this liver untouched or was a lesion removed?"


class DisplayMode(models.TextChoices):
    PATCH = "patch", "Patch: a magnified square around the place"
    SLICE = "slice", "Slice: the whole axial slice with a ring around the place"
    STACK = "stack", "Stack: scrollable slices with a ring on the slice of the place"


class Answer(models.TextChoices):
    REAL = "real", "Real"
    SYNTHETIC = "synthetic", "Synthetic"


def new_seed() -> int:
    return secrets.randbelow(2**31)


class StudyQuerySet(models.QuerySet["Study"]):
    def visible_to(self, user: User) -> Self:
        if user.is_administrator:
            return self
        if user.is_rater:
            return self.none()
        return self.filter(Q(owner=user) | Q(members=user)).distinct()

    def draft(self) -> Self:
        return self.filter(state=StudyState.DRAFT)

    def sealed(self) -> Self:
        return self.filter(state__in=[state for state in StudyState if state.sealed])

    def collecting(self) -> Self:
        return self.filter(state=StudyState.COLLECTING)

    def terminal(self) -> Self:
        return self.filter(state__in=[state for state in StudyState if state.terminal])


class Study(models.Model):
    """A reader study: its protocol until the lock, its frozen digests and counters afterwards."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=160)
    description = models.TextField(blank=True, help_text="For the team; raters do not see it")
    template = models.CharField(max_length=30, choices=Template.choices)
    state = models.CharField(max_length=20, choices=StudyState.choices, default=StudyState.DRAFT)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="studies_owned")
    members = models.ManyToManyField(User, blank=True, related_name="studies_shared")
    datasets = models.ManyToManyField(
        Dataset, blank=True, related_name="studies", help_text="Where cases come from; none chosen: all of yours"
    )
    copied_from = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="copies")
    created_at = models.DateTimeField(auto_now_add=True)

    question = models.CharField(max_length=300)
    instructions = models.TextField(blank=True, help_text="Raters read this before the first case")
    display_mode = models.CharField(max_length=10, choices=DisplayMode.choices, default=DisplayMode.PATCH)
    field_of_view_mm = models.FloatField(
        default=50.0,
        validators=[MinValueValidator(10.0), MaxValueValidator(300.0)],
        help_text="Edge of the square patch in mm; slice and stack show the whole slice",
    )
    stack_slices = models.PositiveIntegerField(
        default=15,
        validators=[MinValueValidator(3), MaxValueValidator(61)],
        help_text="Number of slices in a stack; odd, so that the place is in the middle",
    )
    window_center_hu = models.FloatField(default=60.0)
    window_width_hu = models.FloatField(default=400.0, validators=[MinValueValidator(1.0)])
    confidence_levels = models.PositiveSmallIntegerField(
        default=3,
        validators=[MaxValueValidator(MAX_CONFIDENCE_LEVELS)],
        help_text="How finely raters say how sure they are; 0 asks for the answer only",
    )

    cases_planned = models.PositiveIntegerField(
        default=100,
        validators=[MinValueValidator(4), MaxValueValidator(2000)],
        help_text="Half of them real, half synthetic",
    )
    diameter_min_mm = models.FloatField(default=5.0, validators=[MinValueValidator(0.0)])
    diameter_max_mm = models.FloatField(default=40.0, validators=[MinValueValidator(1.0)])
    seed = models.PositiveBigIntegerField(default=new_seed, help_text="Of the draw of cases")
    block_size = models.PositiveIntegerField(
        default=10, validators=[MinValueValidator(2)], help_text="Each block has its share of both kinds"
    )
    longest_run = models.PositiveIntegerField(
        default=4, validators=[MinValueValidator(1)], help_text="Most cases of one kind in a row"
    )
    scan_distance = models.PositiveIntegerField(
        default=3, help_text="Least distance in the order between two cases of one scan or of its edited twins"
    )
    place_distance = models.PositiveIntegerField(
        default=10, help_text="Least distance in the order between two cases of nearly the same place"
    )
    plan_options = models.JSONField(
        default=dict, blank=True, help_text="Where the analysis plan differs from its template"
    )

    draw_job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    lock_job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    match_report = models.JSONField(
        default=dict, blank=True, help_text="How alike both kinds are in all but the lesion"
    )
    leak_audit = models.JSONField(default=dict, blank=True, help_text="Outcome of the last check for blinding leaks")
    flow = models.JSONField(
        default=dict, blank=True, help_text="Counts from the candidates to the cases, rejected ones included"
    )

    protocol = models.JSONField(default=dict, blank=True)
    protocol_digest = models.CharField(max_length=64, blank=True)
    plan_digest = models.CharField(max_length=64, blank=True)
    schedule_digest = models.CharField(max_length=64, blank=True)
    locked_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    unblinded_at = models.DateTimeField(null=True, blank=True)
    ledger_count = models.PositiveIntegerField(default=0)
    ledger_head = models.CharField(max_length=64, blank=True)

    objects = StudyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "studies"
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=StudyState.values), name="study_state_is_known"),
            models.CheckConstraint(
                condition=Q(state=StudyState.DRAFT, locked_at=None)
                | (~Q(state=StudyState.DRAFT) & Q(locked_at__isnull=False)),
                name="study_is_locked_with_a_date",
            ),
            models.CheckConstraint(
                condition=Q(state=StudyState.UNBLINDED, unblinded_at__isnull=False)
                | (~Q(state=StudyState.UNBLINDED) & Q(unblinded_at=None)),
                name="study_is_unblinded_with_a_date",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("studies:study", args=[self.pk])

    @property
    def stage(self) -> StudyState:
        return StudyState(self.state)

    @property
    def is_draft(self) -> bool:
        return self.state == StudyState.DRAFT

    @property
    def accepts_ratings(self) -> bool:
        return self.state == StudyState.COLLECTING

    @property
    def busy_job(self) -> Job | None:
        """The job that is changing this draft at the moment, if any."""
        jobs = [job for job in (self.draw_job, self.lock_job) if job is not None and not job.is_terminal]
        return jobs[0] if jobs else None

    def editable_by(self, user: User) -> bool:
        """Members follow a study and see its results; its owner and administrators decide."""
        return user.is_administrator or (self.owner_id == user.pk and user.may_coordinate)
