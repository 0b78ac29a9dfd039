import secrets
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Self

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy, gettext_noop

from ctplatform.accounts.models import User
from ctplatform.datasets.models import Dataset
from ctplatform.errors import ConflictError
from ctplatform.jobs.models import Job
from readerstudy.digests import digest_of
from readerstudy.hounsfield import HU_HIGH, HU_LOW
from readerstudy.models.asked import Asked
from readerstudy.models.feedback import Feedback, wrong_of_feedback
from readerstudy.models.refused import told
from readerstudy.tasks.ending import LONGEST_END_QUESTION
from readerstudy.tasks.items import asked_of_trial, items_of
from readerstudy.tasks.labels import ENGLISH
from readerstudy.tasks.registry import FIRST, task_of
from readerstudy.tasks.task import CANNOT_TELL, CHOSEN, LEVEL, REAL, SYNTHETIC

MAX_CONFIDENCE_LEVELS = 6


class StudyState(models.TextChoices):
    DRAFT = "draft", gettext_lazy("Draft")
    LOCKED = "locked", gettext_lazy("Locked")
    COLLECTING = "collecting", gettext_lazy("Collecting")
    CLOSED = "closed", gettext_lazy("Closed")
    UNBLINDED = "unblinded", gettext_lazy("Unblinded")

    @property
    def sealed(self) -> bool:
        """From the lock until the unblinding nobody sees the truth or anything computed from it."""
        return self in {StudyState.LOCKED, StudyState.COLLECTING, StudyState.CLOSED}

    @property
    def terminal(self) -> bool:
        return self == StudyState.UNBLINDED

    @property
    def following(self) -> "StudyState | None":
        """A study goes one way only, but for a closed one that is opened again for a reason."""
        states = list(StudyState)
        position = states.index(self) + 1
        return states[position] if position < len(states) else None


class Template(models.TextChoices):
    INSERTED_LESIONS = "inserted_lesions", gettext_noop("Inserted lesions: is this lesion real or synthetic?")
    REMOVED_LESIONS = (
        "removed_lesions",
        gettext_noop("Removed lesions: is this liver untouched or was a lesion removed?"),
    )


class DisplayMode(models.TextChoices):
    PATCH = "patch", gettext_lazy("Patch: a magnified square around the place")
    SLICE = "slice", gettext_lazy("Slice: the whole axial slice with a ring around the place")
    STACK = "stack", gettext_lazy("Stack: scrollable slices with a ring on the slice of the place")


# Of tasks that have raters look for the place.
UNMARKED = {
    DisplayMode.PATCH: gettext_lazy("Patch: a magnified square with the place somewhere in it"),
    DisplayMode.SLICE: gettext_lazy("Slice: the whole axial slice, without a ring"),
    DisplayMode.STACK: gettext_lazy("Stack: scrollable slices, without a ring"),
}


class Answer(models.TextChoices):
    """How an answer is written down, whatever its task; the task says which of them it takes."""

    REAL = REAL, "Real"
    SYNTHETIC = SYNTHETIC, gettext_lazy("Synthetic")
    LEVEL = LEVEL, gettext_lazy("A level of a scale")
    CANNOT_TELL = CANNOT_TELL, gettext_lazy("Cannot tell")
    CHOSEN = CHOSEN, gettext_lazy("The image of this slot")


class GoingBack(models.TextChoices):
    NEVER = "never", gettext_lazy("None: an answer stands")
    LAST = "last", gettext_lazy("The last one, until the next case is answered")
    ANY = "any", gettext_lazy("Every one; the export marks what was changed later")


class DisplayPolicy(models.TextChoices):
    OFF = "off", gettext_lazy("No display check")
    ADVISE = "advise", gettext_lazy("Offered before the first case; reading goes on without it")
    REQUIRE = "require", gettext_lazy("Must be passed before the first case of every sitting")


def new_seed() -> int:
    return secrets.randbelow(2**31)


