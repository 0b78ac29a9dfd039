"""Studies that continue one another: when raters are let in, what may be unblinded when, and what the lock freezes."""

import csv
import io
import json

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ctplatform.errors import ConflictError, ForbiddenError
from readerstudy.design import services as design
from readerstudy.design.cases import roots_shown, truths_of
from readerstudy.design.readiness import blocking, readiness
from readerstudy.design.same_cases import take_same_cases
from readerstudy.locking import execution
from readerstudy.locking import services as locking
from readerstudy.models import Case, CaseTruth, Presentation, Session, Study
from readerstudy.report.archive import text_files
from readerstudy.report.loading import report_data
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.course import course_words
from readerstudy.unblinding.opened import StudyLedger, UnblindedStudy
from readerstudy.verification import verify
from tests.readerstudy.chains import (
    GAP_DAYS,
    every_door,
    opened_phase,
    phase_after,
    refused_everywhere,
)
from tests.readerstudy.worlds import Browser, make_draft, make_world


def listed(browser):
    page = browser.client.get(reverse("reading:sessions")).content.decode()
    return " ".join(page.split()), browser.client.get(reverse("reading-api:sessions")).json()


# A rater reads one after the other.


def test_no_door_opens_before_the_earlier_study_is_finished(cast, collecting, second):
    first, later = Browser(cast.rater, collecting), Browser(cast.rater, second)
    refused_everywhere(later)
    for token in first.tokens()[:-1]:
        assert first.rate(token).status_code == 201
    refused_everywhere(later)
    page, sittings = listed(later)
    assert "What follows “Trial”" in page
    assert "It opens when you have finished “Trial” (1 case left), 3 days after your last answer there." in page
    waiting = next(one for one in sittings if one["token"] == later.session.token)
    assert (waiting["state"], waiting["title"]) == ("waiting", "What follows “Trial”")
    assert reverse("reading:room", args=[later.session.token]) not in page


def test_no_door_opens_before_the_gap_has_passed_and_all_open_after_it(
    cast, collecting, second, days_later, small_phantom
):
    first, later = Browser(cast.rater, collecting), Browser(cast.rater, second)
    first.rate_all()
    refused_everywhere(later)
    days_later(GAP_DAYS - 0.01)
    refused_everywhere(later)
    page, _ = listed(later)
    assert "3 days after your last answer in “Trial”." in page
    days_later(GAP_DAYS + 0.01)
    for name, ask in every_door(later).items():
        assert ask().status_code in {200, 201, 204}, name
    page, sittings = listed(later)
    assert "Second" in page
    assert {one["state"] for one in sittings} == {"open", "finished"}


def test_the_ledger_itself_refuses_an_answer_that_comes_too_early(cast, collecting, second, monkeypatch):
    """Whatever a view forgets."""
    monkeypatch.setattr("readerstudy.api.reading.begin", lambda session: None)
    later = Browser(cast.rater, second)
    response = later.rate(later.tokens()[0])
    assert (response.status_code, response.json()["refusal"]["code"]) == (409, "not_begun")
    assert not response.json()["refusal"]["final"]
    second.refresh_from_db()
    assert second.ledger_count == 0


def test_the_gap_is_the_one_that_was_frozen(cast, collecting, second):
    Browser(cast.rater, collecting).rate_all()
    Study.objects.filter(pk=second.pk).update(least_gap_days=0, continues=None)
    refused_everywhere(Browser(cast.rater, second))
    problems = " ".join(verify(second).problems)
    assert "continues" in problems
    assert "least_gap_days" in problems


