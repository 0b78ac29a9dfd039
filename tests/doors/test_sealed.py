"""Every address of the platform while a study is sealed: what anybody gets does not depend on which case is which, and
whoever has no business there gets nothing.

The study has arms of two other programs, a rater who is excluded and, once it is closed, a patient who was withdrawn.
"""

import re

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ctplatform.accounts import access
from ctplatform.accounts.models import Role
from ctplatform.accounts.record import Author
from ctplatform.datasets.models import Provenance, Verdict
from ctplatform.datasets.services import give_verdict
from ctplatform.datasets.withdrawal import withdraw
from readerstudy.models import CaseTruth, Session
from readerstudy.unblinding import services as unblinding
from tests.doors.addresses import Things, addresses
from tests.doors.conftest import things_of
from tests.factories import make_user, token_headers
from tests.readerstudy.elsewhere import brought_in, write_files
from tests.readerstudy.worlds import Browser, World, make_draft

pytestmark = pytest.mark.django_db
CASES = 16
PEOPLE = ("owner", "member", "other", "rater", "second_rater")
# Own logins, passwords and second factors: nothing of a study.
ELSEWHERE = ("account/", "people/")
# Numbers of entries are of the moment, and so are tokens of forms and nonces.
OF_THE_MOMENT = re.compile(r"[0-9a-f]{16,}|\w{64}|(?<=name=\"seen\" value=\")\d+|nonce=\"[^\"]*\"|\d+ milliseconds?")


PLAIN = ({}, lambda number: {"answer": ("real", "synthetic")[number % 2]})
# Marks of places, further questions and cases that come twice.
OF_PLACES = (
    {
        # Pictures in which a place is anywhere overlap sooner.
        "cases": CASES // 2,
        "task_name": "any_places",
        "further_questions": [{"kind": "text", "name": "why", "question": "Why?"}],
        "repeats": 2,
        "repeat_distance": 4,
    },
    lambda number: {
        "answer": "synthetic",
        "marks": [{"slice": 0, "row": number, "column": 3, "confidence": 2, "reason": 1}],
        "further": {"why": "A seam"},
    },
)
OF_PAIRS = ({"task_name": "forced_choice"}, lambda number: {"answer": "chosen"})


@pytest.fixture
def asked():
    """How the study differs, and how its raters answer."""
    return PLAIN


