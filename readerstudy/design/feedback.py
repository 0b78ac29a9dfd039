"""What telling raters the truth of their cases does to a study and to those linked with it."""

from collections.abc import Hashable, Iterable, Sequence

from django.utils.formats import number_format
from django.utils.translation import gettext, gettext_noop

from ctplatform.errors import ConflictError
from readerstudy.analysis import share_by_counting
from readerstudy.design.candidates import root_of
from readerstudy.design.phases import beside, read_before, with_scans_of
from readerstudy.models import CaseTruth, Feedback, Study

# Pages say these in their reader's language, the report in English.
TALKING = gettext_noop(
    "Raters can talk: whoever was told what a case is may tell those who have not read it yet. Nothing here can keep "
    "them from it but what you ask of them."
)
COUNTING = gettext_noop(
    "Whoever is told what every case was and knows that %(real)s are real and %(synthetic)s synthetic can be right in "
    "%(percent)s %% by counting what is left, and in %(recognised)s %% by counting within each scan, if its cases are "
    "recognised as those of one scan; both without looking at the places. Up to there a difference from chance proves "
    "nothing."
)
TOLD = {
    Feedback.CASE: gettext_noop("Raters are told what their cases were after every case."),
    Feedback.END: gettext_noop("Raters are told what their cases were after their last case."),
}


def told_elsewhere(study: Study) -> list[str]:
    """Why the truth of this study's cases is told where it must not be known; empty where it is not."""
    found = [
        gettext(
            "“%(title)s” tells its raters the truth of its cases and shows images of the same scans, so raters "
            "would know these: choose cases of other scans, or let this study continue nothing."
        )
        % {"title": other.asked.title}
        for other in with_scans_of(study, read_before(study))
        if other.asked.feedback != Feedback.NONE
    ]
    if study.asked.feedback == Feedback.NONE:
        return found
    return found + [
        gettext(
            "This study tells its raters the truth of its cases, and “%(title)s” shows images of the same scans "
            "to some of them, perhaps later: choose cases of other scans, other raters, or no feedback."
        )
        % {"title": other.asked.title}
        for other in with_scans_of(study, beside(study))
    ]


def refuse_told_elsewhere(study: Study) -> None:
    """With all linked rows held: another one of them may have been locked while this lock was under way."""
    if messages := told_elsewhere(study):
        raise ConflictError(" ".join(messages), code="truth_told")


def counting_words(study: Study, truths: Sequence[CaseTruth]) -> str:
    """What raters reach who count instead of looking; empty where counting tells nothing.

    Sides of images of one scan are drawn without regard to each other, so that telling them tells none of the others.
    """
    if study.asked.feedback != Feedback.CASE or study.asked.task.images > 1 or not truths:
        return ""
    return gettext(COUNTING) % by_counting([(root_of(truth.scan).pk, truth.synthetic) for truth in truths])


def by_counting(cases: Iterable[tuple[Hashable, bool]]) -> dict[str, str]:
    """What COUNTING leaves open; `cases` tell their scan and whether they are synthetic."""
    of_scans: dict[Hashable, list[bool]] = {}
    for scan, synthetic in cases:
        of_scans.setdefault(scan, []).append(synthetic)
    kinds = [kind for own in of_scans.values() for kind in own]
    recognised = sum(len(own) * _share(own) for own in of_scans.values()) / len(kinds)
    return {
        "real": str(kinds.count(False)),
        "synthetic": str(kinds.count(True)),
        "percent": number_format(100 * _share(kinds), 1),
        "recognised": number_format(100 * recognised, 1),
    }


def _share(kinds: Sequence[bool]) -> float:
    return share_by_counting(real=kinds.count(False), synthetic=kinds.count(True))
