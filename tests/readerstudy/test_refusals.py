"""What a page does when it can't do what it was asked: nothing is changed, and the next page says why."""

import uuid
from dataclasses import dataclass

import pytest
from django.test import Client
from django.urls import get_resolver, reverse

from ctplatform.datasets.models import Lesion
from readerstudy.models import Template
from readerstudy.web.common import StudyActionView
from tests.readerstudy.worlds import decide, make_draft, make_world


@dataclass
class Asked:
    """A button pressed with one id that is right and one that is not, and a word of the answer."""

    name: str
    fields: dict
    says: str


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


def chosen(study):
    study.refresh_from_db()
    return (
        set(study.raters.values_list("user", flat=True)),
        set(study.members.values_list("pk", flat=True)),
        set(study.cases.values_list("pk", flat=True)),
        study.record.count(),
    )


def press(client, study, name, fields):
    """Press a button and return the messages of the page that follows."""
    response = client.post(reverse(f"studies:{name}", args=[study.pk]), fields, follow=True)
    assert response.status_code == 200
    return said(response)


def said(response):
    return [str(message) for message in response.context["messages"]]


def places(study):
    return [lesion.pk for lesion in Lesion.objects.filter(scan__dataset__in=study.datasets.all(), inserted=False)]


def buttons(cast, study):
    unknown = 10**9
    case = study.cases.first().pk
    free = places(study)[0]
    return [
        Asked("raters", {"users": [cast.rater.pk, unknown]}, "one of the chosen accounts can't be a rater any more"),
        Asked("raters", {"users": [cast.rater.pk, "x"]}, "one of the chosen accounts can't be a rater any more"),
        Asked("raters", {"users": [cast.rater.pk, cast.member.pk]}, "can't be a rater any more"),
        Asked("team", {"members": [cast.member.pk, unknown]}, "one of the chosen accounts can't be in the team"),
        Asked("team", {"members": [cast.other.pk, cast.rater.pk]}, "one of the chosen accounts can't be in the team"),
        Asked("remove-cases", {"case": [case, uuid.uuid4()]}, "one of the chosen cases isn't in this study"),
        Asked("remove-cases", {"case": [case, "x"]}, "one of the chosen cases isn't in this study"),
        Asked("add-cases", {"place": [free, unknown]}, "one of the chosen places can't become a case"),
        Asked("add-cases", {"place": [free, "x"]}, "one of the chosen places can't become a case"),
    ]


def test_one_bad_id_changes_nothing_and_is_said(cast, draft, stages):
    stages.draw(draft)
    client = client_of(cast.owner)
    for asked in buttons(cast, draft):
        before = chosen(draft)
        messages = press(client, draft, asked.name, asked.fields)
        assert len(messages) == 1, asked
        assert asked.says in messages[0], asked
        assert chosen(draft) == before, asked


def test_an_account_closed_meanwhile_empties_no_list(cast, draft):
    """The page was open with three ticks while one of the accounts was deactivated."""
    client = client_of(cast.owner)
    people = [cast.rater, cast.second_rater, cast.idle_rater]
    assert press(client, draft, "raters", {"users": [person.pk for person in people]}) == ["The raters are saved."]
    cast.idle_rater.is_active = False
    cast.idle_rater.save()
    before = chosen(draft)
    [message] = press(client, draft, "raters", {"users": [person.pk for person in people]})
    assert message.startswith("Nothing was saved: one of the chosen accounts can't be a rater any more")
    assert chosen(draft) == before
    press(client, draft, "raters", {"users": [cast.rater.pk]})
    assert chosen(draft)[0] == {cast.rater.pk}


def test_cases_of_another_study_are_not_removed(cast, draft, world, stages):
    stages.draw(draft)
    other = make_draft(cast, world)
    stages.draw(other)
    before = chosen(draft), chosen(other)
    fields = {"case": [draft.cases.first().pk, other.cases.first().pk]}
    assert "isn't in this study" in press(client_of(cast.owner), draft, "remove-cases", fields)[0]
    assert (chosen(draft), chosen(other)) == before


def test_good_ids_still_add_and_remove(cast, draft):
    client = client_of(cast.owner)
    assert press(client, draft, "add-cases", {"place": places(draft)[:2]}) == ["2 cases added."]
    assert press(client, draft, "remove-cases", {"case": [draft.cases.first().pk]}) == ["1 case removed."]
    assert draft.cases.count() == 1