@pytest.fixture
def sealed(cast, stages, tmp_path, asked):
    """A study that takes ratings: the first rater has read half of it, the second is excluded."""
    settings, answer = asked
    dataset = brought_in(write_files(tmp_path / "files"), cast.owner)
    dataset.members.add(cast.member, cast.other)
    for row in Provenance.objects.filter(verdict=Verdict.PENDING).select_related("scan"):
        give_verdict(scan=row.scan, reviewer=cast.owner, accept=True)
    people = [cast.rater, cast.second_rater]
    study = make_draft(cast, World(dataset), raters=people, **{"cases": CASES, "twins_allowed": False, **settings})
    stages.open(study)
    reader = Browser(cast.rater, study)
    trials = reader.session.presentations.filter(side=0).values_list("token", flat=True)
    for number, token in enumerate(trials[: len(trials) // 2]):
        assert reader.rate(token, **answer(number)).status_code == 201
    unblinding.exclude_rater(rater=study.raters.get(number=2), actor=cast.owner, reason="Knew the scans")
    study.refresh_from_db()
    return study


@pytest.fixture
def closed(cast, sealed):
    unblinding.close(study=sealed, actor=cast.owner)
    host = sealed.datasets.get().scans.filter(provenance=None).order_by("name").first()
    withdraw(scan=host, user=cast.owner, reason="Consent withdrawn", whole_patient=True)
    sealed.refresh_from_db()
    return sealed


def things_in(study, cast):
    dataset = study.datasets.get()
    things = things_of(cast, dataset, dataset.scans.exclude(provenance=None).order_by("-name").first(), study)
    session = Session.objects.get(rater__study=study, rater__user=cast.rater)
    open_slots = session.presentations.filter(events=None).order_by("position")
    things.ids |= {"session": session.token, "presentation": open_slots.first().token}
    return things


def content(answer):
    raw = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if getattr(answer, "file_to_stream", None):
        answer.file_to_stream.close()
    return raw.decode("utf-8", "replace")


def looks_of(people, places, *, methods):
    """By person, method and address what comes back; whatever it leaves in the database is taken back."""
    found = {}
    for name, person in people.items():
        browser = Client(raise_request_exception=False)
        browser.force_login(person)
        for address in places:
            if address.route.startswith(ELSEWHERE):
                continue
            for method in ("get", *(method for method in address.methods if method in methods)):
                undo = transaction.savepoint()
                answer = getattr(browser, method)(address.path)
                assert answer.status_code < 500, (name, method, address)
                found[name, method, address.path] = answer.status_code, OF_THE_MOMENT.sub("", content(answer))
                transaction.savepoint_rollback(undo)
    return found


def exchange_truths(study):
    """The same truths in other cases: every number of the study stays, and nearly every case becomes another one."""
    truths = list(CaseTruth.objects.filter(case__study=study).order_by("synthetic", "case_id"))
    names = [field.attname for field in CaseTruth._meta.concrete_fields if not field.primary_key]
    taken = [{name: getattr(truth, name) for name in names} for truth in reversed(truths)]
    turned = 0
    for truth, values in zip(truths, taken, strict=True):
        turned += truth.synthetic != values["synthetic"]
        CaseTruth.objects.filter(pk=truth.pk).update(**values)
    return turned


@pytest.mark.parametrize(
    ("stage", "asked"),
    [("sealed", PLAIN), ("closed", PLAIN), ("closed", OF_PLACES), ("sealed", OF_PAIRS)],
    ids=["sealed", "closed", "places, closed", "pairs, sealed"],
)
def test_nothing_that_anybody_gets_depends_on_which_case_is_which(stage, asked, request, cast):
    study = request.getfixturevalue(stage)
    people = {name: getattr(cast, name) for name in PEOPLE}
    # A scan of each kind: a page of an edit is another one than that of a host.
    things = things_in(study, cast)
    host = study.datasets.get().scans.filter(provenance=None).order_by("-name").first()
    both = (things, Things(**{**things.ids, "scan": host.pk}))
    places = list({address.path: address for these in both for address in addresses(these)}.values())
    methods = ("post", "put", "patch", "delete") if stage == "closed" else ()
    before = looks_of(people, places, methods=methods)
    assert exchange_truths(study) == study.cases.count()
    after = looks_of(people, places, methods=methods)
    assert [key for key in before if before[key] != after[key]] == []
    served = {path for (name, _, path), (status, _) in before.items() if status == 200 and name == "owner"}
    assert len(served) > 40
    assert any("withdraw" in path for path in served)
    assert any(str(study.pk) in path for path in served)


def outsiders(cast, study):
    """Those who have no business with a study, and how they come."""
    deactivated = make_user(Role.COORDINATOR)
    study.members.add(deactivated)
    key = token_headers(deactivated)
    browsers = {name: Client(raise_request_exception=False) for name in ("nobody", "gone", "idle rater", "stranger")}
    browsers["gone"].force_login(deactivated)
    browsers["idle rater"].force_login(cast.idle_rater)
    browsers["stranger"].force_login(make_user(Role.COORDINATOR))
    browsers["token of somebody gone"] = Client(raise_request_exception=False, headers=key)
    access.deactivate(user=deactivated, author=Author(user=cast.administrator))
    return browsers


OPEN_TO_ALL = {"healthz", "readyz", "favicon.ico"}
# What a request may leave behind whoever sends it: the session of the login form, and notes about accounts.
OWN_TRACES = re.compile(r"django_session|django_cache|accounts_|account_|SAVEPOINT|auth_", re.IGNORECASE)


def test_whoever_has_no_business_with_a_sealed_study_gets_nothing_and_changes_nothing(sealed, cast):
    things = things_in(sealed, cast)
    things.ids.pop("generator")  # is everybody's
    # Numbers are in every page.
    ids = {str(value): kind for kind, value in things.ids.items() if len(str(value)) >= 20}
    ids |= dict.fromkeys(sealed.cases.values_list("code", flat=True), "code")
    told, changed, inside = [], [], []
    for name, browser in outsiders(cast, sealed).items():
        for address in addresses(things):
            if address.route.startswith(ELSEWHERE) or address.route in OPEN_TO_ALL:
                continue
            for method in ("get", *address.methods):
                with CaptureQueriesContext(
                    connection,
                ) as queries:
                    answer = getattr(browser, method)(address.path)
                text = content(answer)
                # Its own address is no news to whoever asked for it.
                news = text.replace(address.path, "")
                told += [
                    (name, method, str(address), kind, news[max(0, news.find(one) - 80) :][:200])
                    for one, kind in ids.items()
                    if one in news and one not in address.path
                ]
                changed += [(name, method, str(address), q["sql"][:80]) for q in queries if writes(q["sql"])]
                if answer.status_code == 200 and name in {"nobody", "gone", "token of somebody gone"}:
                    inside.append((name, method, str(address)))
    assert told == []
    assert inside == []
    assert changed == []


def writes(sql):
    return sql.split(None, 1)[0].upper() in {"INSERT", "UPDATE", "DELETE"} and not OWN_TRACES.search(sql)
