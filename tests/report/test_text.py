"""Sentences carry the numbers of the analysis and claim no more than it allows."""

import itertools
import re
from dataclasses import asdict, replace

import pytest
from django.template.loader import render_to_string

from readerstudy.analysis import SECTIONS, AnalysisPlan, Estimate, Verdict
from readerstudy.models import GoingBack
from readerstudy.planning.words import SECTION_WORDS
from readerstudy.report.panel_lines import panel_lines
from readerstudy.report.results_text import SECTIONS_IN_WORDS, results_text
from readerstudy.report.text import (
    SECTION_METHODS,
    assay_sentences,
    methods_paragraph,
    p_words,
    share_words,
    verdict_headline,
)
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
    assert results_text(data)[0].startswith("1 of 4 raters is simulated")
    assert methods_paragraph(data).startswith("1 of 4 raters is simulated")
    assert "Rater 3 (simulated)" in everything(data)


def test_without_virtual_raters_nothing_is_said_of_them():
    assert "simulated" not in everything(sample_report(raters=2))


def planned_report(*secondary, primary="reader_averaged_auc", **more):
    """A study whose plan names these sections beside its primary analysis."""
    data = sample_report(**more)
    family = {"family": "raters"} if primary == "ensemble" else {}
    plan = AnalysisPlan(primary=primary, secondary=secondary, **family)
    status = {"primary": "planned", "assay": "planned", **{name: plan.status(name) for name in SECTIONS}}
    return replace(data, plan=asdict(plan), analysis=replace(data.analysis, status=status))


@pytest.mark.parametrize("section", SECTIONS)
def test_what_the_plan_names_stands_in_methods_and_results_and_nothing_else_is_called_planned(section):
    """The planned permutation test and agreement were once left out."""
    named = planned_report(section, primary="ensemble")
    other = next(name for name in SECTIONS if name not in {section, "ensemble"})
    unnamed = planned_report(other, primary="ensemble")
    heading = f"Planned. {SECTION_WORDS[section][:1].upper()}{SECTION_WORDS[section][1:]}: "
    assert sum(words.startswith(heading) for words in results_text(named)) == 1
    assert section == "ensemble" or not any(words.startswith(heading) for words in results_text(unnamed))
    planned = methods_paragraph(named).partition("Planned beside the primary analysis: ")[2]
    way = SECTION_METHODS[section].format(units="cases")
    assert way in planned
    assert section == "ensemble" or f"analysis: {way}" not in methods_paragraph(unnamed)
    words = SECTIONS_IN_WORDS[section](named)
    assert words in " ".join(results_text(named))
    assert not {"None", "nan"} & set(words.split())


def test_reading_times_are_told_whether_a_plan_names_them_or_not():
    data = planned_report("agreement")
    [words] = [one for one in results_text(data) if "times as long as a real one" in one]
    assert words.startswith("Exploratory, which the plan does not name. A synthetic case took ")
    untimed = replace(data, analysis=replace(data.analysis, times=None))
    assert not any("times" in one for one in results_text(untimed))


def test_every_section_of_a_plan_has_words():
    assert set(SECTIONS) == set(SECTION_WORDS) == set(SECTIONS_IN_WORDS) == set(SECTION_METHODS)


def test_a_section_that_no_plan_names_is_told_as_exploratory():
    words = results_text(planned_report("permutation"))
    assert any(one.startswith("Exploratory, which the plan does not name. Agreement between") for one in words)
    (planned,) = (one for one in words if one.startswith("Planned. "))
    assert planned.startswith("Planned. Permutation test of the panel: ")


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


def test_a_level_is_told_as_it_is():
    words = everything(sample_report(alpha=0.025))
    assert "97.5 %" in words
    assert "98 %" not in words


