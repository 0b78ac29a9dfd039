"""Types of tasks: what they take, what their answers mean; pure, without a study."""

import itertools

import numpy as np
import pytest
from scipy import stats

from readerstudy.analysis import logit_auc, signed_rating
from readerstudy.analysis.panel.mrmc import reader_averaged_auc
from readerstudy.analysis.rater.auc import auc
from readerstudy.models.asked import Asked
from readerstudy.tasks.registry import FIRST, TASKS, task_of
from readerstudy.tasks.task import GivenAnswer


def scale(**settings):
    return task_of("scale", settings, confidence_levels=0)


def level(value):
    return GivenAnswer(answer="level", level=value)


CANNOT_TELL = GivenAnswer(answer="cannot_tell")
VARIANTS = [
    task_of(FIRST, {}, confidence_levels=0),
    task_of(FIRST, {}, confidence_levels=6),
    task_of("one_place", {}, confidence_levels=4),
    task_of("one_place", {"mark_with": "every", "radius_mm": 15}, confidence_levels=2),
    task_of("any_places", {}, confidence_levels=3),
    task_of("any_places", {"radius_mm": 5, "reasons": ["Edge", "Noise"]}, confidence_levels=2),
    *(
        scale(levels=levels, towards=towards, cannot_tell=unsure)
        for levels, towards, unsure in itertools.product((2, 5, 10, 11, 101), ("real", "synthetic"), (False, True))
    ),
]


@pytest.mark.parametrize("task", VARIANTS, ids=str)
def test_every_task_takes_its_own_example_and_what_virtual_raters_say(task):
    evidence = np.linspace(-4, 4, 40)
    given = [task.simulated(value) for value in evidence]
    assert [task.refusal(one) for one in (task.example(), *given)] == [None] * 41
    # who sees something synthetic calls it so, and scores rise with the evidence
    assert [task.call(one) for one in given] == [float(value > 0) for value in evidence]
    if task.scored:
        assert (np.diff([task.score(one) for one in given]) >= 0).all()
        assert len({task.score(one) for one in given}) > 1


def pick(**settings):
    return task_of("forced_choice", settings, confidence_levels=3)


CHOICES = [
    pick(images=images, find=find, matched=matched)
    for images, find, matched in itertools.product((2, 3, 8), ("real", "synthetic", "better"), (False, True))
]


@pytest.mark.parametrize("task", CHOICES, ids=str)
def test_the_image_that_stands_out_is_chosen(task):
    evidence = [0.1 * n for n in range(task.images)]
    choice = task.choose(evidence)
    assert choice.side == (task.images - 1 if task.find == "synthetic" else 0)
    assert task.choose(evidence[::-1]).side == task.images - 1 - choice.side
    assert [task.refusal(one) for one in (choice.given, task.example())] == [None] * 2
    surer = task.choose([9 * one for one in evidence]).given
    assert surer.confidence >= choice.given.confidence
    assert [one["key"] for one in task.question_payload()["answers"]] == [str(n + 1) for n in range(task.images)]
    # who chooses the right image is right, whatever there was to be found
    assert task.call(choice.given) == (task.find == "synthetic")


@pytest.mark.parametrize("task", [*VARIANTS, *CHOICES], ids=str)
def test_what_the_lock_freezes_is_the_same_task_again(task):
    frozen = task.frozen()
    named = frozen.get("task", {"name": FIRST, "settings": {}})
    assert task_of(named["name"], named["settings"], confidence_levels=frozen["confidence_levels"]) == task


def test_a_protocol_of_before_there_were_tasks_asks_what_it_asked():
    display = {"mode": "patch", "field_of_view_mm": 50.0, "window_hu": {"center": 60.0, "width": 400.0}}
    before = {"title": "", "template": "", "question": "", "instructions": "", "confidence_levels": 3}
    task = Asked.of_protocol({**before, "display": display}).task
    assert task == task_of(FIRST, {}, confidence_levels=3)
    # and a new one of this task is written down as it always was
    assert task.frozen() == {"answers": ["real", "synthetic"], "confidence_levels": 3}