class StudyQuerySet(models.QuerySet["Study"]):
    def visible_to(self, user: User) -> Self:
        if user.is_administrator:
            return self
        if user.is_rater:
            return self.none()
        shared = Study.members.through.objects.filter(user=user).values("study")
        return self.filter(Q(owner=user) | Q(pk__in=shared))

    def for_lists(self) -> Self:
        """With the numbers of cases and raters, and without what only the study's own pages read: megabytes each."""
        counts = {
            name: Coalesce(Subquery(rows.order_by().values("study").annotate(n=Count("pk")).values("n")), 0)
            for name, rows in (
                ("case_count", apps.get_model("readerstudy", "Case").objects.filter(study=OuterRef("pk"))),
                ("rater_count", apps.get_model("readerstudy", "StudyRater").objects.filter(study=OuterRef("pk"))),
            )
        }
        return self.annotate(**counts).defer("protocol", "leak_audit", "match_report")

    def managed_by(self, user: User) -> Self:
        """Those that the person decides about; the list form of `Study.editable_by`."""
        if user.is_administrator:
            return self
        return self.filter(owner=user) if user.may_coordinate else self.none()

    def draft(self) -> Self:
        return self.filter(state=StudyState.DRAFT)

    def sealed(self) -> Self:
        return self.filter(state__in=[state for state in StudyState if state.sealed])

    def collecting(self) -> Self:
        return self.filter(state=StudyState.COLLECTING)

    def terminal(self) -> Self:
        return self.filter(state__in=[state for state in StudyState if state.terminal])


