import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.db import models
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import JSONObject
from django.urls import reverse

from ctplatform.accounts.models import User
from ctplatform.datasets.models import EDITS, Dataset, Lesion, Provenance, Scan, Verdict
from ctplatform.jobs.models import Job
from ml.scans.lesions import LESION_KINDS
from synthesis.generator_reports import REALISM_NAME, names_in, with_names_of

MAX_SEED = 2**31 - 1
# Hundreds of kilobytes in each row, which lists do not show.
GENERATOR_BULK = ("card", "reports")


class GeneratorQuerySet(models.QuerySet["Generator"]):
    def usable(self) -> Self:
        """Those with networks to build on; whoever edits needs exemplars as well."""
        return self.filter(retired_at=None)

    def with_exemplars(self) -> Self:
        return self.usable().filter(emptied_at=None)

    def measured_first(self) -> Self:
        """Those with a realism report before those without: a fresh experiment is nobody's first choice."""
        measured = models.Case(models.When(reports__has_key=REALISM_NAME, then=1), default=0)
        return self.annotate(measured=measured).order_by("-measured", "-registered_at").defer(*GENERATOR_BULK)

    def with_gate(self) -> Self:
        """Of the reports as much as the gate's summary needs, as `judged`."""
        realism = KeyTransform(REALISM_NAME, "reports")
        parts = {name: KeyTransform(name, realism) for name in ("gate", "two_sample", "measured_on", "editor_version")}
        scans = KeyTransform("scans", realism)
        counted = {name: KeyTransform(name, scans) for name in ("gate", "patients", "lesions", "editor_version")}
        return self.annotate(judged=JSONObject(**parts, scans=JSONObject(**counted))).defer(*GENERATOR_BULK)


class Generator(models.Model):
    """A trained model version: weights (safetensors) and a JSON card, named by the digest of both."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    digest = models.CharField(max_length=64, unique=True)
    card = models.JSONField(default=dict)
    storage_prefix = models.CharField(max_length=200, help_text="Where the artefact's files lie in the storage")
    registered_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="generators_registered")
    registered_at = models.DateTimeField(auto_now_add=True)
    reports = models.JSONField(default=dict, help_text="What was measured of it: files of ml.reproduce by name")
    retired_at = models.DateTimeField(null=True, blank=True)
    retired_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="generators_retired"
    )
    retirement_reason = models.CharField(max_length=300, blank=True)
    # A consent that is withdrawn takes all exemplars along, for a bank does not tell whose each is. Why it was
    # withdrawn stands with the scan, for those who may see that.
    emptied_at = models.DateTimeField(
        null=True, blank=True, help_text="When a scan of its exemplars was withdrawn: since then it has networks alone"
    )
    emptied_digest = models.CharField(max_length=64, blank=True, help_text="Of the weights without exemplars")

    objects = GeneratorQuerySet.as_manager()

    class Meta:
        ordering = ["-registered_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.short_digest})"

    def get_absolute_url(self) -> str:
        return reverse("synthesis:generator", args=[self.pk])

    def card_for(self, user: User) -> dict[str, Any]:
        """The card with the names of those scans that the person may see.

        Where an uploaded generator's scans lie is not known here: who brought it and administrators see their names.
        """
        return cards_for(user, [self])[self.pk]

    @property
    def short_digest(self) -> str:
        return self.digest[:10]

    @property
    def awaits_emptying(self) -> bool:
        """Whether what lies in the storage may have exemplars that must not be read any more."""
        return self.emptied_at is not None and not self.emptied_digest

    @property
    def stored_digest(self) -> str:
        """Of the weights as they lie in the storage; `digest` names the generator for good."""
        return self.emptied_digest or self.digest


def cards_for(user: User, generators: Sequence[Generator]) -> dict[uuid.UUID, dict[str, Any]]:
    """Every generator's card for the person, by its id; asks as much for many as for one."""
    if user.is_administrator:
        return {generator.pk: dict(generator.card) for generator in generators}
    descent = Descent.of(generators)
    seen = descent.names_seen(user)
    datasets = set(Dataset.objects.visible_to(user).values_list("name", flat=True))
    return {
        generator.pk: dict(generator.card)
        if generator.registered_by_id == user.pk and generator.pk not in descent.made_here
        else with_names_of(generator.card, seen[generator.pk], datasets)
        for generator in generators
    }


