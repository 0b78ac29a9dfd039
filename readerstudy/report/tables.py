"""The tables of a report: ratings, cases, raters and results as CSV, ratings also as Parquet, and their codebook."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from ctplatform.spreadsheets import harmless
from readerstudy.analysis import AREA, ArmsComparison, DefaultAnalysis, Estimate, PrimaryTest, Reading
from readerstudy.report.data import Phases, ReportData, ReportedStudy, Row
from readerstudy.report.free_response_words import FREE_RESPONSE_MEANINGS, REASON_MEANINGS
from readerstudy.report.further_words import FURTHER_MEANINGS
from readerstudy.report.groups_words import GROUP_MEANINGS
from readerstudy.report.mark_map_words import (
    MARKS_BY_ARM_MEANINGS,
    MARKS_MEANINGS,
    REASONS_BY_ARM_MEANINGS,
)
from readerstudy.report.phase_answers import ANSWERS_MEANINGS
from readerstudy.report.phases_words import PHASES_MEANINGS, phases_rows, planned_row
from readerstudy.report.places_words import PLACES_MEANINGS
from readerstudy.report.sensitivity import SENSITIVITY_MEANINGS, sensitivity_rows
from readerstudy.tasks.task import GivenAnswer

PATIENTS_R, PRIMARY_R, PHASES_R = (Path(__file__).with_name(f"{name}.R") for name in ("patients", "primary", "phases"))
CASE_COLUMNS = (
    *("number", "code", "truth", "control", "arm", "scan", "patient", "dataset", "subject", "host_scan"),
    *("diameter_mm", "depth_mm", "generator", "kind"),
)
RATER_COLUMNS = (
    *("rater", "simulated", "excluded", "excluded_reason", "experience_years", "group"),
    *("ratings", "second", "superseded", "display_checks", "display_checks_passed", "screens"),
    "at_the_end",
)
CASE_MEANINGS = {
    "number": "Number of the case, from 1 in the order of the codes",
    "code": "Code of the case, as in ratings",
    "truth": "real or synthetic",
    "control": "1: a positive control, or what stood beside one in its trial; counted apart",
    "arm": "real, or the program that made the case and what it did",
    "scan": "Name of the scan that the case shows",
    "patient": "Number of the patient in this study: the unit of the analysis, the same for all cases of one",
    "dataset": "Name of the dataset that the patient belongs to",
    "subject": "Neutral name of the patient within that dataset",
    "host_scan": "Name of the acquired scan that an edited scan was made of; otherwise the scan itself",
    "diameter_mm": "Diameter of the lesion in mm",
    "depth_mm": "Depth of the place below the surface of the liver in mm",
    "generator": "What made the synthetic lesion",
    "kind": "Kind of the synthetic lesion",
}
PROGRAM_MEANINGS = {
    "program": "Name, version and beginning of the SHA-256 of a program that read",
    "runs": "How often it read; scores of several runs are averaged",
    "n_answered": "Cases that it answered",
    "called_synthetic": "Share of its answers that were synthetic",
    "auc": "Its own area",
    "auc_low": "Lower limit of its interval (logit scale)",
    "auc_high": "Upper limit of its interval",
    "difference": "The raters' mean area less the program's, raters and patients (or cases, by the plan) random",
    "difference_low": "Lower limit of its interval",
    "difference_high": "Upper limit of its interval",
    "se": "Standard error of the difference",
    "df": "Degrees of freedom of the difference",
    "p": "Two-sided p-value of no difference",
    "same_errors": "Share of the raters' wrong answers on cases that the program got wrong too",
    "reason": "Why something is missing",
}
REPEAT_MEANINGS = {
    "rater": "Number of the rater; empty: all raters together, each against the own first answers",
    "n": "Cases that were answered twice, summed over the raters",
    "n_patients": "Patients of these cases",
    "same": "Share of the answers that stayed",
    "same_low": "Lower limit of its interval",
    "same_high": "Upper limit of its interval",
    "kappa": "Cohen's kappa of first and second answers; of all raters stratified by rater",
    "kappa_low": "Lower limit of its interval",
    "kappa_high": "Upper limit of its interval",
    "weighted_kappa": "The same of the scores with quadratic weights: the intraclass correlation",
    "weighted_kappa_low": "Lower limit of its interval",
    "weighted_kappa_high": "Upper limit of its interval",
    "reason": "Why kappa or its interval is missing",
}
ARM_MEANINGS = {
    "arm": "The arm, or two arms that are compared (first minus second)",
    "n_cases": "Cases of the arm",
    "n_ratings": "Answers to them",
    "called_synthetic": "Mean of the raters' shares of these answers that were synthetic",
    "called_synthetic_low": "Lower limit of the interval of called_synthetic",
    "called_synthetic_high": "Upper limit of the interval of called_synthetic",
    "auc": "Reader-averaged area against all real cases; of two arms the difference",
    "auc_low": "Lower limit of the interval of auc",
    "auc_high": "Upper limit of the interval of auc",
    "p": "Two-sided p-value against chance; of two arms that their areas are equal",
    "p_adjusted": "p-value adjusted by Holm over the arms, or over the pairs of arms",
    "planned": "1: named in the analysis plan, a family of its own; 0: exploratory",
    "equivalence_p": "Of two arms that the plan names: p-value of the two one-sided tests within its margin",
    "equivalence_p_adjusted": "The same adjusted by Holm over the planned pairs",
    "equivalence_low": "Lower limit of the interval that these tests agree with, before the adjustment",
    "equivalence_high": "Upper limit of that interval",
    "margin": "Margin of equivalence of two arms, 0.15 is 15 points",
    "equivalent": "1: equal within the margin; 0: not shown; empty: not assessable, or not named in the plan",
    "reason": "Why something is missing",
}
RATER_MEANINGS = {
    "rater": "Number of the rater within the study",
    "simulated": "1: a virtual rater of a dry run, not a person",
    "excluded": "1: excluded from the analysis",
    "excluded_reason": "Why the coordinator excluded this rater",
    "experience_years": "Years of reading abdominal CT, as the rater said before the lock; empty: not said",
    "group": "Group of raters as frozen at the lock; empty: none",
    "ratings": "Ratings that count, those of positive controls too",
    "second": "Ratings of cases that the rater had seen before: they serve the agreement with oneself alone",
    "superseded": "Ratings that the rater replaced by a later one",
    "display_checks": "How often the rater's screen was checked for grey steps near black and white",
    "display_checks_passed": "How many of these checks were passed",
    "screens": "Screens of the checks: size in pixels of the page and device pixels per pixel",
    "at_the_end": "What the rater wrote when asked once after the last case; empty: nothing, or nothing was asked",
}
RESULT_MEANINGS = {
    "reader": "Primary analysis, the change against the earlier phase that the plan names, a rater, or the ensemble",
    "n": "Cases answered",
    "correct": "Right answers; a tie of the ensemble may count half",
    "tp": "Synthetic cases called synthetic",
    "fn": "Synthetic cases called real",
    "fp": "Real cases called synthetic",
    "tn": "Real cases called real",
    "accuracy": "Share of right answers",
    "sensitivity": "Share of synthetic cases called synthetic",
    "specificity": "Share of real cases called real",
    "balanced_accuracy": "Mean of sensitivity and specificity",
    "auc": "Area under the ROC curve",
    "change": "This phase less the earlier one, where the plan names that comparison; phases.csv has the rest",
    "share_called_synthetic": "Share of the answers that were synthetic",
    "chance_accuracy": "Value under chance",
    "test": "The test that p comes from",
    "p": "Two-sided p-value against chance",
    "p_adjusted": "p-value adjusted over the family",
    "binomial_p": "Exact binomial test against one half",
    "fisher_p": "Fisher's exact test",
    "bf01": "Bayes factor for chance",
    "d_prime": "d prime, log-linear correction",
    "criterion": "Criterion; above 0: reluctant to say synthetic",
    "equivalence_p": "p-value of the two one-sided tests of equivalence",
    "margin": "Margin of equivalence, 0.15 is 15 points",
    "verdict": "What the data allow to say",
}
GUIDELINE_MEANINGS = {
    "guideline": "STARD-AI 2025 or CLAIM 2024",
    "item": "Number of the item",
    "topic": "What it asks for, in short",
    "where": "Sections and files of the report that say it; not stated: for the authors to say",
}
# Of a long table.
ROWS_OF_A_PART = 500
# Without it spreadsheets take UTF-8 for an old character set.
BOM = b"\xef\xbb\xbf"
TRUE_OR_FALSE = {"simulated", "excluded", "valid", "correct", "control", "again"}
SHARES = ("accuracy", "sensitivity", "specificity", "balanced_accuracy")
CHANGE = ("change", "change_low", "change_high")
COUNTS = ("n", "correct", "tp", "fn", "fp", "tn")
TESTS = (
    "share_called_synthetic",
    "chance_accuracy",
    "test",
    "p",
    "p_adjusted",
    "binomial_p",
    "fisher_p",
    "bf01",
    "d_prime",
    "criterion",
)


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(csv_parts(columns, rows))


def csv_parts(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The table part by part, so that a long one is never held as a whole."""
    left, head = iter(rows), [list(columns)]
    while some := [*head, *([harmless(row.get(name)) for name in columns] for row in islice(left, ROWS_OF_A_PART))]:
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(some)
        yield out.getvalue()
        head = []


