"""Which masks a scan's lesions were measured by: once these are others, the numbers are not written."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Mask, Scan
from ctplatform.datasets.scans import voxels
from ctplatform.errors import ConflictError


@dataclass(frozen=True)
class MeasuredBy:
    """Noted before the masks are read, held against the rows under the scan's lock."""

    kinds: tuple[MaskKind, ...]
    masks: frozenset[UUID]

    @classmethod
    def of(cls, scan: Scan, kinds: Collection[MaskKind]) -> Self:
        return cls(tuple(kinds), _ids(scan, kinds))

    def refuse_where_changed(self, scan: Scan) -> None:
        if _ids(scan, self.kinds) != self.masks:
            raise ConflictError(
                "Somebody has changed a mask of this scan meanwhile, so nothing was saved. Look at it and try again.",
                code=voxels.MASK_CHANGED,
            )


def _ids(scan: Scan, kinds: Collection[MaskKind]) -> frozenset[UUID]:
    return frozenset(Mask.objects.filter(scan=scan, kind__in=kinds).values_list("pk", flat=True))