@dataclass(frozen=True)
class Descent:
    """Generators and those that they were made from here: a card names the scans of all."""

    known: dict[uuid.UUID, Generator]
    made_here: set[uuid.UUID]
    sources: dict[uuid.UUID, set[uuid.UUID]]

    @classmethod
    def of(cls, generators: Sequence[Generator]) -> Self:
        descent = cls({generator.pk: generator for generator in generators}, set(), defaultdict(set))
        asked = list(descent.known)
        while asked:
            runs = TrainingRun.objects.filter(generator__in=asked).values_list("generator", "initial")
            banks = ExemplarBank.objects.filter(generator__in=asked).values_list("generator", "source")
            for made, source in (*runs, *banks):
                descent.made_here.add(made)
                if source is not None:
                    descent.sources[made].add(source)
            asked = list({source for of_one in descent.sources.values() for source in of_one} - set(descent.known))
            descent.known.update(Generator.objects.defer("reports").in_bulk(asked))
        return descent

    def names_seen(self, user: User) -> dict[uuid.UUID, set[str]]:
        """The names in each card that the person may know: those of scans that they see, and those they brought."""
        own: dict[uuid.UUID, set[str]] = {pk: set() for pk in self.known}
        scans = Scan.objects.visible_to(user)
        for way in ("training_runs__generator", "exemplar_banks__generator"):
            for pk, subject in scans.filter(**{f"{way}__in": list(self.known)}).values_list(way, "subject"):
                if pk in own:
                    own[pk].add(subject)
        for pk, generator in self.known.items():
            if generator.registered_by_id == user.pk and pk not in self.made_here:
                own[pk].update(names_in(generator.card))
        return {pk: set().union(*(own[part] for part in self._with_ancestors(pk))) for pk in self.known}

    def _with_ancestors(self, pk: uuid.UUID) -> set[uuid.UUID]:
        found, asked = {pk}, [pk]
        while asked:
            new = self.sources.get(asked.pop(), set()) - found
            found |= new
            asked += new
        return found


LESION_KIND_LABELS = {"hypodense": "Hypodense", "cystic": "Cystic", "ring_enhancing": "Ring-enhancing"}
OPERATION_CHOICES = [(operation.value, operation.label) for operation in EDITS]
LESION_KIND_CHOICES = [(kind, LESION_KIND_LABELS[kind]) for kind in LESION_KINDS]


