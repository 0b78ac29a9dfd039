"""The last look at a scan that has been read, whatever its format, before anything of it is stored."""

from ctplatform.datasets.importing import drawn_text, procedure
from ctplatform.datasets.importing.found import ReadScan
from ctplatform.datasets.importing.refusal import ImportRefusedError
from ml.geometry import Grid

# A number beyond these is something else, such as a date
FARTHEST_MM = 10_000
WIDEST_SPACING_MM = 100
# Clinical scanners end here. Distances in mm around a lesion would be boxes without end on a finer grid.
FINEST_SPACING_MM = 0.1
SLICES_NAMED = 5
# Where the first plane along each axis of the grid lies
COUNTED_FROM = ("the feet", "the front", "the patient's right")


def screen(scan: ReadScan, *, looked_at_by: str = "") -> ReadScan:
    """Refuse what may hold an identity; a person who has looked at the pictures may vouch for marks in them."""
    scan.report["procedure_version"] = procedure.VERSION
    _check_place(scan.grid)
    if not scan.text_planes:
        return scan
    where = _where(scan.text_planes, slice_axis(scan.grid), scan.grid)
    if not looked_at_by:
        raise ImportRefusedError(
            f"Marks that look like drawn text lie outside the body in {where}. Text may name the patient. Look at "
            "these slices: if nothing in them names anybody, import again and confirm that you looked; otherwise "
            "export the slices without annotations."
        )
    scan.note(
        f"marks that look like drawn text lie outside the body in {where}; "
        f"{looked_at_by} confirmed that they name nobody"
    )
    return scan


def planes_with_text(scan: ReadScan) -> list[int]:
    """For the confined reader: marks that a stranger draws can cost much to look through."""
    return drawn_text.planes_with_text(scan.volume.swapaxes(0, slice_axis(scan.grid)))


def slice_axis(grid: Grid) -> int:
    """Slices have square pixels; where that leaves a choice they are axial."""
    spacing = grid.spacing_zyx_mm
    square = [axis for axis in range(3) if abs(spacing[axis - 1] - spacing[axis - 2]) <= 1e-3 * spacing[axis - 1]]
    return square[0] if square else 0


def _check_place(grid: Grid) -> None:
    if max(map(abs, grid.origin_lps_mm)) > FARTHEST_MM or max(grid.spacing_zyx_mm) > WIDEST_SPACING_MM:
        raise ImportRefusedError("Its place or spacing is larger than any scanner, so its header is wrong.")
    if min(grid.spacing_zyx_mm) < FINEST_SPACING_MM:
        raise ImportRefusedError(f"Its spacing is finer than the {FINEST_SPACING_MM} mm of scanners: a wrong header.")


def _where(planes: list[int], axis: int, grid: Grid) -> str:
    named = ", ".join(str(index + 1) for index in planes[:SLICES_NAMED])
    more = " and more" if len(planes) > SLICES_NAMED else ""
    return f"{len(planes)} of {grid.size_zyx[axis]} slices ({named}{more}, counted from {COUNTED_FROM[axis]})"
