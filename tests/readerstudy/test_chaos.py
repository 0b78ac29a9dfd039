"""A bounded run of `python -m bench.reading_chaos`."""

import pytest

from readerstudy.models import GoingBack
from tests.readerstudy.chaos import run
from tests.readerstudy.worlds import make_draft


@pytest.mark.parametrize("seed", [1, 2])
def test_no_trouble_loses_or_doubles_an_answer(cast, world, stages, seed):
    # A study that takes every change: where changes end with the next case, their refusal is final.
    study = stages.open(make_draft(cast, world, going_back=GoingBack.ANY))
    outcome = run(study, steps=150, seed=seed)
    assert outcome.problems == []
    assert outcome.presses > 20
    assert outcome.faults > 40
    assert {"proxy", "other login", "clock", "close", "exclude", "full", "hangs", "deletes nothing"} <= set(
        outcome.happened
    )
