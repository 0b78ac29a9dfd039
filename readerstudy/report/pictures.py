"""The stimulus of a case as a picture for the results, as raters saw it but without its marker."""

import io

import numpy as np
from django.core.files.storage import default_storage

from readerstudy.models import Stimulus
from readerstudy.unblinding.opened import UnblindedStudy

SIDE_PX = 320


def stimulus_png(opened: UnblindedStudy, stimulus: Stimulus) -> bytes:
    """The slice that raters saw first, in the study's window, in true proportions."""
    from PIL import Image

    study = opened.study
    _, rows, columns = stimulus.size_zyx
    with default_storage.open(stimulus.slice_key(stimulus.start_slice), "rb") as file:
        plane = np.frombuffer(file.read(), dtype="<i2").reshape(rows, columns)
    low = study.window_center_hu - study.window_width_hu / 2
    grey = np.clip((plane.astype(np.float32) - low) * (255 / study.window_width_hu), 0, 255).astype(np.uint8)
    height_mm, width_mm = rows * stimulus.spacing_zyx_mm[1], columns * stimulus.spacing_zyx_mm[2]
    scale = SIDE_PX / max(height_mm, width_mm)
    size = (max(1, round(width_mm * scale)), max(1, round(height_mm * scale)))
    out = io.BytesIO()
    Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC).save(out, format="PNG", optimize=True)
    return out.getvalue()
