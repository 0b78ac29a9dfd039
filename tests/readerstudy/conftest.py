from datetime import timedelta

import pytest
from django.utils import timezone

from ml.phantom import PhantomConfig
from readerstudy.reading import practice
from tests.readerstudy.chains import opened_phase
from tests.readerstudy.worlds import Browser, Cast, Stages, make_draft, make_world


@pytest.fixture
def cast(recorded):
    return recorded("cast", Cast.create)


@pytest.fixture
def world(recorded, cast):
    return recorded("world", lambda: make_world(cast.owner))


@pytest.fixture
def stages(django_capture_on_commit_callbacks):
    return Stages(django_capture_on_commit_callbacks)


@pytest.fixture
def draft(recorded, cast, world):
    return recorded("draft", lambda: make_draft(cast, world))


@pytest.fixture
def drafting():
    """How the study of a module's tests differs: arguments of ``make_draft``, defined anew there."""
    return {}


@pytest.fixture
def collecting(recorded, cast, world, stages, drafting):
    return recorded(f"collecting {drafting}", lambda: stages.open(make_draft(cast, world, **drafting)))


@pytest.fixture
def reader(collecting, cast):
    return Browser(cast.rater, collecting)


@pytest.fixture
def small_phantom(monkeypatch):
    monkeypatch.setattr("ml.phantom.PhantomConfig", lambda **named: PhantomConfig(size_zyx=(12, 96, 96), **named))
    practice.practice_scan.cache_clear()
    yield
    practice.practice_scan.cache_clear()


@pytest.fixture
def days_later(monkeypatch):
    """Puts the server's clock forward."""
    now = timezone.now

    def forward(days):
        monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(days=days))

    return forward


@pytest.fixture
def second(recorded, cast, world, stages, collecting):
    return recorded("second phase", lambda: opened_phase(cast, world, stages, collecting))
