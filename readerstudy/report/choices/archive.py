"""The report on trials that show several images at a time as files. The same study gives the same bytes."""

from pathlib import Path
from typing import Any

from readerstudy.analysis.default.json_form import as_json
from readerstudy.report import tables
from readerstudy.report.archive import Progress, as_text, plan_json, with_pictures
from readerstudy.report.checklists import checklist_rows
from readerstudy.report.choices import words
from readerstudy.report.choices.figures import choice_figures
from readerstudy.report.choices.report import ChoiceReport
from readerstudy.report.choices.tables import CHOICE_TABLES, arm_rows, program_rows, result_rows, trial_rows
from readerstudy.report.choices.written import choice_document
from readerstudy.report.further_words import FURTHER_MEANINGS, further_rows
from readerstudy.report.groups_words import GROUP_MEANINGS, group_rows

R_SCRIPTS = {
    "recompute.R": Path(__file__).with_name("recompute.R"),
    **{script.name: script for script in (tables.PATIENTS_R, tables.PRIMARY_R, tables.PHASES_R)},
}


def choice_files(report: ChoiceReport, *, on_progress: Progress = lambda _fraction, _message: None) -> dict[str, bytes]:
    """File name to content."""
    drawn = choice_figures(report)
    texts, document = choice_text_files(report), choice_document(report, drawn)
    return with_pictures(texts, report, drawn, document, on_progress=on_progress)


def choice_text_files(report: ChoiceReport) -> dict[str, bytes]:
    rows = {
        "results": result_rows(report),
        "trials": trial_rows(report),
        "arms": arm_rows(report),
        "programs": program_rows(report),
        "grades": report.grades,
    }
    texts = {
        "README.txt": _readme(report),
        "methods.txt": words.methods_paragraph(report) + "\n",
        "results.txt": "\n\n".join(words.results_text(report)) + "\n",
        "ratings.csv": tables.ratings_csv(report),
        "codebook.csv": tables.codebook_of(
            {**tables.general_tables(report), **CHOICE_TABLES, "further": FURTHER_MEANINGS, "groups": GROUP_MEANINGS}
        ),
        "cases.csv": tables.cases_csv(report),
        "raters.csv": tables.raters_csv(report),
        "groups.csv": tables.csv_text(list(GROUP_MEANINGS), group_rows(report)),
        "further.csv": tables.csv_text(list(FURTHER_MEANINGS), further_rows(report.further)),
        "ratings_of_programs.csv": tables.ratings_of_programs_csv(report),
        **{f"{name}.csv": tables.csv_text(list(CHOICE_TABLES[name]), own) for name, own in rows.items()},
        **tables.phase_files(report),
        "settings.csv": tables.csv_text(("name", "value"), _settings(report)),
        "guidelines.csv": tables.csv_text(tuple(tables.GUIDELINE_MEANINGS), checklist_rows(report)),
        **{name: script.read_text() for name, script in R_SCRIPTS.items()},
        "analysis.json": as_text(as_json(report.results)),
        "plan.json": plan_json(report),
        "blinding.json": as_text(dict(report.blinding)),
    }
    files = {name: text.encode() for name, text in texts.items()}
    return {**files, **tables.for_spreadsheets(files)}


def _settings(report: ChoiceReport) -> list[dict[str, Any]]:
    """What the R script must know of plan and task."""
    task = report.task
    settings = {
        "alpha": report.alpha,
        "margin": report.plan["margin"],
        "unit": report.plan["unit"],
        "images": task.images,
        "matched": int(task.put_together()["matched"]),
        "right_choice": int(task.right_choice),
        "confidence": int(bool(report.results.sureness)),
        **tables.phase_settings(report.phases),
    }
    return [{"name": name, "value": value} for name, value in settings.items()]


def _readme(report: ChoiceReport) -> str:
    return f"""Report of the reader study “{report.study["title"]}”

Raters chose one of several images that were shown together.

report.html      everything to read, in one file (report.pdf: the same on paper)
methods.txt      a paragraph for the methods section
results.txt      the results in sentences
figures/         every figure as SVG and as PNG with 300 dpi
ratings.csv      one row per choice, about the image that was chosen (ratings.parquet: the same with types);
                 codebook.csv says what the columns of every table mean
trials.csv       which images stood together, their truth, and how many raters chose each
cases.csv        the images with their truth
results.csv      the exact joint test, and the numbers per rater and of the panel, unrounded
arms.csv         how often the images of each arm were chosen, and abilities
raters.csv       the raters by number, with what they wrote when they were asked at the end, as they wrote it
groups.csv       the share of right choices by group of raters, and the difference of two, where raters have groups
further.csv      answers to further questions by arm, where any were asked of the images; grades.csv has each rater's
programs.csv     programs that read beside the raters; ratings_of_programs.csv has their choices
guidelines.csv   where the report says what STARD-AI 2025 and CLAIM 2024 ask for
spreadsheet/     the same tables for spreadsheets, which need a mark (BOM) to read letters beyond ASCII
analysis.json    the whole analysis
plan.json        the analysis plan, deviations from it, digests, flow
blinding.json    the checks for blinding leaks: what was looked at, what could have been found, how often it was tried
settings.csv     what recompute.R reads of the plan
recompute.R      recomputes the numbers with base R:  Rscript recompute.R
patients.R       what recompute.R needs where patients give several trials
phases.csv       the change of raters against the earlier study that this one continues, where both asked the same;
                 phase_answers.csv has the answers of both that were compared
phases.R         the same from phase_answers.csv, with what it needs in primary.R
SHA256SUMS       digests of all these files:  sha256sum -c SHA256SUMS

There is no input for iMRMC, no sensitivity analysis and no ROC curve: single images got no score.
"""
