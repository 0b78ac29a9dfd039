"""The files of a report: the same numbers everywhere, reproducible, and recomputed by R."""

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import zipfile
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from readerstudy.analysis import RaterReading, auc, plan_for
from readerstudy.report.archive import report_files, text_files
from readerstudy.report.figures.catalogue import figures
from readerstudy.report.tables import imrmc_text, results_csv
from readerstudy.report.zipping import zipped
from tests.report.sample import COLUMNS, sample_report

NO_R = "Rscript with pROC is not installed: the report's R script was NOT checked"


@pytest.fixture(scope="module")
def data():
    return sample_report()


@pytest.fixture(scope="module")
def files(data):
    return report_files(data)


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_ratings_are_one_row_each_and_the_codebook_names_every_column(data, files):
    rows = table(files["ratings.csv"].decode())
    assert len(rows) == len(data.ratings)
    assert tuple(rows[0]) == COLUMNS
    explained = table(files["codebook.csv"].decode())
    for name in ("ratings", "cases", "raters", "results", "settings"):
        columns = {row["column"] for row in explained if row["table"] == name and row["meaning"]}
        assert columns == set(table(files[f"{name}.csv"].decode())[0]), name


def test_every_table_opens_without_options_and_again_for_a_spreadsheet(files):
    for name in [name for name in files if name.endswith(".csv") and "/" not in name]:
        rows = list(csv.reader(io.StringIO(files[name].decode()), strict=True))
        assert len({len(row) for row in rows}) == 1, name
        assert not files[name].startswith(b"#")
        assert files[f"spreadsheet/{name}"] == b"\xef\xbb\xbf" + files[name]


def test_the_primary_analysis_stands_in_the_results_table(data, files):
    first, primary = table(files["results.csv"].decode())[0], data.analysis.primary
    assert first["reader"] == "Primary analysis"
    assert float(first["auc"]) == primary.estimate.value
    assert (float(first["p"]), first["verdict"]) == (primary.p, primary.verdict)
    assert float(first["equivalence_low"]) == primary.equivalence.low


def test_parquet_has_the_same_rows_with_types_and_the_codebook(data, files):
    stored = pq.read_table(io.BytesIO(files["ratings.parquet"]))
    assert stored.to_pylist() == [{name: row.get(name) for name in COLUMNS} for row in data.ratings]
    assert stored.schema.field("valid").type == "bool"
    assert stored.schema.field("reading_ms").type == "int64"
    assert json.loads(stored.schema.metadata[b"codebook"]) == dict(data.codebook)


def test_numbers_per_rater_are_those_of_the_analysis_unrounded(data, files):
    rows = table(files["results.csv"].decode())[1:]
    readings = [*data.analysis.raters, data.analysis.ensemble]
    assert len(rows) == len(readings)
    for row, reading in zip(rows, readings, strict=True):
        assert float(row["correct"]) == reading.correct
        assert float(row["accuracy"]) == reading.accuracy.value
        assert float(row["accuracy_low"]) == reading.accuracy.low
        assert float(row["p"]) == reading.p


def test_the_same_study_gives_the_same_archive(data, files):
    assert zipped(report_files(data)) == zipped(files)
    with zipfile.ZipFile(io.BytesIO(zipped(files))) as archive:
        assert sorted(archive.namelist()) == sorted(files)
        assert archive.testzip() is None


def test_checksums_cover_every_file(files):
    lines = files["SHA256SUMS"].decode().splitlines()
    stated = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert stated == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name != "SHA256SUMS"
    }


def test_every_figure_is_there_twice(data, files):
    for figure in figures(data):
        assert files[f"figures/{figure.name}.svg"].startswith(b"<?xml")
        assert files[f"figures/{figure.name}.png"].startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["analysis.json", "plan.json"])
def test_json_files_hold_no_nan(files, name):
    json.loads(files[name], parse_constant=lambda constant: pytest.fail(f"{name} has {constant}"))


def test_a_text_that_a_spreadsheet_would_run_is_made_harmless():
    data = sample_report(raters=2, excluded=(2,))
    rater = data.raters[1]
    object.__setattr__(rater, "excluded_reason", '=HYPERLINK("http://example.org")')
    rows = table(text_files(data)["raters.csv"].decode())
    assert rows[1]["excluded_reason"].startswith("'=")


def read_imrmc(text):
    head, body = text.split("BEGIN DATA:\n")
    sizes = {
        line.split(":")[0]: int(line.split(":")[1])
        for line in head.splitlines()
        if line[:2] in {"N0", "N1", "NR", "NM"}
    }
    return sizes, [line.split(",") for line in body.splitlines()]


