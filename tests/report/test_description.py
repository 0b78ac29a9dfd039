"""The analysis has the same fields as dataclass, as JSON and in the description of the API."""

import dataclasses
import typing
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import yaml

from readerstudy.analysis import DefaultAnalysis, default_analysis, plan_for
from readerstudy.analysis.default.json_form import always_there
from tests.analysis.test_default_analysis import study

DESCRIPTION = Path(__file__).parents[2] / "docs" / "openapi.yaml"
TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool}


@pytest.fixture(scope="module")
def schemas():
    return yaml.safe_load(DESCRIPTION.read_text())["components"]["schemas"]


def dataclasses_in(hint, found):
    """Every dataclass that a value of this type holds, by name."""
    if dataclasses.is_dataclass(hint):
        found[hint.__name__] = hint
        for inner in typing.get_type_hints(hint).values():
            dataclasses_in(inner, found)
    for inner in typing.get_args(hint):
        dataclasses_in(inner, found)
    return found


def analyses():
    """One with all that can be collected, one whose planned primary test is not possible, one with answers alone."""
    data = study(effect=0.8)
    order = np.argsort(np.random.default_rng(0).random(data["calls"].shape), axis=0) + 1.0
    controls = np.zeros(len(data["truth"]))
    controls[np.flatnonzero(data["truth"])[:2]] = 1
    collected = {"order": order, "times_ms": 1000 * order, "controls": controls}
    everything = default_analysis(**data, **collected, plan=plan_for("lesion_inserted"))
    perfect = np.repeat(data["truth"][:, None], 4, axis=1)
    fallback = default_analysis(
        truth=data["truth"], calls=perfect, ratings=1 + 5 * perfect, plan=plan_for("lesion_inserted")
    )
    return [everything, fallback, default_analysis(truth=data["truth"], calls=data["calls"])]


def walk(value, schema, schemas, seen):
    """Compare a value with its description and note under every component which fields it had."""
    if value is None:
        assert schema.get("nullable"), schema
        return
    reference = [schema, *schema.get("allOf", [])][-1]
    name = reference.get("$ref", "").rpartition("/")[2]
    described = schemas[name] if name else schema
    if described.get("type") == "object" and "properties" in described:
        seen[name].append(set(value))
        assert set(value) <= set(described["properties"]), name
        for key, item in value.items():
            walk(item, described["properties"][key], schemas, seen)
    elif described.get("type") == "object":
        for item in value.values():
            walk(item, described["additionalProperties"], schemas, seen)
    elif described.get("type") == "array":
        for item in value:
            walk(item, described["items"], schemas, seen)
    else:
        assert isinstance(value, TYPES[described["type"]]), (value, described)
        assert value in described.get("enum", [value])


def test_dataclass_json_and_description_have_equal_fields(schemas):
    models, seen = dataclasses_in(DefaultAnalysis, {}), defaultdict(list)
    for analysis in analyses():
        walk(analysis.as_json(), {"$ref": "#/components/schemas/DefaultAnalysis"}, schemas, seen)
    assert set(seen) == set(models)
    for name, model in models.items():
        fields = [one.name for one in dataclasses.fields(model)]
        always = {one.name for one in dataclasses.fields(model) if always_there(one)}
        assert list(schemas[name]["properties"]) == fields, name
        assert set(schemas[name].get("required", [])) == always, name
        assert set.union(*seen[name]) == set(fields), name
        assert set.intersection(*seen[name]) == always, name