def test_a_closed_study_and_an_excluded_rater_are_done_with_it(cast, collecting, second, days_later):
    one, other = (Browser(person, second) for person in (cast.rater, cast.second_rater))
    Browser(cast.rater, collecting).rate(Browser(cast.rater, collecting).tokens()[0])
    unblinding.exclude_rater(rater=collecting.raters.get(user=cast.rater), actor=cast.owner, reason="Ill")
    refused_everywhere(one)  # the gap counts from what was answered
    refused_everywhere(other)
    unblinding.close(study=collecting, actor=cast.owner)
    # Without an answer there is nothing to forget.
    assert other.client.get(reverse("reading:room", args=[other.session.token])).status_code == 200
    refused_everywhere(one)
    days_later(GAP_DAYS + 0.01)
    assert one.client.get(reverse("reading:room", args=[one.session.token])).status_code == 200


def test_answers_of_the_earlier_study_stand_when_the_later_one_was_begun(cast, collecting, second, days_later):
    first, later = Browser(cast.rater, collecting), Browser(cast.rater, second)
    first.rate_all()
    last = first.tokens()[-1]
    assert first.rate(last, answer="synthetic").status_code == 201
    days_later(GAP_DAYS + 0.01)
    assert first.rate(last, answer="real").status_code == 201, "a change begins the days anew"
    refused_everywhere(later)
    days_later(2 * GAP_DAYS + 0.1)
    later.standing()
    response = first.rate(last, answer="synthetic")
    assert (response.status_code, response.json()["refusal"]["code"]) == (409, "answer_stands")
    other = Browser(cast.second_rater, collecting)
    other.rate_all()
    assert other.rate(other.tokens()[-1], answer="synthetic").status_code == 201


def test_others_get_no_further_than_before(cast, second):
    browser = Browser(cast.rater, second)
    for person in (cast.owner, cast.administrator, cast.member, cast.other, cast.second_rater, cast.idle_rater):
        client = Client()
        client.force_login(person)
        for name, arguments in {"session": [browser.session.token], "presentation": [browser.tokens()[0]]}.items():
            assert client.get(reverse(f"reading-api:{name}", args=arguments)).status_code == 404
    browser.session.refresh_from_db()
    assert browser.session.begun_at is None


# The seal holds for all that show the same scans.


def test_once_the_truth_of_the_scans_is_told_answers_under_way_and_exclusions_come_too_late(
    cast, collecting, second, days_later
):
    Browser(cast.rater, collecting).rate_all()
    days_later(GAP_DAYS + 0.01)
    later = Browser(cast.rater, second)
    later.standing()
    first, then, *_ = later.tokens()
    given = dict.fromkeys(("shown_at", "answered_at"), timezone.now().isoformat())
    for study in (collecting, second):
        unblinding.close(study=study, actor=cast.owner)
    assert later.rate(first, **given).status_code == 201
    unblinding.unblind(study=collecting, actor=cast.owner, typed_title="Trial")
    refused = later.rate(then, **given)
    assert (refused.status_code, refused.json()["refusal"]["code"]) == (409, "study_not_open")
    with pytest.raises(ConflictError, match="nobody can be excluded any more") as refusal:
        unblinding.exclude_rater(rater=second.raters.get(user=cast.rater), actor=cast.owner, reason="Ill")
    assert refusal.value.code == "phase_unblinded"


def doors_to_the_truth(study, person):
    """Every address that tells something of the truth, and what unblinds."""
    client = Client()
    client.force_login(person)
    pages = ("results", "report", "download-report", "audit-archive")
    api = reverse("study-detail", args=[study.pk])
    typed = {"typed_title": study.asked.title}
    for name in ("unblind", "confirm-unblinding"):
        client.post(reverse(f"studies:{name}", args=[study.pk]), typed)
    yield client.post(f"{api}unblind/", json.dumps(typed), content_type="application/json").status_code
    for name in pages:
        yield client.get(reverse(f"studies:{name}", args=[study.pk])).status_code
    for path in ("results/", "arms/", "programs/", "repeats/", "further/", "places/", "choices/", "report/"):
        yield client.get(api + path).status_code
    assert not any("truth" in row for row in json.loads(client.get(f"{api}ratings/").getvalue())["ratings"])


