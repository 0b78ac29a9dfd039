"""Drafts of thousands of cases, which a database may not take as one question."""

import uuid

import pytest

from ctplatform.datasets.models import Origin, Scan
from readerstudy.design.candidates import fetch_ancestors, root_of
from tests.crowd import Crowd

pytestmark = pytest.mark.django_db


def test_ancestors_of_thousands_of_edits_are_found(django_assert_max_num_queries):
    crowd = Crowd()

    def rows(count, origin, sources):
        shared = {
            field.attname: getattr(crowd.scan, field.attname)
            for field in Scan._meta.concrete_fields
            if field.attname not in {"id", "name", "content_digest", "origin", "source_scan_id"}
        }
        made = [
            Scan(**shared, name=f"{origin} {n}", content_digest=uuid.uuid4().hex, origin=origin, source_scan=source)
            for n, source in zip(range(count), sources, strict=True)
        ]
        return Scan.objects.bulk_create(made)

    hosts = rows(1500, Origin.ACQUIRED, [None] * 1500)
    edits = rows(1500, Origin.SYNTHETIC, hosts)
    fresh = list(Scan.objects.filter(pk__in=[edit.pk for edit in edits[:700]]))
    fresh += list(Scan.objects.filter(pk__in=[edit.pk for edit in edits[700:]]))
    with django_assert_max_num_queries(4):
        fetch_ancestors(fresh)
        assert {root_of(scan).pk for scan in fresh} == {host.pk for host in hosts}
