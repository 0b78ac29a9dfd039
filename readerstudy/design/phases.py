"""Studies that continue one another: which belong together, what their readers and cases must be, what is frozen."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext, ngettext

from ctplatform.accounts.models import User
from ctplatform.errors import ConflictError
from readerstudy.design.candidates import patient_of
from readerstudy.design.cases import place_of, roots_shown, truths_of
from readerstudy.models import CaseTruth, Study, StudyState
from readerstudy.permissions import refuse_unless_editor

MOST_NAMES = 3


def later_phases(study: Study) -> list[Study]:
    """What continues this study, what continues those, and so on; nearer ones first."""
    found: list[Study] = []
    generation = list(study.continued_by.order_by("created_at"))
    while generation:
        found += generation
        generation = list(Study.objects.filter(continues__in=generation).exclude(pk__in=[one.pk for one in found]))
    return found


def other_phases(study: Study) -> list[Study]:
    """All studies that are linked with this one, over however many others."""
    first = study.earlier_phases[-1] if study.earlier_phases else study
    return [one for one in (first, *later_phases(first)) if one != study]


def linked_for(study: Study, person: User) -> list[Study]:
    """The linked studies that the person may look at, earlier ones first."""
    linked = other_phases(study)
    visible = set(
        Study.objects.visible_to(person).filter(pk__in=[one.pk for one in linked]).values_list("pk", flat=True)
    )
    return [one for one in linked if one.pk in visible]


def held_with_phases(study: Study) -> Study:
    """The study's row, held with those of all that are linked with it: no two of them take a step at once."""
    pks = [study.pk, *(one.pk for one in other_phases(study))]
    held = {row.pk: row for row in Study.objects.select_for_update().filter(pk__in=pks).order_by("pk")}
    return held[study.pk]


def of_the_same_scans(study: Study, *states: StudyState) -> list[Study]:
    """Linked studies in one of these states whose cases show a scan that this one's show."""
    return with_scans_of(study, [one for one in other_phases(study) if one.state in states])


def with_scans_of(study: Study, others: Sequence[Study]) -> list[Study]:
    """Of the others those whose cases show a scan that this one's show."""
    if not others:
        return []
    own = roots_shown(study)
    return [other for other in others if own & roots_shown(other)]


def refuse_after_unblinding(study: Study) -> None:
    """Before anything is read in it: whoever saw the truth of another phase knows this one's."""
    if message := unblinded_before(study):
        raise ConflictError(message, code="phase_unblinded")


def unblinded_before(study: Study) -> str:
    """Which phase told the truth of these scans; empty where none did."""
    for other in of_the_same_scans(study, StudyState.UNBLINDED):
        return gettext(
            "“%(title)s” is unblinded and shows images of the same scans, so their truth is known: choose cases "
            "of other scans, or let this study continue nothing."
        ) % {"title": other.asked.title}
    return ""


def missing_for_lock(study: Study, truths: Sequence[CaseTruth]) -> list[str]:
    """What keeps a study that continues another one from being locked."""
    earlier = study.continues
    if earlier is None:
        return []
    if earlier.is_draft:
        return [
            gettext("“%(title)s”, which this study continues, is a draft: lock it first.") % {"title": earlier.title}
        ]
    found = [_strangers(study, earlier), unblinded_before(study), *_shown_to_the_same(study, truths)]
    return [message for message in found if message]


def refuse_shown_to_the_same(study: Study, truths: Sequence[CaseTruth]) -> None:
    """With all linked rows held: another one of them may have been locked while this lock was under way."""
    if messages := _shown_to_the_same(study, truths):
        raise ConflictError(" ".join(messages), code="patients_shown")


def taken_from(draft: Study, person: User) -> Study:
    """The earlier study of which a draft takes something over, for whoever decides there too: its draft tells of it."""
    earlier = draft.continues
    if earlier is None:
        raise ConflictError(
            gettext("This study continues no other one. Choose one in its protocol, then take over from it.")
        )
    refuse_unless_editor(earlier, person)
    return earlier


def _strangers(study: Study, earlier: Study) -> str:
    """Programs remember nothing, so they may read any phase."""
    people = study.raters.panel().exclude(user__in=earlier.raters.filter(excluded_at=None).values("user"))
    names = [str(rater) for rater in people.select_related("user")]
    if not names:
        return ""
    listed = ", ".join(names[:MOST_NAMES]) + (gettext(" and others") if len(names) > MOST_NAMES else "")
    return gettext("%(listed)s did not read “%(title)s”: raters of a study that continues another one read both.") % {
        "listed": listed,
        "title": earlier.asked.title,
    }


def read_before(study: Study) -> list[Study]:
    """Whose cases the study's raters may know when they read it.

    That are all studies that it continues, over however many others, and those that stand beside it.
    """
    return [*study.earlier_phases, *beside(study)]


def beside(study: Study) -> list[Study]:
    """Locked studies of the same chain that neither come before this one nor after it, with raters in common.

    Nothing says which of the two a rater reads first. While nobody is chosen here anybody may be a rater of both.
    """
    in_line = [study, *study.earlier_phases, *later_phases(study)]
    others = [one for one in other_phases(study) if one not in in_line and not one.is_draft and not _put_away(one)]
    people = _people(study)
    return [one for one in others if not people or people & _people(one)]