def test_the_earlier_study_is_unblinded_through_no_door_while_the_later_one_is_read(cast, collecting, second):
    unblinding.close(study=collecting, actor=cast.owner)
    for person in (cast.owner, cast.administrator, cast.member):
        assert set(doors_to_the_truth(collecting, person)) <= {302, 403, 409}
        collecting.refresh_from_db()
        assert collecting.state == "closed"
    client = Client()
    client.force_login(cast.owner)
    page = client.post(
        reverse("studies:unblind", args=[collecting.pk]), {"typed_title": collecting.asked.title}, follow=True
    )
    assert "Close “Second” first, then unblind." in page.content.decode()
    unblinding.close(study=second, actor=cast.owner)
    unblinding.unblind(study=collecting, actor=cast.owner, typed_title="Trial")


def test_two_people_can_not_unblind_it_either(cast, world, stages):
    first = stages.open(make_draft(cast, world, unblinding_by_two=True))
    later = opened_phase(cast, world, stages, first)
    unblinding.close(study=first, actor=cast.owner)
    with pytest.raises(ConflictError, match="Close “Second” first"):
        unblinding.unblind(study=first, actor=cast.owner, typed_title="Trial")
    assert not first.record.filter(action="unblinding asked").exists()
    unblinding.close(study=later, actor=cast.owner)
    assert unblinding.unblind(study=first, actor=cast.owner, typed_title="Trial") is None
    unblinding.reopen(study=later, actor=cast.owner, reason="One more rater")
    with pytest.raises(ConflictError, match="Close “Second” first"):
        unblinding.unblind(study=first, actor=cast.member, typed_title="Trial")


def test_the_later_study_is_not_unblinded_while_the_earlier_one_is_read(cast, collecting, second):
    unblinding.close(study=second, actor=cast.owner)
    with pytest.raises(ConflictError, match="Close “Trial” first"):
        unblinding.unblind(study=second, actor=cast.owner, typed_title=second.asked.title)


def test_phases_of_other_scans_do_not_wait_for_one_another(cast, collecting, stages):
    elsewhere = make_world(cast.owner)
    draft = phase_after(cast, elsewhere, collecting, other_patients=True)
    later = stages.open(draft)
    assert not roots_shown(later) & roots_shown(collecting)
    unblinding.close(study=collecting, actor=cast.owner)
    unblinding.unblind(study=collecting, actor=cast.owner, typed_title="Trial")
    assert later.protocol["continues"]["same_images"] == 0


def test_after_one_is_unblinded_none_of_the_same_scans_is_read_again_or_locked(cast, world, stages, collecting, second):
    draft = phase_after(cast, world, second)
    take_same_cases(study=draft, actor=cast.owner)
    for study in (collecting, second):
        unblinding.close(study=study, actor=cast.owner)
    unblinding.unblind(study=collecting, actor=cast.owner, typed_title="Trial")
    with pytest.raises(ConflictError, match="“Trial” is unblinded and shows images of the same scans"):
        unblinding.reopen(study=second, actor=cast.owner, reason="One more")
    assert any("“Trial” is unblinded" in message for message in blocking(readiness(draft)))
    with pytest.raises(ConflictError, match="“Trial” is unblinded"):
        locking.request_lock(study=draft, actor=cast.owner)


def test_a_lock_under_way_sees_an_unblinding_that_came_first(cast, world, stages, collecting, monkeypatch):
    draft = phase_after(cast, world, collecting)
    take_same_cases(study=draft, actor=cast.owner)
    unblinding.close(study=collecting, actor=cast.owner)
    audit = execution.audit_study

    def meanwhile(*args, **kwargs):
        outcome = audit(*args, **kwargs)
        unblinding.unblind(study=collecting, actor=cast.owner, typed_title="Trial")
        return {**outcome, "passed": True, "leaks": []}

    monkeypatch.setattr(execution, "audit_study", meanwhile)
    job = stages.lock(draft)
    assert draft.state == "draft"
    assert "“Trial” is unblinded" in job.error


