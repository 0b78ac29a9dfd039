"""What a coordinator may do with a study while it is a draft."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction

from ctplatform.accounts.models import Role, User
from ctplatform.errors import ConflictError, DomainError, ForbiddenError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job
from readerstudy.design.candidates import with_depths
from readerstudy.design.cases import chosen_candidates
from readerstudy.design.matching import Candidate, match_report
from readerstudy.design.templates import DEFAULTS
from readerstudy.models import Case, CaseTruth, Study, StudyRater, Template, record
from readerstudy.permissions import refuse_unless_editor, refuse_unless_in_team

# What a copy takes over; every other field says who, when or what happened in the original.
COPIED_FIELDS = (
    "description",
    "template",
    "question",
    "instructions",
    "display_mode",
    "field_of_view_mm",
    "stack_slices",
    "window_center_hu",
    "window_width_hu",
    "confidence_levels",
    "cases_planned",
    "diameter_min_mm",
    "diameter_max_mm",
    "block_size",
    "longest_run",
    "scan_distance",
    "place_distance",
    "plan_options",
)


def create_study(*, owner: User, template: Template | str, **settings: Any) -> Study:
    if not owner.may_coordinate:
        raise ForbiddenError("Only coordinators and administrators start studies. Ask one of them to do it.")
    study = Study(owner=owner, template=template, **{**DEFAULTS[Template(template)], **settings})
    study.full_clean()
    with transaction.atomic():
        study.save()
        record(study=study, actor=owner, action="created", template=str(study.template))
    return study


def change_design(*, study: Study, actor: User, **settings: Any) -> Study:
    """Change protocol fields of a draft; `datasets` is a set of rows."""
    with transaction.atomic():
        draft = draft_for_change(study, actor)
        for name, value in settings.items():
            if name != "datasets":
                setattr(draft, name, value)
        draft.full_clean()
        draft.save()
        if "datasets" in settings:
            draft.datasets.set(settings["datasets"])
        record(study=draft, actor=actor, action="design changed", fields=sorted(settings))
    return draft


def draft_for_change(study: Study, actor: User) -> Study:
    """The study's row, held until the transaction ends; refuses strangers, and what is locked or being worked on."""
    refuse_unless_editor(study, actor)
    held = Study.objects.select_for_update().get(pk=study.pk)
    if not held.is_draft:
        raise ConflictError(
            f"This study is {held.get_state_display().lower()}, so its design can't change any more. "
            "Copy the study to try another design.",
            code="study_locked",
        )
    if held.busy_job is not None:
        raise ConflictError(
            f"“{held.busy_job.title}” is at work on this study. Wait until it has ended, or cancel it.", code="busy"
        )
    return held


def share(*, study: Study, actor: User, members: Iterable[User]) -> None:
    refuse_unless_editor(study, actor)
    team = list(members)
    if any(member.is_rater for member in team):
        raise DomainError("A rater's account can't be in the team: the team knows the cases.")
    with transaction.atomic():
        study.members.set(team)
        record(study=study, actor=actor, action="team changed", members=sorted(user.username for user in team))


def set_raters(*, study: Study, actor: User, users: Iterable[User]) -> None:
    """Make exactly these people the raters of a draft."""
    chosen = {user.pk: user for user in users}
    if any(user.role != Role.RATER for user in chosen.values()):
        raise DomainError("Only rater accounts can rate. Whoever also coordinates uses a second account for reading.")
    with transaction.atomic():
        draft = draft_for_change(study, actor)
        draft.raters.exclude(user__in=chosen).delete()
        held = {rater.user_id: rater for rater in draft.raters.all()}
        number = max((rater.number for rater in held.values()), default=0)
        for pk in sorted(chosen.keys() - held.keys()):
            number += 1
            StudyRater.objects.create(study=draft, user=chosen[pk], number=number)
        names = sorted(user.username for user in chosen.values())
        record(study=draft, actor=actor, action="raters chosen", raters=names)


def request_draw(*, study: Study, actor: User) -> Job:
    """Draw the planned number of cases anew, matched; replaces the cases chosen so far."""
    with transaction.atomic():
        draft = draft_for_change(study, actor)
        job = jobs.enqueue(
            kind="study.draw",
            title=f"Draw cases for “{draft.title}”",
            owner=actor,
            payload={"study": str(draft.pk)},
            result_url=draft.get_absolute_url(),
        )
        draft.draw_job = job
        draft.save(update_fields=["draw_job"])
        record(study=draft, actor=actor, action="draw of cases ordered", seed=draft.seed)
    return job


def add_cases(*, study: Study, actor: User, candidates: Iterable[Candidate]) -> int:
    """Add chosen places to a draft; places that are cases already are skipped."""
    wanted = with_depths(list(candidates))
    with transaction.atomic():
        draft = draft_for_change(study, actor)
        held = {(str(t.scan_id), *t.place_lps_mm) for t in CaseTruth.objects.filter(case__study=draft)}
        new = [c for c in wanted if (c.scan, *c.place_lps_mm) not in held]
        write_cases(draft, new)
        refresh_match_report(draft)
        record(study=draft, actor=actor, action="cases added", count=len(new))
    return len(new)


def remove_cases(*, study: Study, actor: User, case_ids: Iterable[UUID | str]) -> int:
    with transaction.atomic():
        draft = draft_for_change(study, actor)
        count, _ = CaseTruth.objects.filter(case__study=draft, case__in=list(case_ids)).delete()
        Case.objects.filter(study=draft, truth=None).delete()
        refresh_match_report(draft)
        record(study=draft, actor=actor, action="cases removed", count=count)
    return count


def write_cases(study: Study, candidates: Iterable[Candidate]) -> None:
    # By random id, so that rows of one kind do not stand together in the table.
    pairs = sorted(((Case(study=study), candidate) for candidate in candidates), key=lambda pair: pair[0].pk)
    Case.objects.bulk_create([case for case, _ in pairs])
    CaseTruth.objects.bulk_create(
        CaseTruth(
            case=case,
            synthetic=candidate.synthetic,
            scan_id=UUID(candidate.scan),
            lesion_id=candidate.lesion,
            place_lps_mm=list(candidate.place_lps_mm),
            diameter_mm=candidate.diameter_mm,
            depth_mm=candidate.depth_mm,
            details=candidate.details,
        )
        for case, candidate in pairs
    )


def refresh_match_report(study: Study) -> None:
    study.match_report = match_report(chosen_candidates(study))
    study.save(update_fields=["match_report"])


def copy_study(*, study: Study, actor: User, title: str = "") -> Study:
    """A new draft with the same protocol and a seed of its own; cases and raters are chosen anew."""
    refuse_unless_in_team(study, actor)
    copied = {name: getattr(study, name) for name in COPIED_FIELDS}
    copied["title"] = title or f"{study.title} (copy)"[:160]
    with transaction.atomic():
        copy = create_study(owner=actor, copied_from=study, **copied)
        copy.datasets.set(study.datasets.visible_to(actor))
    return copy