def ratings_csv(data: ReportedStudy) -> str:
    return csv_text(list(data.codebook), data.ratings)


def ratings_parquet(data: ReportedStudy) -> bytes:
    """The same rows with types; the codebook and the hashes travel in the file's metadata."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = {name: [_typed(name, row.get(name)) for row in data.ratings] for name in data.codebook}
    table = pa.table(columns)
    table = table.replace_schema_metadata(
        {"codebook": json.dumps(dict(data.codebook)), "hashes": json.dumps(dict(data.hashes))}
    )
    out = io.BytesIO()
    parquet.write_table(table, out, compression="zstd")
    return out.getvalue()


def _typed(column: str, value: Any) -> Any:
    """Truth values and moments as such, where a text table has 0, 1 and ISO 8601."""
    if value is None:
        return None
    if column in TRUE_OR_FALSE:
        return bool(value)
    return datetime.fromisoformat(value) if column.endswith("_at") else value


def codebook_csv(data: ReportData) -> str:
    """Every column of every table of the report."""
    return codebook_of(
        {
            **general_tables(data),
            "arms": ARM_MEANINGS,
            "programs": PROGRAM_MEANINGS,
            "repeats": REPEAT_MEANINGS,
            "groups": GROUP_MEANINGS,
            "further": FURTHER_MEANINGS,
            "places": PLACES_MEANINGS,
            "free_response": FREE_RESPONSE_MEANINGS,
            "reasons": REASON_MEANINGS,
            "marks": MARKS_MEANINGS,
            "marks_by_arm": MARKS_BY_ARM_MEANINGS,
            "reasons_by_arm": REASONS_BY_ARM_MEANINGS,
            "results": {name: result_meaning(name) for name in result_table(data.analysis, data.rater_labels)[0]},
            "sensitivity": SENSITIVITY_MEANINGS,
        }
    )


def general_tables(data: ReportedStudy) -> dict[str, Mapping[str, str]]:
    """The columns of the tables that every report has."""
    return {
        "ratings": data.codebook,
        "cases": {name: CASE_MEANINGS[name] for name in CASE_COLUMNS},
        "raters": {name: RATER_MEANINGS[name] for name in RATER_COLUMNS},
        "phases": PHASES_MEANINGS,
        "phase_answers": ANSWERS_MEANINGS,
        "guidelines": GUIDELINE_MEANINGS,
        "settings": {"name": "Name of a choice of the plan", "value": "What was chosen"},
    }


def codebook_of(tables: Mapping[str, Mapping[str, str]]) -> str:
    rows = [
        {"table": table, "column": name, "meaning": text}
        for table, columns in tables.items()
        for name, text in columns.items()
    ]
    return csv_text(("table", "column", "meaning"), rows)


def for_spreadsheets(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The tables once more, with the mark that spreadsheets need."""
    return {f"spreadsheet/{name}": BOM + content for name, content in files.items() if name.endswith(".csv")}


