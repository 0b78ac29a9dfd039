"""The report as files, and as one archive. The same study gives the same bytes, whenever it is made."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from readerstudy.report import tables
from readerstudy.report.data import ReportData
from readerstudy.report.figures.catalogue import figures
from readerstudy.report.figures.raster import png
from readerstudy.report.html_report import summary_html
from readerstudy.report.text import methods_paragraph, results_text

R_SCRIPT = Path(__file__).parent / "recompute.R"
# The oldest date that a zip can hold: entries must not differ by the minute they are made in.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
READABLE = 0o644

Progress = Callable[[float, str], None]


def report_files(data: ReportData, *, on_progress: Progress = lambda _fraction, _message: None) -> dict[str, bytes]:
    """File name to content. The figures take nearly all of the time."""
    drawn = figures(data)
    files = text_files(data)
    files["ratings.parquet"] = tables.ratings_parquet(data)
    for number, figure in enumerate(drawn, start=1):
        on_progress(0.1 + 0.8 * number / len(drawn), f"figure {number} of {len(drawn)}")
        files[f"figures/{figure.name}.svg"] = _standalone(figure.drawing.svg(name=figure.name))
        files[f"figures/{figure.name}.png"] = png(figure.drawing)
    files["report.html"] = summary_html(data, drawn).encode()
    files["SHA256SUMS"] = _checksums(files)
    return files


def text_files(data: ReportData) -> dict[str, bytes]:
    texts = {
        "README.txt": _readme(data),
        "methods.txt": methods_paragraph(data) + "\n",
        "results.txt": "\n\n".join(results_text(data)) + "\n",
        "ratings.csv": tables.ratings_csv(data),
        "codebook.csv": tables.codebook_csv(data),
        "cases.csv": tables.cases_csv(data),
        "raters.csv": tables.raters_csv(data),
        "results.csv": tables.results_csv(data.analysis, data.rater_labels),
        "settings.csv": tables.csv_text(("name", "value"), settings_rows(data)),
        "study.imrmc": tables.imrmc_text(data),
        "recompute.R": R_SCRIPT.read_text(),
        "analysis.json": _json(data.analysis.as_json()),
        "plan.json": _json(
            {
                "study": dict(data.study),
                "plan": dict(data.plan),
                "in_words": data.plan_in_words,
                "deviations": data.deviations,
                "hashes": dict(data.hashes),
                "flow": dict(data.flow),
            }
        ),
    }
    return {name: text.encode() for name, text in texts.items()}


def settings_rows(data: ReportData) -> list[dict[str, Any]]:
    """What the R script must know of the plan."""
    names = ("alpha", "tie_rule", "missing_rule", "adjustment", "family")
    settings = {name: getattr(data.options, name) for name in names}
    settings |= {
        "confidence_levels": data.study["confidence_levels"],
        "test": data.analysis.ensemble.test,
    }
    return [{"name": name, "value": value} for name, value in settings.items()]


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, ZIP_DATE)
            entry.external_attr = READABLE << 16
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _standalone(svg: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{svg}\n'.encode()


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str, allow_nan=False) + "\n"


def _checksums(files: dict[str, bytes]) -> bytes:
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}" for name, content in sorted(files.items())]
    return ("\n".join(lines) + "\n").encode()


def _readme(data: ReportData) -> str:
    return f"""Report of the reader study “{data.study["title"]}”

report.html      everything to read, in one file
methods.txt      a paragraph for the methods section
results.txt      the results in sentences
figures/         every figure as SVG and as PNG with 300 dpi
ratings.csv      one row per rating (ratings.parquet: the same with types); codebook.csv says what the columns mean
cases.csv        the cases with their truth
raters.csv       the raters by number
results.csv      the numbers per rater and for the ensemble, unrounded
analysis.json    the whole analysis
plan.json        the analysis plan, deviations from it, digests, flow
study.imrmc      scores for iMRMC and RJafroc
settings.csv     what recompute.R reads of the plan
recompute.R      recomputes the main numbers with base R and pROC:  Rscript recompute.R
SHA256SUMS       digests of all these files:  sha256sum -c SHA256SUMS
"""
