"""The demo's edits: insertions into scans that have lesions of their own, and removals of real phantom lesions."""

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from ctdemo.scans import Report
from ctplatform.accounts.models import User
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Dataset, Lesion, Operation, Scan, Verdict
from synthesis.atlas.services import order_atlas
from synthesis.edits import services
from synthesis.edits.placement import PlacementRules
from synthesis.generators import services as generators
from synthesis.models import EditOrder, EditOrderQuerySet, Generator, SignatureAtlas

BATCH = services.BatchOrder(
    per_scan=3,
    kinds=("hypodense", "hypodense", "ring_enhancing", "cystic"),
    min_diameter_mm=10,
    max_diameter_mm=30,
    min_contrast_hu=-70,
    max_contrast_hu=-28,
    rules=PlacementRules(min_depth_mm=3, min_mutual_distance_mm=30),
    seed=2021,
)
REMOVALS_PER_SCAN = 2
SMALLEST_REMOVED_MM = 7.0
LEFT_TO_REVIEW = 2
REJECTION = "A vessel ends abruptly at the lesion's border"


def ensure_generator(owner: User) -> Generator:
    folder = Path(settings.ROOT) / "ml" / "weights" / "demo"
    return generators.register(folder=folder, name="Demo generator", registered_by=owner)


def ensure_edits(dataset: Dataset, generator: Generator, owner: User, report: Report) -> None:
    orders = EditOrder.objects.filter(source_scan__dataset=dataset, generator=generator)
    if not orders.filter(operation=Operation.INSERT).exists():
        # A lesion alone in its liver would say that it was inserted: real ones have company.
        hosts = Scan.objects.filter(dataset=dataset, masks__kind=MaskKind.LESION, source_scan=None).order_by("name")
        report(f"Inserting lesions into {hosts.count()} scans")
        services.order_batch(ordered_by=owner, scans=list(hosts), generator=generator, order=BATCH)
    if not orders.filter(operation=Operation.REMOVE).exists():
        lesions = list(lesions_to_remove(dataset))
        report(f"Removing {len(lesions)} lesions")
        for seed, lesion in enumerate(lesions, start=1):
            services.order_removal(ordered_by=owner, lesion=lesion, generator=generator, seed=seed)
    review_results(orders, owner, report)


def ensure_atlas(dataset: Dataset, generator: Generator, owner: User, report: Report) -> None:
    if not SignatureAtlas.objects.filter(dataset=dataset, generator=generator).exists():
        report("Making a signature atlas")
        order_atlas(ordered_by=owner, generator=generator, dataset=dataset)


def lesions_to_remove(dataset: Dataset) -> Iterator[Lesion]:
    originals = Scan.objects.filter(dataset=dataset, masks__kind=MaskKind.LESION, source_scan=None)
    for scan in originals.order_by("name"):
        yield from scan.lesions.filter(diameter_mm__gte=SMALLEST_REMOVED_MM).order_by("number")[:REMOVALS_PER_SCAN]


def review_results(orders: EditOrderQuerySet, reviewer: User, report: Report) -> None:
    """Accept most, reject one with a reason and leave some, so that each state can be looked at."""
    if orders.filter(result_scan__provenance__verdict__in=[Verdict.ACCEPTED, Verdict.REJECTED]).exists():
        return
    waiting = list(orders.to_review().select_related("result_scan__provenance").order_by("ordered_at", "pk"))
    for synthesis in waiting[1 : len(waiting) - LEFT_TO_REVIEW]:
        services.review(synthesis=synthesis, reviewer=reviewer, accept=True)
    if waiting:
        services.review(synthesis=waiting[0], reviewer=reviewer, accept=False, reason=REJECTION)
    report(f"Reviewed {max(0, len(waiting) - LEFT_TO_REVIEW)} of {len(waiting)} results")
