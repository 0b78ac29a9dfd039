"""Several people at one draft: what changed is written down, and whoever saves later is told what came between."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Max
from django.utils.translation import gettext

from ctplatform.accounts.models import User
from ctplatform.datasets.models import Dataset
from ctplatform.errors import ConflictError
from readerstudy.design.field_names import FIELD_NAMES
from readerstudy.models import Study

CHANGED = "design changed"
SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Changed:
    """A field that somebody else saved after a person had opened the form: what it was then, and by whom it changed."""

    before: Any
    by: str


def last_entry(study: Study) -> int:
    """Marks what a person has seen of a study when a form is opened."""
    return study.record.aggregate(last=Max("id"))["last"] or 0


def plain(study: Study, name: str) -> Any:
    """The value of a field of the protocol as the record writes it."""
    return as_plain(study.datasets.all() if name == "datasets" else getattr(study, name))


def as_plain(value: Any) -> Any:
    if isinstance(value, (bool, int, float, dict, type(None))):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Study):
        # Several may have one title.
        return f"{value.title} ({value.pk})"
    if isinstance(value, list) and not any(isinstance(one, Dataset) for one in value):
        return value
    if isinstance(value, Iterable):
        return sorted(str(one) for one in value if isinstance(one, Dataset))
    return str(value)


def changed_since(study: Study, seen: int) -> dict[str, Changed]:
    """Fields of the protocol that were saved since then; of several changes the first tells what was seen."""
    found: dict[str, Changed] = {}
    for entry in study.record.filter(pk__gt=seen, action=CHANGED).select_related("actor").order_by("id"):
        for name, (before, _) in entry.details.get("changed", {}).items():
            first = found.get(name)
            found[name] = Changed(before if first is None else first.before, str(entry.actor))
    return found


def settle(study: Study, settings: Mapping[str, Any], seen: int) -> dict[str, Any]:
    """What of the settings is this person's own wish: fields that somebody else changed meanwhile stay as they are.

    Refuses where both changed the same field to different values.
    """
    others = changed_since(study, seen)
    own = dict(settings)
    both = []
    for name, change in others.items():
        if name not in own:
            continue
        wished, now = as_plain(own[name]), plain(study, name)
        if wished in (change.before, now):
            del own[name]
        else:
            both.append(
                gettext("%(field)s, which %(person)s set to %(value)s")
                % {"field": FIELD_NAMES.get(name, name), "person": change.by, "value": short(now)}
            )
    if both:
        raise ConflictError(
            gettext(
                "Nothing was saved yet: since you opened this form somebody else saved it and changed %(fields)s. What "
                "you entered stands below. Save again to put yours in its place; everything else of theirs stays."
            )
            % {"fields": "; ".join(both)},
            code="changed_meanwhile",
        )
    return own


def kept_of_others(study: Study, entered: Mapping[str, Any], seen: int) -> list[str]:
    """Fields that somebody else changed and this person left as they were: the form goes on with what they are now."""
    others = changed_since(study, seen)
    return [name for name, change in others.items() if name in entered and as_plain(entered[name]) == change.before]


def short(value: Any) -> str:
    words = ", ".join(map(str, value)) or gettext("none") if isinstance(value, list) else str(value)
    return f"“{words[:SHOWN_CHARACTERS]}…”" if len(words) > SHOWN_CHARACTERS else f"“{words}”"


def refuse_if_chosen_since(study: Study, seen: int, action: str) -> None:
    """For lists that are saved as a whole: who comes second looks at them again."""
    later = study.record.filter(pk__gt=seen, action=action).select_related("actor").order_by("-id").first()
    if later is not None:
        raise ConflictError(
            gettext(
                "Nothing was saved: %(actor)s changed this list after you had opened the page. Look at it and "
                "save again."
            )
            % {"actor": later.actor},
            code="changed_meanwhile",
        )


def refuse_if_changed_since(study: Study, seen: int, actor: User) -> None:
    """For a step that can't be undone: who takes it has seen what all others did."""
    later = study.record.filter(pk__gt=seen).exclude(actor=actor).select_related("actor").order_by("-id").first()
    if later is not None:
        raise ConflictError(
            gettext(
                "Nothing was locked: %(actor)s worked at this study after you had opened the page "
                "(“%(action)s”). Look at it again, then lock it."
            )
            % {"actor": later.actor, "action": later.action},
            code="changed_meanwhile",
        )
