"""Draws the places of a batch and orders its edits; runs as a job because it reads every liver mask."""

import zlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Scan
from ctplatform.datasets.scans import voxels
from ctplatform.jobs.models import Job
from ctplatform.jobs.registry import JobContext, WriteResult
from ml.editing.spec import LesionSpec
from synthesis.edits import services
from synthesis.edits.placement import PlacementRules, allowed_places, draw_places
from synthesis.models import Generator

Drawn = tuple[Scan, list[float], LesionSpec]


def run_batch(payload: dict[str, Any], context: JobContext) -> WriteResult:
    generator = Generator.objects.get(pk=payload["generator"])
    order = payload["order"]
    scans = list(Scan.objects.filter(pk__in=payload["scans"]).order_by("pk"))
    drawn: list[Drawn] = []
    for index, scan in enumerate(scans):
        drawn += draw_for_scan(scan, order)
        context.progress((index + 1) / len(scans), f"places drawn in {index + 1} of {len(scans)} scans")
    for scan, centre, _ in drawn:
        services.check_insertion(scan=scan, generator=generator, centre_lps_mm=centre)
    owner = Job.objects.select_related("owner").get(pk=context.job_id).owner
    wanted = order["per_scan"] * len(scans)

    def write_result() -> dict[str, Any]:
        for scan, centre, spec in drawn:
            services.write_insertion(
                ordered_by=owner,
                scan=scan,
                generator=generator,
                centre_lps_mm=centre,
                spec=spec,
                batch=UUID(payload["batch"]),
            )
        return {"ordered": len(drawn), "wanted": wanted, "batch": payload["batch"]}

    return write_result


def draw_for_scan(scan: Scan, order: dict[str, Any]) -> Iterator[Drawn]:
    """The draw of one scan depends on the batch's seed and the scan's content, not on the other scans."""
    rng = np.random.default_rng([order["seed"], zlib.crc32(scan.content_digest.encode())])
    specs = [draw_spec(order, rng) for _ in range(order["per_scan"])]
    rules = PlacementRules(**order["rules"])
    grid = scan.geometry
    masks = {mask.kind: mask for mask in scan.masks.all()}

    def labels(kind: MaskKind) -> npt.NDArray[np.bool_] | None:
        return voxels.read_labels(masks[kind].pk, grid) > 0 if kind in masks else None

    liver = labels(MaskKind.LIVER)
    if liver is None:
        return
    allowed = allowed_places(
        grid=grid,
        liver=liver,
        vessels=labels(MaskKind.VESSEL),
        lesions=labels(MaskKind.LESION),
        rules=rules,
        radius_mm=max(spec.diameter_mm for spec in specs) / 2,
    )
    places = draw_places(grid=grid, allowed=allowed, count=len(specs), rules=rules, rng=rng)
    for centre, spec in zip(places, specs, strict=False):
        yield scan, [float(c) for c in centre], spec


def draw_spec(order: dict[str, Any], rng: np.random.Generator) -> LesionSpec:
    """Diameters are drawn evenly on a logarithmic scale: real lesions are mostly small."""
    low, high = np.log(order["min_diameter_mm"]), np.log(order["max_diameter_mm"])
    return LesionSpec(
        kind=order["kinds"][int(rng.integers(len(order["kinds"])))],
        diameter_mm=round(float(np.exp(rng.uniform(low, high))), 1),
        contrast_hu=round(float(rng.uniform(order["min_contrast_hu"], order["max_contrast_hu"])), 1),
        seed=int(rng.integers(2**31)),
    )