def test_imrmc_scores_give_the_same_areas(data):
    sizes, rows = read_imrmc(imrmc_text(data))
    truth = {case: int(score) for reader, case, modality, score in rows if reader == "-1"}
    assert sizes == {"N0": 12, "N1": 18, "NR": 4, "NM": 1}
    assert len(truth) == 30
    assert sum(truth.values()) == 18
    for reading in data.analysis.raters:
        own = [(truth[case], float(score)) for reader, case, _, score in rows if reader == reading.rater]
        assert len(own) == reading.n
        area = auc(truth=[t for t, _ in own], scores=[s for _, s in own])
        assert area.value == pytest.approx(reading.auc.value, abs=1e-12)


def test_excluded_raters_are_in_the_table_but_not_in_the_scores():
    data = sample_report(excluded=(4,))
    _, rows = read_imrmc(imrmc_text(data))
    assert {row[0] for row in rows} == {"-1", "1", "2", "3"}
    assert any(row["rater"] == 4 for row in data.ratings)
    assert "Rater 4" not in results_csv(data.analysis, data.rater_labels)


# Five Monte Carlo standard errors of 4,000 permutations at p = 1/2.
PERMUTATION_TOLERANCE = 0.04
CLUSTERED = {"real": 18, "synthetic": 18, "permutations": 4000}


def has_r():
    if shutil.which("Rscript") is None:
        return False
    return subprocess.run(["Rscript", "-e", "library(pROC)"], capture_output=True, check=False).returncode == 0


VARIANTS = {
    "unequal classes, constant rater, ties, missing answers": {},
    "equal classes": {"real": 15, "synthetic": 15, "seed": 8},
    "no confidence": {"levels": 0},
    "complete cases": {"missing_rule": "complete_cases", "seed": 5},
    "ties count as synthetic": {"tie_rule": "synthetic", "seed": 6},
    "half credit, other families": {
        "tie_rule": "half_credit",
        "adjustment": "fdr_bh",
        "family": "raters",
        "alpha": 0.1,
    },
    "excluded rater": {"excluded": (4,), "seed": 9},
    "one rater": {"raters": 1},
    "three cases of each patient": {"cases_of_a_patient": 3, **CLUSTERED},
    "patients of one kind": {"cases_of_a_patient": 4, "one_kind": True, "seed": 4, **CLUSTERED},
    "cases shown twice": {"repeats": 9},
    "cases shown twice of few patients, no confidence": {
        "repeats": 9,
        "cases_of_a_patient": 3,
        "levels": 0,
        **CLUSTERED,
    },
    "jackknife covariances": {"covariance": "jackknife", "cases_of_a_patient": 3, **CLUSTERED},
    "the panel's right answers": {"plan": replace(plan_for("small_panel"), permutations=500), "seed": 12},
    "the panel's right answers, half of them of each kind": {
        "plan": replace(plan_for("small_panel"), permutations=500),
        "real": 40,
        "synthetic": 40,
    },
    "the panel's right answers, one rater of real cases alone": {
        "plan": replace(plan_for("small_panel"), permutations=500),
        "real": 15,
        "synthetic": 15,
        "reals_only": True,
    },
    "the same over patients": {
        "plan": replace(plan_for("small_panel"), permutations=4000),
        "cases_of_a_patient": 3,
        "real": 18,
        "synthetic": 18,
    },
    "the majority": {"plan": replace(plan_for("ensemble"), permutations=500), "real": 15, "synthetic": 15, "raters": 5},
    "the majority of four, ties count half": {
        "plan": replace(plan_for("ensemble"), permutations=500, tie_rule="half_credit"),
        "real": 15,
        "synthetic": 15,
    },
    "the majority over patients": {
        "plan": replace(plan_for("ensemble"), permutations=4000),
        "cases_of_a_patient": 3,
        "real": 18,
        "synthetic": 18,
        "raters": 5,
    },
}


# where the services are required R is too: there its absence is a failure
@pytest.mark.skipif(not has_r() and not os.environ.get("CT_REQUIRE_SERVICES"), reason=NO_R)
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_r_finds_the_same_numbers(variant, tmp_path):
    recompute(sample_report(**variant), tmp_path)


@pytest.mark.skipif(not has_r() and not os.environ.get("CT_REQUIRE_SERVICES"), reason=NO_R)
@pytest.mark.parametrize(
    "patients", [{"seed": 1}, {"seed": 3, "cases_of_a_patient": 3, **CLUSTERED}], ids=["", "patients"]
)
def test_r_tests_nothing_where_the_majority_judged_one_kind_of_case(patients, tmp_path):
    data = sample_report(**{**patients, "real": 4, "synthetic": 8})
    assert data.analysis.ensemble.n_ties
    assert data.analysis.ensemble.accuracy.value is None
    recompute(data, tmp_path)


@pytest.mark.skipif(not has_r() and not os.environ.get("CT_REQUIRE_SERVICES"), reason=NO_R)
def test_r_needs_no_proc_where_nothing_is_scored(tmp_path):
    gone = "packageVersion <- function(...) stop('no such package'); source('recompute.R')"
    recompute(sample_report(levels=0), tmp_path, command=("-e", gone))


