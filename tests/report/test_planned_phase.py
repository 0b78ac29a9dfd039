"""A planned change against the earlier phase in sentences, files and R, without a database."""

import csv
import io
import json
import os
import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from readerstudy.analysis import AnalysisPlan, PlannedChange, compare_phases
from readerstudy.planning.words import plan_sentences
from readerstudy.report.archive import R_SCRIPTS, text_files
from readerstudy.report.choices.archive import R_SCRIPTS as CHOICE_R_SCRIPTS
from readerstudy.report.data import Phases
from readerstudy.report.loading import phases_not_compared
from readerstudy.report.phase_answers import AnswersOfPhase, answer_rows
from readerstudy.report.phases_words import phases_rows, phases_words
from readerstudy.report.text import methods_paragraph
from readerstudy.report.written import report_document
from tests.report.sample import sample_report
from tests.report.test_archive import NO_R, close, has_r
from tests.report.test_text import claims

RATERS = ("1", "2", "4")


def answered(*, images=12, per_patient=1, others=False, scored=True, raters=3, trials=False, lift=0.6, missing=2):
    """Two phases of the same images, or of others of which some patients come again."""
    random = np.random.default_rng(5)
    truth = np.ones(images, dtype=int) if trials else np.arange(images) % 2
    found = []
    for phase in range(2):
        scores = random.normal(size=(images, raters)) + truth[:, None] * (0.5 + lift * phase)
        answers = np.round(2 * scores) if scored else (scores > 0.6).astype(float)
        table = [
            [None if random.random() < missing / images / raters else float(one) for one in row] for row in answers
        ]
        shift = phase * images if others else 0
        shown = [((f"scan {row + shift}", (0.0, 0.0, 1.0), bool(truth[row])),) for row in range(images)]
        units = [(row + phase * others * (images // 2)) // per_patient for row in range(images)]
        found.append(AnswersOfPhase(shown=shown, truth=truth.tolist(), answers=table, units=units))
    return found


def phases(planned=None, *, scored=True, raters=3, trials=False, others=False, **more):
    first, second = answered(scored=scored, raters=raters, trials=trials, others=others, **more)
    numbers = RATERS[:raters]
    change = compare_phases(
        first.for_analysis(),
        second.for_analysis(),
        rater_ids=numbers,
        scored=scored,
        same_images=not others,
        planned=planned,
    )
    rows = answer_rows(first, second, numbers)
    return Phases(
        earlier="First", alpha=0.05, planned=planned is not None, several_images=trials, change=change, answers=rows
    )


def reported(found):
    plan = AnalysisPlan(phase_measure="auc" if found.planned else "none")
    return replace(sample_report(plan=plan), phases=found, plan=vars(plan), plan_in_words=plan_sentences(plan))


def everything(data):
    return " ".join([methods_paragraph(data), *phases_words(data.phases), *data.plan_in_words])


def test_what_the_plan_names_is_planned_everywhere():
    data = reported(phases(PlannedChange(side="higher", margin=0.2)))
    assert "Planned comparison with the study that this one continues: AUC averaged" in everything(data)
    assert "The plan named the change of the AUC against “First”" in methods_paragraph(data)
    said = " ".join(phases_words(data.phases))
    assert "one-sided for a higher value in this study" in said
    assert "Planned, raters and patients random: p" in said
    assert "within ± 20 points" in said
    assert "exploratory" not in said
    assert claims(" ".join(phases_words(data.phases)[:-1])) == []
    rows = list(csv.DictReader(io.StringIO(text_files(data)["results.csv"].decode())))
    change, judged = data.phases.change, data.phases.change.judged
    row = next(one for one in rows if one["reader"] == "Change against the earlier phase")
    assert (float(row["change"]), float(row["p"])) == (change.difference.value, judged.p)
    assert float(row["equivalence_p"]) == judged.equivalence.p
    *_, together = phases_rows(data.phases)
    assert (together["planned"], together["side"], together["decision_p"]) == (1, "higher", judged.p)
    titles = [section.title for section in report_document(data, []).sections]
    assert "Against the earlier phase (planned)" in titles


def test_what_no_plan_names_is_exploratory_everywhere():
    data = reported(phases())
    said = everything(data)
    assert "No plan froze this comparison: it is exploratory." in said
    assert "Planned" not in " ".join(phases_words(data.phases))
    assert "The plan named" not in said
    assert "Change against" not in text_files(data)["results.csv"].decode()
    assert "Against the earlier phase (exploratory)" in [one.title for one in report_document(data, []).sections]


def test_a_plan_that_could_not_be_carried_out_is_a_deviation_and_one_that_waits_is_none():
    known = Phases(earlier="First", alpha=0.05, planned=True, reason="the earlier study is not unblinded", waits=True)
    assert phases_not_compared(known) == []
    [said] = phases_not_compared(replace(known, waits=False, reason="nobody whose answers count read both"))
    assert said.startswith("The planned comparison with “First” could not be made: nobody")
    assert phases_not_compared(replace(known, waits=False, planned=False)) == []
    assert phases_not_compared(phases(PlannedChange())) == []
    assert "The plan names this comparison." in phases_words(known)[0]


def test_no_name_of_a_scan_or_a_patient_is_in_the_answers():
    rows = phases().answers
    assert {type(value) for row in rows for name, value in row.items() if name != "rater"} == {int, float}


R_VARIANTS = {
    "same images, all exchanges": {"planned": PlannedChange(side="higher", margin=0.2)},
    "same images of few patients": {"per_patient": 3, "images": 24, "planned": PlannedChange(side="lower")},
    "other images, some patients again": {"others": True, "per_patient": 2, "images": 24, "planned": PlannedChange()},
    "right answers": {"scored": False, "planned": PlannedChange(margin=0.15)},
    "one rater": {"raters": 1, "planned": PlannedChange(margin=0.2)},
    "trials": {
        "scored": False,
        "trials": True,
        "per_patient": 2,
        "images": 16,
        "planned": PlannedChange(side="higher"),
    },
    "no plan": {},
}


@pytest.mark.skipif(not has_r() and not os.environ.get("CT_REQUIRE_SERVICES"), reason=NO_R)
def test_r_finds_the_same_change(tmp_path):
    """All of them in one run of R."""
    script = ['source("patients.R")', 'source("primary.R")', 'source("phases.R")', "found <- list()"]
    known = {name: reported(phases(**{"planned": None, **variant})) for name, variant in R_VARIANTS.items()}
    for number, data in enumerate(known.values()):
        files = text_files(data)
        for name in ("patients.R", "primary.R", "phases.R"):
            (tmp_path / name).write_bytes(files[name])
        for name in ("phase_answers.csv", "settings.csv"):
            (tmp_path / str(number)).mkdir(exist_ok=True)
            (tmp_path / str(number) / name).write_bytes(files[name])
        script += [
            f'settings <- read.csv("{number}/settings.csv", stringsAsFactors = FALSE)',
            "setting <- function(name) settings$value[settings$name == name]",
            f'setwd("{number}"); own <- phases_of_archive(setting, 0.05); setwd("..")',
            'cat(sprintf("%s:%.17g", names(own), unlist(own)), "\\n")',
        ]
    (tmp_path / "all.R").write_text("\n".join(script))
    done = subprocess.run(["Rscript", "all.R"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    for (name, data), line in zip(known.items(), lines, strict=True):
        same_change(dict(pair.split(":") for pair in line.split()), data.phases.change, name)


def same_change(theirs, ours, name):
    band = ours.judged.equivalence if ours.judged else None
    numbers = {
        "first": ours.first,
        "second": ours.second,
        "difference": ours.difference.value,
        "low": ours.difference.low,
        "high": ours.difference.high,
        "se": ours.se,
        "p": ours.p,
        **({f"equivalence_{one}": getattr(band, one) for one in ("low", "high", "p")} if band and band.p else {}),
    }
    for key, value in numbers.items():
        close(float(theirs[key]), value, f"{name}: {key}", tolerance=1e-8)
    assert ("equivalence_p" in theirs) == bool(band and band.p), name
    if ours.exchange_p is not None:
        tolerance = 1e-9 if ours.exchanges is None else 0.05
        assert float(theirs["exchange_p"]) == pytest.approx(ours.exchange_p, abs=tolerance), name


def test_the_archive_of_a_study_without_an_earlier_phase_recomputes_nothing_of_it():
    files = text_files(sample_report())
    assert files["phase_answers.csv"].decode().splitlines() == ["phase,rater,image,unit,truth,answer"]
    assert "phase_side" not in files["settings.csv"].decode()
    assert json.loads(files["plan.json"])


@pytest.mark.parametrize("scripts", [R_SCRIPTS, list(CHOICE_R_SCRIPTS.values())], ids=["single images", "choices"])
def test_no_script_of_an_archive_takes_a_name_of_another(scripts):
    """They are all read into one session of R."""
    names = [name for script in scripts for name in re.findall(r"^(\w+) <- function", script.read_text(), re.MULTILINE)]
    assert sorted(names) == sorted(set(names))