def cases_csv(data: ReportedStudy) -> str:
    rows = [
        {**vars(case), "truth": "synthetic" if case.synthetic else "real", "control": int(case.control)}
        for case in data.cases
    ]
    return csv_text(CASE_COLUMNS, rows)


def arms_csv(arms: ArmsComparison | None) -> str:
    """One row per arm, then one per pair of arms; no row where all synthetic cases are of one arm."""
    rows: list[Row] = []
    for reading in arms.readings if arms else ():
        known: Row = {name: getattr(reading, name) for name in ("arm", "n_cases", "n_ratings", "p", "p_adjusted")}
        known["planned"] = int(reading.planned)
        shares = _interval("called_synthetic", reading.called_synthetic) | _interval("auc", reading.auc)
        rows.append(known | shares | {"reason": (reading.auc or reading.called_synthetic).reason})
    for pair in arms.contrasts if arms else ():
        known = {"arm": f"{pair.first} – {pair.second}", "p": pair.p, "p_adjusted": pair.p_adjusted}
        known["planned"] = int(pair.planned)
        band, reason = pair.equivalence, pair.difference.reason
        if band is not None:
            known |= {f"equivalence_{name}": getattr(band, name) for name in ("p", "p_adjusted", "low", "high")}
            known |= {"margin": band.margin, "equivalent": None if band.equivalent is None else int(band.equivalent)}
            reason = band.reason or reason
        rows.append(known | _interval("auc", pair.difference) | {"reason": reason})
    return csv_text(list(ARM_MEANINGS), rows)