class EditOrderQuerySet(models.QuerySet["EditOrder"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(source_scan__in=Scan.objects.visible_to(user))

    def to_review(self) -> Self:
        return self.filter(result_scan__provenance__verdict=Verdict.PENDING)


class EditOrder(models.Model):
    """One ordered edit. It stays when its result is rejected or when it failed, so that everything is counted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="synthesis")
    operation = models.CharField(max_length=10, choices=OPERATION_CHOICES)
    generator = models.ForeignKey(Generator, on_delete=models.PROTECT, related_name="orders")
    source_scan = models.ForeignKey(Scan, on_delete=models.PROTECT, related_name="edit_orders")
    centre_lps_mm = models.JSONField()
    kind = models.CharField(max_length=30, blank=True, choices=LESION_KIND_CHOICES)
    diameter_mm = models.FloatField(help_text="Asked for; of the lesion to remove, as measured")
    contrast_hu = models.FloatField(null=True, blank=True)
    lesion = models.ForeignKey(
        Lesion, on_delete=models.PROTECT, null=True, blank=True, related_name="removals", help_text="To remove"
    )
    seed = models.PositiveBigIntegerField()
    then = models.JSONField(
        default=list, blank=True, help_text="Edits that follow, each of the result of the one before it"
    )
    batch = models.UUIDField(null=True, blank=True, db_index=True)
    ordered_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="synthesis_ordered")
    ordered_at = models.DateTimeField(auto_now_add=True)
    result_scan = models.OneToOneField(
        Scan, on_delete=models.PROTECT, null=True, blank=True, related_name="synthesised_by"
    )

    objects = EditOrderQuerySet.as_manager()

    class Meta:
        ordering = ["-ordered_at", "id"]

    def __str__(self) -> str:
        return f"{self.get_operation_display()} in {self.source_scan}"

    def get_absolute_url(self) -> str:
        return reverse("synthesis:review", args=[self.pk])

    @property
    def provenance(self) -> Provenance | None:
        """Of the result, with what was measured and the verdict; none while there is no result."""
        return self.result_scan.provenance if self.result_scan else None


# Files are written before the generator's row; whoever clears up after a job without one finds them by this.
def stored_digest_field() -> models.CharField[str, str]:
    return models.CharField(max_length=64, blank=True, help_text="Of the generator whose files the job has stored")


class TrainingRunQuerySet(models.QuerySet["TrainingRun"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(job__in=Job.objects.visible_to(user))


class TrainingRun(models.Model):
    """A generator being trained here: its data, its configuration and its curves so far."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="training")
    name = models.CharField(max_length=120)
    scans = models.ManyToManyField(Scan, related_name="training_runs")
    config = models.JSONField(help_text="ml.training.config.TrainConfig")
    initial = models.ForeignKey(
        Generator,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="trainings_begun",
        help_text="Whose weights it begins from; of none, random ones",
    )
    lesions_said = models.JSONField(
        default=dict, blank=True, help_text="What was said of scans by their ids: none, or not all drawn"
    )
    curve = models.JSONField(default=list, help_text="One entry per report: step and losses")
    samples_key = models.CharField(max_length=200, blank=True, help_text="Latest picture of patches and decodings")
    stored_digest = stored_digest_field()
    generator = models.ForeignKey(
        Generator, on_delete=models.PROTECT, null=True, blank=True, related_name="training_runs"
    )

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-job__created_at"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("synthesis:training", args=[self.pk])

    @property
    def folder(self) -> str:
        return f"training/{self.pk}"


class ExemplarBankQuerySet(models.QuerySet["ExemplarBank"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(dataset__in=Dataset.objects.visible_to(user))

    def unfinished(self) -> Self:
        return self.filter(job__in=Job.objects.unfinished())

    def made(self) -> Self:
        return self.filter(generator__isnull=False)


class ExemplarBank(models.Model):
    """A generator that gets a dataset's lesions as exemplars; what comes out is a generator of its own."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="exemplar_bank")
    name = models.CharField(max_length=120, help_text="Of the generator that comes out")
    source = models.ForeignKey(Generator, on_delete=models.PROTECT, related_name="banks_ordered")
    dataset = models.ForeignKey(
        Dataset, on_delete=models.SET_NULL, null=True, blank=True, related_name="exemplar_banks"
    )
    scans = models.ManyToManyField(Scan, related_name="exemplar_banks")
    beside = models.BooleanField(default=False, help_text="Whether the generator's own exemplars stay")
    all_drawn = models.BooleanField(default=True, help_text="Whether lesion masks hold every lesion of their scans")
    made_of = models.CharField(
        max_length=64, blank=True, db_index=True, help_text="Digest of networks, masks and settings: the same, the same"
    )
    stored_digest = stored_digest_field()
    generator = models.ForeignKey(
        Generator, on_delete=models.PROTECT, null=True, blank=True, related_name="exemplar_banks"
    )

    objects = ExemplarBankQuerySet.as_manager()

    class Meta:
        ordering = ["-job__created_at"]

    def __str__(self) -> str:
        return self.name


class SignatureAtlasQuerySet(models.QuerySet["SignatureAtlas"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(dataset__in=Dataset.objects.visible_to(user))


class SignatureAtlas(models.Model):
    """Signatures of a dataset's liver patches in their principal components; who sees the dataset sees it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="atlas")
    generator = models.ForeignKey(Generator, on_delete=models.PROTECT, related_name="atlases")
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="atlases")
    seed = models.PositiveBigIntegerField(default=0)
    content = models.JSONField(default=dict, help_text="Points and explained variance, as the page draws them")
    sheet_key = models.CharField(max_length=200, blank=True, help_text="The patches' pictures on one sheet")
    patch_count = models.PositiveIntegerField(default=0)
    scans_shown = models.PositiveIntegerField(default=0)
    scans_left_out = models.PositiveIntegerField(default=0)

    objects = SignatureAtlasQuerySet.as_manager()

    class Meta:
        ordering = ["-job__created_at"]

    def __str__(self) -> str:
        return f"{self.dataset} with {self.generator.name}"

    def get_absolute_url(self) -> str:
        return reverse("synthesis:atlas", args=[self.pk])


class AtlasPatch(models.Model):
    """One point of an atlas, for its table; the page that draws all of them reads the atlas' content."""

    atlas = models.ForeignKey(SignatureAtlas, on_delete=models.CASCADE, related_name="patches")
    number = models.PositiveIntegerField(help_text="Of its picture on the sheet")
    # No key to the scan: the atlas as a whole goes with any scan of it.
    scan = models.UUIDField()
    name = models.CharField(max_length=120)
    at_lps_mm = models.JSONField()
    what = models.CharField(max_length=40)
    lesion = models.PositiveIntegerField(help_text="Its number in the scan; 0 for normal liver")
    diameter_mm = models.FloatField(null=True, blank=True)
    component_1 = models.FloatField(null=True, blank=True)
    component_2 = models.FloatField(null=True, blank=True)
    component_3 = models.FloatField(null=True, blank=True)
    component_4 = models.FloatField(null=True, blank=True)
    component_5 = models.FloatField(null=True, blank=True)
    component_6 = models.FloatField(null=True, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["atlas", "number"], name="atlas_patch_once")]
        indexes = [models.Index(fields=["scan"], name="atlas_patch_by_scan")]

    def __str__(self) -> str:
        return f"{self.what} of {self.name}"

    @property
    def components(self) -> list[float]:
        found = [getattr(self, name) for name in ATLAS_COMPONENTS]
        return [value for value in found if value is not None]

    @property
    def place(self) -> str:
        """As a scan's page takes it in its address."""
        return ",".join(f"{value:.2f}" for value in self.at_lps_mm)


ATLAS_COMPONENTS = tuple(f"component_{number}" for number in range(1, 7))
