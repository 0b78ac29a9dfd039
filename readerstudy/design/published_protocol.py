"""What is written down of a published reader study.

`settings` are columns of a study and hold what the publication tells; everything that it does not tell is named in
`untold` and stays as usual for the coordinator to choose. `otherwise` says where this platform does it differently.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from readerstudy.tasks.real_or_synthetic import RealOrSynthetic

ANSWERS_ONLY = {"task_name": RealOrSynthetic.name, "task_settings": {}, "confidence_levels": 0}
WHOLE_PICTURE = "There the whole picture was judged; here a case is a place, with a ring around it."
WHOLE_VOLUME = "There volumes were looked at whole; here a stack has at most 61 slices."


class Cases(StrEnum):
    """Which cases a phase shows after an earlier one."""

    SAME = "same"
    OTHERS = "others"
    UNTOLD = "untold"


@dataclass(frozen=True, kw_only=True)
class PublishedProtocol:
    """`results` has what was found, each with its name; none of it was computed here unless it says so."""

    key: str
    authors: str
    title: str
    reference: str
    raters: str
    settings: Mapping[str, Any]
    untold: tuple[str, ...]
    otherwise: tuple[str, ...] = ()
    results: tuple[tuple[str, str], ...] = ()
    doi: str = ""
    page: str = ""
    """Where one can read about it whose DOI we could not look up."""
    ours: Mapping[str, Any] = field(default_factory=dict)
    """Columns that such a draft needs and the publication does not tell word by word; never said to be published."""
    naive: bool = False
    """Its readers did not know what it was about."""
    asked_at_the_end: str = ""
    """What its readers were asked when they had read all."""
    clue: bool = False
    """Its readers were told something between the phase before and this one, which the coordinator writes."""
    cases: Cases = Cases.UNTOLD
    """Of a later phase."""

    @property
    def address(self) -> str:
        return _address(self.doi, self.page)


@dataclass(frozen=True, kw_only=True)
class PublishedPhases:
    """A study that was read in phases, first to last: each is a protocol of its own, which continues the one before."""

    key: str
    authors: str
    title: str
    reference: str
    raters: str
    phases: tuple[PublishedProtocol, ...]
    doi: str = ""
    page: str = ""

    @property
    def address(self) -> str:
        return _address(self.doi, self.page)

    @property
    def untold(self) -> tuple[str, ...]:
        return _each_once(phase.untold for phase in self.phases)

    @property
    def otherwise(self) -> tuple[str, ...]:
        return _each_once(phase.otherwise for phase in self.phases)


def _address(doi: str, page: str) -> str:
    return f"https://doi.org/{doi}" if doi else page


def _each_once(said: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words for of_phase in said for words in of_phase))
