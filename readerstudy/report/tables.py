"""The tables of a report: ratings, cases, raters and results as CSV, ratings also as Parquet, and their codebook."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from readerstudy.analysis import DefaultAnalysis, Estimate, Reading
from readerstudy.report.data import ReportData, Row

CASE_COLUMNS = ("number", "code", "truth", "scan", "subject", "diameter_mm", "depth_mm", "generator", "kind")
RATER_COLUMNS = ("rater", "simulated", "excluded", "excluded_reason", "ratings", "superseded")
SHARES = ("accuracy", "sensitivity", "specificity", "balanced_accuracy")
COUNTS = ("n", "correct", "tp", "fn", "fp", "tn")
TESTS = ("chance_accuracy", "test", "p", "p_adjusted", "binomial_p", "fisher_p", "bf01", "d_prime", "criterion")


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(columns), lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({name: harmless(row.get(name)) for name in columns} for row in rows)
    return out.getvalue()


def harmless(value: Any) -> Any:
    """A spreadsheet would run a text that begins like a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value


def ratings_csv(data: ReportData) -> str:
    return csv_text(list(data.codebook), data.ratings)


def ratings_parquet(data: ReportData) -> bytes:
    """The same rows with types; the codebook and the hashes travel in the file's metadata."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = {name: [row.get(name) for row in data.ratings] for name in data.codebook}
    table = pa.table(columns)
    table = table.replace_schema_metadata(
        {"codebook": json.dumps(dict(data.codebook)), "hashes": json.dumps(dict(data.hashes))}
    )
    out = io.BytesIO()
    parquet.write_table(table, out, compression="zstd")
    return out.getvalue()


def codebook_csv(data: ReportData) -> str:
    return csv_text(("column", "meaning"), ({"column": name, "meaning": text} for name, text in data.codebook.items()))


def cases_csv(data: ReportData) -> str:
    rows = [{**vars(case), "truth": "synthetic" if case.synthetic else "real"} for case in data.cases]
    return csv_text(CASE_COLUMNS, rows)


def raters_csv(data: ReportData) -> str:
    rows = []
    for rater in data.raters:
        own = [row for row in data.ratings if row["rater"] == rater.number]
        rows.append(
            {
                "rater": rater.number,
                "simulated": int(rater.simulated),
                "excluded": int(rater.excluded),
                "excluded_reason": rater.excluded_reason,
                "ratings": sum(row["valid"] for row in own),
                "superseded": sum(not row["valid"] for row in own),
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


def results_csv(analysis: DefaultAnalysis, labels: Mapping[str, str]) -> str:
    rows = result_rows(analysis, labels)
    return csv_text(list(rows[0]), rows)


def imrmc_text(data: ReportData) -> str:
    """Scores in the format of iMRMC and RJafroc; more is more surely synthetic, and cases go by their number.

    The truth of a case stands in a row of reader -1 and modality 0: 1 is synthetic (signal), 0 real.
    """
    levels = int(data.study["confidence_levels"])
    number = {case.code: case.number for case in data.cases}
    readers = [rater for rater in data.raters if not rater.excluded]
    lines = [
        f"Turing Ward, study {data.study['id']}",
        "Signal: synthetic. Case numbers are those of cases.csv.",
        "Score: signed confidence." if levels else "Score: 1 for the answer synthetic, 0 for real.",
        f"N0: {sum(not case.synthetic for case in data.cases)}",
        f"N1: {sum(case.synthetic for case in data.cases)}",
        f"NR: {len(readers)}",
        "NM: 1",
        "",
        "BEGIN DATA:",
        *(f"-1,{case.number},0,{int(case.synthetic)}" for case in data.cases),
    ]
    lines += [f"{row['rater']},{number[row['case']]},1,{signed_score(row, levels=levels)}" for row in data.counted]
    return "\n".join(lines) + "\n"


def signed_score(row: Mapping[str, Any], *, levels: int) -> int:
    """1 (surely real) to 2 x levels (surely synthetic); without confidence 0 or 1."""
    synthetic = row["answer"] == "synthetic"
    if not levels:
        return int(synthetic)
    return levels + int(row["confidence"]) if synthetic else levels + 1 - int(row["confidence"])
