"""Words that raters read: those that tell them more than they are to know, and those that they are to be told."""

import re
import unicodedata
from collections.abc import Iterator

from django.utils.translation import gettext

from readerstudy.design.published import PUBLISHED
from readerstudy.design.templates import usual_words
from readerstudy.models import Study
from readerstudy.tasks.labels import question_in

# What a title says of cases; with words of both kinds it only asks.
SYNTHETIC_WORDS = {
    "synthetic",
    "fake",
    "inserted",
    "removed",
    "generated",
    "artificial",
    "edited",
    "gan",
    "manipulated",
    "tampered",
    "simulated",
    "false",
}
REAL_WORDS = {"real", "untouched", "genuine", "authentic", "original", "originals", "true"}
# German words bend: whatever begins so tells as much. Umlauts are spelt out, as words are before they are compared.
GERMAN_SYNTHETIC = (
    "synthetisch",
    "kuenstlich",
    "eingefuegt",
    "entfernt",
    "generiert",
    "gefaelscht",
    "verfaelscht",
    "bearbeitet",
    "erzeugt",
    "unecht",
    "simuliert",
    "manipuliert",
)
GERMAN_REAL = ("echt", "unberuehrt", "unveraendert", "unbearbeitet", "authentisch")
# These tell only with such an ending or none: “Wahrnehmung”, “falschpositiv” and “Originalarbeit” tell nothing.
ENDINGS = ("", "e", "em", "en", "er", "es")
GERMAN_SYNTHETIC_BENT = {f"falsch{ending}" for ending in ENDINGS}
GERMAN_REAL_BENT = {f"{stem}{ending}" for stem in ("wahr", "original") for ending in ENDINGS}
# What is said of findings, not of cases
OF_FINDINGS = re.compile(r"\b(?:falsch|wahr|false|true)\w*[\s-]+(?:positi[vf]|negati[vf])\w*")
SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


def telling_title(title: str) -> str:
    words = _words_in(title)
    of_one_kind = any(map(_says_synthetic, words)) != any(map(_says_real, words))
    if not of_one_kind and "%" not in title:
        return ""
    return gettext(
        "Raters read the title, and it seems to tell them what to answer: it names one kind or a share. A title "
        "such as “Liver lesions, first reading” tells nothing."
    )


def telling_words(study: Study) -> str:
    """Of a study whose readers are not to know what it is about."""
    followed = PUBLISHED.get(study.published)
    if followed is None or not followed.naive:
        return ""
    told = sorted(
        {
            word
            for said in _read_by_raters(study)
            for word in _words_in(said)
            if _says_synthetic(word) or _says_real(word)
        }
    )
    if not told:
        return ""
    named = ", ".join(f"“{word}”" for word in told)
    return gettext(
        "Readers of this phase are not to know what it is about, and read %(named)s: look at title, question, "
        "instructions, answers, further questions and the one at the end."
    ) % {"named": named}


def missing_clue(study: Study) -> str:
    """Of a phase before which readers were told something, as long as its instructions are the usual ones."""
    followed = PUBLISHED.get(study.published)
    if followed is None or not followed.clue or study.instructions != usual_words(study)["instructions"]:
        return ""
    return gettext("Readers of this phase were told a clue before it: write yours into the instructions, word by word.")


def _read_by_raters(study: Study) -> Iterator[str]:
    asked = study.asked
    yield from (asked.title, asked.question, asked.instructions)
    payload = question_in(asked.task, asked.language)
    yield from (answer["label"] for answer in payload["answers"])
    yield from (payload["scale"] or {}).get("ends", [])
    yield asked.end_question
    for item in asked.questions:
        yield item.question
        yield from item.options_in_words.values()


def _words_in(said: str) -> set[str]:
    composed = unicodedata.normalize("NFC", said).lower()
    return set(re.findall(r"[^\W\d_]+", OF_FINDINGS.sub(" ", composed)))


def _says_synthetic(word: str) -> bool:
    spelt = word.translate(SPELT_OUT)
    return spelt in SYNTHETIC_WORDS | GERMAN_SYNTHETIC_BENT or spelt.startswith(GERMAN_SYNTHETIC)


def _says_real(word: str) -> bool:
    spelt = word.translate(SPELT_OUT)
    return spelt in REAL_WORDS | GERMAN_REAL_BENT or spelt.startswith(GERMAN_REAL)
