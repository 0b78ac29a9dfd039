"""A chain of linked studies as those see it who decide about all of it: which phase this is, and what others lack."""

from django.utils.translation import gettext, ngettext

from ctplatform.accounts.models import User
from readerstudy.design.phases import other_phases
from readerstudy.design.readiness import Check
from readerstudy.models import Study


def place_in_chain(study: Study, person: User) -> str:
    """“Phase 2 of 3”; empty where the study is alone, or where somebody else decides about some of it."""
    others = other_phases(study)
    if not others or not _decides_about_all([study, *others], person):
        return ""
    return gettext("Phase %(number)s of %(last)s") % {
        "number": study.phase_number,
        "last": max(one.phase_number for one in (study, *others)),
    }


def chain_checks(study: Study, person: User) -> list[Check]:
    """What the drafts before and after this one lack; advice, for each is locked by itself."""
    others = other_phases(study)
    drafts = [one for one in others if one.is_draft]
    if not drafts or not _decides_about_all([study, *others], person):
        return []
    lacking = [
        gettext("Phase %(number)s, “%(title)s”, has %(lack)s.")
        % {"number": draft.phase_number, "title": draft.title, "lack": lack}
        for draft in drafts
        if (lack := _lack(draft))
    ]
    message = " ".join(lacking) or gettext("The drafts of the other phases have their cases and raters.")
    return [Check(title="Other phases", met=not lacking, message=message, advice=True)]


def _decides_about_all(studies: list[Study], person: User) -> bool:
    return all(study.editable_by(person) for study in studies)


def _lack(draft: Study) -> str:
    cases, planned = draft.cases.filter(truth__control=False).count(), draft.cases_planned
    lack = (
        []
        if cases == planned
        else [
            gettext("%(cases)s of %(planned)s cases") % {"cases": cases, "planned": planned}
            if cases
            else gettext("no cases")
        ]
    )
    if not draft.raters.panel().exists():
        lack.append(gettext("no raters"))
    return gettext(" and ").join(lack)


def left_without(draft: Study, person: User) -> list[Study]:
    """What continues this one and the person decides about: given up, the draft leaves these behind."""
    return [one for one in draft.continued_by.order_by("created_at") if one.editable_by(person)]


def continued_then(draft: Study, person: User) -> Study | None:
    """What they continue then."""
    earlier = draft.continues
    return earlier if earlier is not None and earlier.editable_by(person) else None


def what_becomes_of_others(draft: Study, person: User) -> str:
    """When this draft is given up; empty where that changes no other one."""
    later, earlier = left_without(draft, person), continued_then(draft, person)
    if not later:
        return ""
    names = {"later": gettext(" and ").join(f"“{one.title}”" for one in later)}
    if earlier is None:
        return (
            ngettext(
                "%(later)s then continues nothing, without days to wait; cases that were chosen stay.",
                "%(later)s then continue nothing, without days to wait; cases that were chosen stay.",
                len(later),
            )
            % names
        )
    return ngettext(
        "%(later)s then continues “%(earlier)s”, after as many days as now; cases that were chosen stay.",
        "%(later)s then continue “%(earlier)s”, after as many days as now; cases that were chosen stay.",
        len(later),
    ) % {**names, "earlier": earlier.title}
