"""The API against its own description, by schemathesis: what it answers has the form that it promises, to everybody."""

from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
import schemathesis
import yaml
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.factories import make_user

pytestmark = pytest.mark.django_db
DESCRIPTION = yaml.safe_load((Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml").read_text())
PROMISES = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 2
CSRF_TOKEN = "a" * 32


PEOPLE = ("nobody", "owner", "member", "rater", "stranger")


@pytest.fixture
def description(many_things):
    """The description, and the application that it is about, on the connection of the test."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    schema = schemathesis.openapi.from_dict(DESCRIPTION)
    schema.app = get_wsgi_application()
    yield schema
    for signal in signals:
        signal.connect(close_old_connections)


def cases_of(operation, things):
    """What fits the description and what does not, with the path of something that is there."""
    names = [parameter.name for parameter in operation.path_parameters]
    path = {name: things.value(operation.path.lstrip("/"), name) for name in names}
    found = []
    for mode in GenerationMode:

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(mode, path_parameters=path))
        def collect(case):
            found.append(case)

        with suppress(Unsatisfiable):  # Where only the path could be wrong
            collect()
    return found


def login(user):
    """What a browser sends after its login."""
    browser = Client()
    if user:
        browser.force_login(user)
    cookies = {name: morsel.value for name, morsel in browser.cookies.items()}
    return {"cookies": {**cookies, "csrftoken": CSRF_TOKEN}, "headers": {"X-CSRFToken": CSRF_TOKEN}}


def broken_promises(case, answer):
    try:
        case.validate_response(answer, checks=PROMISES)
    except FailureGroup as failures:
        return [f"{case.operation.label}: {failure.title}\n{failure.message}" for failure in failures.exceptions]
    return []


def test_every_answer_has_the_form_that_the_description_promises(description, many_things, cast):
    people = {name: getattr(cast, name, None) for name in PEOPLE} | {"stranger": make_user()}
    logins = {name: login(user) for name, user in people.items()}
    broken, statuses, foreign = [], Counter(), []
    # Generators are everybody's.
    ids = [str(value) for kind, value in many_things.ids.items() if len(str(value)) >= 20 and kind != "generator"]
    for found in description.get_all_operations():
        for case in cases_of(found.ok(), many_things):
            for who in PEOPLE:
                answer = case.call(**logins[who])
                statuses[who, answer.status_code] += 1
                broken += [f"{who}: {promise}" for promise in broken_promises(case, answer)]
                if who == "stranger":
                    foreign += [(case.operation.label, one) for one in ids if one.encode() in answer.content]
    assert "\n\n".join(broken) == ""
    assert foreign == []
    # It is not all refused at the door, nor does everybody get in.
    assert statuses["owner", 200] > 20
    assert statuses["owner", 400] > 20
    assert statuses["nobody", 200] == 0