def programs_csv(data: ReportData) -> str:
    """One row per program that read."""
    rows = [
        {
            **{name: getattr(reading, name) for name in PROGRAM_MEANINGS if hasattr(reading, name)},
            **_interval("auc", reading.auc),
            **_interval("difference", reading.difference),
            "reason": reading.difference.reason,
        }
        for reading in data.programs
    ]
    return csv_text(list(PROGRAM_MEANINGS), rows)


def repeats_csv(data: ReportData) -> str:
    """One row per rater and one of all together; no row where no case was shown twice."""
    repeats = data.repeats
    rows = [
        {
            **{name: getattr(one, name) for name in ("rater", "n", "n_patients")},
            **_interval("same", one.same),
            **_interval("kappa", one.kappa),
            **_interval("weighted_kappa", one.weighted_kappa),
            "reason": one.kappa.reason,
        }
        for one in ((*repeats.raters, repeats.panel) if repeats else ())
    ]
    return csv_text(list(REPEAT_MEANINGS), rows)


def ratings_of_programs_csv(data: ReportedStudy) -> str:
    return csv_text(["reading_program", *data.codebook], data.ratings_of_programs)


def sensitivity_csv(data: ReportData) -> str:
    return csv_text(list(SENSITIVITY_MEANINGS), sensitivity_rows(data.analysis.sensitivity))


def raters_csv(data: ReportedStudy) -> str:
    rows = []
    for rater in data.raters:
        own = [row for row in data.ratings if row["rater"] == rater.number]
        rows.append(
            {
                "rater": rater.number,
                "simulated": int(rater.simulated),
                "excluded": int(rater.excluded),
                "excluded_reason": rater.excluded_reason,
                "experience_years": rater.experience_years,
                "group": rater.group,
                "ratings": sum(row["valid"] and not row["again"] for row in own),
                "second": sum(row["valid"] and row["again"] for row in own),
                "superseded": sum(not row["valid"] for row in own),
                "display_checks": rater.display.checks if rater.display else 0,
                "display_checks_passed": rater.display.passed if rater.display else 0,
                "screens": "; ".join(rater.display.screens) if rater.display else "",
                "at_the_end": rater.at_the_end or "",
            }
        )
    return csv_text(RATER_COLUMNS, rows)


def result_rows(analysis: DefaultAnalysis, labels: Mapping[str, str]) -> list[Row]:
    """One flat row per rater and one for the ensemble: the numbers of the analysis, unrounded."""
    rows = [_flat(labels[reading.rater], reading, auc=reading.auc) for reading in analysis.raters]
    return [*rows, _flat("Ensemble (majority)", analysis.ensemble, auc=None)]


def _flat(label: str, reading: Reading, *, auc: Estimate | None) -> Row:
    row: Row = {"reader": label, **{name: getattr(reading, name) for name in COUNTS}}
    for name in SHARES:
        row |= _interval(name, getattr(reading, name))
    row |= _interval("auc", auc)
    return row | {name: getattr(reading, name) for name in TESTS} | {"verdict": reading.verdict.value}