def test_the_earlier_study_is_not_opened_again_once_the_later_one_was_begun(cast, collecting, second, days_later):
    Browser(cast.rater, collecting).rate_all()
    unblinding.close(study=collecting, actor=cast.owner)
    unblinding.reopen(study=collecting, actor=cast.owner, reason="Too early")
    unblinding.close(study=collecting, actor=cast.owner)
    days_later(GAP_DAYS + 0.01)
    Browser(cast.rater, second).standing()
    with pytest.raises(ConflictError, match="Raters have begun “Second”"):
        unblinding.reopen(study=collecting, actor=cast.owner, reason="Again")


# What may be linked, and locked.


def test_only_who_decides_about_both_links_them(cast, world, collecting):
    own = design.create_study(owner=cast.other, template="inserted_lesions", title="Own", cases_planned=12)
    with pytest.raises(ForbiddenError):
        design.change_design(study=own, actor=cast.other, continues=collecting)
    with pytest.raises(ForbiddenError):
        design.create_study(owner=cast.other, template="inserted_lesions", title="Own", continues=collecting)
    client = Client()
    client.force_login(cast.other)
    url = reverse("study-detail", args=[own.pk])
    answer = client.patch(url, json.dumps({"continues": str(collecting.pk)}), content_type="application/json")
    assert answer.status_code == 400
    assert str(collecting.pk) not in client.get(reverse("studies:design", args=[own.pk])).content.decode()
    own.refresh_from_db()
    assert own.continues is None
    design.change_design(study=own, actor=cast.administrator, continues=collecting)
    # Its owner saves the rest of the protocol and keeps the link, but takes no cases of a study of others.
    design.change_design(study=own, actor=cast.other, continues=collecting, least_gap_days=5)
    with pytest.raises(ForbiddenError):
        take_same_cases(study=own, actor=cast.other)
    client.post(reverse("studies:same-cases", args=[own.pk]))
    assert client.post(f"{url}same-cases/").status_code == 403
    assert not own.cases.exists()


def test_nothing_continues_itself(cast, world):
    one, two, three = (make_draft(cast, world) for _ in range(3))
    two = design.change_design(study=two, actor=cast.owner, continues=one)
    three = design.change_design(study=three, actor=cast.owner, continues=two)
    for earlier in (one, two, three):
        with pytest.raises(ValidationError, match="continues this one already"):
            design.change_design(study=one, actor=cast.owner, continues=earlier)
    with pytest.raises(ValidationError, match="needs an earlier study"):
        design.change_design(study=one, actor=cast.owner, least_gap_days=3)


def test_the_record_tells_studies_of_one_title_apart(cast, world, collecting):
    other = make_draft(cast, world)
    draft = design.change_design(study=make_draft(cast, world), actor=cast.owner, continues=collecting)
    design.change_design(study=draft, actor=cast.owner, continues=other)
    assert draft.record.last().details["changed"] == {"continues": [f"Trial ({collecting.pk})", f"Trial ({other.pk})"]}


def test_the_lock_asks_for_a_locked_study_with_the_same_raters(cast, world, stages, draft):
    later = phase_after(cast, world, draft)
    assert any("is a draft: lock it first" in message for message in blocking(readiness(later)))
    first = stages.open(draft)
    design.set_raters(study=later, actor=cast.owner, users=[cast.rater, cast.idle_rater])
    later.refresh_from_db()
    [message] = [message for message in blocking(readiness(later)) if "did not read" in message]
    assert message.startswith(str(cast.idle_rater))
    unblinding.exclude_rater(rater=first.raters.get(user=cast.rater), actor=cast.owner, reason="Ill")
    assert any(str(cast.rater) in message for message in blocking(readiness(later)) if "did not read" in message)


def test_the_lock_freezes_what_is_continued(collecting, second):
    assert second.protocol["continues"] == {
        "study": str(collecting.pk),
        "title": "Trial",
        "protocol_digest": collecting.protocol_digest,
        "least_gap_days": GAP_DAYS,
        "other_patients": False,
        "same_images": 12,
        "read_before": [str(collecting.pk)],
    }
    assert verify(second).problems == []
    assert "continues" not in collecting.protocol
    with pytest.raises(ConflictError):
        design.change_design(study=second, actor=second.owner, least_gap_days=0)
    Study.objects.filter(pk=collecting.pk).update(protocol_digest="0" * 64)
    assert any("the earlier study's protocol" in problem for problem in verify(second).problems)


