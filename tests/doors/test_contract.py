"""The API keeps its description, whatever is sent to it and by whomever: no error of ours, no answer it doesn't name."""

import json
import random
import uuid
from pathlib import Path

import pytest
import yaml
from django.test import Client

from tests.factories import make_user, token_headers

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
DESCRIPTION = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
METHODS = ("get", "post", "put", "patch", "delete")
ROUNDS = 8
ODD_TEXTS = [
    "",
    " ",
    "\x00",
    "\ud7ff",
    "\u202e",
    "💉" * 3,
    "'; DROP TABLE x; --",
    "../../etc/passwd",
    "%s%n",
    "x" * 5000,
    "null",
    "-1",
]
ODD_NUMBERS = [0, -1, 2**31, 2**63, 2**64, 1e308, -1e308, 0.1]
ODD_VALUES = [None, True, [], {}, [None], {"a": {"b": []}}, float("inf"), float("nan"), *ODD_TEXTS, *ODD_NUMBERS]
ODD_QUERIES = [
    "page=0",
    "page=-1",
    "page=x",
    "page=9999999999999999999",
    "page_size=0",
    "page_size=-5",
    "page_size=1e9",
]
ODD_QUERIES += [
    "ordering=password",
    "ordering=-x,,-",
    "ordering=owner__password",
    "format=xml",
    "format=csv",
    "q=%00",
    "q=%FF",
]
ODD_QUERIES += ["page=%F0%9F%92%89", "limit=1", "unknown=1", "format=json&format=html", "q=" + "x" * 3000]
ACCEPTS = [None, "application/json", "text/html", "text/csv", "*/*", "nonsense"]
KINDS = ["application/json"] * 4 + [
    "application/x-www-form-urlencoded",
    "text/plain",
    "application/xml",
    "application/json; charset=utf-16",
]


def operations():
    for path, methods in DESCRIPTION["paths"].items():
        for method in METHODS:
            if method in methods:
                yield path, method, methods[method]


class Fuzzer:
    """Values that fit the description, and values that almost do. Seeded: the same requests every time."""

    def __init__(self, things, seed):
        self.things, self.random = things, random.Random(seed)
        self.ids = [str(value) for value in things.ids.values() if "/" not in str(value)]

    def value(self, schema, depth=0):
        if depth > 4 or self.random.random() < 0.25:
            return self.random.choice(ODD_VALUES)
        if "$ref" in schema:
            return self.value(DESCRIPTION["components"]["schemas"][schema["$ref"].split("/")[-1]], depth)
        for joined in ("allOf", "oneOf", "anyOf"):
            if joined in schema:
                return self.value(self.random.choice(schema[joined]), depth)
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        return getattr(self, f"_{schema.get('type', 'object')}")(schema, depth)

    def _object(self, schema, depth):
        fields = {name: self.value(part, depth + 1) for name, part in schema.get("properties", {}).items()}
        return {name: value for name, value in fields.items() if self.random.random() < 0.9}

    def _array(self, schema, depth):
        return [self.value(schema.get("items", {}), depth + 1) for _ in range(self.random.choice([0, 1, 3, 3, 50]))]

    def _string(self, schema, depth):
        if schema.get("format") == "uuid":
            return self.random.choice([*self.ids, str(uuid.UUID(int=self.random.getrandbits(128)))])
        if schema.get("format") == "date-time":
            return self.random.choice(
                ["2026-01-01T00:00:00Z", "0001-01-01T00:00:00-23:59", "2026-13-01", "9999-12-31T23:59:59Z"]
            )
        return self.random.choice(["a name", *ODD_TEXTS, *self.ids])

    def _integer(self, schema, depth):
        return self.random.choice([1, 3, 10**6, *ODD_NUMBERS])

    _number = _integer

    def _boolean(self, schema, depth):
        return self.random.random() < 0.5

    def path(self, path, operation):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                right = str(self.things.value(path.lstrip("/"), parameter["name"]))
                value = self.random.choice([*[right] * 20, *self.ids, "0", "1", "x", "9" * 30, "%00", "-1", "."])
                path = path.replace("{" + parameter["name"] + "}", value)
        return path

    def request(self, path, method, operation):
        options = {}
        accept = self.random.choice(ACCEPTS)
        if accept:
            options["headers"] = {"Accept": accept}
        address = self.path(path, operation)
        if self.random.random() < 0.5:
            address += "?" + self.random.choice(ODD_QUERIES)
        content = operation.get("requestBody", {}).get("content", {})
        body = next(iter(content.values()), {}).get("schema", {})
        text = json.dumps(self.value(body)) if method != "get" else ""
        return address, {"data": text, "content_type": self.random.choice(KINDS), **options}


def allowed(operation, answer):
    return str(answer.status_code) in operation["responses"]


@pytest.mark.parametrize(
    "who", ["nobody", "administrator", "coordinator", "researcher", "rater", "stranger", "program"]
)
def test_nothing_that_is_sent_gets_an_answer_that_the_description_does_not_name(many_things, cast, who):
    browser = Client(raise_request_exception=False)
    users = {
        "administrator": cast.administrator,
        "coordinator": cast.owner,
        "researcher": cast.member,
        "rater": cast.rater,
    }
    if who in users:
        browser.force_login(users[who])
    if who == "stranger":
        browser.force_login(make_user())
    extra = token_headers(cast.member) if who == "program" else {}
    fuzzer = Fuzzer(many_things, seed=who)
    surprises, statuses = [], []
    for path, method, operation in operations():
        for _ in range(ROUNDS):
            address, options = fuzzer.request(path, method, operation)
            options["headers"] = {**options.get("headers", {}), **extra}
            answer = browser.generic(method.upper(), address, **options)
            statuses.append(answer.status_code)
            if not allowed(operation, answer):
                surprises.append((method, address[:150], answer.status_code, answer.content[:150]))
    assert surprises == []
    assert len(statuses) > 200
    # It is not all refused at the door: whoever may see the study gets answers, and gets inside to be refused there.
    assert (statuses.count(200) > 10) == (who not in {"nobody", "rater"})


def test_every_operation_names_its_refusals():
    for path, method, operation in operations():
        statuses = set(operation["responses"])
        assert {"400", "401", "403", "404", "429"} <= statuses, (path, method)
        if method != "get":
            assert {"409", "413", "415"} <= statuses, (path, method)
        for status, response in operation["responses"].items():
            if status.startswith("4"):
                assert response["description"]
                assert "application/json" in response["content"]
