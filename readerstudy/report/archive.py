"""The report as files, and as one archive. The same study gives the same bytes, whenever it is made."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ctplatform.documents.document import Document
from ctplatform.documents.html import html_file
from ctplatform.documents.pdf import pdf
from ctplatform.figures.drawing import standalone
from readerstudy.report import tables
from readerstudy.report.arms import arms_paragraph
from readerstudy.report.checklists import checklist_rows
from readerstudy.report.data import ReportData, ReportedStudy
from readerstudy.report.figures.catalogue import Figure, figures
from readerstudy.report.figures.raster import png
from readerstudy.report.free_response_words import (
    FREE_RESPONSE_MEANINGS,
    REASON_MEANINGS,
    free_response_rows,
    reason_rows,
)
from readerstudy.report.further_words import FURTHER_MEANINGS, further_paragraph, further_rows
from readerstudy.report.groups_words import GROUP_MEANINGS, group_rows
from readerstudy.report.mark_map_words import (
    MARKS_BY_ARM_MEANINGS,
    MARKS_MEANINGS,
    REASONS_BY_ARM_MEANINGS,
    arm_reason_rows,
    arm_rows,
    mark_rows,
)
from readerstudy.report.phases_words import phases_words
from readerstudy.report.places_words import PLACES_MEANINGS, places_paragraph, places_rows
from readerstudy.report.programs import programs_words
from readerstudy.report.results_text import results_text
from readerstudy.report.text import methods_paragraph
from readerstudy.report.written import report_document
from readerstudy.report.zipping import checksums

R_SCRIPTS = [
    Path(__file__).parent / name
    for name in (
        "recompute.R",
        "patients.R",
        "primary.R",
        "sensitivity.R",
        "repeats.R",
        "phases.R",
        "arms.R",
        "groups.R",
    )
]

Progress = Callable[[float, str], None]


def report_files(data: ReportData, *, on_progress: Progress = lambda _fraction, _message: None) -> dict[str, bytes]:
    """File name to content."""
    drawn = figures(data)
    texts, document = text_files(data), report_document(data, drawn)
    return with_pictures(texts, data, drawn, document, on_progress=on_progress)


def with_pictures(
    texts: Mapping[str, bytes],
    data: ReportedStudy,
    drawn: Sequence[Figure],
    document: Document,
    *,
    on_progress: Progress,
) -> dict[str, bytes]:
    """The files of text with all others of a report. The figures take nearly all of the time."""
    files = {**texts, "ratings.parquet": tables.ratings_parquet(data)}
    for number, figure in enumerate(drawn, start=1):
        on_progress(0.1 + 0.8 * number / len(drawn), f"figure {number} of {len(drawn)}")
        files[f"figures/{figure.name}.svg"] = standalone(figure.drawing.svg(name=figure.name))
        files[f"figures/{figure.name}.png"] = png(figure.drawing)
    files["report.html"] = html_file(document).encode()
    files["report.pdf"] = pdf(document)
    files["SHA256SUMS"] = checksums(files)
    return files


def text_files(data: ReportData) -> dict[str, bytes]:
    texts = {
        "README.txt": _readme(data),
        "methods.txt": methods_paragraph(data) + "\n",
        "results.txt": "\n\n".join(_results(data)) + "\n",
        "ratings.csv": tables.ratings_csv(data),
        "codebook.csv": tables.codebook_csv(data),
        "cases.csv": tables.cases_csv(data),
        "arms.csv": tables.arms_csv(data.arms),
        "further.csv": tables.csv_text(list(FURTHER_MEANINGS), further_rows(data.further)),
        "places.csv": tables.csv_text(list(PLACES_MEANINGS), places_rows(data.places)),
        "free_response.csv": tables.csv_text(list(FREE_RESPONSE_MEANINGS), free_response_rows(data.free_response)),
        "reasons.csv": tables.csv_text(list(REASON_MEANINGS), reason_rows(data.free_response)),
        "marks.csv": tables.csv_text(list(MARKS_MEANINGS), mark_rows(data.mark_map)),
        "marks_by_arm.csv": tables.csv_text(list(MARKS_BY_ARM_MEANINGS), arm_rows(data.mark_map)),
        "reasons_by_arm.csv": tables.csv_text(list(REASONS_BY_ARM_MEANINGS), arm_reason_rows(data.mark_map)),
        "raters.csv": tables.raters_csv(data),
        "programs.csv": tables.programs_csv(data),
        "repeats.csv": tables.repeats_csv(data),
        **tables.phase_files(data),
        "groups.csv": tables.csv_text(list(GROUP_MEANINGS), group_rows(data)),
        "ratings_of_programs.csv": tables.ratings_of_programs_csv(data),
        "results.csv": tables.results_csv(data.analysis, data.rater_labels, data.phases),
        "sensitivity.csv": tables.sensitivity_csv(data),
        "settings.csv": tables.csv_text(("name", "value"), settings_rows(data)),
        "guidelines.csv": tables.csv_text(tuple(tables.GUIDELINE_MEANINGS), checklist_rows(data)),
        "study.imrmc": tables.imrmc_text(data),
        **{script.name: script.read_text() for script in R_SCRIPTS},
        "task.R": data.task.script_text(),
        "analysis.json": as_text(data.analysis.as_json()),
        "plan.json": plan_json(data),
        "blinding.json": as_text(dict(data.blinding)),
    }
    files = {name: text.encode() for name, text in texts.items()}
    return {**files, **tables.for_spreadsheets(files)}


def settings_rows(data: ReportData) -> list[dict[str, Any]]:
    """What the R script must know of the plan."""
    names = ("alpha", "tie_rule", "missing_rule", "adjustment", "family", "permutations", "covariance")
    settings = {name: getattr(data.options, name) for name in names}
    settings |= {
        "margin": data.analysis.primary.equivalence.margin,
        "test": data.analysis.ensemble.test,
        "rater_tests": " ".join(reading.test for reading in data.analysis.raters),
        "primary_kind": tables.primary_kind(data.analysis.primary),
        "unit": data.analysis.design.unit,
        "primary": data.plan.get("primary", ""),
        "compared_margin": data.plan.get("compared_margin", data.options.margin),
        "balanced": "no" if data.options.balanced is False else "yes",
        **data.task.script_settings(),
        **tables.phase_settings(data.phases),
    }
    # One row of each arm: names may hold whatever would part them in one.
    arms = [("arm", reading.arm) for reading in data.arms.readings] if data.arms else []
    arms += [("compared_arm", name) for name in data.plan.get("compared_arms") or ()]
    return [{"name": name, "value": value} for name, value in [*settings.items(), *arms]]


def plan_json(data: ReportedStudy) -> str:
    return as_text(
        {
            "study": dict(data.study),
            "plan": dict(data.plan),
            "in_words": data.plan_in_words,
            "deviations": data.deviations,
            "hashes": dict(data.hashes),
            "flow": dict(data.flow),
        }
    )


def as_text(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str, allow_nan=False) + "\n"


def _results(data: ReportData) -> list[str]:
    paragraphs = [places_paragraph(data), arms_paragraph(data), further_paragraph(data)]
    phases = [] if data.phases is None else [" ".join(phases_words(data.phases))]
    return [*results_text(data), *filter(None, paragraphs), *programs_words(data), *phases]


def _readme(data: ReportData) -> str:
    return f"""Report of the reader study “{data.study["title"]}”