def test_a_planned_phase_is_no_deviation(second):
    assert course_words(StudyLedger(second)) == []


# The same images again, or others.


def test_the_same_cases_are_cases_of_their_own(cast, world, stages, collecting, second):
    shown = [
        sorted((str(t.scan_id), t.place_lps_mm, t.synthetic, t.control) for t in truths_of(study))
        for study in (collecting, second)
    ]
    assert shown[0] == shown[1]
    for what in ("pk", "code", "stimuli__pk", "stimuli__key"):
        names = [set(Case.objects.filter(study=study).values_list(what, flat=True)) for study in (collecting, second)]
        assert not names[0] & names[1], what
    assert collecting.seed != second.seed
    orders = [
        [
            (str(one.stimulus.case.truth.scan_id), one.stimulus.case.truth.place_lps_mm)
            for one in Presentation.objects.filter(session__rater__study=study, session__rater__user=cast.rater)
            .select_related("stimulus__case__truth")
            .order_by("position")
        ]
        for study in (collecting, second)
    ]
    assert orders[0] != orders[1]
    tokens = [set(Session.objects.filter(rater__study=study).values_list("token")) for study in (collecting, second)]
    assert not tokens[0] & tokens[1]


def test_taking_the_same_cases_replaces_those_of_the_draft_and_keeps_controls(cast, world, stages, collecting):
    synthetic = [truth.pk for truth in truths_of(collecting) if truth.synthetic]
    CaseTruth.objects.filter(pk__in=synthetic[:1]).update(control=True)
    draft = make_draft(cast, world, cases=6)
    stages.draw(draft)
    with pytest.raises(ConflictError, match="continues no other one"):
        take_same_cases(study=draft, actor=cast.owner)
    draft = design.change_design(study=draft, actor=cast.owner, continues=collecting)
    client, button = Client(), reverse("studies:same-cases", args=[draft.pk])
    client.force_login(cast.owner)
    page = client.post(button, follow=True).content.decode()
    assert "The cases of “Trial” don&#x27;t fit this protocol: Choose an even number" in page
    assert (draft.cases.count(), draft.cases_planned) == (6, 6)
    CaseTruth.objects.filter(pk__in=synthetic[:2]).update(control=True)
    assert "12 cases taken over." in client.post(button, follow=True).content.decode()
    draft.refresh_from_db()
    assert (draft.cases.count(), draft.cases_planned) == (12, 10)
    kept, marked = (
        sorted((truth.scan_id, truth.place_lps_mm) for truth in truths_of(study) if truth.control)
        for study in (draft, collecting)
    )
    assert kept == marked


def test_other_patients_leave_out_whom_an_earlier_study_shows(cast, world, stages, collecting):
    draft = phase_after(cast, world, collecting, other_patients=True)
    job = stages.draw(draft)
    assert "other patients" in job.error
    with pytest.raises(ConflictError, match="other patients"):
        take_same_cases(study=draft, actor=cast.owner)
    design.change_design(study=draft, actor=cast.owner, other_patients=False)
    draft.refresh_from_db()
    stages.draw(draft)
    draft = design.change_design(study=draft, actor=cast.owner, other_patients=True)
    assert any("linked studies that its raters may have read" in message for message in blocking(readiness(draft)))


# Against the earlier phase.


def read_and_closed(cast, studies, days_later):
    for number, study in enumerate(studies):
        days_later(number * (GAP_DAYS + 0.1))
        for shift, person in enumerate((cast.rater, cast.second_rater)):
            browser = Browser(person, study)
            browser.standing()
            for place, token in enumerate(browser.tokens()):
                # Wrong at every second place in the first study, at every fourth in the second.
                called = truth_of(token) != ((place + shift) % (2 + 2 * number) == 0)
                assert browser.rate(token, answer="synthetic" if called else "real").status_code == 201
    for study in studies:
        unblinding.close(study=study, actor=cast.owner)