@pytest.mark.parametrize("levels", range(7))
def test_answers_with_confidence_are_scored_as_ever(levels):
    task = task_of(FIRST, {}, confidence_levels=levels)
    for answer, sure in itertools.product(("real", "synthetic"), range(1, levels + 1) if levels else [None]):
        given = GivenAnswer(answer=answer, confidence=sure)
        assert task.refusal(given) is None
        if levels:
            [[expected]] = signed_rating(calls=[[task.call(given)]], confidence=[[sure]], levels=levels)
            assert task.score(given) == expected


REFUSED = {
    "a level that is not there": (scale(levels=5), level(6)),
    "none at all": (scale(levels=5), level(None)),
    "below the lowest": (scale(levels=5), level(0)),
    "another task's answer": (scale(), GivenAnswer(answer="real")),
    "a confidence beside it": (scale(), GivenAnswer(answer="level", level=1, confidence=1)),
    "cannot tell where nobody may": (scale(), CANNOT_TELL),
    "cannot tell with a level": (scale(cannot_tell=True), GivenAnswer(answer="cannot_tell", level=1)),
    "a level without a scale": (VARIANTS[1], level(1)),
    "no image": (pick(), GivenAnswer(answer="real", confidence=1)),
    "a level of an image": (pick(), GivenAnswer(answer="chosen", confidence=1, level=1)),
    "no confidence where it is asked": (pick(), GivenAnswer(answer="chosen")),
    "a level beside an answer": (VARIANTS[1], GivenAnswer(answer="real", confidence=1, level=1)),
}


@pytest.mark.parametrize(("task", "given"), REFUSED.values(), ids=REFUSED)
def test_a_task_takes_no_other_answers(task, given):
    assert task.refusal(given) is not None


WRONG = {
    "twelve levels": {"levels": 12},
    "one level": {"levels": 1},
    "no number": {"levels": "many"},
    "a third end": {"towards": "better"},
    "three labels for five levels": {"levels": 5, "labels": ["a", "b", "c"]},
    "an empty label": {"labels": ["a", ""]},
    "labels that are no list": {"labels": "surely"},
    "nothing below the cut-off": {"levels": 5, "cut_off": 1},
    "nothing above it": {"levels": 5, "cut_off": 6},
    "a setting that nobody knows": {"colour": "red"},
}


@pytest.mark.parametrize("settings", WRONG.values(), ids=WRONG)
def test_a_scale_that_makes_no_sense_is_refused_in_words(settings):
    with pytest.raises(ValueError, match=r"[a-z] "):
        scale(**settings)
    with pytest.raises(ValueError, match="no task"):
        task_of("telepathy", {}, confidence_levels=0)


@pytest.mark.parametrize("settings", [{"images": 1}, {"images": 9}, {"images": "many"}, {"find": "worst"}])
def test_a_choice_that_makes_no_sense_is_refused_in_words(settings):
    with pytest.raises(ValueError, match=r"[a-z] "):
        pick(**settings)


def test_a_scale_may_rise_to_either_end():
    up, down = scale(levels=5, cannot_tell=True), scale(levels=5, towards="real", cannot_tell=True)
    assert [up.score(level(n)) for n in range(1, 6)] == [1, 2, 3, 4, 5]
    assert [down.score(level(n)) for n in range(1, 6)] == [5, 4, 3, 2, 1]
    assert up.score(CANNOT_TELL) == down.score(CANNOT_TELL) == 3
    # usual: what lies above the middle is a call for the upper end
    assert [up.call(level(n)) for n in range(1, 6)] == [0, 0, 0, 1, 1]
    assert [down.call(level(n)) for n in range(1, 6)] == [1, 1, 1, 0, 0]
    assert scale(levels=5, cut_off=2).call(level(2)) == 1
    fine = scale(levels=101, cannot_tell=True)
    assert (fine.lowest, fine.highest, fine.score(CANNOT_TELL), fine.cut_off) == (0, 100, 50, 51)
    assert scale(levels=10).cut_off == 6