report.html      everything to read, in one file (report.pdf: the same on paper)
methods.txt      a paragraph for the methods section
results.txt      the results in sentences
figures/         every figure as SVG and as PNG with 300 dpi
ratings.csv      one row per rating (ratings.parquet: the same with types); codebook.csv says what the columns of every
                 table mean
cases.csv        the cases with their truth
arms.csv         the arms against the real cases and against each other, where there are several
further.csv      answers to further questions by arm, where any were asked
places.csv       marked places by rater and radius, where one was asked for
free_response.csv  the same where any number of places was asked for; reasons.csv counts why they were marked
marks.csv        every mark from the middle of the nearest edit and from that of its picture; marks_by_arm.csv sums
                 them up, reasons_by_arm.csv counts why they were set
raters.csv       the raters by number, with what they wrote when they were asked at the end, as they wrote it
programs.csv     programs that read beside the raters; ratings_of_programs.csv has their answers
groups.csv       the panel's measure by group of raters, and the difference of two, where raters have groups
repeats.csv      how raters agree with themselves on cases that were shown twice, where there were any
phases.csv       the change of raters against the earlier study that this one continues, where both asked the same;
                 phase_answers.csv has the answers of both that were compared
results.csv      the primary analysis, and the numbers per rater and for the ensemble, unrounded
sensitivity.csv  the primary measure by other choices, without each rater and each patient, and along other margins
guidelines.csv   where the report says what STARD-AI 2025 and CLAIM 2024 ask for
spreadsheet/     the same tables for spreadsheets, which need a mark (BOM) to read letters beyond ASCII
analysis.json    the whole analysis
plan.json        the analysis plan, deviations from it, digests, flow
blinding.json    the checks for blinding leaks: what was looked at, what could have been found, how often it was tried
study.imrmc      scores for iMRMC and RJafroc
settings.csv     what recompute.R reads of the plan
recompute.R      recomputes the main numbers with base R, areas with pROC:  Rscript recompute.R
primary.R        what recompute.R needs for the primary analysis: estimate, interval, equivalence, permutation
sensitivity.R    the same by other choices, without each rater and each patient, and along other margins
repeats.R        the agreement of raters with themselves on cases that were shown twice
phases.R         the change against the earlier phase, from phase_answers.csv
arms.R           the arms against the real cases and against each other
groups.R         the difference of two groups of raters
task.R           what recompute.R needs of the question: calls and scores from the columns of ratings.csv
patients.R       what recompute.R needs where patients give several cases
SHA256SUMS       digests of all these files:  sha256sum -c SHA256SUMS
"""
