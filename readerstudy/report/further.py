"""Further questions after the unblinding: how each was answered in every arm, and whether the kinds differ."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import quantiles
from typing import Any

from readerstudy.analysis import adjust_p_values, compare_kinds
from readerstudy.choices import counted_apart, shown_together
from readerstudy.design.arms import arm_order
from readerstudy.design.cases import arm_of
from readerstudy.planning.plans import plan_of
from readerstudy.report.questions import AnswerCount, ArmAnswers, FurtherQuestion, FurtherQuestions
from readerstudy.results import computed_once, named_part
from readerstudy.tasks.items import Item, Value
from readerstudy.unblinding.opened import UnblindedStudy


def further_of(
    opened: UnblindedStudy, *, cases: frozenset[str] | None = None, raters: frozenset[str] | None = None
) -> FurtherQuestions:
    """Of the whole study, or of the cases with these codes and the raters with these numbers."""
    return computed_once(opened, "further", named_part(cases, raters), lambda: _computed(opened, cases, raters))


def _computed(opened: UnblindedStudy, cases: frozenset[str] | None, raters: frozenset[str] | None) -> FurtherQuestions:
    items = [item for item in opened.study.asked.questions if item.counted]
    counting = [rater for rater in opened.panel if raters is None or str(rater.number) in raters]
    # Controls are an arm of their own; what stood beside them is of none.
    apart = counted_apart(opened)
    shown = [code for code, truth in sorted(opened.truths.items()) if truth.control or code not in apart]
    codes = [code for code in shown if cases is None or code in cases]
    row, column = _places(codes), _places([rater.pk for rater in counting])
    given: list[list[dict[str, Any]]] = [[{} for _ in counting] for _ in codes]
    for rater, code, answers in answers_about_cases(opened):
        if code in row and rater in column:
            given[row[code]][column[rater]] = answers
    found = [_question(opened, item, codes, given) for item in items]
    adjusted = adjust_p_values([one.p for one in found]) if found else []
    return FurtherQuestions(questions=tuple(replace(one, p_adjusted=p) for one, p in zip(found, adjusted, strict=True)))


def answers_about_cases(opened: UnblindedStudy) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Rater, code of the case, and the answers by the names of the questions; of a trial for each of its images."""
    questions, several = opened.study.asked.questions, opened.study.asked.task.images > 1
    together = shown_together(opened) if several and questions else {}
    for event in opened.first_answers:
        slot = event.presentation
        if not several:
            yield slot.session.rater_id, slot.stimulus.case.code, event.further
            continue
        for side, code in enumerate(together.get((slot.session_id, slot.position), ())):
            answers = {item.name: event.further.get(item.name_of_image(side)) for item in questions}
            yield slot.session.rater_id, code, answers


def _places(names: Sequence[Any]) -> dict[Any, int]:
    return {name: place for place, name in enumerate(names)}


def _question(
    opened: UnblindedStudy, item: Item, codes: Sequence[str], given: Sequence[Sequence[dict[str, Any]]]
) -> FurtherQuestion:
    answers = [[one.get(item.name) for one in case] for case in given]
    truths = [opened.truths[code] for code in codes]
    arms = [arm_of(truth) for truth in truths]
    judged = [place for place, truth in enumerate(truths) if not truth.control]
    plan = plan_of(opened.study)
    known = FurtherQuestion(
        name=item.name,
        question=item.question,
        kind=item.kind,
        arms=tuple(
            _arm(
                item, arm.name, [value for case, own in zip(answers, arms, strict=True) if own == arm for value in case]
            )
            for arm in sorted(set(arms), key=arm_order)
        ),
    )
    if not judged or not given[0]:
        return replace(known, reason="nobody answered")
    compared = compare_kinds(
        truth=[int(truths[place].synthetic) for place in judged],
        answers=[answers[place] for place in judged],
        ordered=item.ordered,
        patients=[opened.patients[codes[place]] for place in judged] if plan.unit == "patient" else None,
        permutations=plan.permutations,
        seed=plan.seed,
        level=1 - plan.alpha,
    )
    test = compared.test
    return replace(known, area=compared.area, p=test.p, permutations=test.permutations, reason=test.reason)


def _arm(item: Item, name: str, values: Sequence[Value | None]) -> ArmAnswers:
    said = [int(value) for value in values if value is not None]
    options = item.options_in_words
    if options:
        count = Counter(said)
        counts = tuple(AnswerCount(answer=words, n=count[n]) for n, words in options.items())
        return ArmAnswers(arm=name, n=len(said), counts=counts)
    if len(said) < 2:
        return ArmAnswers(arm=name, n=len(said), median=float(said[0]) if said else None)
    low, median, high = quantiles(said, n=4, method="inclusive")
    return ArmAnswers(arm=name, n=len(said), median=median, middle_half=(low, high))
