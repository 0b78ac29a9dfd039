"""Studies that continue one another: which belong together, what their readers and cases must be, what is frozen."""

from collections.abc import Mapping, Sequence
from typing import Any

from ctplatform.accounts.models import User
from ctplatform.errors import ConflictError
from readerstudy.design.candidates import patient_of
from readerstudy.design.cases import place_of, roots_shown, truths_of
from readerstudy.models import CaseTruth, Study, StudyState

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
    others = [one for one in other_phases(study) if one.state in states]
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
        return (
            f"“{other.asked.title}” is unblinded and shows images of the same scans, so their truth is known: choose "
            "cases of other scans, or let this study continue nothing."
        )
    return ""


def missing_for_lock(study: Study, truths: Sequence[CaseTruth]) -> list[str]:
    """What keeps a study that continues another one from being locked."""
    earlier = study.continues
    if earlier is None:
        return []
    if earlier.is_draft:
        return [f"“{earlier.title}”, which this study continues, is a draft: lock it first."]
    found = [_strangers(study, earlier), unblinded_before(study)]
    if study.other_patients:
        found.append(_known_patients(study, truths))
    return [message for message in found if message]


def _strangers(study: Study, earlier: Study) -> str:
    """Programs remember nothing, so they may read any phase."""
    people = study.raters.panel().exclude(user__in=earlier.raters.filter(excluded_at=None).values("user"))
    names = [str(rater) for rater in people.select_related("user")]
    if not names:
        return ""
    listed = ", ".join(names[:MOST_NAMES]) + (" and others" if len(names) > MOST_NAMES else "")
    return f"{listed} did not read “{earlier.asked.title}”: raters of a study that continues another one read both."


def _known_patients(study: Study, truths: Sequence[CaseTruth]) -> str:
    count = len({patient_of(truth.scan) for truth in truths} & earlier_patients(study))
    patients = "1 patient is" if count == 1 else f"{count} patients are"
    return f"{patients} shown in an earlier study too; draw the cases again." if count else ""


def earlier_patients(study: Study) -> set[str]:
    """Whom the studies show that this one continues."""
    return {patient_of(truth.scan) for earlier in study.earlier_phases for truth in truths_of(earlier)}


def frozen_phase(study: Study, truths: Sequence[CaseTruth]) -> dict[str, Any]:
    """For the protocol; nothing where a study continues none."""
    earlier = study.continues
    if earlier is None:
        return {}
    return {
        "continues": {
            "study": str(earlier.pk),
            "protocol_digest": earlier.protocol_digest,
            **_asked_of_phase(study, earlier),
            "same_images": len({place_of(one) for one in truths} & {place_of(one) for one in truths_of(earlier)}),
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
    gap = phase["least_gap_days"]
    after = f"at least {gap} day{'' if gap == 1 else 's'} after their last answer there" if gap else "afterwards"
    cases = ""
    if phase["other_patients"]:
        cases = " No case is of a patient shown before."
    elif same := phase.get("same_images"):
        cases = f" {same} of its cases show places that were shown before."
    return f"The study continues “{phase['title']}”: raters who had finished it read this one {after}.{cases}"
