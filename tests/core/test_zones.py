"""Times are shown in the reader's zone and say which it is."""

from datetime import UTC, datetime

import pytest
from django.template import Context, Template
from django.utils import timezone

from ctplatform.accounts.models import AccountEvent
from ctplatform.zones import zone_of
from tests.factories import make_user
from tests.pages import shown


@pytest.mark.parametrize("format_", ["DATETIME_FORMAT", "SHORT_DATETIME_FORMAT"])
def test_every_time_says_its_zone(format_):
    summer = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
    template = Template(f'{{{{ at|date:"{format_}" }}}}')
    with timezone.override(zone_of("Europe/Berlin")):
        assert template.render(Context({"at": summer})).endswith("14:30 CEST")
    assert template.render(Context({"at": summer})).endswith("12:30 UTC")


@pytest.mark.parametrize("name", ["", "Nowhere/City", "../../etc/passwd", "/etc/localtime", "x" * 65, "Europe", "a\0b"])
def test_what_names_no_zone_is_passed_over(name):
    assert zone_of(name) is None


@pytest.mark.django_db
def test_a_page_is_written_in_the_zone_that_the_browser_names(client):
    person = make_user()
    client.force_login(person)
    event = AccountEvent.objects.filter(subject=person).latest("pk")
    for zone, word in (("Asia/Tokyo", "JST"), ("Nonsense", "UTC")):
        client.cookies["zone"] = zone
        expected = event.at.astimezone(zone_of(zone) or UTC).strftime(f"%Y-%m-%d %H:%M {word}")
        assert expected in shown(client.get("/people/account/"))
