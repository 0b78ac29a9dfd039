"""A study's pages in German: what both languages' pages say alike are names and numbers, and what is kept is English."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.design.published import PUBLISHED, STARTED
from readerstudy.unblinding import services as unblinding
from tests.pages import read
from tests.readerstudy.worlds import make_draft, unblind

WORDS = re.compile(r"[A-Za-z]{2,}\s+[A-Za-z]{2,}\s+[A-Za-z]{2,}")


def said(response):
    assert response.status_code == 200
    page = read(response)
    return {" ".join(text.split()) for text in page.texts + page.names}


def in_both_languages(person, address):
    found = {}
    for language in ("en-gb", "de"):
        person.language = language
        person.save(update_fields=["language"])
        browser = Client()
        browser.force_login(person)
        page = browser.get(address)
        assert page["Content-Language"] == language
        found[language] = said(page)
    return found["en-gb"], found["de"]


def own_words(study):
    """Whatever a coordinator wrote stands alike in every language."""
    asked = study.asked
    return {asked.title, asked.question, asked.instructions, study.description, f"“{asked.title}”"}


@pytest.mark.parametrize("page", ["study", "design", "further", "cases", "candidates"])
def test_a_drafts_pages_are_german_as_a_whole(cast, draft, page):
    english, german = in_both_languages(cast.owner, reverse(f"studies:{page}", args=[draft.pk]))
    alike = {text for text in (english & german) - own_words(draft) if WORDS.search(text)}
    assert alike == set()


@pytest.mark.parametrize("closed", [False, True])
def test_a_running_studys_page_is_german_as_a_whole(cast, collecting, closed):
    if closed:
        unblinding.close(study=collecting, actor=cast.owner)
    english, german = in_both_languages(cast.owner, collecting.get_absolute_url())
    alike = {text for text in (english & german) - own_words(collecting) if WORDS.search(text)}
    assert alike == set()


@pytest.mark.parametrize(
    "query", ["", "?goal=groups&second=0.9", "?target=0.99&effect=0.51&goal=detect", "?kappa_low=0.9&agreement=unknown"]
)
def test_the_planner_is_german_as_a_whole(cast, query):
    english, german = in_both_languages(cast.owner, reverse("studies:planner") + query)
    assert {text for text in english & german if WORDS.search(text)} == set()


def test_the_blinded_look_is_german_as_a_whole(cast, collecting):
    english, german = in_both_languages(cast.owner, reverse("studies:blinded-look", args=[collecting.pk]))
    assert {text for text in english & german if WORDS.search(text)} <= own_words(collecting)


@pytest.mark.parametrize("unblinded", [False, True])
def test_the_check_for_leaks_is_german_as_a_whole(cast, collecting, unblinded):
    if unblinded:
        unblind(collecting)
    english, german = in_both_languages(cast.owner, reverse("studies:leaks", args=[collecting.pk]))
    assert {text for text in english & german if WORDS.search(text)} <= own_words(collecting)


def test_the_page_of_new_studies_is_german_as_a_whole(cast):
    english, german = in_both_languages(cast.owner, reverse("studies:new"))
    authors = {protocol.authors for protocol in [*STARTED.values(), *PUBLISHED.values()]}
    assert {text for text in english & german if WORDS.search(text)} <= authors


def test_what_a_german_coordinator_does_is_kept_in_english(cast, collecting):
    cast.owner.language = "de"
    cast.owner.save(update_fields=["language"])
    browser = Client()
    browser.force_login(cast.owner)
    closed = browser.post(reverse("studies:close", args=[collecting.pk]), follow=True)
    assert "Die Studie ist geschlossen" in closed.content.decode()
    verified = collecting.record.get(action="verified")
    assert verified.details["sentence"].startswith("Verified: ")


def test_refusals_are_german(cast, world):
    draft = make_draft(cast, world)
    cast.owner.language = "de"
    cast.owner.save(update_fields=["language"])
    browser = Client()
    browser.force_login(cast.owner)
    draft.cases.all().delete()
    page = browser.post(reverse("studies:lock", args=[draft.pk]), follow=True).content.decode()
    assert "Diese Studie kann noch nicht gesperrt werden: 0 von 12 geplanten Fällen sind ausgewählt." in page