def recompute(data, tmp_path, *, command=("recompute.R",)):
    for name, content in text_files(data).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(["Rscript", *command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    same_primary(found["primary"], data.analysis.primary)
    same_sensitivity(found["sensitivity"], data.analysis.sensitivity)
    same_repeats(found["repeats"], data.repeats)
    assert len(found["raters"]) == len(data.analysis.raters)
    for theirs, ours in zip(found["raters"], data.analysis.raters, strict=True):
        assert theirs["rater"] == ours.rater
        same_reading(theirs, ours)
    assert found["ensemble"]["n_ties"] == data.analysis.ensemble.n_ties
    same_reading(found["ensemble"], data.analysis.ensemble)


def same_primary(theirs, ours):
    """Estimate, interval, test and equivalence of the primary analysis; None where there is nothing to compare."""
    if ours.estimate.low is None:
        return
    band = ours.equivalence
    numbers = {"estimate": ours.estimate.value, "low": ours.estimate.low, "high": ours.estimate.high}
    if band.reason is None or band.p is not None:
        numbers |= {"tost_low": band.low, "tost_high": band.high, "tost_p": band.p}
    # R draws permutations of its own.
    if "within and between patients" in ours.method:
        close(theirs.get("p"), ours.p, "primary p", tolerance=PERMUTATION_TOLERANCE)
    elif "permutation test over patients" not in ours.method:
        numbers["p"] = ours.p
    for name, value in numbers.items():
        close(theirs.get(name), value, f"primary {name}", tolerance=1e-9)


def same_repeats(theirs, ours):
    """First against second answers, of each rater and of all."""
    if ours is None:
        assert theirs is None
        return
    assert [row["rater"] for row in theirs["raters"]] == [row.rater for row in ours.raters]
    for row, own in zip([*theirs["raters"], theirs["panel"]], [*ours.raters, ours.panel], strict=True):
        assert row["n"] == own.n
        close(row["same"], own.same.value, "same", tolerance=1e-12)
        for name in ("kappa", "weighted_kappa"):
            estimate = getattr(own, name)
            for end in ("value", "low", "high") if estimate else ():
                key = name if end == "value" else f"{name}_{end}"
                close(row[key], getattr(estimate, end), f"{key} of {own.rater}", tolerance=1e-9)


def same_sensitivity(theirs, ours):
    """Every other choice, every rater and patient left out, every other margin."""
    pairs = [("other", theirs["other"], ours.other, ours.p)]
    pairs += [
        (name, theirs[name], getattr(ours, name), getattr(ours, name).p) for name in ("fixed_readers", "other_rule")
    ]
    for name in ("raters", "patients"):
        by_name = {row["left_out"]: row for row in theirs[name]}
        assert set(by_name) == {" ".join(row.left_out) for row in getattr(ours, name)}
        pairs += [(name, by_name[" ".join(row.left_out)], row, row.p) for row in getattr(ours, name)]
    for name, their_row, our_row, p in pairs:
        if our_row.low is not None:
            for key in ("value", "low", "high"):
                close(their_row[key], getattr(our_row, key), f"{name} {key}", tolerance=1e-9)
            close(their_row["p"], p, f"{name} p", tolerance=1e-9)
    for point, other in zip(ours.margins, theirs["margins"], strict=bool(ours.margins)):
        close(other["margin"], point.margin, "margin", tolerance=1e-12)
        close(other["p"], point.p, f"equivalence within {point.margin}", tolerance=1e-9)


def same_reading(theirs, ours):
    for name in ("n", "correct", "tp", "fn", "fp", "tn"):
        assert theirs[name] == getattr(ours, name), name
    numbers = {
        "accuracy": ours.accuracy.value,
        "low": ours.accuracy.low,
        "high": ours.accuracy.high,
        "binomial_p": ours.binomial_p,
        "fisher_p": ours.fisher_p,
    }
    # R draws permutations of its own: p to Monte Carlo error, and nothing that multiplies it.
    if ours.test == "permutation":
        close(theirs["permutation_p"], ours.p, "permutation_p", tolerance=PERMUTATION_TOLERANCE)
    else:
        numbers["p_adjusted"] = ours.p_adjusted
    for name, ours_value in numbers.items():
        close(theirs.get(name), ours_value, name, tolerance=1e-9)
    if isinstance(ours, RaterReading) and ours.auc is not None:
        close(theirs["auc"], ours.auc.value, "auc", tolerance=1e-6)
        close(theirs["auc_se"], ours.auc_se, "auc_se", tolerance=1e-6)


def close(theirs, ours, name, *, tolerance):
    if ours is None:
        assert theirs is None, name
    else:
        assert np.isclose(theirs, ours, rtol=0, atol=tolerance), (name, theirs, ours)
