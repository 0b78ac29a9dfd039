"""What is frozen is written down as every database gives it back."""

import json

import pytest

from readerstudy.digests import canonical_json, digest_of, storable
from readerstudy.models import record, record_content


@pytest.mark.parametrize("value", [-0.0, [-0.0, 1.5], {"a": {"b": (-0.0, -2.0)}}, {"words": "-0.0", "none": None}])
def test_no_signed_zero_is_frozen(value):
    written = canonical_json(storable(value))
    assert "-0.0" not in written.replace('"-0.0"', "")
    assert json.loads(written) == json.loads(canonical_json(value))


def test_other_values_stay_as_they_are():
    value = {"a": [1, -1.5, True, "x", None], "b": {"c": 0}}
    assert digest_of(storable(value)) == digest_of(value)


def test_the_record_holds_none_either(draft, cast):
    entry = record(study=draft, actor=cast.owner, action="measured", told=-0.0)
    assert canonical_json(entry.details) == '{"told":0.0}'


@pytest.mark.parametrize("value", [-0.0, 1e16, -1e16, 1e22, 1e23, 1.7e308, 9999999999999998.0, 5e-324, 1e-7, 0.1, 3.0])
def test_what_is_frozen_has_the_same_digest_when_the_database_gives_it_back(draft, cast, value):
    entry = record(study=draft, actor=cast.owner, action="measured", told=[value, {"in": value}])
    entry.refresh_from_db()
    assert entry.details["told"] == [value, {"in": value}]
    assert digest_of(record_content(entry)) == entry.digest