def truth_of(token):
    return Presentation.objects.get(token=token).stimulus.case.truth.synthetic


def results_of(cast, study):
    client = Client()
    client.force_login(cast.owner)
    page = " ".join(client.get(reverse("studies:results", args=[study.pk])).content.decode().split())
    return page, client.get(f"{reverse('study-detail', args=[study.pk])}phases/")


def test_the_results_compare_both_phases_when_both_are_unblinded(cast, collecting, second, days_later):
    read_and_closed(cast, [collecting, second], days_later)
    unblinding.unblind(study=second, actor=cast.owner, typed_title=second.asked.title)
    page, answer = results_of(cast, second)
    assert "Nothing is compared with “Trial”: the earlier study is not unblinded." in page
    assert answer.status_code == 404
    unblinding.unblind(study=collecting, actor=cast.owner, typed_title="Trial")
    page, answer = results_of(cast, second)
    assert "2 raters read both; both phases show the same 12 images" in page
    assert "No plan froze this comparison: it is exploratory." in page
    assert '<a href="#phases">Against the earlier phase</a>' in page
    change = answer.json()
    assert (change["same_images"], change["measure"], change["cases_second"]) == (True, "AUC", 12)
    for rater, earlier in zip(change["raters"], own_areas(cast, collecting), strict=True):
        assert (rater["n_first"], rater["n_second"], rater["first"]) == (12, 12, pytest.approx(earlier))
    for rater, later in zip(change["raters"], own_areas(cast, second), strict=True):
        assert rater["second"] == pytest.approx(later)
        assert rater["difference"]["value"] == pytest.approx(later - rater["first"])
    assert 0 < change["exchange_p"] <= 1
    files = text_files(report_data(UnblindedStudy(Study.objects.get(pk=second.pk))))
    rows = list(csv.DictReader(io.StringIO(files["phases.csv"].decode())))
    assert [row["rater"] for row in rows] == ["1", "2", ""]
    assert float(rows[-1]["difference"]) == change["difference"]["value"]
    assert "both phases show the same 12 images" in files["results.txt"].decode()
    assert "The study continues “Trial”" in files["methods.txt"].decode()
    page, answer = results_of(cast, collecting)
    assert "Against the earlier phase" not in page
    assert answer.status_code == 404


def own_areas(cast, study):
    """What each study says of its raters by itself."""
    client = Client()
    client.force_login(cast.owner)
    analysis = client.get(f"{reverse('study-detail', args=[study.pk])}results/").json()
    return analysis["mrmc"]["reader_aucs"]


def test_phases_that_asked_different_things_are_not_compared(cast, world, stages, collecting, days_later):
    later = opened_phase(cast, world, stages, collecting, confidence_levels=0)
    for study in (collecting, later):
        unblinding.close(study=study, actor=cast.owner)
    for study in (collecting, later):
        unblinding.unblind(study=study, actor=cast.owner, typed_title=study.asked.title)
    page, answer = results_of(cast, later)
    assert "the phases asked different things of their raters." in page
    assert answer.status_code == 404


def test_pages_say_what_continues_what(cast, collecting, second):
    client = Client()
    client.force_login(cast.member)
    pages = {}
    for study, other in ((collecting, second), (second, collecting)):
        pages[study.pk] = " ".join(client.get(reverse("studies:study", args=[study.pk])).content.decode().split())
        assert f'href="{other.get_absolute_url()}"' in pages[study.pk]
    said = (
        "The study continues “Trial”: raters who had finished it read this one at least 3 days after their last answer"
    )
    assert said in pages[second.pk]
    assert said not in pages[collecting.pk]
    assert "Earlier study" in client.get(reverse("studies:registration", args=[second.pk])).content.decode()
