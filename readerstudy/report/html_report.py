"""The report as one HTML file that needs nothing else: figures inside, no script, no network."""

from collections.abc import Sequence
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from readerstudy.report.data import ReportData, Row
from readerstudy.report.figures.catalogue import Figure
from readerstudy.report.panel_lines import panel_lines, rater_details
from readerstudy.report.tables import result_rows
from readerstudy.report.text import level_percent, methods_paragraph, p_number, results_text


def summary_html(data: ReportData, drawn: Sequence[Figure]) -> str:
    context = {
        "data": data,
        "primary": data.analysis.primary,
        "results": results_text(data),
        "methods": methods_paragraph(data),
        "rater_details": rater_details(data),
        "lines": panel_lines(data),
        "status": data.analysis.status,
        "rows": [_printed(row) for row in result_rows(data.analysis, data.rater_labels)],
        "level": level_percent(data.options),
        "figures": [{"title": figure.drawing.title, "svg": inline(figure)} for figure in drawn],
    }
    return render_to_string("readerstudy/report_file.html", context)


def _printed(row: Row) -> Row:
    return {**row, **{name: p_number(row[name]) for name in ("p", "p_adjusted")}}


def inline(figure: Figure) -> Any:
    """Drawing.svg escapes every text that it is given."""
    return mark_safe(figure.drawing.svg(name=figure.name))  # noqa: S308
