"""What a study says of patients and places that its raters saw before holds for every linked study they may have read."""

import pytest
from django.test import Client
from django.urls import reverse

from ctplatform.errors import ConflictError
from readerstudy.design import services as design
from readerstudy.design import shelving
from readerstudy.design.cases import place_of, truths_of
from readerstudy.design.phases import phase_words, read_before
from readerstudy.design.readiness import blocking, readiness
from readerstudy.design.same_cases import take_same_cases
from readerstudy.locking import execution
from readerstudy.models import Study
from readerstudy.opening import services as opening
from readerstudy.unblinding import services as unblinding
from readerstudy.verification import verify
from tests.readerstudy.chains import opened, phase_after
from tests.readerstudy.worlds import make_draft, make_world

SEEN = "When it was locked, 12 of its cases showed places that its raters may have seen in a linked study."
PROMISED = "protocol says that its raters saw none of its patients before"


@pytest.fixture
def elsewhere(cast):
    return make_world(cast.owner)


def locked_beside(cast, elsewhere, stages, first, **settings):
    """Continues the first study on other patients, and says that nobody saw them before."""
    draft = phase_after(cast, elsewhere, first, **{"other_patients": True, **settings})
    return opened(drawn(draft, stages), stages)


def drawn(draft, stages):
    job = stages.draw(draft)
    assert draft.cases.count() == draft.cases_planned, job.error
    return draft


def refused(study):
    study.refresh_from_db()
    return " ".join(blocking(readiness(study)))


def test_places_of_any_study_before_count(cast, world, elsewhere, stages, collecting):
    second = locked_beside(cast, elsewhere, stages, collecting)
    third = opened(drawn(phase_after(cast, world, second, least_gap_days=0), stages), stages)
    shown, first = ({place_of(truth) for truth in truths_of(study)} for study in (third, collecting))
    assert third.protocol["continues"]["same_images"] == len(shown & first) == 12
    assert third.protocol["continues"]["read_before"] == sorted([str(collecting.pk), str(second.pk)])
    client = Client()
    client.force_login(cast.owner)
    page = " ".join(client.get(reverse("studies:study", args=[third.pk])).content.decode().split())
    assert SEEN in page
    assert verify(third).problems == []


def test_places_of_a_study_beside_count_where_somebody_rates_both(cast, elsewhere, stages, collecting):
    beside = locked_beside(cast, elsewhere, stages, collecting, other_patients=False)
    study = opened(drawn(phase_after(cast, elsewhere, collecting), stages), stages)
    assert study.protocol["continues"]["same_images"] == 12
    assert str(beside.pk) in study.protocol["continues"]["read_before"]
    assert SEEN in phase_words(study.protocol["continues"])
    assert beside.protocol["continues"]["same_images"] == 0
    unblinding.exclude_rater(rater=beside.raters.get(user=cast.second_rater), actor=cast.owner, reason="Ill")
    apart = phase_after(cast, elsewhere, collecting, raters=[cast.second_rater])
    assert beside in read_before(apart), "whoever was excluded may have seen cases before"


def test_people_of_one_branch_have_seen_nothing_of_another(cast, elsewhere, stages, collecting):
    beside = locked_beside(cast, elsewhere, stages, collecting, raters=[cast.rater])
    study = phase_after(cast, elsewhere, collecting, raters=[cast.second_rater], other_patients=True)
    study = opened(drawn(study, stages), stages)
    assert study.protocol["continues"]["read_before"] == [str(collecting.pk)]
    assert beside.protocol["continues"]["other_patients"]
    assert study.protocol["continues"]["other_patients"]


def test_the_draw_leaves_out_patients_of_a_study_beside(cast, elsewhere, stages, collecting):
    study = drawn(phase_after(cast, elsewhere, collecting, other_patients=True), stages)
    beside = locked_beside(cast, elsewhere, stages, collecting, other_patients=False)
    assert beside.protocol["continues"]["read_before"] == [str(collecting.pk)], "a draft shows nothing yet"
    assert "3 patients are shown in linked studies that its raters may have read; draw the cases again." in refused(
        study
    )
    assert "other patients than" in stages.draw(study).error
    # While nobody is chosen anybody may have read it.
    design.set_raters(study=study, actor=cast.owner, users=[])
    assert "other patients than" in stages.draw(study).error


