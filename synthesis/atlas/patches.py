"""The rows of an atlas: what its table is sorted by in the database, and what tells which scans it shows."""

from collections.abc import Iterable, Mapping
from typing import Any

from synthesis.models import LESION_KIND_LABELS, AtlasPatch, SignatureAtlas

Point = Mapping[str, Any]
ROWS_AT_ONCE = 1000


def write_patches(atlas: SignatureAtlas, points: Iterable[Point]) -> None:
    """In the place of those that are there."""
    atlas.patches.all().delete()
    rows = [row_of(atlas, number, point) for number, point in enumerate(points)]
    AtlasPatch.objects.bulk_create(rows, batch_size=ROWS_AT_ONCE)
    SignatureAtlas.objects.filter(pk=atlas.pk).update(patch_count=len(rows))


def row_of(atlas: SignatureAtlas, number: int, point: Point) -> AtlasPatch:
    return AtlasPatch(
        atlas=atlas,
        number=number,
        scan=point["scan"],
        name=point["name"],
        at_lps_mm=point["at"],
        what=what_it_is(point),
        lesion=point["lesion"],
        diameter_mm=point["diameter_mm"],
        **{f"component_{index}": value for index, value in enumerate(point["components"], start=1)},
    )


def what_it_is(point: Point) -> str:
    if not point["lesion"]:
        return "Normal liver"
    kind = LESION_KIND_LABELS.get(point["kind"])
    return f"{kind} lesion" if kind else "Lesion"
