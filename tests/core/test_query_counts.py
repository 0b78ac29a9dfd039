"""No page and no list of the API asks the database more often because it has more rows."""

import re

import pytest
from django.db import connection
from django.db.models import JSONField
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ctplatform.accounts.models import Role
from readerstudy.unblinding import services as unblinding
from synthesis.generator_reports import CLASSIFICATION_NAME, REALISM_NAME
from synthesis.models import Generator
from tests.crowd import Crowd
from tests.doors.addresses import Things, addresses
from tests.factories import make_user
from tests.readerstudy.worlds import Browser, Cast, Stages, make_draft, make_world

pytestmark = pytest.mark.django_db

FEW, MANY = 5, 50
FILES = re.compile(r"slices|thumbnail|\.(png|safetensors)|card\.json")
# What an empty list would make pass: these must be there and answer.
LISTS = {
    "/api/datasets/",
    "/api/synthesis/generators/",
    "/api/jobs/",
    "/api/datasets/lesions/",
    "/api/datasets/scans/",
    "/api/studies/",
    "/api/synthesis/jobs/",
    "/datasets/",
    "/jobs/",
    "/people/",
    "/people/token/",
    "/studies/",
    "/synthesis/",
    "/synthesis/batch/",
    "/synthesis/generators/",
    "/synthesis/training/new/",
}


class Asked:
    """How often every address asks the database, for one person."""

    def __init__(self, person):
        self.client = Client()
        self.client.force_login(person)

    def counts(self, paths):
        return {path: count for path in sorted(set(paths)) if (count := self._count(path)) is not None}

    def _count(self, path):
        with CaptureQueriesContext(connection) as queries:
            answer = self.client.get(path)
        return len(queries) if answer.status_code == 200 else None


def paths_of(*things):
    """Every address but the other spellings of the API's, and files, which the crowd has not."""
    routes = [(address.route, address.path) for each in things for address in addresses(each)]
    return [path for route, path in routes if "format" not in route and not FILES.search(route)]


def things_of(crowd, study):
    return Things(
        dataset=crowd.dataset.pk,
        scan=crowd.scan.pk,
        generator=crowd.generator.pk,
        study=study.pk,
        job=crowd.new_job("x").pk,
        person=crowd.owner.pk,
    )


def test_more_rows_ask_nothing_more():
    crowd, administrator = Crowd(), make_user(Role.ADMINISTRATOR)
    paths = paths_of(*[things_of(crowd, study) for study in (crowd.draft, crowd.removals, crowd.running)])
    people = [Asked(person) for person in (crowd.owner, administrator, crowd.rater)]
    crowd.grow_to(FEW)
    few = counts_of(people, paths)
    crowd.grow_to(MANY)
    many = counts_of(people, paths)
    assert few.keys() == many.keys() >= LISTS
    assert {path: (few[path], many[path]) for path in few if few[path] != many[path]} == {}


def counts_of(people, paths):
    """Every address is asked by the first person who may see it."""
    counted = {}
    for person in people:
        counted |= person.counts(path for path in paths if path not in counted)
    return counted


@pytest.mark.parametrize("path", ["/synthesis/", "/synthesis/batch/", "/synthesis/generators/", "/api/synthesis/jobs/"])
def test_lists_do_not_read_the_reports_of_generators(path, monkeypatch):
    crowd, read = Crowd(), []
    crowd.grow_to(FEW)
    report = {"gate": [{"name": "AUC", "value": 0.5, "passed": True}], "rows": ["measured"] * 10_000}
    Generator.objects.update(reports={REALISM_NAME: report, CLASSIFICATION_NAME: ["measured"] * 10_000})
    parse = JSONField.from_db_value

    def noting(field, value, *args):
        read.append(len(value or ""))
        return parse(field, value, *args)

    monkeypatch.setattr(JSONField, "from_db_value", noting)
    client = Client()
    client.force_login(crowd.owner)
    page = client.get(path).content.decode()
    assert sum(read) < 100_000
    assert "1 of 1 targets reached" in page or path != "/synthesis/generators/"


def test_more_cases_and_raters_ask_nothing_more_of_a_finished_study(django_capture_on_commit_callbacks):
    cast, stages = Cast.create(), Stages(django_capture_on_commit_callbacks)
    world = make_world(cast.owner)
    few = finished_study(cast, stages, world, cases=6, raters=2)
    many = finished_study(cast, stages, world, cases=12, raters=5)
    person = Asked(cast.owner)
    asked = {}
    for study in (few, many):
        things = Things(study=study.pk, code=study.cases.order_by("code").first().code)
        paths = [path for path in paths_of(things) if str(study.pk) in path]
        asked[study.pk] = {
            path.replace(str(study.pk), "ID").replace(things.ids["code"], "CODE"): count
            for path, count in person.counts(paths).items()
        }
    assert asked[few.pk].keys() >= {"/studies/ID/", "/studies/ID/results/", "/studies/ID/report/"}
    assert asked[few.pk] == asked[many.pk]


def finished_study(cast, stages, world, *, cases, raters):
    people = [make_user(Role.RATER) for _ in range(raters)]
    study = make_draft(cast, world, cases=cases, raters=people)
    stages.open(study)
    for number, person in enumerate(people):
        Browser(person, study).rate_all(lambda position, number=number: ("real", "synthetic")[(position + number) % 2])
    unblinding.close(study=study, actor=cast.owner)
    unblinding.unblind(study=study, actor=cast.owner, typed_title=study.title)
    return study
