"""One figure of the results page as a file: the page's own drawing."""

from collections.abc import Mapping

from ctplatform.figures.drawing import standalone
from readerstudy.report.choices.page import choice_page
from readerstudy.report.figures.raster import png_of
from readerstudy.report.results_page import PageFigure, part_names, results_page
from readerstudy.results import computed_once
from readerstudy.unblinding.opened import UnblindedStudy

MEDIA_TYPES = {"svg": "image/svg+xml", "png": "image/png"}


def figure_file(opened: UnblindedStudy, name: str, form: str, asked: Mapping[str, str]) -> bytes | None:
    """None where this page, or this part of the study, has no figure of the name."""
    chosen = {part: value for part, value in asked.items() if value}
    several = opened.study.asked.task.images > 1
    page = choice_page(opened) if several else results_page(opened, chosen)
    figure = next((one for one in page.figures if one.name == name), None)
    if figure is None:
        return None
    if form == "svg":
        return standalone(figure.svg)
    return computed_once(opened, "figure", [name, *part_names(chosen)], lambda: _png(figure))


def _png(figure: PageFigure) -> bytes:
    return png_of(figure.svg, title=figure.title, description=figure.description)
