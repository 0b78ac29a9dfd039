"""A study speaks one language to its raters: chosen with the draft, frozen at the lock, and never of more than words."""

import unicodedata

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.design import services as design
from readerstudy.design.published import PUBLISHED
from readerstudy.design.readiness import readiness
from readerstudy.design.telling import telling_title, telling_words
from readerstudy.models import GoingBack, Study, Template
from readerstudy.models.asked import Asked
from readerstudy.reading.sessions import study_payload
from readerstudy.tasks.labels import ENGLISH, GERMAN, mark_in, question_in
from readerstudy.tasks.registry import task_of
from readerstudy.verification import verify
from tests.readerstudy.test_tasks import CHOICES, VARIANTS
from tests.readerstudy.worlds import make_draft

ENGLISH_WORDS = {"Real", "Synthetic", "Sure", "Guess", "Certain", "Cannot tell", "Surely real", "Image 1", "Edge"}


def labels(payload):
    if isinstance(payload, dict):
        return {payload["label"]} if "label" in payload else set().union(*map(labels, payload.values()))
    return set().union(*map(labels, payload)) if isinstance(payload, list | tuple) else set()


def without_labels(payload):
    if isinstance(payload, dict):
        return {name: without_labels(value) for name, value in payload.items() if name not in {"label", "ends"}}
    return [without_labels(one) for one in payload] if isinstance(payload, list | tuple) else payload


@pytest.mark.parametrize("task", [*VARIANTS, *CHOICES], ids=str)
def test_only_the_products_own_words_depend_on_the_language(task):
    for asked in (question_in, mark_in):
        english, german = asked(task, ENGLISH), asked(task, GERMAN)
        assert without_labels(english) == without_labels(german)
        own = {"Edge", "Noise"} if task in VARIANTS and getattr(task, "reasons", ()) == ("Edge", "Noise") else set()
        assert labels(german or {}) & (ENGLISH_WORDS | own) == (own if asked is mark_in else set())


def test_labels_that_a_coordinator_wrote_stay():
    task = task_of("scale", {"levels": 10, "labels": ["Surely real", "No idea"]}, confidence_levels=0)
    assert {"Surely real", "No idea"} <= labels(question_in(task, GERMAN))


@pytest.mark.parametrize(
    ("title", "tells"),
    [
        ("Unechte Läsionen", True),
        ("Simulierte Herde", True),
        ("Manipulierte Aufnahmen", True),
        ("Falsche Läsionen", True),
        ("Wahre Läsionen", True),
        ("Eingefuegte Laesionen", True),
        (unicodedata.normalize("NFD", "Eingefügte Läsionen"), True),
        ("Originale der Leber", True),
        ("Echte oder unechte Läsionen", False),
        ("Wahrnehmung von Leberherden", False),
        ("Wahrscheinlich gutartige Herde", False),
        ("Falsch-positive Befunde der Leber", False),
        ("Falschpositive Befunde", False),
        ("False positives in the liver", False),
        ("Leberläsionen, erste Lesung", False),
    ],
)
def test_german_titles_that_tell_and_those_that_do_not(title, tells):
    assert bool(telling_title(title)) == tells


@pytest.mark.django_db
class TestDrafts:
    @pytest.mark.parametrize("language", [ENGLISH, GERMAN])
    @pytest.mark.parametrize(
        "task", [{}, {"task_name": "forced_choice", "task_settings": {"images": 2, "find": "synthetic"}}]
    )
    def test_instructions_that_promise_going_back_are_named_in_every_language(self, cast, language, task):
        study = design.create_study(owner=cast.owner, template=Template.INSERTED_LESIONS, language=language, **task)
        assert "Instructions" not in {check.title for check in readiness(study)}
        study.going_back = GoingBack.NEVER
        assert "Instructions" in {check.title for check in readiness(study)}
        study.instructions = "Sehen Sie genau hin. / Look closely."
        assert "Instructions" not in {check.title for check in readiness(study)}

    def test_a_draft_begins_in_the_language_of_its_owner(self, cast):
        type(cast.owner).objects.filter(pk=cast.owner.pk).update(language="de")
        cast.owner.refresh_from_db()
        study = design.create_study(owner=cast.owner, template=Template.INSERTED_LESIONS)
        assert (study.language, study.question) == (GERMAN, "Ist diese Läsion echt oder synthetisch?")
        answers = study_payload(study)["study"]["answers"]
        assert [(answer["value"], answer["label"]) for answer in answers] == [
            ("real", "Echt"),
            ("synthetic", "Synthetisch"),
        ]

    def test_another_language_changes_the_usual_words_and_no_others(self, cast):
        study = design.create_study(owner=cast.owner, template=Template.REMOVED_LESIONS, instructions="Look closely.")
        changed = design.change_design(study=study, actor=cast.owner, language=GERMAN)
        assert changed.question.startswith("Ist die Leber hier unberührt")
        assert changed.instructions == "Look closely."
        again = design.change_design(study=study, actor=cast.owner, language=ENGLISH)
        assert again.question.startswith("Is the liver here untouched")

    def test_german_words_tell_as_much_as_english_ones(self, cast):
        assert telling_title("Synthetische Läsionen")
        assert telling_title("Nur echte Lebern")
        assert not telling_title("Echte oder eingefügte Läsionen")
        naive = next(key for key, protocol in PUBLISHED.items() if protocol.naive)
        study = design.create_study(owner=cast.owner, template=Template.INSERTED_LESIONS, language=GERMAN)
        assert telling_words(study) == ""
        study.published = naive
        assert "“synthetisch”" in telling_words(study)
        assert "“eingefügt”" in telling_words(study)


@pytest.mark.django_db
def test_what_raters_are_asked_in_is_frozen(recorded, cast, world, stages):
    study = recorded("german study", lambda: stages.open(make_draft(cast, world, language=GERMAN)))
    assert study.protocol["language"] == GERMAN
    assert Asked.of_protocol(study.protocol).language == GERMAN
    Study.objects.filter(pk=study.pk).update(language=ENGLISH)
    study.refresh_from_db()
    rater = Client()
    rater.force_login(cast.rater)
    session = study.raters.get(user=cast.rater).sessions.get()
    served = rater.get(reverse("reading-api:session", args=[session.token])).json()
    assert [answer["label"] for answer in served["study"]["answers"]] == ["Echt", "Synthetisch"]
    assert "language" in " ".join(verify(study, with_stimuli=False).problems)


@pytest.mark.django_db
def test_a_protocol_of_before_there_were_languages_is_english(recorded, cast, world, stages):
    study = recorded("study", lambda: stages.open(make_draft(cast, world)))
    assert "language" not in study.protocol
    assert study.asked.language == ENGLISH
