"""A study that follows a published one: how it starts, where it departs, and what is frozen of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from ctplatform.accounts.models import User
from readerstudy.design.phases_departed import phases_departed
from readerstudy.design.published import PUBLISHED, STARTED
from readerstudy.design.published_protocol import Cases, PublishedPhases, PublishedProtocol
from readerstudy.design.services import create_study
from readerstudy.models import Study
from readerstudy.tasks.labels import ENGLISH

TITLE = "After {}"
# Together they say what is answered; apart they say little.
ANSWERS = ("task_name", "task_settings", "confidence_levels")
WORDS = {
    "template": "What is judged",
    "display_mode": "Display",
    "stack_slices": "Slices in a stack",
    "cases_planned": "Number of cases",
    "further_questions": "Further questions",
}


def start(*, key: str, owner: User) -> list[Study]:
    """Drafts with everything that the publication tells; KeyError where there is no such publication.

    Of several phases all are made or none, each continuing the one before; the days between them are left open.
    """
    found = STARTED[key]
    phases = found.phases if isinstance(found, PublishedPhases) else (found,)
    drafts: list[Study] = []
    with transaction.atomic():
        for protocol in phases:
            drafts.append(_draft(protocol, owner=owner, continues=drafts[-1] if drafts else None))
    return drafts


def _draft(protocol: PublishedProtocol, *, owner: User, continues: Study | None) -> Study:
    # Raters see the title: the names of the authors tell nothing of the kinds, and ours stand where they might.
    usual = {
        "title": TITLE.format(protocol.authors),
        "other_patients": continues is not None and protocol.cases is Cases.OTHERS,
    }
    # A later phase may be followed alone, and then shows nothing that others have shown.
    ours = {name: value for name, value in protocol.ours.items() if continues or name != "other_patients"}
    return create_study(
        owner=owner,
        # As it was published: the words of its settings are English.
        language=ENGLISH,
        published=protocol.key,
        continues=continues,
        **{**usual, **ours},
        **protocol.settings,
    )


def followed(study: Study) -> PublishedProtocol | None:
    return PUBLISHED.get(study.published)


def departures(study: Study) -> list[str]:
    """Where a study is set otherwise than what was published, in words."""
    protocol = followed(study)
    if protocol is None:
        return []
    as_published = _as_published(protocol, study)
    said = [
        f"{words}: {_shown(study, name)} (published: {_shown(as_published, name)})"
        for name, words in WORDS.items()
        if name in protocol.settings and getattr(study, name) != protocol.settings[name]
    ]
    told = protocol.settings.get("task_settings", {})
    if any(
        _answer(study, name, told) != _answer(as_published, name, told) for name in ANSWERS if name in protocol.settings
    ):
        here, there = (one.asked.task.answers_in_words() for one in (study, as_published))
        said.append(f"Answers: {here} (published: {there})")
    if protocol.asked_at_the_end and not study.end_question:
        asked = protocol.asked_at_the_end
        said.append(f"There readers were asked afterwards {asked}; here nothing is asked at the end.")
    return said + phases_departed(study)


def _as_published(protocol: PublishedProtocol, study: Study) -> Study:
    """Levels that the publication does not tell are not said to be published, but where answers need some."""
    bare = Study(**{"confidence_levels": 0, **protocol.settings})
    try:
        _ = bare.asked.task
    except ValueError:
        bare.confidence_levels = study.confidence_levels
    return bare


def departures_told(study: Study) -> list[str]:
    """Of a locked study as they were frozen."""
    if study.protocol:
        return list(study.protocol.get("published", {}).get("departures", []))
    protocol = followed(study)
    return [*protocol.otherwise, *departures(study)] if protocol else []


def in_prose(departures: Sequence[str]) -> str:
    """As sentences one after the other."""
    return " ".join(f"{one.rstrip('.')}." for one in departures)


def frozen_following(study: Study) -> dict[str, Any]:
    """For the protocol; nothing where a study follows nobody."""
    protocol = followed(study)
    if protocol is None:
        return {}
    return {
        "published": {
            "key": protocol.key,
            "reference": protocol.reference,
            "doi": protocol.doi,
            "departures": departures_told(study),
        }
    }


def _shown(study: Study, name: str) -> str:
    if name == "further_questions":
        return ", ".join(item.question for item in study.asked.questions) or "none"
    if name == "display_mode":
        return study.display_label
    label = getattr(study, f"get_{name}_display", None)
    return str(label()) if label else str(getattr(study, name))


def _answer(study: Study, name: str, told: Mapping[str, Any]) -> Any:
    """Settings that the publication tells, as the task understands them: 2 and “2” are the same."""
    if name != "task_settings":
        return getattr(study, name)
    chosen = study.asked.task.chosen()
    return {setting: chosen.get(setting) for setting in told}
