import pytest

from tests.readerstudy.worlds import Browser, Cast, Stages, make_draft, make_world


@pytest.fixture
def cast(db):
    return Cast.create()


@pytest.fixture
def world(cast):
    return make_world(cast.owner)


@pytest.fixture
def stages(django_capture_on_commit_callbacks):
    return Stages(django_capture_on_commit_callbacks)


@pytest.fixture
def draft(cast, world):
    return make_draft(cast, world)


@pytest.fixture
def collecting(draft, stages):
    return stages.open(draft)


@pytest.fixture
def reader(collecting, cast):
    return Browser(cast.rater, collecting)
