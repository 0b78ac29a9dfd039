"""Titles, questions and instructions that a new study starts with, in the language that its raters read."""

from collections.abc import Mapping
from dataclasses import dataclass

from readerstudy.models import Feedback, Template
from readerstudy.tasks.labels import ENGLISH, GERMAN

INSERTED, REMOVED = Template.INSERTED_LESIONS, Template.REMOVED_LESIONS


@dataclass(frozen=True, kw_only=True)
class UsualWords:
    """`several` and the words for it are of trials that show more than one image."""

    common: str
    # By which instructions tell raters that they may change an answer
    going_back: tuple[str, ...]
    # By which they tell raters that they learn nothing of single cases, and what stands there where they do.
    no_feedback: tuple[str, ...]
    feedback: Mapping[str, str]
    defaults: Mapping[Template, Mapping[str, str]]
    # Where raters look for the place themselves, "this lesion" and "here" would ask about nothing that is shown.
    looked_for: Mapping[Template, Mapping[str, str]]
    looking: str
    looking_for_all: str
    # What images of a trial are asked for, in the words of the template
    real_of_several: Mapping[Template, str]
    synthetic_of_several: Mapping[Template, str]
    shows: tuple[str, str]
    """Of one image, and of more."""
    asked_of_several: Mapping[str, str]
    question_of_several: str
    instructions_of_several: str


_READING = (
    "Answer by keyboard or mouse; you can go back to the {unit} before. Stop whenever you like: every answer is saved "
    "at once, and the link brings you back to where you were. You get no feedback on single {unit}s."
)
_COMMON = "You will see one case after the other, in an order of your own. " + _READING.format(unit="case")
_LOOKING = "Nothing shows where: mark the place that you think was changed. "

_ENGLISH_WORDS = UsualWords(
    common=_COMMON,
    going_back=("go back",),
    no_feedback=("You get no feedback on single cases.", "You get no feedback on single trials."),
    feedback={
        Feedback.CASE: "After each answer you are told what it was; tell nobody who still reads.",
        Feedback.END: "When you have answered all, you can see what each was; tell nobody who still reads.",
    },
    defaults={
        INSERTED: {
            "title": "Real or inserted lesions",
            "question": "Is this lesion real or synthetic?",
            "instructions": "About half of the lesions are real; the others were inserted into the scan by a program. "
            + _COMMON,
        },
        REMOVED: {
            "title": "Untouched liver or removed lesion",
            "question": "Is the liver here untouched (real), or was a lesion removed (synthetic)?",
            "instructions": "About half of the places show untouched liver; at the others a program removed a lesion. "
            + _COMMON,
        },
    },
    looked_for={
        INSERTED: {
            "question": "Is this picture real, or was a lesion inserted (synthetic)?",
            "instructions": "About half of the pictures are as they were scanned; into the others a program inserted "
            "a lesion. " + _LOOKING + _COMMON,
        },
        REMOVED: {
            "question": "Is the liver in this picture untouched (real), or was a lesion removed (synthetic)?",
            "instructions": "About half of the pictures show an untouched liver; in the others a program removed a "
            "lesion. " + _LOOKING + _COMMON,
        },
    },
    looking=_LOOKING,
    looking_for_all="Nothing shows where: mark every place that you think was changed, or say that there is none. ",
    real_of_several={INSERTED: "a real lesion", REMOVED: "untouched liver"},
    synthetic_of_several={
        INSERTED: "a lesion that a program inserted",
        REMOVED: "a place where a program removed a lesion",
    },
    shows=("shows", "show"),
    asked_of_several={"real": "shows {real}", "synthetic": "shows {synthetic}", "better": "is the better one"},
    question_of_several="Which of these images {asked}?",
    instructions_of_several="You will see {images} images at a time, in an order of your own: {kinds}. "
    + _READING.format(unit="trial"),
)

