"""From an ordered edit to a synthetic scan: the only module that calls ml's editing."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.kinds import MaskKind, StoredVolume
from ctplatform.datasets.models import Made, Operation, Provenance, Scan, centre_columns
from ctplatform.datasets.permissions import refuse_without_pixels
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.edited import Edit, store_edited_scan
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs.registry import JobContext, WriteResult
from ml.editing import EditResult, LesionSpec, insert_lesion, remove_lesion
from ml.errors import MlError
from ml.geometry import Box, Grid
from synthesis.edits.chains import order_following
from synthesis.generator_reports import training_in_words
from synthesis.generators.services import load, why_emptied
from synthesis.models import GENERATOR_BULK, EditOrder, Generator

# What ml tells of an edit beside what stands in columns of its own.
DETAILS = ("device", "exemplar", "signature_gain", "slice_overlap", "beyond_mask_mm")
# Liver around an edit that the generator looks at, beyond the lesion itself.
CONTEXT_MM = 60.0
# Names have 120 characters; the operation and eight of the order's own follow.
LONGEST_NAME_KEPT = 100


def run_edit(payload: dict[str, Any], context: JobContext) -> WriteResult:
    synthesis = EditOrder.objects.select_related("source_scan", "generator", "lesion", "ordered_by").get(
        pk=payload["synthesis"]
    )
    refuse_without_pixels([synthesis.source_scan])
    context.progress(0.05, "loading the generator")
    _refuse_emptied(synthesis.generator)
    generator = load(synthesis.generator)
    context.progress(0.2, "reading the neighbourhood")
    box, volume, masks = _read_neighbourhood(synthesis)
    context.report_device(_device_name())
    context.progress(0.4, "editing")
    try:
        result = _edit(synthesis, box, volume, masks, generator)
    except MlError as error:
        raise DomainError(str(error)) from error
    context.progress(0.8, "storing the synthetic scan")
    stored = store_edited_scan(
        source=synthesis.source_scan,
        edit=_as_edit(synthesis, box, result),
        name=_name(synthesis),
        created_by=synthesis.ordered_by,
        provenance=_provenance(synthesis, result),
    )
    context.unless_written(stored.discard)

    def write_result() -> dict[str, Any]:
        # Withdrawn meanwhile, its pixels must not stay in a copy.
        refuse_without_pixels([Scan.objects.select_for_update().get(pk=synthesis.source_scan_id)])
        _refuse_emptied(Generator.objects.defer(*GENERATOR_BULK).get(pk=synthesis.generator_id))
        scan = stored.save()
        EditOrder.objects.filter(pk=synthesis.pk).update(result_scan=scan)
        following = order_following(order=synthesis, result=scan)
        then = str(following.pk) if following else None
        return {"scan": str(scan.pk), "measured": result.measured, "then": then}

    return write_result


def _refuse_emptied(generator: Generator) -> None:
    """What was ordered before its retirement is still made; of exemplars whose scan was withdrawn nothing is."""
    if refusal := why_emptied(generator):
        raise ConflictError(refusal)


def _name(synthesis: EditOrder) -> str:
    """After the scan at the beginning: one that is edited again and again would outgrow any name."""
    first = synthesis.source_scan.before_all_edits.name
    return f"{first[:LONGEST_NAME_KEPT]} {synthesis.operation} {str(synthesis.pk)[:8]}"


def _read_neighbourhood(
    synthesis: EditOrder,
) -> tuple[Box, StoredVolume, dict[MaskKind, npt.NDArray[np.uint8]]]:
    scan = synthesis.source_scan
    grid = scan.geometry
    if synthesis.operation == Operation.INSERT:
        reach = synthesis.diameter_mm / 2 + CONTEXT_MM
        centre = grid.to_voxel(synthesis.centre_lps_mm)
        box = grid.box_around(centre, half_extent_zyx_mm=(reach, reach, reach))
    else:
        box = _around_lesion(synthesis, grid)
    masks = {
        MaskKind(mask.kind): voxels.read_labels_box(mask.pk, grid, box)
        for mask in scan.masks.filter(kind__in=[MaskKind.LIVER, MaskKind.LESION])
    }
    return box, voxels.read_box(scan.pk, grid, box), masks


def _around_lesion(synthesis: EditOrder, grid: Grid) -> Box:
    if synthesis.lesion is None:
        raise DomainError("The lesion to remove no longer exists.")
    mask = synthesis.source_scan.masks.get(kind=MaskKind.LESION)
    where = np.argwhere(voxels.read_labels(mask.pk, grid) == synthesis.lesion.number)
    if not len(where):
        raise DomainError("The lesion mask holds no voxel of this lesion. Import the mask again.")
    spacing = np.asarray(grid.spacing_zyx_mm)
    low, high = where.min(axis=0), where.max(axis=0)
    return grid.box_around((low + high) / 2, half_extent_zyx_mm=(high - low) / 2 * spacing + CONTEXT_MM)


def _edit(
    synthesis: EditOrder,
    box: Box,
    volume: StoredVolume,
    masks: dict[MaskKind, npt.NDArray[np.uint8]],
    generator: Any,
) -> EditResult:
    grid = synthesis.source_scan.geometry.crop(box)
    liver = masks[MaskKind.LIVER] > 0
    if synthesis.operation == Operation.INSERT:
        spec = LesionSpec(
            kind=synthesis.kind,  # type: ignore[arg-type]
            diameter_mm=synthesis.diameter_mm,
            contrast_hu=synthesis.contrast_hu or 0.0,
            seed=synthesis.seed,
        )
        return insert_lesion(
            volume, grid, liver_mask=liver, centre_lps_mm=synthesis.centre_lps_mm, spec=spec, generator=generator
        )
    number = synthesis.lesion.number if synthesis.lesion else 0
    lesion = masks[MaskKind.LESION] == number
    return remove_lesion(
        volume, grid, liver_mask=liver | lesion, lesion_mask=lesion, generator=generator, seed=synthesis.seed
    )


def _as_edit(synthesis: EditOrder, box: Box, result: EditResult) -> Edit:
    """The editor worked on a sub-volume: its box moves to the scan's grid."""
    z, y, x = (outer.start + inner.start for outer, inner in zip(box, result.box, strict=True))
    inserted = synthesis.operation == Operation.INSERT
    return Edit(
        box_start_zyx=(z, y, x),
        content=result.edited,
        changed=result.changed,
        inserted=result.lesion_mask if inserted else None,
        removed=None if inserted else result.lesion_mask,
        inserted_kind=synthesis.kind,
    )


def _provenance(synthesis: EditOrder, result: EditResult) -> Provenance:
    told = result.provenance
    return Provenance(
        made=Made.HERE,
        operation=synthesis.operation,
        **centre_columns(synthesis.centre_lps_mm),
        diameter_mm=synthesis.diameter_mm,
        kind=synthesis.kind,
        contrast_hu=synthesis.contrast_hu,
        seed=synthesis.seed,
        generator_name=synthesis.generator.name or synthesis.generator.short_digest,
        generator_digest=synthesis.generator.digest,
        precision=told["precision"],
        processor=told["processor"],
        measured=result.measured,
        details={**{name: value for name, value in told.items() if name in DETAILS}, **_training(synthesis)},
    )


def _training(synthesis: EditOrder) -> dict[str, str]:
    """Kept with the scan, so that a report can tell it when the generator's weights are long gone."""
    words = training_in_words(synthesis.generator.card)
    return {"training": words} if words else {}


def _device_name() -> str:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
