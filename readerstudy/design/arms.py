"""The arms of a study: real cases, and those of each program by what it did. Derived from what is sealed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What a program did, by the operation of its provenance.
DONE = {"insert": "inserted", "remove": "removed", "whole": "whole image"}
UNNAMED = "unnamed program"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """Real, or one program's cases of one operation. Known-bad controls are an arm beside it."""

    operation: str = ""
    generator: str = ""
    control: bool = False

    @property
    def is_real(self) -> bool:
        return not self.operation

    @property
    def name(self) -> str:
        """What it is called on pages and in tables; two arms never share a name."""
        if self.is_real:
            return "real"
        return f"{self.generator}, {DONE[self.operation]}{', positive control' if self.control else ''}"


REAL = Arm()


def arm_from(*, synthetic: bool, control: bool, details: Mapping[str, Any]) -> Arm:
    """`details` are the facts of its provenance. Other versions are other arms; weights made here have no version."""
    if not synthetic:
        return REAL
    version = str(details.get("generator_version") or details.get("generator_digest") or "")
    is_digest = not details.get("generator_version")
    named = f"{details.get('generator_name', '')} {version[:8] if is_digest else version}".strip()
    operation = str(details.get("operation") or "insert")
    return Arm(operation=operation, generator=named or UNNAMED, control=control)


def arm_order(arm: Arm) -> tuple[bool, str, str, bool]:
    """Real first, then by name, with each arm's controls behind it."""
    return not arm.is_real, arm.generator, arm.operation, arm.control


def quotas(available: Mapping[str, int], *, places: int) -> dict[str, int]:
    """How many cases each arm gives: equally many, and what an arm lacks is shared by the others."""
    left, given = places, dict.fromkeys(available, 0)
    by_size = sorted(available, key=lambda name: (available[name], name))
    for number, name in enumerate(by_size):
        given[name] = min(available[name], left // (len(by_size) - number))
        left -= given[name]
    return given