def test_keys_and_labels():
    buttons = scale(levels=10, labels=["No", "Yes"]).question_payload()["answers"]
    assert [one["key"] for one in buttons] == list("1234567890")
    assert [one["label"] for one in buttons] == ["No", *[""] * 8, "Yes"]
    assert [one["label"] for one in scale(levels=3, labels=["a", "b", "c"]).question_payload()["answers"]] == list(
        "abc"
    )
    assert [one["label"] for one in scale(levels=2, towards="real").question_payload()["answers"]] == [
        "Surely synthetic",
        "Surely real",
    ]
    typed = scale(levels=11, cannot_tell=True).question_payload()
    assert typed["scale"] == {"lowest": 0, "highest": 10, "ends": ["Surely real", "Surely synthetic"]}
    assert [one["value"] for one in typed["answers"]] == ["cannot_tell"]


# Hu et al., CVPR 2023: answers real, unsure, synthetic to real and to synthetic volumes.
HU = {"senior": ((10, 8, 2), (7, 11, 12), 0.695, 0.0705411), "junior": ((5, 0, 15), (21, 1, 8), 0.2625, 0.0655682)}


@pytest.mark.parametrize(("real", "synthetic", "area", "se"), HU.values(), ids=HU)
def test_published_answers_with_unsure_as_the_middle(real, synthetic, area, se):
    task = scale(levels=2, cannot_tell=True)
    answers = [level(1), CANNOT_TELL, level(2)]
    scores = [task.score(answers[n]) for counts in (real, synthetic) for n in range(3) for _ in range(counts[n])]
    truth = [0] * sum(real) + [1] * sum(synthetic)
    found = auc(truth=truth, scores=scores)
    assert found.value == pytest.approx(area, abs=1e-9)
    assert found.se == pytest.approx(se, abs=1e-7)
    assert logit_auc(truth=truth, scores=scores).value == found.value


PANEL = [
    [1, 2, 2, 3, 4, 5, 2, 3, 4, 5, 5, 6],
    [2, 1, 3, 3, 5, 4, 3, 3, 4, 4, 6, 2],
    [1, 3, 2, 4, 3, 6, 5, 2, 6, 4, 3, 5],
]


@pytest.mark.parametrize("towards", ["synthetic", "real"])
def test_a_published_way_of_a_panel_on_six_levels(towards):
    """Three readers, twelve cases, the first six real; the same answers on a scale that is turned round."""
    task = scale(levels=6, towards=towards)
    said = np.array(PANEL) if towards == "synthetic" else 7 - np.array(PANEL)
    scores = [[task.score(level(int(value))) for value in case] for case in said.T]
    found = reader_averaged_auc(truth=[0] * 6 + [1] * 6, ratings=scores, scale="identity")
    assert found.reader_aucs == pytest.approx((0.75, 0.625, 0.680556), abs=1e-6)
    assert (found.value, found.se) == pytest.approx((0.685185, 0.1121288), abs=1e-6)
    # Published with Hillis' degrees of freedom; three raters bring fewer here, so p is larger and the interval wider.
    published = found.se**4 / ((found.ms_reader / 3) ** 2 / 2)
    assert published == pytest.approx(184.95, abs=0.01)
    assert 2 * stats.t.sf((found.value - 0.5) / found.se, published) == pytest.approx(0.1003, abs=1e-4)
    assert found.df < published
    assert found.p > 0.1003
    assert found.low < 0.4640 < 0.9064 < found.high


def test_every_task_says_what_it_is():
    for name, task in TASKS.items():
        assert task.name == name
        assert task.label
        assert task.script.exists()
        assert all(setting.label for setting in task.settings)
