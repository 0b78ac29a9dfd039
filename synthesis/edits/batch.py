"""Draws the places of a batch and orders its edits; runs as a job because it reads every liver mask."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Lesion, Operation, Origin, Scan
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.liver_map import LiverMap, LiverPlace
from ctplatform.jobs.models import Job
from ctplatform.jobs.registry import JobContext, WriteResult
from ml.editing.spec import LesionSpec, usual_contrast_hu
from ml.scans.parenchyma import Parenchyma
from synthesis.edits import services
from synthesis.edits.chains import Insertion, insertions_after
from synthesis.edits.placement import LikeLesions, PlacementRules, allowed_places, draw_places
from synthesis.edits.rows import write_insertion
from synthesis.models import Generator

Drawn = tuple[Scan, list[float], LesionSpec]
T = TypeVar("T")
# So many scans show where lesions lie; reading the liver of each takes a quarter of a second.
MOST_PATTERN_SCANS = 40


def run_batch(payload: dict[str, Any], context: JobContext) -> WriteResult:
    generator = Generator.objects.get(pk=payload["generator"])
    order = payload["order"]
    scans = list(Scan.objects.filter(pk__in=payload["scans"]).order_by("pk"))
    if order.get("operation") == Operation.REMOVE:
        return _removals(payload, context, scans, generator)
    chains: list[list[Drawn]] = []
    like = lesion_places(scans)
    for index, scan in enumerate(scans):
        chains += _chains(list(draw_for_scan(scan, order, like=like)), order)
        context.progress((index + 1) / len(scans), f"places drawn in {index + 1} of {len(scans)} scans")
    drawn = list(chain.from_iterable(chains))
    for scan, centre, _ in drawn:
        services.check_insertion(scan=scan, generator=generator, centre_lps_mm=centre)
    owner = Job.objects.select_related("owner").get(pk=context.job_id).owner
    wanted = order["per_scan"] * len(scans)

    def write_result() -> dict[str, Any]:
        for (scan, centre, spec), *rest in chains:
            write_insertion(
                ordered_by=owner,
                scan=scan,
                generator=generator,
                centre_lps_mm=centre,
                spec=spec,
                batch=UUID(payload["batch"]),
                then=insertions_after([Insertion(place, spec) for _, place, spec in rest]),
            )
        return {"ordered": len(drawn), "wanted": wanted, "batch": payload["batch"]}

    return write_result


def _removals(payload: dict[str, Any], context: JobContext, scans: Sequence[Scan], generator: Generator) -> WriteResult:
    order = payload["order"]
    chains = [one for scan in scans for one in _chains(draw_lesions(scan, order), order)]
    drawn = list(chain.from_iterable(chains))
    owner = Job.objects.select_related("owner").get(pk=context.job_id).owner
    context.progress(1.0, f"{len(drawn)} lesions drawn")

    def write_result() -> dict[str, Any]:
        for lesion, *further in chains:
            services.order_removal(
                ordered_by=owner,
                lesion=lesion,
                generator=generator,
                seed=order["seed"],
                batch=UUID(payload["batch"]),
                further=further,
            )
        wanted = order["per_scan"] * len(scans)
        return {"ordered": len(drawn), "wanted": wanted, "batch": payload["batch"]}

    return write_result


def _chains(drawn: list[T], order: dict[str, Any]) -> list[list[T]]:
    """What is done to one scan: one edit after another, or each by itself."""
    if order.get("together"):
        return [drawn] if drawn else []
    return [[one] for one in drawn]


def draw_lesions(scan: Scan, order: dict[str, Any]) -> list[Lesion]:
    """Of a scan's own lesions of the wanted sizes so many as are asked for; which ones follows from the seed."""
    sizes = (order["min_diameter_mm"], order["max_diameter_mm"])
    fitting = list(scan.lesions.filter(inserted=False, diameter_mm__range=sizes).order_by("number"))
    rng = np.random.default_rng([order["seed"], zlib.crc32(scan.content_digest.encode())])
    chosen = rng.permutation(len(fitting))[: order["per_scan"]]
    return [fitting[index] for index in sorted(chosen)]