def test_no_later_lock_makes_untrue_what_a_protocol_says(cast, elsewhere, stages, collecting):
    beside = locked_beside(cast, elsewhere, stages, collecting)
    study = drawn(phase_after(cast, elsewhere, collecting), stages)
    message = refused(study)
    assert f"3 patients are shown in another linked study too, whose {PROMISED}" in message
    assert beside.title not in message, "its team may be another one"
    take_same_cases(study=study, actor=cast.owner)
    assert refused(study) == "", "none of its patients are those of the other one"


def test_a_protocol_of_before_is_held_to_what_it_says(cast, elsewhere, stages, collecting):
    """It speaks of the studies in line with it, so another one on its patients makes nothing untrue."""
    beside = locked_beside(cast, elsewhere, stages, collecting)
    old = {name: value for name, value in beside.protocol["continues"].items() if name != "read_before"}
    Study.objects.filter(pk=beside.pk).update(protocol={**beside.protocol, "continues": old})
    assert refused(drawn(phase_after(cast, elsewhere, collecting), stages)) == ""


def test_a_study_that_was_given_up_before_it_was_opened_leaves_its_patients_free(cast, elsewhere, stages, collecting):
    draft = drawn(phase_after(cast, elsewhere, collecting, other_patients=True), stages)
    assert stages.lock(draft).result["locked"]
    draft.refresh_from_db()
    again = phase_after(cast, elsewhere, collecting, other_patients=True)
    assert "other patients than" in stages.draw(again).error
    shelving.archive(study=draft, actor=cast.owner)
    again = opened(drawn(again, stages), stages)
    assert again.protocol["continues"]["other_patients"]
    with pytest.raises(ConflictError, match="3 patients are shown in linked studies"):
        shelving.take_back(study=draft, actor=cast.owner)
    assert draft.state == "locked"
    with pytest.raises(ConflictError, match="not archived"):
        opening.open_for_reading(study=draft, actor=cast.owner)


def test_of_two_locks_under_way_the_later_one_sees_the_earlier(cast, elsewhere, stages, collecting, monkeypatch):
    one, two = (
        drawn(phase_after(cast, elsewhere, collecting, **how), stages) for how in ({"other_patients": True}, {})
    )
    assert (refused(one), refused(two)) == ("", "")
    audit = execution.audit_study

    def meanwhile(study, **kwargs):
        monkeypatch.setattr(execution, "audit_study", passed)
        stages.lock(one)
        return passed(study, **kwargs)

    def passed(study, **kwargs):
        return {**audit(study, **kwargs), "passed": True, "leaks": []}

    monkeypatch.setattr(execution, "audit_study", meanwhile)
    job = stages.lock(two)
    assert (one.state, two.state) == ("locked", "draft")
    assert PROMISED in job.error


def test_what_comes_later_in_the_line_was_not_read_before(cast, world, collecting, second):
    assert read_before(second) == [collecting]
    assert read_before(collecting) == []
    assert read_before(make_draft(cast, world)) == []


def test_protocols_of_before_say_no_more_than_they_looked_at():
    old = {"title": "Trial", "least_gap_days": 0, "protocol_digest": "0", "other_patients": False, "same_images": 4}
    assert phase_words(old).endswith("read this one afterwards. 4 of its cases show places that were shown there.")
    old |= {"other_patients": True, "same_images": 0}
    assert phase_words(old).endswith("No case is of a patient whom that study or one before it shows.")
    new = old | {"read_before": []}
    assert phase_words(new).endswith("No case is of a patient whom its raters may have seen in a linked study.")
    assert "No case" not in phase_words(new | {"other_patients": False})