def test_a_fallback_is_told_as_a_fallback():
    """methods.txt once told the test that stood in for the planned one as the planned primary."""
    data = sample_report()
    primary = replace(data.analysis.primary, fallback_reason="the planned AUC could not be tested: no spread")
    fallen = replace(data, analysis=replace(data.analysis, primary=primary), plan={"primary": "reader_averaged_auc"})
    words = methods_paragraph(fallen)
    assert "The planned primary analysis was: AUC averaged over the raters" in words
    assert "could not be carried out: the planned AUC could not be tested: no spread" in words
    assert "as a fallback that was not the planned test" in words
    assert "The primary analysis was" not in words.replace("The planned primary analysis was", "")


def test_one_kind_of_case_is_not_assessable_in_words_and_numbers():
    data = sample_report(real=0, synthetic=5)
    words = everything(data)
    assert data.analysis.primary.verdict == "not assessable"
    assert "The primary analysis could not be done: only synthetic cases were judged" in words
    assert "± 0." not in data.analysis.primary.sentence


def test_what_raters_could_have_found_is_told():
    words = everything(sample_report())
    assert "Rater 1 100.0 %" in words
    assert "no positive controls were shown" in words
    assert "no positive control was shown, so that it could not be concluded here." in words


def test_the_methods_say_how_many_positive_controls_were_shown():
    options = sample_report().options
    assert assay_sentences(options, n_controls=1)[0].endswith(
        "; 1 positive control was shown and counted in no other number."
    )
    assert "; 6 positive controls were shown and" in assay_sentences(options, n_controls=6)[0]


@pytest.mark.parametrize("policy", GoingBack)
def test_the_methods_say_which_answers_could_be_changed(policy):
    data = sample_report()
    words = methods_paragraph(replace(data, study={**data.study, "going_back": str(policy)}))
    assert (policy == GoingBack.NEVER) == ("Answers could not be changed." in words)
    assert (policy == GoingBack.LAST) == ("until the next case was answered." in words)
    assert (policy == GoingBack.ANY) == ("as long as the study took ratings." in words)


def test_pages_and_texts_round_alike():
    half = Estimate(value=0.5625, low=0.4125, high=0.7031)
    page = " ".join(render_to_string("readerstudy/_interval.html", {"estimate": half}).split())
    assert page == '0.562 <div class="muted">0.412–0.703</div>'
    assert share_words(half, level="95") == "0.562 (95 % interval 0.412 to 0.703)"


def test_the_primary_area_is_that_of_the_raters_not_of_their_mean_rating():
    assert "the AUC averaged over the raters against chance (0.50)" in methods_paragraph(sample_report())


def test_of_one_kind_nothing_is_said_that_needs_both():
    data = sample_report(real=0, synthetic=16)
    text = " ".join([*results_text(data), methods_paragraph(data), *(line.words for line in panel_lines(data))])
    assert "only synthetic cases were judged" in text
    for words in (
        "was tested by two one-sided",
        "err independently",
        "this p-value",
        "Fisher's exact",
        "against chance:",
    ):
        assert words not in text, words
    assert not re.search(r"\d % of \d+ cases right", text)


def test_methods_do_not_tell_of_a_test_of_equivalence_that_could_not_be_done():
    for variant in ({"raters": 1}, {"real": 0, "synthetic": 9}):
        methods = methods_paragraph(sample_report(**variant))
        assert "Equivalence to chance could not be tested:" in methods
        assert "was tested by two one-sided tests" not in methods
    assert "was tested by two one-sided tests" in methods_paragraph(sample_report())


def test_one_is_no_plural():
    assert "1 rater judged" in methods_paragraph(sample_report(raters=1))
    assert "1 of 4 raters is simulated" in methods_paragraph(sample_report())


def test_the_pooled_p_value_stands_beside_what_warns_of_it():
    (pooled,) = (line.words for line in panel_lines(sample_report()) if line.section == "pooled")
    assert re.search(r"p [=<] \d\.\d+ against one half\..*this p-value too small", pooled)


def test_a_verdict_that_stands_alone_has_its_subject():
    assert verdict_headline(Verdict.DISCRIMINATES) == "The panel discriminates"
    assert verdict_headline(Verdict.NOT_ASSESSABLE) == "Not assessable"