_READING_DE = (
    "Antworten Sie mit Tastatur oder Maus; Sie können zum vorigen {unit} zurückkehren. Sie können jederzeit "
    "unterbrechen: Jede Antwort wird sofort gespeichert, und der Link führt Sie dorthin zurück, wo Sie waren. Zu "
    "einzelnen {units} erhalten Sie keine Rückmeldung."
)
_COMMON_DE = "Sie sehen einen Fall nach dem anderen, in einer eigenen Reihenfolge. " + _READING_DE.format(
    unit="Fall", units="Fällen"
)
_LOOKING_DE = "Nichts zeigt die Stelle: Markieren Sie die Stelle, die Sie für verändert halten. "

_GERMAN_WORDS = UsualWords(
    common=_COMMON_DE,
    going_back=("zurückkehren", "zurückgehen"),
    no_feedback=(
        "Zu einzelnen Fällen erhalten Sie keine Rückmeldung.",
        "Zu einzelnen Durchgängen erhalten Sie keine Rückmeldung.",
    ),
    feedback={
        Feedback.CASE: "Nach jeder Antwort erfahren Sie, was es war; sagen Sie es niemandem, der noch liest.",
        Feedback.END: "Wenn Sie alles beantwortet haben, können Sie sehen, was es jeweils war; sagen Sie es niemandem, "
        "der noch liest.",
    },
    defaults={
        INSERTED: {
            "title": "Echte oder eingefügte Läsionen",
            "question": "Ist diese Läsion echt oder synthetisch?",
            "instructions": "Etwa die Hälfte der Läsionen ist echt; die anderen hat ein Programm in den Scan "
            "eingefügt. " + _COMMON_DE,
        },
        REMOVED: {
            "title": "Unberührte Leber oder entfernte Läsion",
            "question": "Ist die Leber hier unberührt (echt), oder wurde eine Läsion entfernt (synthetisch)?",
            "instructions": "Etwa die Hälfte der Stellen zeigt unberührte Leber; an den anderen hat ein Programm eine "
            "Läsion entfernt. " + _COMMON_DE,
        },
    },
    looked_for={
        INSERTED: {
            "question": "Ist dieses Bild echt, oder wurde eine Läsion eingefügt (synthetisch)?",
            "instructions": "Etwa die Hälfte der Bilder ist so, wie sie aufgenommen wurden; in die anderen hat ein "
            "Programm eine Läsion eingefügt. " + _LOOKING_DE + _COMMON_DE,
        },
        REMOVED: {
            "question": "Ist die Leber in diesem Bild unberührt (echt), oder wurde eine Läsion entfernt (synthetisch)?",
            "instructions": "Etwa die Hälfte der Bilder zeigt eine unberührte Leber; in den anderen hat ein Programm "
            "eine Läsion entfernt. " + _LOOKING_DE + _COMMON_DE,
        },
    },
    looking=_LOOKING_DE,
    looking_for_all="Nichts zeigt die Stellen: Markieren Sie jede Stelle, die Sie für verändert halten, oder geben Sie "
    "an, dass es keine gibt. ",
    real_of_several={INSERTED: "eine echte Läsion", REMOVED: "unberührte Leber"},
    synthetic_of_several={
        INSERTED: "eine Läsion, die ein Programm eingefügt hat",
        REMOVED: "eine Stelle, an der ein Programm eine Läsion entfernt hat",
    },
    shows=("zeigt", "zeigen"),
    asked_of_several={"real": "zeigt {real}", "synthetic": "zeigt {synthetic}", "better": "ist das bessere"},
    question_of_several="Welches dieser Bilder {asked}?",
    instructions_of_several="Sie sehen {images} Bilder auf einmal, in einer eigenen Reihenfolge: {kinds}. "
    + _READING_DE.format(unit="Durchgang", units="Durchgängen"),
)

USUAL: Mapping[str, UsualWords] = {ENGLISH: _ENGLISH_WORDS, GERMAN: _GERMAN_WORDS}