def _interval(name: str, share: Estimate | None) -> Row:
    value, low, high = (share.value, share.low, share.high) if share else (None, None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def primary_kind(primary: PrimaryTest) -> str:
    """Which test the primary analysis was in the end."""
    method = primary.method
    kinds = {"Obuchowski": "auc", "majority": "ensemble", "case-label": "permutation"}
    return next((kind for start, kind in kinds.items() if method.startswith(start)), "none")


def primary_row(primary: PrimaryTest) -> Row:
    band = primary.equivalence
    measure = "auc" if primary.measure == "AUC" else "accuracy"
    return {
        "reader": "Primary analysis",
        **_interval(measure, primary.estimate),
        "chance_accuracy": primary.null,
        "test": primary.method,
        "p": primary.p,
        "equivalence_low": band.low,
        "equivalence_high": band.high,
        "equivalence_p": band.p,
        "margin": band.margin,
        "verdict": primary.verdict.value,
    }


def result_table(analysis: DefaultAnalysis, labels: Mapping[str, str], phases: Phases | None = None) -> list[Row]:
    """The primary analysis and a planned change, then one row per rater and the ensemble, all with the same columns."""
    rows = result_rows(analysis, labels)
    first, change = primary_row(analysis.primary), planned_row(phases)
    columns = dict.fromkeys([*rows[0], *first, *CHANGE])
    return [{name: row.get(name) for name in columns} for row in (first, *([change] if change else []), *rows)]


def results_csv(analysis: DefaultAnalysis, labels: Mapping[str, str], phases: Phases | None = None) -> str:
    rows = result_table(analysis, labels, phases)
    return csv_text(list(rows[0]), rows)


def phase_files(data: ReportedStudy) -> dict[str, str]:
    """What every archive holds of the earlier phase; tables without rows where the study continues none."""
    answers = data.phases.answers if data.phases else ()
    return {
        "phases.csv": csv_text(list(PHASES_MEANINGS), phases_rows(data.phases)),
        "phase_answers.csv": csv_text(list(ANSWERS_MEANINGS), answers),
    }


def phase_settings(phases: Phases | None) -> Row:
    """What the R script must know of the comparison; nothing where there is none."""
    change = phases.change if phases else None
    if change is None:
        return {}
    band = change.judged.equivalence if change.judged else None
    return {
        "phase_scored": int(change.measure == AREA),
        "phase_same": int(change.same_images),
        "phase_side": change.judged.side if change.judged else "two_sided",
        "phase_margin": "" if band is None else band.margin,
    }


def result_meaning(column: str) -> str:
    """What a column of results.csv means; limits of intervals follow from the column that they belong to."""
    for end, side in (("_low", "Lower"), ("_high", "Upper")):
        if column.endswith(end):
            return f"{side} limit of the interval of {column.removesuffix(end)}"
    return RESULT_MEANINGS[column]


def imrmc_text(data: ReportData) -> str:
    """Scores in the format of iMRMC and RJafroc; more is more surely synthetic, and cases go by their number.

    The truth of a case stands in a row of reader -1 and modality 0: 1 is synthetic (signal), 0 real.
    """
    task = data.task
    number = {case.code: case.number for case in data.cases}
    readers = [rater for rater in data.raters if not rater.excluded]
    lines = [
        f"Turing Ward, study {data.study['id']}",
        "Signal: synthetic. Case numbers are those of cases.csv.",
        f"Score: {task.score_title}.",
        f"N0: {sum(not case.synthetic for case in data.judged_cases)}",
        f"N1: {sum(case.synthetic for case in data.judged_cases)}",
        f"NR: {len(readers)}",
        "NM: 1",
        "",
        "BEGIN DATA:",
        *(f"-1,{case.number},0,{int(case.synthetic)}" for case in data.judged_cases),
    ]
    scored = ((row, task.score(GivenAnswer.of_row(row))) for row in data.counted)
    lines += [f"{row['rater']},{number[row['case']]},1,{score:g}" for row, score in scored]
    return "\n".join(lines) + "\n"
