"""The analysis plan of trials that show several images at a time, in plain words. Pure: knows plans and tasks."""

from functools import lru_cache

from readerstudy.analysis import (
    LEAST_ANSWERED,
    AnalysisPlan,
    choice_power,
    level_words,
    shares_within,
    trials_for,
    trials_needed,
)
from readerstudy.planning.words import CHOICE_SECTION_WORDS, NO_LOOKS, SAME_NAMES_WORDS, UNIT_WORDS, phase_sentences
from readerstudy.tasks.task import Task

MATCHED = (
    "Images that were drawn for one another stand together, which takes away what differs between hosts: a share of "
    "right choices of such trials must not be compared with an AUC of single images."
)
AT_RANDOM = "Images are put together at random, so a share of right choices corresponds to an AUC of single images."
ONLY_WITH_CONTROLS = "“Equivalent” takes trials of positive controls that were found, beside it."
# What a study of moderate effect would have to find.
EFFECT, POWER = 0.65, 0.8


def choice_sentences(plan: AnalysisPlan, task: Task) -> list[str]:
    unit = UNIT_WORDS[plan.unit]
    secondary = "; ".join(CHOICE_SECTION_WORDS[name] for name in plan.secondary if name in CHOICE_SECTION_WORDS)
    return [
        f"Question: {plan.question}",
        f"Unit of analysis: {unit[:1].lower()}{unit[1:]}. {SAME_NAMES_WORDS[plan.same_names]}.",
        *(_of_right_choices(plan, task) if task.right_choice else _of_preferences(plan, task)),
        MATCHED if task.put_together()["matched"] else AT_RANDOM,
        f"Secondary analyses: {secondary or 'none'}. Everything else is exploratory.",
        *phase_sentences(plan),
        "Trials that a rater did not answer are no choices of that rater; all choices there are count.",
        f"Raters are excluded: {'; '.join(plan.exclusions) or 'under no rule that was fixed in advance'}.",
        *([f"Size: {plan.sample_size}"] if plan.sample_size else []),
        NO_LOOKS,
    ]


def _of_right_choices(plan: AnalysisPlan, task: Task) -> list[str]:
    low, high = shares_within(plan.margin, images=task.images)
    chance = 1 / task.images
    sure = (
        ["Of each rater's pairs also with what they said of being sure: exact signed rank test."]
        if task.images == 2 and task.confidence_levels
        else []
    )
    return [
        (
            "Primary analysis: the right choices of the panel by the exact joint test. Were the images of a trial "
            f"alike, each of the {task.images} would be the one to find with a chance of {chance:.3f}, for all raters "
            f"at once, whatever they chose and however alike. Two-sided at {plan.alpha:g}.{_together(plan, task)}"
        ),
        (
            "Beside it the share of right choices, averaged over raters, with raters and trials random and patients "
            f"together. Its margin is an area of single images of 0.5 ± {100 * plan.margin:g} points: among "
            f"{task.images} images shares of right choices from {low:.3f} to {high:.3f}, which the "
            f"{level_words(1 - 2 * plan.alpha)} % interval has to lie within."
        ),
        (
            "“Equivalent” is said only if it does and the raters find the trials of positive controls, edits degraded "
            f"on purpose: {_controls_rule(plan)}. Every rater must have answered {100 * LEAST_ANSWERED:g} % of "
            "them. They are counted apart and are in no other number."
        ),
        *([f"Why this margin: {plan.margin_reason}"] if plan.margin_reason else []),
        (
            f"Each rater: Clopper-Pearson interval and exact binomial test against {chance:.3f}, Holm adjustment over "
            "raters; d′ and the area of single images that go with the share."
        ),
        *sure,
        (
            "The image that most raters chose: trials with a tie are left out and counted. A rater who chooses one "
            f"side in more than {100 * plan.same_answer_limit:g} % of the trials makes it “not assessable” that no "
            "difference was found."
        ),
    ]


def control_trials_rule(*, rule: str, share: float, alpha: float) -> str:
    if rule == "found":
        return f"most raters choose the image to find in at least {100 * share:g} % of them"
    return f"the panel is right in more of them than guessing gives, by the exact joint test, two-sided at {alpha:g}"


def _controls_rule(plan: AnalysisPlan) -> str:
    return control_trials_rule(rule=plan.control_rule, share=plan.control_share, alpha=plan.alpha)


def _of_shared_patients(plan: AnalysisPlan, task: Task) -> bool:
    """Whether trials of one patient, were there any, would have more than chance in common."""
    return plan.unit == "patient" and not task.put_together()["matched"]


def _together(plan: AnalysisPlan, task: Task) -> str:
    if not _of_shared_patients(plan, task):
        return ""
    return (
        " Where patients give several images to find, their trials are drawn together, and the larger of this p and "
        "that of the averaged share decides; tests of single raters and of the majority are descriptions then."
    )


def _of_preferences(plan: AnalysisPlan, task: Task) -> list[str]:
    alike = ", alike in all trials of a patient" if _of_shared_patients(plan, task) else ""
    return [
        (
            "Primary analysis: whether any arm is preferred. Were all arms alike, they could be exchanged among the "
            f"{task.images} images of each trial, for all raters at once; {plan.permutations} such permutations of "
            f"the counts of choices{alike}, at {plan.alpha:g}. There is no right choice, and no claim that arms are "
            "alike."
        ),
        (
            "Abilities of the arms against real images by the model of Bradley-Terry and Luce, whose standard errors "
            "take all choices for independent."
        ),
    ]


@lru_cache(maxsize=64)
def choice_power_in_words(
    plan: AnalysisPlan, *, images: int, right_choice: bool, raters: int, trials: int, patients: int | None
) -> tuple[str, ...]:
    """What this design can show, by simulated studies; sizes for other designs beside it."""
    if not right_choice:
        return ("How often a preference will be found is not computed: that depends on how far the arms are apart.",)
    known = {"images": images, "raters": raters, "trials": trials, "margin": plan.margin, "alpha": plan.alpha}
    differ, equal = choice_power(area=EFFECT, **known), choice_power(area=0.5, **known)
    one = trials_needed(area=EFFECT, images=images, alpha=plan.alpha, power=POWER).to_detect
    panel = trials_for(images=images, raters=raters, area=EFFECT, alpha=plan.alpha, power=POWER)
    words = [
        (
            f"With {_count(raters, 'rater')} and {trials} trials of {images} images you will find an area of single "
            f"images of {EFFECT:.2f} in {_of_100(differ.detected)} of 100 studies, by the exact joint test."
        ),
        (
            f"If the images are alike, the interval of the share of right choices will lie within the margin in "
            f"{_of_100(equal.within)} of 100 studies. {ONLY_WITH_CONTROLS}"
        ),
        (
            f"To find that area in {100 * POWER:g} of 100 studies takes {_sizes(raters, panel)}"
            f"{one or 'more than 2000'} trials of one rater alone, by the exact binomial test."
        ),
    ]
    if patients is not None and patients < trials:
        words.append(
            f"The trials come from {patients} patients and were taken for independent: trials of one patient that are "
            "alike show less."
        )
    return tuple(words)


def _sizes(raters: int, panel: int | None) -> str:
    if raters == 1:
        return ""
    return f"{f'about {panel}' if panel else 'more than 500'} trials of these {raters} raters, or "


def _of_100(power: float) -> int:
    return min(99, round(100 * power))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