def most_repeats(*, cases: int, distance: int) -> int:
    """How many cases may come twice: half of those that can be shown so far apart, so that an order is always found."""
    return max(0, (cases - distance) // 2)


def too_many_repeats(*, cases: int, distance: int) -> str:
    most = most_repeats(cases=cases, distance=distance)
    return gettext(
        "Of %(cases)s cases at most %(most)s can be shown twice with a distance of %(distance)s: ask for fewer "
        "or nearer."
    ) % {"cases": cases, "most": most, "distance": distance}


class Study(models.Model):
    """A reader study: its protocol until the lock, its frozen digests and counters afterwards."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=160)
    description = models.TextField(blank=True, help_text=gettext_lazy("For the team; raters do not see it"))
    template = models.CharField(max_length=30, choices=Template.choices)
    state = models.CharField(max_length=20, choices=StudyState.choices, default=StudyState.DRAFT)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="studies_owned")
    members = models.ManyToManyField(User, blank=True, related_name="studies_shared")
    datasets = models.ManyToManyField(
        Dataset,
        blank=True,
        related_name="studies",
        help_text=gettext_lazy("Where cases come from; none chosen: all of yours"),
    )
    published = models.CharField(
        max_length=40, blank=True, editable=False, help_text="The published study that it follows, by its short name"
    )
    copied_from = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="copies")
    continues = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="continued_by",
        help_text="An earlier study of yours with the same raters: nobody begins this one before finishing that one",
    )
    least_gap_days = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(730)],
        help_text=gettext_lazy("From a rater's last answer in the earlier study to the first case of this one"),
    )
    other_patients = models.BooleanField(
        default=False,
        help_text=gettext_lazy("No case is of a patient whom linked studies showed before; the draw leaves them out"),
    )
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True, help_text="Since then it is not in the list of studies")

    language = models.CharField(
        gettext_lazy("Language of raters"),
        max_length=10,
        choices=settings.LANGUAGES,
        default=ENGLISH,
        help_text=gettext_lazy(
            "Of the product's own words for this study: names of answers, usual question and instructions"
        ),
    )
    question = models.CharField(max_length=300)
    instructions = models.TextField(blank=True, help_text=gettext_lazy("Raters read this before the first case"))
    display_mode = models.CharField(max_length=10, choices=DisplayMode.choices, default=DisplayMode.PATCH)
    field_of_view_mm = models.FloatField(
        default=50.0,
        validators=[MinValueValidator(10.0), MaxValueValidator(300.0)],
        help_text=gettext_lazy("Edge of the square patch in mm; slice and stack show the whole slice"),
    )
    stack_slices = models.PositiveIntegerField(
        default=15,
        validators=[MinValueValidator(3), MaxValueValidator(61)],
        help_text=gettext_lazy("Number of slices in a stack; odd, so that the place is in the middle"),
    )
    window_center_hu = models.FloatField(default=60.0)
    window_width_hu = models.FloatField(default=400.0, validators=[MinValueValidator(1.0)])
    window_may_stay = models.BooleanField(
        default=True,
        help_text=gettext_lazy(
            "A rater may take an own window along from case to case of a sitting; otherwise every case begins "
            "with this one, and may still be looked at with others"
        ),
    )
    task_name = models.CharField(max_length=30, default=FIRST, help_text="What raters are asked of a case")
    task_settings = models.JSONField(default=dict, blank=True, help_text="Of the task; what is left out is as usual")
    further_questions = models.JSONField(
        default=list,
        blank=True,
        help_text="Asked of every case after its answer; each has kind, name and words",
    )
    end_question = models.CharField(
        gettext_lazy("Question at the end"),
        max_length=LONGEST_END_QUESTION,
        blank=True,
        help_text=gettext_lazy(
            "Asked once, after a rater's last case, in own words; empty: nothing is asked. Raters who may change "
            "answers can do so after they have read it"
        ),
    )
    confidence_levels = models.PositiveSmallIntegerField(
        default=3,
        validators=[MaxValueValidator(MAX_CONFIDENCE_LEVELS)],
        help_text=gettext_lazy("How finely raters say how sure they are; 0 asks for the answer only"),
    )

    cases_planned = models.PositiveIntegerField(
        default=100,
        validators=[MinValueValidator(4), MaxValueValidator(2000)],
        help_text=gettext_lazy("Half of them real, half synthetic"),
    )
    diameter_min_mm = models.FloatField(default=5.0, validators=[MinValueValidator(0.0)])
    diameter_max_mm = models.FloatField(default=40.0, validators=[MinValueValidator(1.0)])
    twins_allowed = models.BooleanField(
        default=False,
        help_text=gettext_lazy(
            "One rater may see the same part of a scan twice, once as it was and once edited. Comparing the two "
            "solves both, so choose this only where the study asks for the comparison"
        ),
    )
    seed = models.PositiveBigIntegerField(default=new_seed, help_text=gettext_lazy("Of the draw of cases"))
    block_size = models.PositiveIntegerField(
        default=10,
        validators=[MinValueValidator(2)],
        help_text=gettext_lazy("In blocks of so many cases both kinds come about equally often, never exactly"),
    )
    longest_run = models.PositiveIntegerField(
        default=4,
        validators=[MinValueValidator(1)],
        help_text=gettext_lazy(
            "Wished for; the lock allows as many more as keep an order from telling about the kinds"
        ),
    )
    scan_distance = models.PositiveIntegerField(
        default=3,
        help_text=gettext_lazy("Least distance in the order between two cases of one scan or of its edited twins"),
    )
    place_distance = models.PositiveIntegerField(
        default=10, help_text=gettext_lazy("Least distance in the order between two cases of nearly the same place")
    )
    repeats = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(500)],
        help_text=gettext_lazy(
            "So many cases are shown twice to every rater, to see how well raters agree with themselves; which "
            "ones is drawn for each, and nobody is told. The first answer counts; 0: none"
        ),
    )
    repeat_distance = models.PositiveIntegerField(
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=gettext_lazy("Least distance in the order from the first time to the second"),
    )
    going_back = models.CharField(
        max_length=10,
        choices=GoingBack.choices,
        default=GoingBack.LAST,
        help_text=gettext_lazy("Which answers a rater may still change while the study takes ratings"),
    )
    feedback = models.CharField(
        max_length=10,
        choices=Feedback.choices,
        default=Feedback.NONE,
        help_text=gettext_lazy(
            "Whether raters are told what the cases were that they answered. Raters can talk: whoever was told "
            "may tell others who have not read the case yet, so ask them not to in the instructions"
        ),
    )
    display_check = models.CharField(
        max_length=10,
        choices=DisplayPolicy.choices,
        default=DisplayPolicy.OFF,
        help_text=gettext_lazy(
            "Whether raters show that their screen tells grey steps near black and near white apart"
        ),
    )
    round_trip_mm = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.2), MaxValueValidator(10)],
        help_text=gettext_lazy("In the plane, to this spacing and back; empty: no case is resampled for it"),
    )
    round_trip_step_hu = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=gettext_lazy("1: as the scans are"),
    )
    round_trip_low_hu = models.SmallIntegerField(
        default=HU_LOW, validators=[MinValueValidator(HU_LOW), MaxValueValidator(HU_HIGH)]
    )
    round_trip_high_hu = models.SmallIntegerField(
        default=HU_HIGH, validators=[MinValueValidator(HU_LOW), MaxValueValidator(HU_HIGH)]
    )
    unblinding_by_two = models.BooleanField(
        gettext_lazy("Two people unblind"),
        default=False,
        help_text=gettext_lazy("A second person of the team must confirm the unblinding"),
    )
    grace_hours = models.PositiveSmallIntegerField(
        default=72,
        validators=[MaxValueValidator(24 * 28)],
        help_text=gettext_lazy(
            "An answer given before the closing still counts when it arrives within so many hours; 0: never"
        ),
    )
    plan_options = models.JSONField(
        default=dict, blank=True, help_text="Where the analysis plan differs from its template"
    )

    draw_job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    lock_job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    audit_job = models.ForeignKey(
        Job,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="The last check for leaks after the lock, with or without an opening",
    )
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

    def clean(self) -> None:
        wrong = self._wrong_of_the_task()
        if self.stack_slices % 2 == 0:
            wrong["stack_slices"] = gettext("Choose an odd number, so that the place is on the middle slice.")
        if self.repeats > most_repeats(cases=self.cases_planned, distance=self.repeat_distance):
            wrong["repeats"] = too_many_repeats(cases=self.cases_planned, distance=self.repeat_distance)
        if self.round_trip_low_hu >= self.round_trip_high_hu:
            wrong["round_trip_high_hu"] = gettext("The highest value must be above the lowest.")
        if self.diameter_min_mm >= self.diameter_max_mm:
            wrong["diameter_max_mm"] = gettext("The largest diameter must be above the smallest.")
        try:
            items_of(self.further_questions)
        except ValueError as error:
            wrong["further_questions"] = gettext("These questions can't be asked so: %(error)s.") % {
                "error": told(error)
            }
        if self.continues is None:
            wrong |= {
                name: gettext("This needs an earlier study that this one continues. Choose one, or leave this empty.")
                for name in ("least_gap_days", "other_patients")
                if getattr(self, name)
            }
        elif self in (self.continues, *self.continues.earlier_phases):
            wrong["continues"] = gettext("That study continues this one already, so this one can't continue it.")
        if wrong:
            raise ValidationError(wrong)

    def _wrong_of_the_task(self) -> dict[str, str]:
        try:
            task = task_of(self.task_name, self.task_settings, confidence_levels=self.confidence_levels)
        except ValueError as error:
            return {"task_settings": gettext("This task can't be asked so: %(error)s.") % {"error": told(error)}}
        wrong = wrong_of_feedback(self, task)
        if unlike := task.unlike_numbers(self.cases_planned):
            wrong["cases_planned"] = told(unlike)
        if task.images > 1 and self.repeats:
            wrong["repeats"] = gettext("Images of trials of several can't be shown a second time. Choose no repeats.")
        if several := self._too_much_of_a_trial(task.images):
            wrong["further_questions"] = gettext("Every image of a trial is asked about: %(several)s.") % {
                "several": several
            }
        return wrong

    def _too_much_of_a_trial(self, images: int) -> str:
        try:
            asked_of_trial(items_of(self.further_questions), images, self.language)
        except ValueError as error:
            return told(error)
        return ""

    @property
    def earlier_phases(self) -> "list[Study]":
        """What this study continues, what that one continues, and so on: the nearest first."""
        found: list[Study] = []
        earlier = self.continues
        while earlier is not None and earlier not in found:
            found.append(earlier)
            earlier = earlier.continues
        return found

    @property
    def phase_number(self) -> int:
        return len(self.earlier_phases) + 1

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
        """The job that is at work on this study at the moment, if any."""
        jobs = [
            job for job in (self.draw_job, self.lock_job, self.audit_job) if job is not None and not job.is_terminal
        ]
        return jobs[0] if jobs else None

    @property
    def frozen(self) -> Mapping[str, Any]:
        """The protocol. Where it was not fetched with the row it is read once per process: raters ask all the time."""
        if "protocol" not in self.get_deferred_fields():
            fetched: Mapping[str, Any] = self.protocol
            return fetched
        return _protocol(self.pk, self.protocol_digest) if self.protocol_digest else {}

    @property
    def is_as_locked(self) -> bool:
        """Whether the protocol is the one that was locked, so that raters may be served by it."""
        try:
            return self.frozen is not None
        except ProtocolChangedError:
            return False

    @property
    def asked(self) -> Asked:
        """What raters get: since the lock from the protocol, so that a changed column reaches nobody."""
        return Asked.of_protocol(self.frozen) if self.frozen else Asked.of_columns(self)

    @property
    def display_label(self) -> str:
        if self.asked.task.mark is not None:
            return str(UNMARKED[DisplayMode(self.display_mode)])
        return str(DisplayMode(self.display_mode).label)

    def editable_by(self, user: User) -> bool:
        """Members follow a study and see its results; its owner and administrators decide."""
        return user.is_administrator or (self.owner_id == user.pk and user.may_coordinate)


class ProtocolChangedError(ConflictError):
    """The protocol in the database is not the one that was locked."""


@lru_cache(maxsize=256)
def _protocol(study_id: uuid.UUID, protocol_digest: str) -> Mapping[str, Any]:
    """One digest has one protocol; a changed one reaches no rater."""
    frozen: Mapping[str, Any] = Study.objects.values_list("protocol", flat=True).get(pk=study_id)
    if digest_of(frozen) != protocol_digest:
        raise ProtocolChangedError(
            gettext(
                "The protocol of this study was changed after it was locked, so nothing of it is shown. Tell whoever "
                "runs the study; no answer is lost."
            ),
            code="protocol_changed",
        )
    return frozen
