"""What a coordinator may do with a study while it is a draft."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from ctplatform.accounts.models import Role, User
from ctplatform.errors import ConflictError, DomainError, ForbiddenError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job
from readerstudy.design.candidate import Candidate
from readerstudy.design.candidates import with_positions
from readerstudy.design.cases import chosen_candidates
from readerstudy.design.likeness import match_report
from readerstudy.design.templates import defaults_of, fit_words, usual_words
from readerstudy.design.together import CHANGED, plain, refuse_if_chosen_since, settle
from readerstudy.models import Case, CaseTruth, Study, StudyRater, Template, record
from readerstudy.models.reading import LONGEST_GROUP
from readerstudy.models.study import new_seed
from readerstudy.permissions import refuse_unless_editor, refuse_unless_in_team
from readerstudy.tasks.labels import ENGLISH

# What a copy takes over; every other field says who, when or what happened in the original.
COPIED_FIELDS = (
    "description",
    "template",
    "published",
    "language",
    "question",
    "instructions",
    "display_mode",
    "field_of_view_mm",
    "stack_slices",
    "window_center_hu",
    "window_width_hu",
    "window_may_stay",
    "task_name",
    "task_settings",
    "further_questions",
    "end_question",
    "confidence_levels",
    "cases_planned",
    "diameter_min_mm",
    "diameter_max_mm",
    "twins_allowed",
    "block_size",
    "longest_run",
    "scan_distance",
    "place_distance",
    "repeats",
    "repeat_distance",
    "display_check",
    "going_back",
    "feedback",
    "unblinding_by_two",
    "grace_hours",
    "round_trip_mm",
    "round_trip_step_hu",
    "round_trip_low_hu",
    "round_trip_high_hu",
    "plan_options",
)

CHOSEN = "raters chosen"
GROUPED = "groups of raters changed"

# What somebody changes of a draft's protocol.
PROTOCOL_FIELDS = (
    "title",
    "datasets",
    "seed",
    "continues",
    "least_gap_days",
    "other_patients",
    *(name for name in COPIED_FIELDS if name not in {"template", "published", "plan_options"}),
)


def create_study(*, owner: User, template: Template | str, **settings: Any) -> Study:
    """In the language of its owner, unless the settings name another one."""
    if not owner.may_coordinate:
        raise ForbiddenError(gettext("Only coordinators and administrators start studies. Ask one of them to do it."))
    language = settings.setdefault("language", owner.language or ENGLISH)
    usual = defaults_of(Template(template), language)
    study = Study(owner=owner, template=template, **{**usual, **settings})
    if study.continues is not None:
        refuse_unless_editor(study.continues, owner)
    study.full_clean()
    fit_words(study, usual_before=usual)
    with transaction.atomic():
        study.save()
        record(study=study, actor=owner, action="created", template=str(study.template))
    return study


def change_design(*, study: Study, actor: User, seen: int | None = None, **settings: Any) -> Study:
    """Change protocol fields of a draft; `datasets` is a set of rows.

    `seen` is the last entry of the record when the person opened the form: what others saved since then stays.
    """
    with transaction.atomic():
        draft = draft_for_change(study, actor)
        if seen is not None:
            settings = settle(draft, settings, seen)
        earlier = settings.get("continues")
        if earlier is not None and earlier != draft.continues:
            # Whoever links a study to another one takes part in deciding when that one may be unblinded.
            refuse_unless_editor(earlier, actor)
        usual = usual_words(draft)
        before = {name: plain(draft, name) for name in (*settings, *usual)}
        for name, value in settings.items():
            if name != "datasets":
                setattr(draft, name, value)
        draft.full_clean()
        fit_words(draft, usual_before=usual)
        draft.save()
        if "datasets" in settings:
            draft.datasets.set(settings["datasets"])
        after = {name: plain(draft, name) for name in before}
        changed = {name: [before[name], after[name]] for name in sorted(before) if before[name] != after[name]}
        if changed:
            record(study=draft, actor=actor, action=CHANGED, changed=changed)
    return draft


def draft_for_change(study: Study, actor: User) -> Study:
    """The study's row, held until the transaction ends; refuses strangers, and what is locked or being worked on."""
    refuse_unless_editor(study, actor)
    held = Study.objects.select_for_update().get(pk=study.pk)
    if not held.is_draft:
        raise ConflictError(
            gettext(
                "This study is locked or further on, so its design can't change any more. Copy the study to try "
                "another design."
            ),
            code="study_locked",
        )
    if held.busy_job is not None:
        raise ConflictError(
            gettext("“%(title)s” is at work on this study. Wait until it has ended, or cancel it.")
            % {"title": held.busy_job.title},
            code="busy",
        )
    return held


def share(*, study: Study, actor: User, members: Iterable[User], seen: int | None = None) -> None:
    refuse_unless_editor(study, actor)
    team = list(members)
    if any(member.is_rater for member in team):
        raise DomainError(gettext("A rater's account can't be in the team: the team knows the cases."))
    with transaction.atomic():
        if seen is not None:
            refuse_if_chosen_since(study, seen, "team changed")
        study.members.set(team)
        record(study=study, actor=actor, action="team changed", members=sorted(user.username for user in team))


def set_raters(*, study: Study, actor: User, users: Iterable[User], seen: int | None = None) -> None:
    """Make exactly these people the raters of a draft."""
    chosen = {user.pk: user for user in users}
    if any(user.role != Role.RATER for user in chosen.values()):
        raise DomainError(
            gettext("Only rater accounts can rate. Whoever also coordinates uses a second account for reading.")
        )
    with transaction.atomic():
        draft = draft_for_change(study, actor)
        if seen is not None:
            refuse_if_chosen_since(draft, seen, CHOSEN)
        draft.raters.exclude(user__in=chosen).delete()
        seat(draft, [chosen[pk] for pk in sorted(chosen)])
        names = sorted(user.username for user in chosen.values())
        record(study=draft, actor=actor, action=CHOSEN, raters=names)


