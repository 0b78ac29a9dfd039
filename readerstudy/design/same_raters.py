"""A draft takes over the people who rated the study that it continues, and the groups that they were in there."""

from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext, gettext_noop, ngettext

from ctplatform.accounts.models import Role, User
from ctplatform.errors import ConflictError
from readerstudy.design.phases import taken_from
from readerstudy.design.services import CHOSEN, GROUPED, draft_for_change, groups_told, seat
from readerstudy.models import Study, StudyRater, record


@dataclass(frozen=True, kw_only=True)
class Taken:
    people: list[User]
    grouped: int
    """So many of them are in a group now, as they were there."""
    left_out: list[tuple[User, str]]
    """Who of the earlier study isn't taken over, and why, as the record keeps it."""

    @property
    def words(self) -> str:
        count = len(self.people)
        some = ngettext("%(count)s rater taken over.", "%(count)s raters taken over.", count) % {"count": count}
        said = [some if count else gettext("No raters taken over.")]
        if self.grouped:
            said.append(gettext("%(grouped)s of them with a group.") % {"grouped": self.grouped})
        if self.left_out:
            people = "; ".join(f"{person} ({gettext(why)})" for person, why in self.left_out)
            said.append(gettext("Left out: %(people)s.") % {"people": people})
        return " ".join(said)


def take_same_raters(*, study: Study, actor: User) -> Taken:
    """Whoever is chosen in the draft already stays; people who were in a group there are put into it here."""
    with transaction.atomic():
        draft = draft_for_change(study, actor)
        earlier = _to_take_from(draft, actor)
        rows = earlier.raters.select_related("user__program").order_by("number")
        left_out = [(row.user, why) for row in rows if (why := _unfit(row))]
        fit = [row for row in rows if not _unfit(row)]
        seat(draft, [row.user for row in fit])
        groups = {row.user_id: row.group for row in fit if row.group}
        grouped = list(draft.raters.filter(user__in=groups))
        for rater in grouped:
            rater.group = groups[rater.user_id]
        StudyRater.objects.bulk_update(grouped, ["group"])
        record(
            study=draft,
            actor=actor,
            action=CHOSEN,
            raters=sorted(draft.raters.values_list("user__username", flat=True)),
            taken_from=str(earlier.pk),
            left_out={person.username: why for person, why in left_out},
        )
        if grouped:
            record(study=draft, actor=actor, action=GROUPED, groups=groups_told(draft))
    return Taken(people=[row.user for row in fit], grouped=len(grouped), left_out=left_out)


def _unfit(rater: StudyRater) -> str:
    """Why the account can't be taken over; empty where it can."""
    if rater.user.as_program is not None:
        return gettext_noop("a program: it may read any study, choose it in the list")
    if rater.excluded_at is not None:
        return gettext_noop("excluded there")
    if not rater.user.is_active:
        return gettext_noop("the account is closed")
    if rater.user.role != Role.RATER:
        return gettext_noop("the account is no rater's any more")
    return ""


def _to_take_from(draft: Study, person: User) -> Study:
    # Who reads a study is told to its team.
    earlier = taken_from(draft, person)
    if not earlier.raters.exists():
        raise ConflictError(
            gettext("“%(title)s” has no raters yet. Choose them there first.") % {"title": earlier.title}
        )
    return earlier
