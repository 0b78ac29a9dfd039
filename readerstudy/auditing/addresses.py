"""Addresses of the platform, read from its own patterns: a page that is added is asked for without being listed."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.urls import get_resolver

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")
# Of a regular expression, what is no part of an address.
UNFILLED = re.compile(r"[<>()\[\]*+?|\\]")

Parameters = Mapping[str, str]


def addresses(below: Mapping[str, Parameters]) -> list[str]:
    """All that can be looked at and begin as a key of `below` says, with its parameters put in; others have more."""
    found: dict[str, None] = {}
    for route, view in _routes(get_resolver()):
        if not _is_shown(view):
            continue
        beginnings = [beginning for beginning in below if route.startswith(beginning)]
        if not beginnings:
            continue
        address = _filled(route, below[max(beginnings, key=len)])
        if address is not None:
            found[address] = None
    return list(found)


def _routes(resolver: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in resolver.url_patterns:
        route = before + str(pattern.pattern).removeprefix("^").removesuffix("$").removesuffix(r"\Z")
        if hasattr(pattern, "url_patterns"):
            yield from _routes(pattern, route)
        else:
            yield route, pattern.callback


def _is_shown(view: Any) -> bool:
    """Whether it answers GET, as far as its class tells."""
    if actions := getattr(view, "actions", None):
        return "get" in actions
    made_of = getattr(view, "view_class", None) or getattr(view, "cls", None)
    return made_of is None or hasattr(made_of, "get")


def _filled(route: str, parameters: Parameters) -> str | None:
    names = {first or second for first, second in PARAMETER.findall(route)}
    if not names <= set(parameters):
        return None
    address = "/" + PARAMETER.sub(lambda match: parameters[match.group(1) or match.group(2)], route)
    return None if UNFILLED.search(address) else address
