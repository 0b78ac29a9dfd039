"""A bounded run of `python -m bench.reading_chaos`."""

import pytest

from readerstudy.models import GoingBack
from tests.readerstudy.chaos import run
from tests.readerstudy.worlds import make_draft

ALWAYS = {"proxy", "other login", "clock", "close", "exclude", "full", "hangs", "deletes nothing"}


@pytest.mark.parametrize(
    ("going_back", "seed"), [(GoingBack.ANY, 1), (GoingBack.ANY, 2), (GoingBack.LAST, 3), (GoingBack.NEVER, 5)]
)
def test_no_trouble_loses_or_doubles_an_answer(cast, world, stages, going_back, seed):
    study = stages.open(make_draft(cast, world, going_back=going_back))
    outcome = run(study, steps=200, seed=seed)
    assert outcome.problems == []
    assert outcome.presses > 20
    assert outcome.faults > 40
    assert set(outcome.happened) >= ALWAYS