def test_a_rejected_removal_becomes_no_case(cast):
    world = make_world(cast.owner, operation="remove", sources=2, edits_per_source=1)
    study = make_draft(cast, world, template=Template.REMOVED_LESIONS)
    client = client_of(cast.owner)
    good, rejected = world.edits
    decide(rejected, accept=False)
    fields = {"place": [good.pk, rejected.pk]}
    assert "can't become a case any more" in press(client, study, "add-cases", fields)[0]
    assert study.cases.count() == 0
    assert press(client, study, "add-cases", {"place": [good.pk]}) == ["1 case added."]


@pytest.mark.parametrize(
    ("reason", "says"), [("", "Say why"), ("  ", "Say why"), ("x" * 301, "at most 300 characters")]
)
def test_nobody_is_excluded_without_a_reason_that_can_be_printed(cast, collecting, reason, says):
    rater = collecting.raters.first()
    url = reverse("studies:exclude-rater", args=[collecting.pk, rater.pk])
    response = client_of(cast.owner).post(url, {"reason": reason}, follow=True)
    assert says in said(response)[0]
    rater.refresh_from_db()
    assert rater.excluded_at is None


@pytest.mark.parametrize("typed", [{}, {"typed_title": ""}, {"typed_title": "x" * 201}, {"typed_title": "trial"}])
def test_the_seal_holds_when_the_title_is_not_typed(cast, collecting, typed):
    client = client_of(cast.owner)
    press(client, collecting, "close", {})
    assert "exactly as it stands" in press(client, collecting, "unblind", typed)[0]
    collecting.refresh_from_db()
    assert collecting.state == "closed"


def test_a_wrong_title_stays_in_its_field_to_be_mended(cast, collecting):
    client = client_of(cast.owner)
    press(client, collecting, "close", {})
    ask = reverse("studies:unblind", args=[collecting.pk])
    field = client.post(ask, {"typed_title": "Trail"}, follow=True).context["unblind_form"]["typed_title"]
    assert field.value() == "Trail"
    assert not client.get(collecting.get_absolute_url()).context["unblind_form"]["typed_title"].value(), "told once"
    assert press(client, collecting, "unblind", {"typed_title": "Trial"})[-1] == "The study is unblinded."


def test_a_refused_protocol_keeps_what_was_typed(cast, draft):
    """The draw is at work: the protocol can't change, and the title just typed stays in the form."""
    client = client_of(cast.owner)
    url = reverse("studies:design", args=[draft.pk])
    shown = client.get(url).context["form"].initial
    typed = {name: value for name, value in shown.items() if value is not None and name != "datasets"}
    # Nobody runs the job: it stays at work.
    client.post(reverse("studies:draw", args=[draft.pk]))
    page = client.post(url, {**typed, "title": "Typed in vain"})
    assert page.status_code == 200
    assert "is at work on this study" in page.content.decode()
    assert 'value="Typed in vain"' in page.content.decode()
    plan_url = reverse("studies:plan", args=[draft.pk])
    plan = {
        name: "" if value is None else value for name, value in client.get(plan_url).context["form"].initial.items()
    }
    page = client.post(plan_url, {**plan, "question": "Asked in vain?"})
    assert "is at work on this study" in page.content.decode()
    assert "Asked in vain?" in page.content.decode()
    draft.refresh_from_db()
    assert (draft.title, draft.plan_options) == ("Trial", {})


def test_every_button_answers_an_unknown_study_with_not_found(cast, collecting):
    """With the tests above: every action meets one bad id."""
    client = client_of(cast.owner)
    resolver = get_resolver().namespace_dict["studies"][1]
    actions = [
        pattern
        for pattern in resolver.url_patterns
        if issubclass(getattr(pattern.callback, "view_class", object), StudyActionView)
    ]
    assert len(actions) >= 11
    for pattern in actions:
        rater = ("rater_pk",) if "rater_pk" in str(pattern.pattern) else ()
        known = dict.fromkeys(rater, collecting.raters.first().pk)
        url = reverse(f"studies:{pattern.name}", kwargs={"pk": uuid.uuid4(), **known})
        assert client.post(url).status_code == 404, pattern.name
    url = reverse("studies:exclude-rater", args=[collecting.pk, 10**9])
    assert client.post(url, {"reason": "x"}).status_code == 404
