"""Sentences carry the numbers of the analysis and claim no more than it allows."""

import itertools
import re

import pytest

from readerstudy.report.text import methods_paragraph, p_words, results_text
from tests.report.sample import sample_report

CLAIMS = re.compile(
    r"indistinguish|cannot be told apart|can't be told apart|no difference|proves|proven", re.IGNORECASE
)
DENIALS = (
    "this is not evidence that the images cannot be told apart",
    "a large p-value will not mean that the images cannot be told apart",
)
VARIANTS = list(
    itertools.chain(
        [{"seed": seed} for seed in range(6)],
        [{"seed": seed, "real": 40, "synthetic": 40, "margin": 0.3} for seed in range(3)],
        [{"levels": 0}, {"raters": 1}, {"raters": 2, "excluded": (1, 2)}, {"real": 0, "synthetic": 5}],
    )
)


def claims(words):
    """Words that no data allow, outside of the sentences that deny them."""
    for denial in DENIALS:
        words = words.replace(denial, "")
    return CLAIMS.findall(words)


def everything(data):
    return " ".join([methods_paragraph(data), *results_text(data)])


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_no_sentence_claims_more_than_the_verdict(variant):
    data = sample_report(**variant)
    words = everything(data)
    assert claims(words) == []
    assert "None" not in words
    assert "nan" not in words
    assert data.analysis.primary.sentence in words
    if data.analysis.primary.verdict == "inconclusive":
        assert "quivalent to chance within" not in data.analysis.primary.sentence


def test_numbers_in_sentences_are_those_of_the_analysis():
    data = sample_report()
    words = everything(data)
    for row in data.analysis.raters:
        assert f"was right in {row.correct} of {row.n} cases" in words
        share = row.accuracy
        assert f"{share.value:.3f} (95 % interval {share.low:.3f} to {share.high:.3f})" in words
    assert f"split evenly on {data.analysis.ensemble.n_ties} cases" in words


def test_virtual_raters_are_named_first():
    data = sample_report()
    assert results_text(data)[0].startswith("1 of 4 raters are simulated")
    assert methods_paragraph(data).startswith("1 of 4 raters are simulated")
    assert "Rater 3 (simulated)" in everything(data)


def test_without_virtual_raters_nothing_is_said_of_them():
    assert "simulated" not in everything(sample_report(raters=2))


def test_the_level_of_intervals_follows_the_plan():
    words = everything(sample_report(alpha=0.1))
    assert "90 % Clopper-Pearson intervals" in words
    assert "(90 % interval" in words


def test_exclusions_and_dropped_cases_are_told():
    data = sample_report(excluded=(4,), missing_rule="complete_cases")
    words = everything(data)
    assert "Rater 4 (left)" in words
    assert f"{data.analysis.design.n_cases_dropped} cases without an answer of every rater" in words


@pytest.mark.parametrize(
    ("p", "words"), [(None, "p not defined"), (0.0004, "p < 0.001"), (0.0496, "p = 0.050"), (1, "p = 1.000")]
)
def test_p_values_are_never_zero_in_words(p, words):
    assert p_words(p) == words
