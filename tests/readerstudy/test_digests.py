"""What is frozen is written down as every database gives it back."""

import json

import pytest

from readerstudy.digests import canonical_json, digest_of, storable
from readerstudy.models import record


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
