"""The stimulus of a case as a picture for the results, as raters saw it but without its marker; with their marks."""

import io
from typing import TYPE_CHECKING

import numpy as np
from django.core.files.storage import default_storage

from readerstudy.blinding.lattice import Lattice
from readerstudy.blinding.wire import samples_of
from readerstudy.models import Stimulus
from readerstudy.results import current_events_of_case
from readerstudy.unblinding.marked import marks_of
from readerstudy.unblinding.opened import UnblindedStudy

if TYPE_CHECKING:
    from PIL import Image

Box = tuple[float, float, float, float]

SIDE_PX = 320


EDITED, MARKED = (157, 240, 189), (255, 213, 74)
CROSS_PX = 5


def stimulus_png(opened: UnblindedStudy, stimulus: Stimulus) -> bytes:
    """The slice that raters saw first, or where they looked for a place that of the place; in the study's window, in
    true proportions.
    """
    from PIL import Image

    asked = opened.study.asked
    _, rows, columns = stimulus.size_zyx
    index = _slice_of(stimulus)
    with default_storage.open(stimulus.slice_key(index), "rb") as file:
        plane = samples_of(file.read(), rows=rows, columns=columns)
    low = asked.window_center_hu - asked.window_width_hu / 2
    grey = np.clip((plane.astype(np.float32) - low) * (255 / asked.window_width_hu), 0, 255).astype(np.uint8)
    height_mm, width_mm = rows * stimulus.spacing_zyx_mm[1], columns * stimulus.spacing_zyx_mm[2]
    scale = SIDE_PX / max(height_mm, width_mm)
    size = (max(1, round(width_mm * scale)), max(1, round(height_mm * scale)))
    picture = Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC)
    if stimulus.lattice is not None:
        picture = picture.convert("RGB")
        _draw_places(picture, opened, stimulus, index=index)
    out = io.BytesIO()
    picture.save(out, format="PNG", optimize=True)
    return out.getvalue()


def _slice_of(stimulus: Stimulus) -> int:
    if stimulus.lattice is None:
        return stimulus.start_slice
    place = Lattice.from_json(stimulus.lattice).to_picture(stimulus.case.truth.place_lps_mm)
    return int(np.clip(round(float(place[0])), 0, stimulus.size_zyx[0] - 1))


def _draw_places(picture: "Image.Image", opened: UnblindedStudy, stimulus: Stimulus, *, index: int) -> None:
    """What was edited on this slice, and where raters marked it; marks on other slices are not shown."""
    from PIL import ImageDraw

    _, rows, columns = stimulus.size_zyx
    across, down = picture.width / columns, picture.height / rows
    draw = ImageDraw.Draw(picture)
    runs = {(y, start, stop) for z, y, start, stop in stimulus.case.truth.target.get("runs", ()) if z == index}
    inside = {(y, x) for y, start, stop in runs for x in range(start, stop)}
    for y, x in inside:
        box = (x * across, y * down, (x + 1) * across, (y + 1) * down)
        for beside, line in _edges(y, x, box).items():
            if beside not in inside:
                draw.line(line, fill=EDITED, width=2)
    for event in current_events_of_case(opened, stimulus.case.code):
        for mark in marks_of(event):
            if mark["slice"] != index:
                continue
            x, y = (mark["column"] + 0.5) * across, (mark["row"] + 0.5) * down
            draw.line((x - CROSS_PX, y, x + CROSS_PX, y), fill=MARKED, width=2)
            draw.line((x, y - CROSS_PX, x, y + CROSS_PX), fill=MARKED, width=2)


def _edges(y: int, x: int, box: Box) -> dict[tuple[int, int], Box]:
    """The sides of a pixel by the neighbour that they divide it from."""
    left, top, right, bottom = box
    return {
        (y - 1, x): (left, top, right, top),
        (y + 1, x): (left, bottom, right, bottom),
        (y, x - 1): (left, top, left, bottom),
        (y, x + 1): (right, top, right, bottom),
    }
