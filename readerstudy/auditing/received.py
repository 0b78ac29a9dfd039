"""What a walk brings home: every answer with what it was about, and the pages that are about no case."""

import json
from dataclasses import dataclass, field
from typing import Any

from readerstudy.auditing.rehearsal import Sitting, Slot
from readerstudy.auditing.visitor import Answer
from readerstudy.blinding.leaks import FEWEST_CASES


@dataclass(frozen=True, kw_only=True)
class Received:
    """One answer about one case, to one rater. `said` is what the rater's browser made up itself and is told again."""

    rater: int
    slot: Slot
    request: str
    answer: Answer
    said: tuple[str, ...] = ()

    @property
    def case_id(self) -> str:
        return self.slot.case_id


@dataclass(frozen=True, kw_only=True)
class TeamPage:
    """What the team fetched at one address; `answered` are the slots, by rater, that an export of ratings may name."""

    address: str
    content: bytes
    answered: frozenset[tuple[int, str]]


@dataclass
class Walk:
    sittings: list[Sitting] = field(default_factory=list)
    # Whose turn a case is, of the raters, to be looked at closely; by the random ids of the cases.
    turn: dict[str, int] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    # Tokens of the cases that were looked at before their turn; a pause in the reading does not make them new.
    seen_ahead: set[str] = field(default_factory=set)
    # And of those that were asked for while no browser could have.
    asked_far_ahead: set[str] = field(default_factory=set)
    # Pages that belong to no case: searched for names that nobody may see.
    pages: dict[str, bytes] = field(default_factory=dict)
    # What the team fetches: rater, slot, and the columns of the rating's row in the export.
    exported: list[tuple[int, Slot, dict[str, str]]] = field(default_factory=list)
    # Of trials of several images, which kind is looked for.
    finds: bool | None = None
    team_pages: list[TeamPage] = field(default_factory=list)

    @property
    def few(self) -> bool:
        return len(self.turn) < FEWEST_CASES

    @property
    def requests(self) -> int:
        return len(self.received) + len(self.pages) + len(self.team_pages)


def seen_of(answer: Answer) -> bytes:
    """All that is readable of an answer."""
    head = "\n".join(f"{name}: {value}" for name, value in answer.headers)
    return f"{answer.status}\n{head}\n".encode() + answer.body


def object_of(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        # No JSON has no fields; the audit looks at the bytes as they are, too.
        return {}
    return content if isinstance(content, dict) else {}