def lesion_places(hosts: Sequence[Scan]) -> list[LiverPlace]:
    """Where real lesions lie in the livers of the hosts' datasets, ordered by content and not by random ids."""
    real = Scan.objects.filter(dataset__in={host.dataset_id for host in hosts}, masks__kind=MaskKind.LIVER)
    real = real.exclude(origin=Origin.SYNTHETIC).filter(lesions__inserted=False).distinct()
    places: list[LiverPlace] = []
    for scan in real.order_by("content_digest", "pk")[:MOST_PATTERN_SCANS]:
        liver = LiverMap.of(scan)
        lesions = Lesion.objects.filter(scan=scan, inserted=False).order_by("number")
        if liver is not None:
            places += liver.places([lesion.centroid_lps_mm for lesion in lesions])
    return places


def draw_for_scan(scan: Scan, order: dict[str, Any], *, like: Sequence[LiverPlace] = ()) -> Iterator[Drawn]:
    """The draw of one scan depends on the batch's seed, its content and where lesions lie, not on other hosts."""
    rng = np.random.default_rng([order["seed"], zlib.crc32(scan.content_digest.encode())])
    specs = [draw_spec(order, rng) for _ in range(order["per_scan"])]
    rules = _rules(order, specs)
    grid = scan.geometry
    masks = {mask.kind: mask for mask in scan.masks.all()}

    def labels(kind: MaskKind) -> npt.NDArray[np.bool_] | None:
        return voxels.read_labels(masks[kind].pk, grid) > 0 if kind in masks else None

    liver = labels(MaskKind.LIVER)
    if liver is None:
        return
    lesions = labels(MaskKind.LESION)
    radius_mm = max(spec.diameter_mm for spec in specs) / 2
    volume_hu = voxels.read_volume(scan.pk, grid)
    parenchyma = Parenchyma.of(volume_hu, grid, liver, radius_mm=radius_mm)
    if parenchyma is None:
        return
    allowed = parenchyma.whole() & allowed_places(
        grid=grid,
        liver=liver,
        vessels=labels(MaskKind.VESSEL),
        lesions=lesions,
        rules=rules,
        radius_mm=radius_mm,
    )
    here = LiverMap.from_masks(grid, liver=liver, lesions=np.zeros_like(liver) if lesions is None else lesions)
    pattern = LikeLesions(liver=here, lesions=like) if here is not None and like else None
    places = draw_places(grid=grid, allowed=allowed, count=len(specs), rules=rules, rng=rng, like=pattern)
    fluid_hu = usual_contrast_hu("cystic", float(np.median(volume_hu[liver])))
    for centre, spec in zip(places, specs, strict=False):
        # Whatever was asked of the others: a cyst is fluid.
        asked = replace(spec, contrast_hu=fluid_hu) if spec.kind == "cystic" else spec
        yield scan, [float(c) for c in centre], asked


def _rules(order: dict[str, Any], specs: Sequence[LesionSpec]) -> PlacementRules:
    """Lesions that come into one scan keep from each other what they keep from its own."""
    rules = PlacementRules(**order["rules"])
    if not order.get("together"):
        return rules
    apart_mm = max(spec.diameter_mm for spec in specs) + rules.min_lesion_distance_mm
    return replace(rules, min_mutual_distance_mm=max(rules.min_mutual_distance_mm, apart_mm))


def draw_spec(order: dict[str, Any], rng: np.random.Generator) -> LesionSpec:
    """Diameters are drawn evenly on a logarithmic scale: real lesions are mostly small."""
    low, high = np.log(order["min_diameter_mm"]), np.log(order["max_diameter_mm"])
    return LesionSpec(
        kind=order["kinds"][int(rng.integers(len(order["kinds"])))],
        diameter_mm=round(float(np.exp(rng.uniform(low, high))), 1),
        contrast_hu=round(float(rng.uniform(order["min_contrast_hu"], order["max_contrast_hu"])), 1),
        seed=int(rng.integers(2**31)),
    )