def seat(draft: Study, users: Iterable[User]) -> None:
    """Make them raters too, numbered in this order after those who are there already."""
    held = {rater.user_id: rater.number for rater in draft.raters.all()}
    number = max(held.values(), default=0)
    new = [user for user in users if user.pk not in held]
    for following, user in enumerate(new, start=number + 1):
        StudyRater.objects.create(study=draft, user=user, number=following)


def set_groups(*, study: Study, actor: User, groups: Mapping[int, str], seen: int | None = None) -> None:
    """Say which group each rater of a draft is in, by the raters' numbers; "" for none. Who is not named stays."""
    wished = {number: " ".join(name.split()) for number, name in groups.items()}
    if any(len(name) > LONGEST_GROUP for name in wished.values()):
        raise DomainError(gettext("The name of a group has at most %(most)s letters.") % {"most": LONGEST_GROUP})
    with transaction.atomic():
        draft = draft_for_change(study, actor)
        if seen is not None:
            refuse_if_chosen_since(draft, seen, GROUPED)
            refuse_if_chosen_since(draft, seen, CHOSEN)
        raters = {rater.number: rater for rater in draft.raters.select_related("user__program")}
        if unknown := wished.keys() - raters.keys():
            raise DomainError(
                gettext("There is no rater %(number)s in this study, so nothing was saved.") % {"number": min(unknown)}
            )
        if any(name and raters[number].user.as_program for number, name in wished.items()):
            raise DomainError(gettext("Groups are compared of people: a program that reads is in none."))
        for number, name in wished.items():
            raters[number].group = name
        StudyRater.objects.bulk_update(raters.values(), ["group"])
        record(study=draft, actor=actor, action=GROUPED, groups=groups_told(draft))


def groups_told(draft: Study) -> dict[str, str]:
    """By the raters' numbers, as the record writes them."""
    return {str(rater.number): rater.group for rater in draft.raters.order_by("number") if rater.group}


def request_draw(*, study: Study, actor: User, fresh_seed: bool = False) -> Job:
    """Draw the planned number of cases anew, matched; replaces the cases chosen so far.

    From the same scans and settings a seed gives the same cases; a new one stands in the record.
    """
    with transaction.atomic():
        draft = draft_for_change(study, actor)
        if fresh_seed:
            draft.seed = new_seed()
        job = jobs.enqueue(
            kind="study.draw",
            title=f"Draw cases for “{draft.title}”",
            owner=actor,
            payload={"study": str(draft.pk)},
            result_url=draft.get_absolute_url(),
        )
        draft.draw_job = job
        draft.save(update_fields=["draw_job", "seed"])
        record(study=draft, actor=actor, action="draw of cases ordered", seed=draft.seed)
    return job


def add_cases(*, study: Study, actor: User, candidates: Iterable[Candidate]) -> int:
    """Add chosen places to a draft; places that are cases already are skipped."""
    wanted = with_positions(study, list(candidates))
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


def mark_controls(*, study: Study, actor: User, case_ids: Iterable[UUID | str], control: bool) -> int:
    """Make chosen cases positive controls, or ordinary cases again; only an edit can be a control."""
    with transaction.atomic():
        draft = draft_for_change(study, actor)
        chosen = CaseTruth.objects.filter(case__study=draft, case__in=list(case_ids))
        if control and chosen.filter(synthetic=False).exists():
            raise DomainError(gettext("A positive control is an edit degraded on purpose: a real case can't be one."))
        count = chosen.update(control=control)
        refresh_match_report(draft)
        record(study=draft, actor=actor, action="controls marked" if control else "controls unmarked", count=count)
    return count


def write_cases(study: Study, candidates: Iterable[Candidate], *, control: bool = False) -> None:
    # By random id, so that rows of one kind do not stand together in the table.
    pairs = sorted(((Case(study=study), candidate) for candidate in candidates), key=lambda pair: pair[0].pk)
    Case.objects.bulk_create([case for case, _ in pairs])
    CaseTruth.objects.bulk_create(
        CaseTruth(
            case=case,
            synthetic=candidate.synthetic,
            control=control,
            scan_id=UUID(candidate.scan),
            lesion_id=candidate.lesion,
            place_lps_mm=list(candidate.place_lps_mm),
            diameter_mm=candidate.diameter_mm,
            depth_mm=candidate.depth_mm,
            details=candidate.details,
            position=candidate.position,
            pair=candidate.pair,
        )
        for case, candidate in pairs
    )


def refresh_match_report(study: Study) -> None:
    study.match_report = described_match(study, chosen_candidates(study))
    study.save(update_fields=["match_report"])


def described_match(study: Study, chosen: Sequence[Candidate]) -> dict[str, Any]:
    """The match report, with the display that it holds for: another one shows other lesions."""
    return {**match_report(chosen), "display": display_of(study)}


def display_of(study: Study) -> dict[str, Any]:
    return {
        "mode": str(study.display_mode),
        "field_of_view_mm": study.field_of_view_mm,
        "stack_slices": study.stack_slices,
    }


def copy_study(*, study: Study, actor: User, title: str = "") -> Study:
    """A new draft with the same protocol and a seed of its own; cases and raters are chosen anew."""
    refuse_unless_in_team(study, actor)
    copied = {name: getattr(study, name) for name in COPIED_FIELDS}
    copied["title"] = title or f"{study.title} (copy)"[:160]
    with transaction.atomic():
        copy = create_study(owner=actor, copied_from=study, **copied)
        copy.datasets.set(study.datasets.visible_to(actor))
    return copy
