"""Every published study that can be followed, from its one button to its archive, read by virtual raters."""

from functools import partial

import pytest
from django.urls import reverse

from ctplatform.errors import DomainError
from readerstudy.design import services as design
from readerstudy.design.phases_departed import phases_departed
from readerstudy.design.published import PUBLISHED
from readerstudy.design.published_phases import PHASED
from readerstudy.design.same_cases import take_same_cases
from readerstudy.models import Feedback, RatingEvent, Study, Template, TruthTold
from readerstudy.report.making import made_files
from readerstudy.simulation import add_virtual_raters, simulate
from readerstudy.unblinding import services as unblinding
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
    reported_beside_what_was_published(study, client)


def reported_beside_what_was_published(study, client):
    protocol = PUBLISHED[study.published]
    page = client.get(reverse("studies:results", args=[study.pk]))
    assert page.status_code == 200
    for name, value in protocol.results:
        assert name in page.content.decode()
        assert value.replace("'", "&#x27;") in page.content.decode()
    methods = made_files(UnblindedStudy(study))["methods.txt"].decode()
    assert f"The design follows {protocol.reference}" in methods
    return methods


# Of several phases


GAP_DAYS = 14


@pytest.mark.parametrize("key", PHASED)
def test_its_phases_are_locked_read_in_their_order_and_unblinded_together(
    key, recorded, cast, stages, client, days_later
):
    client.force_login(cast.owner)
    world = recorded("large world", lambda: make_world(cast.owner, sources=4, edits_per_source=3))
    other_world = recorded("other large world", lambda: make_world(cast.owner, sources=4, edits_per_source=3))
    client.post(reverse("studies:new-published"), {"published": key})
    phases = PHASED[key].phases
    drafts = [Study.objects.get(published=phase.key) for phase in phases]
    for phase, draft in zip(phases, drafts, strict=True):
        gap = {"least_gap_days": GAP_DAYS} if draft.continues else {}
        draft.datasets.set([other_world.dataset if draft.other_patients else world.dataset])
        design.change_design(study=draft, actor=cast.owner, **SMALL, **gap, **UNTOLD.get(phase.key, {}))
        add_virtual_raters(study=draft, actor=cast.owner, count=2)
    studies = []
    for draft in drafts:
        study = Study.objects.get(pk=draft.pk)
        if studies and not study.other_patients:
            take_same_cases(study=study, actor=cast.owner)
            studies.append(stages.open_drawn(study))
        else:
            studies.append(stages.open(study))
        assert phases_departed(study) == []

    read = partial(simulate, skill=0.8, seed=3, say=lambda words: None)
    for number, study in enumerate(studies):
        for too_early in studies[max(number, 1) :]:
            with pytest.raises(DomainError, match="isn't open to you yet"):
                read(study=too_early)
        days_later(number * (GAP_DAYS + 0.1))
        trials = study.raters.first().sessions.get().presentations.values("position").distinct().count()
        assert read(study=study) == 2 * trials

    days_later(0)  # the record has the time of the machine, whatever this clock says
    for study in studies:
        unblinding.close(study=study, actor=cast.owner)
    for study in studies:
        unblinding.unblind(study=study, actor=cast.owner, typed_title=study.asked.title)
        study.refresh_from_db()
        assert verify(study).intact
        methods = reported_beside_what_was_published(study, client)
        assert ("The study continues “" in methods) == (study.continues is not None)
        told = TruthTold.objects.filter(event__study=study).count()
        assert told == (study.ledger_count if study.feedback == Feedback.END else 0)
        assert ("after their last case raters could ask" in methods) == bool(told)
        assert (f"They were told of {told} of {told} answers" in methods) == bool(told)