def _put_away(study: Study) -> bool:
    """Locked and given up before anybody read it: it is looked at again when it is taken back from the archive."""
    return study.state == StudyState.LOCKED and study.archived_at is not None


def _people(study: Study) -> set[int]:
    """Whoever was excluded may have seen cases before."""
    return set(study.raters.filter(user__program=None).values_list("user", flat=True))


def _shown_to_the_same(study: Study, truths: Sequence[CaseTruth]) -> list[str]:
    """Patients whom raters may have seen before, where this study or one beside it says that there are none."""
    own = {patient_of(truth.scan) for truth in truths}
    found = []
    if study.other_patients and (count := len(own & patients_shown_before(study))):
        found.append(_shown_before(count))
    promised = [len(own & _patients_of(other)) for other in beside(study) if _promises_other_patients(other)]
    return found + [
        ngettext(
            "%(count)s patient is shown in another linked study too, whose protocol says that its raters saw none of "
            "its patients before. Some rate both studies and may read this one first: ask for other patients here and "
            "draw again, choose other raters, or let this study continue none.",
            "%(count)s patients are shown in another linked study too, whose protocol says that its raters saw none of "
            "its patients before. Some rate both studies and may read this one first: ask for other patients here and "
            "draw again, choose other raters, or let this study continue none.",
            count,
        )
        % {"count": count}
        for count in promised
        if count
    ]


def _promises_other_patients(study: Study) -> bool:
    """Protocols of before `read_before` speak of the studies in line with theirs alone."""
    phase = study.frozen.get("continues") or {}
    return bool(phase.get("other_patients")) and "read_before" in phase


def _shown_before(count: int) -> str:
    return ngettext(
        "%(count)s patient is shown in linked studies that its raters may have read; draw the cases again.",
        "%(count)s patients are shown in linked studies that its raters may have read; draw the cases again.",
        count,
    ) % {"count": count}


def _patients_of(study: Study) -> set[str]:
    return {patient_of(truth.scan) for truth in truths_of(study)}


def patients_shown_before(study: Study) -> set[str]:
    """Whom the study's raters may have seen in linked studies before they read this one."""
    return {patient for earlier in read_before(study) for patient in _patients_of(earlier)}


def frozen_phase(study: Study, truths: Sequence[CaseTruth]) -> dict[str, Any]:
    """For the protocol; nothing where a study continues none."""
    earlier = study.continues
    if earlier is None:
        return {}
    before = read_before(study)
    shown = {place_of(one) for known in before for one in truths_of(known)}
    return {
        "continues": {
            "study": str(earlier.pk),
            "protocol_digest": earlier.protocol_digest,
            **_asked_of_phase(study, earlier),
            "same_images": len({place_of(one) for one in truths} & shown),
            "read_before": sorted(str(one.pk) for one in before),
        }
    }


def _asked_of_phase(study: Study, earlier: Study) -> dict[str, Any]:
    return {
        "title": earlier.asked.title,
        "least_gap_days": study.least_gap_days,
        "other_patients": study.other_patients,
    }


def continued(study: Study) -> dict[str, Any] | None:
    """What is said of the study that this one continues: as it was frozen, of a draft as it stands."""
    if study.protocol:
        frozen: dict[str, Any] | None = study.protocol.get("continues")
        return frozen
    return None if study.continues is None else _asked_of_phase(study, study.continues)


def phase_words(phase: Mapping[str, Any] | None) -> str:
    """In a sentence or two; empty where a study continues none."""
    if phase is None:
        return ""
    told = {"title": phase["title"], "days": phase["least_gap_days"]}
    waiting = ngettext(
        "The study continues “%(title)s”: raters who had finished it read this one at least %(days)s day after their "
        "last answer there.",
        "The study continues “%(title)s”: raters who had finished it read this one at least %(days)s days after their "
        "last answer there.",
        told["days"],
    )
    at_once = gettext("The study continues “%(title)s”: raters who had finished it read this one afterwards.")
    return " ".join(filter(None, [(waiting if told["days"] else at_once) % told, _cases(phase)]))


def _cases(phase: Mapping[str, Any]) -> str:
    """What raters may have seen of them before.

    A study beside this one that is locked later adds to the places, so they are told as of the lock; to the patients it
    adds none. Protocols of before `read_before` looked at the studies in line, for places at the last of them alone.
    """
    in_line_only = "same_images" in phase and "read_before" not in phase
    if phase["other_patients"]:
        if in_line_only:
            return gettext("No case is of a patient whom that study or one before it shows.")
        return gettext("No case is of a patient whom its raters may have seen in a linked study.")
    same = phase.get("same_images")
    if not same:
        return ""
    if in_line_only:
        return gettext("%(same)s of its cases show places that were shown there.") % {"same": same}
    return gettext(
        "When it was locked, %(same)s of its cases showed places that its raters may have seen in a linked study."
    ) % {"same": same}
