"""Arms in table, sentences, files and methods: "planned" stands only where the plan names them."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from readerstudy.analysis import AnalysisPlan, PlannedArms, compare_arms
from readerstudy.planning.words import plan_sentences
from readerstudy.report.archive import text_files
from readerstudy.report.arms import arms_paragraph, arms_status, arms_table, arms_words, families_words
from readerstudy.report.figures.catalogue import figures
from readerstudy.report.text import methods_paragraph
from readerstudy.report.written import report_document
from tests.report.sample import sample_report
from tests.report.test_text import claims

ARMS = ("G 1, inserted", "G 2, inserted", "H, inserted")


def compared(*named, unproven=None):
    """A study of three programs of which the plan names some."""
    random = np.random.default_rng(1)
    truth = np.repeat([0.0, 1.0, 1.0, 1.0], 30)
    arms = np.repeat(["real", *ARMS], 30).tolist()
    scores = random.normal(size=(120, 1)) + random.normal(size=(120, 6)) + np.repeat([0.0, 0.4, 0.4, 1.6], 30)[:, None]
    plan = AnalysisPlan(compared_arms=named, compared_margin=0.2)
    planned = PlannedArms(names=named, margin=0.2, unproven=unproven) if named else None
    found = compare_arms(arms=arms, truth=truth, calls=(scores > 0) + 0.0, ratings=scores, planned=planned)
    data = sample_report(plan=plan)
    return replace(data, arms=found, plan={**vars(plan)}, plan_in_words=plan_sentences(plan))


def test_without_a_plan_that_names_them_arms_are_exploratory():
    data = compared()
    assert arms_status(data) == "exploratory"
    everything = " ".join([arms_paragraph(data), methods_paragraph(data), *arms_words(data), families_words(data)])
    assert "arms" not in methods_paragraph(data)
    assert "Planned:" not in everything
    assert "Equal within" not in everything
    assert "Status" not in arms_table(data).columns


def test_arms_of_the_plan_are_planned_and_the_others_are_not():
    data = compared(*ARMS[:2])
    status = {row[0]: row[-1] for row in arms_table(data).rows}
    assert status == {"real": "–", ARMS[0]: "planned", ARMS[1]: "planned", ARMS[2]: "exploratory"}
    assert arms_status(data) == ""
    sentences = [words for words in arms_words(data) if " minus " in words]
    assert [words.partition(":")[0] for words in sentences] == ["Planned", "Exploratory", "Exploratory"]
    assert "within ± 20 points" in sentences[0]
    assert "families of their own" in families_words(data)
    assert "the arms “G 1, inserted”, “G 2, inserted”" in methods_paragraph(data)
    assert any("Planned comparison of arms: “G 1, inserted”; “G 2, inserted”" in words for words in data.plan_in_words)
    assert claims(" ".join([*sentences, methods_paragraph(data)])) == []
    assert arms_status(compared(*ARMS)) == "planned"


@pytest.mark.parametrize("unproven", [None, "no positive controls were shown"])
def test_equal_arms_need_raters_who_were_shown_to_look(unproven):
    [words] = [words for words in arms_words(compared(*ARMS[:2], unproven=unproven)) if words.startswith("Planned:")]
    assert ("Equal within ± 20 points" in words) == (unproven is None)
    assert ("is not assessable" in words) == (unproven is not None)


def test_the_table_of_arms_tells_what_was_planned():
    data = compared(*ARMS[:2])
    rows = list(csv.DictReader(io.StringIO(text_files(data)["arms.csv"].decode())))
    assert [row["planned"] for row in rows] == ["0", "1", "1", "0", "1", "0", "0"]
    pair, other = rows[4], rows[5]
    assert (pair["margin"], pair["equivalent"]) == ("0.2", "1")
    assert float(pair["equivalence_p"]) == data.arms.contrasts[0].equivalence.p
    assert (other["margin"], other["equivalence_p"]) == ("", "")


def test_the_report_says_it_above_the_table():
    data = compared(*ARMS)
    [section] = [one for one in report_document(data, figures(data)).sections if one.title == "By arm"]
    assert section.blocks[0].text.startswith("Planned. Every arm is compared with all real cases")
