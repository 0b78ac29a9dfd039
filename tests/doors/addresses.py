"""Every address of the platform, read from its URL patterns, with the ids of things that are there."""

import re
import uuid
from dataclasses import dataclass

from django.urls import get_resolver

UNSAFE = ("post", "put", "patch", "delete")
CONVERTED = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")


@dataclass(frozen=True)
class Address:
    route: str
    path: str
    methods: tuple[str, ...]

    def __str__(self):
        return self.route or "/"


class Things:
    """Ids by the beginning of a route; what is missing gets an id that nothing has."""

    def __init__(self, **ids):
        self.ids = ids

    PREFIXES = (
        ("datasets/scans/", "scan"),
        ("datasets/masks/", "mask"),
        ("datasets/", "dataset"),
        ("synthesis/panel/", "scan"),
        ("synthesis/generators/", "generator"),
        ("synthesis/atlas/", "atlas"),
        ("synthesis/training/", "training"),
        ("synthesis/", "synthesis"),
        ("studies/", "study"),
        ("jobs/", "job"),
        ("people/token/", "api_token"),
        ("people/invitation/", "invitation_link"),
        ("people/invitations/", "invitation"),
        ("people/", "person"),
        ("reading/presentations/", "presentation"),
        ("reading/", "session"),
        ("account/", "nothing"),
    )
    BY_NAME = {"index": 0, "member": 1, "rater_pk": "rater", "code": "code", "name": "archive"}

    def value(self, route, name):
        if name in self.BY_NAME:
            found = self.BY_NAME[name]
            return self.ids.get(found, 1) if isinstance(found, str) else found
        inner = re.sub(r"^api/", "", route.replace("^", ""))
        if inner.startswith("synthesis/jobs/"):
            kind = "synthesis"
        else:
            kind = next(kind for prefix, kind in self.PREFIXES if inner.startswith(prefix))
        missing = "1" if f"<int:{name}>" in route else uuid.uuid4()
        return self.ids.get(kind, missing)

    def path(self, route):
        def fill(match):
            return str(self.value(route, match.group(1) or match.group(2)))

        return "/" + CONVERTED.sub(fill, route).replace("^", "").replace("$", "")


def addresses(things):
    for route, callback in _patterns(get_resolver()):
        yield Address(route, things.path(route), _methods(callback))


def _patterns(resolver, prefix=""):
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from _patterns(pattern, route)
        else:
            yield route, pattern.callback


def _methods(callback):
    actions = getattr(callback, "actions", None)
    view = getattr(callback, "view_class", None) or getattr(callback, "cls", None)
    if actions is not None:
        return tuple(method for method in UNSAFE if method in actions)
    if view is None:
        return ()
    return tuple(method for method in UNSAFE if hasattr(view, method))
