"""Every published study that can be followed, from its one button to its archive, read by virtual raters."""

import pytest
from django.urls import reverse

from readerstudy.design import services as design
from readerstudy.design.published import PUBLISHED
from readerstudy.models import RatingEvent, Study, Template
from readerstudy.report.making import made_files
from readerstudy.simulation import add_virtual_raters, simulate
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.readerstudy.worlds import FIELD_OF_VIEW_MM, make_world, unblind

pytestmark = pytest.mark.django_db

# What the world of a test is too small for; the rest is as published.
SMALL = {"cases_planned": 8, "field_of_view_mm": FIELD_OF_VIEW_MM, "seed": 7, "twins_allowed": True}
# Of the tasks that need several levels of confidence the publication may tell none: that is the coordinator's choice.
UNTOLD = {"dilger_2019": {"confidence_levels": 4}, "ct_gan_2019_open": {"confidence_levels": 4}}


@pytest.mark.parametrize("key", PUBLISHED)
def test_it_is_drawn_locked_read_unblinded_and_reported(key, recorded, cast, stages, client):
    client.force_login(cast.owner)
    world = recorded("large world", lambda: make_world(cast.owner, sources=4, edits_per_source=3))
    client.post(reverse("studies:new-published"), {"published": key})
    study = Study.objects.get()
    assert study.template == Template.INSERTED_LESIONS
    study.datasets.set([world.dataset])
    design.change_design(study=study, actor=cast.owner, **SMALL, **UNTOLD.get(key, {}))
    add_virtual_raters(study=study, actor=cast.owner, count=2)
    study = stages.open(Study.objects.get())
    trials = study.raters.first().sessions.get().presentations.values("position").distinct().count()
    assert simulate(study=study, skill=0.8, seed=3, say=lambda words: None) == 2 * trials
    study = unblind(Study.objects.get())
    assert verify(study).intact
    assert RatingEvent.objects.filter(study=study).count() == 2 * trials
    page = client.get(reverse("studies:results", args=[study.pk]))
    assert page.status_code == 200
    for name, value in PUBLISHED[key].results:
        assert name in page.content.decode()
        assert value.replace("'", "&#x27;") in page.content.decode()
    files = made_files(UnblindedStudy(study))
    assert f"The design follows {PUBLISHED[key].reference}" in files["methods.txt"].decode()
