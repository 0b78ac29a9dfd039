"""Every page for people whose language is German: whole in one language, and numbers that programs read stay numbers."""

import re

import pytest
from django.test import Client

from ctplatform.accounts.models import User
from tests.doors.addresses import addresses
from tests.pages import read

pytestmark = pytest.mark.django_db
WRITTEN_AS_IN_GERMAN = re.compile(r"[-+]?\d+(?:\.\d{3})*,\d+(?:%|px|em)?")
ENGLISH = re.compile(r"\b(?:the|and|which|has been|you)\b")


def test_pages_are_whole_and_their_numbers_are_read_by_programs(many_things, cast):
    User.objects.update(language="de")
    german, crooked, english = 0, [], []
    for user in (cast.owner, cast.rater):
        browser = Client(raise_request_exception=False)
        browser.force_login(User.objects.get(pk=user.pk))
        for address in addresses(many_things):
            answer = browser.get(address.path)
            if answer.streaming or answer.headers.get("Content-Type", "").split(";")[0] != "text/html":
                if getattr(answer, "file_to_stream", None):
                    answer.file_to_stream.close()
                continue
            page = read(answer)
            crooked += [(str(address), *one) for one in page.attributes if WRITTEN_AS_IN_GERMAN.fullmatch(one[2])]
            if answer["Content-Language"] == "de":
                german += 1
                english += [(str(address), text.strip()) for text in page.texts if ENGLISH.search(text)]
    assert crooked == []
    assert english == []
    assert german > 20
