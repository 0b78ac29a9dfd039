"""Published reader studies that were read in several phases, one after the other by the same readers.

Words of a naive phase are ours: no publication prints them. They name neither kind, nor authors whom somebody could
look up.
"""

from collections.abc import Mapping

from readerstudy.design.published_protocol import (
    ANSWERS_ONLY,
    WHOLE_PICTURE,
    WHOLE_VOLUME,
    Cases,
    PublishedPhases,
    PublishedProtocol,
)
from readerstudy.design.templates import COMMON
from readerstudy.models import DisplayMode, Feedback, Template
from readerstudy.tasks.any_places import AnyPlaces
from readerstudy.tasks.forced_choice import ForcedChoice
from readerstudy.tasks.real_or_synthetic import RealOrSynthetic
from readerstudy.tasks.scale import Scale
from readerstudy.tasks.task import REAL, SYNTHETIC

_OURS = "question, instructions, levels and labels: those here are ours"
_DAYS = "days between the phases"
_AS_A_SCALE = (
    "There answers had no truth; here both kinds are compared by who gets the higher one, and where right and wrong "
    "ones are counted a high answer counts as “real”."
)

_CHEN = "Chen et al., Acad Radiol 2016;23:1221"
_CHEN_DOI = "10.1016/j.acra.2016.05.009"
_CONSENSUS = "two radiologists in consensus, who count as one reader: give them one account"
CHEN = PublishedPhases(
    key="chen_2016",
    authors="Chen et al. 2016",
    title="Inserted liver lesions, scores from 1 to 10, then pairs",
    reference=_CHEN,
    doi=_CHEN_DOI,
    raters=_CONSENSUS,
    phases=(
        PublishedProtocol(
            key="chen_2016_scores",
            authors="Chen et al. 2016, first part",
            title="Inserted liver lesions, scores from 1 to 10",
            reference=f"{_CHEN}, first part",
            doi=_CHEN_DOI,
            raters=_CONSENSUS,
            settings={
                "template": Template.INSERTED_LESIONS,
                "cases_planned": 102,
                "task_name": Scale.name,
                "task_settings": {
                    "levels": "10",
                    "towards": REAL,
                    "labels": ["Surely inserted", "Surely real"],
                    "cannot_tell": False,
                },
            },
            untold=("patch, slice or stack, and window", "feedback and time limit"),
            otherwise=(
                "There inserted lesions were real ones cut out; here both kinds are drawn alike in size and place.",
            ),
            results=(
                ("Median score", "8 for inserted lesions (quartiles 5.5 and 8), 8 for real ones (6.5 and 8), P = .17"),
                ("AUC", ".58 ± .06"),
            ),
        ),
        PublishedProtocol(
            key="chen_2016_pairs",
            authors="Chen et al. 2016, second part",
            title="Inserted liver lesions, pairs",
            reference=f"{_CHEN}, second part",
            doi=_CHEN_DOI,
            raters=_CONSENSUS,
            settings={
                "template": Template.INSERTED_LESIONS,
                "cases_planned": 102,
                "confidence_levels": 5,
                "task_name": ForcedChoice.name,
                "task_settings": {"images": 2, "find": SYNTHETIC},
            },
            cases=Cases.SAME,
            untold=(
                "whether a pair shows the same lesion",
                "patch, slice or stack, and window",
                "side by side or one after the other",
                "order, feedback and time limit",
                _DAYS,
            ),
            results=(("Pairs named wrongly", "25 of 51 (49 %)"),),
        ),
    ),
)

_TORDJMAN = "Tordjman et al., Radiology 2026"
_TORDJMAN_DOI = "10.1148/radiol.252094"
_RADIOLOGISTS = "17 radiologists of 12 centres, 0 to 40 years of experience"
_WITH_MODELS = f"{_RADIOLOGISTS}; four multimodal models beside them"
_RADIOGRAPHS = ("There radiographs were read; here slices of CT.", WHOLE_PICTURE)
TORDJMAN = PublishedPhases(
    key="tordjman_2026",
    authors="Tordjman et al. 2026",
    title="Readers who don't know, then know, then see another generator",
    reference=_TORDJMAN,
    doi=_TORDJMAN_DOI,
    raters=_WITH_MODELS,
    phases=(
        PublishedProtocol(
            key="tordjman_2026_naive",
            authors="Tordjman et al. 2026, first phase",
            title="Quality and diagnosis, by readers who do not know what it is about",
            reference=f"{_TORDJMAN}, first phase",
            doi=_TORDJMAN_DOI,
            raters=_RADIOLOGISTS,
            settings={
                "template": Template.INSERTED_LESIONS,
                "display_mode": DisplayMode.SLICE,
                "cases_planned": 154,
            },
            ours={
                "title": "Image quality and diagnosis",
                "question": "How good is the technical quality of this picture?",
                "instructions": "Grade the technical quality of each picture, then say which diagnosis you would give "
                "at the ring. " + COMMON,
                "task_name": Scale.name,
                "task_settings": {"levels": "5", "towards": REAL, "labels": ["Very poor", "Very good"]},
                "further_questions": [
                    {"kind": "text", "name": "diagnosis", "question": "Which diagnosis would you give at the ring?"}
                ],
                "end_question": "Was anything unusual about these pictures?",
            },
            naive=True,
            asked_at_the_end="whether anything was unusual",
            untold=(
                _OURS,
                "how the diagnosis was given",
                "in which words readers were asked at the end whether anything was unusual",
                "time limit and feedback",
            ),
            otherwise=(
                *_RADIOGRAPHS,
                _AS_A_SCALE,
            ),
            results=(
                ("Noticed without being told", "7 of 17 readers (41 %)"),
                ("Right diagnoses", "92.4 % (synthetic), 91.3 % (real)"),
            ),
        ),
        PublishedProtocol(
            key="tordjman_2026_informed",
            authors="Tordjman et al. 2026, second phase",
            title="Readers who know that some pictures are synthetic",
            reference=f"{_TORDJMAN}, second phase",
            doi=_TORDJMAN_DOI,
            raters=_WITH_MODELS,
            settings={
                "template": Template.INSERTED_LESIONS,
                "display_mode": DisplayMode.SLICE,
                "cases_planned": 154,
                "task_name": RealOrSynthetic.name,
                "task_settings": {},
            },
            cases=Cases.SAME,
            untold=("levels of confidence", "time limit and feedback", _DAYS),
            otherwise=_RADIOGRAPHS,
            results=(
                ("Right answers, GPT-4o", "75 % (95 % interval 68 to 81)"),
                ("Right answers of the models", "85, 83, 59 and 56 %"),
            ),
        ),
        PublishedProtocol(
            key="tordjman_2026_other",
            authors="Tordjman et al. 2026, third phase",
            title="The same question of another generator's pictures",
            reference=f"{_TORDJMAN}, third phase",
            doi=_TORDJMAN_DOI,
            raters=_WITH_MODELS,
            settings={
                "template": Template.INSERTED_LESIONS,
                "display_mode": DisplayMode.SLICE,
                "cases_planned": 110,
                "task_name": RealOrSynthetic.name,
                "task_settings": {},
            },
            cases=Cases.OTHERS,
            untold=(
                "levels of confidence",
                "time limit and feedback",
                _DAYS,
            ),
            otherwise=(
                *_RADIOGRAPHS,
                "There the pictures were others, by another generator; here cases are of other patients.",
            ),
            results=(("Right answers, RoentGen", "70 % (95 % interval 62 to 78), P = .07 against the phase before"),),
        ),
    ),
)

_HIGAKI = "Higaki et al., Cureus 2022;14(10):e30646"
_HIGAKI_DOI = "10.7759/cureus.30646"
_CARDIOLOGISTS = "cardiologists; their number is not told"
_OF_A_CLUE = {"template": Template.INSERTED_LESIONS, "display_mode": DisplayMode.SLICE, **ANSWERS_ONLY}
_TOLD = "whether readers learnt what the maps were: here they are told after their last case"
_POLAR_MAPS = "There maps of the heart muscle were judged; here slices of CT."
HIGAKI = PublishedPhases(
    key="higaki_2022",
    authors="Higaki et al. 2022",
    title="Before and after a clue is given",
    reference=_HIGAKI,
    doi=_HIGAKI_DOI,
    raters=_CARDIOLOGISTS,
    phases=(
        PublishedProtocol(
            key="higaki_2022_first",
            authors="Higaki et al. 2022, first trial",
            title="Before a clue is given",
            reference=f"{_HIGAKI}, first trial",
            doi=_HIGAKI_DOI,
            raters=_CARDIOLOGISTS,
            settings=_OF_A_CLUE,
            ours={"feedback": Feedback.END},
            untold=("number of cases", "order", _TOLD),
            otherwise=(_POLAR_MAPS,),
            results=(("Right answers, first trial", "61.1 % (SD 21.5)"),),
        ),
        PublishedProtocol(
            key="higaki_2022_second",
            authors="Higaki et al. 2022, second trial",
            title="After a clue was given",
            reference=f"{_HIGAKI}, second trial",
            doi=_HIGAKI_DOI,
            raters=_CARDIOLOGISTS,
            settings=_OF_A_CLUE,
            ours={"other_patients": True},
            clue=True,
            untold=(
                "the clue: write yours into the instructions, word by word",
                "number of cases",
                "whether they were those of the first trial: here others, as raters are told what those were",
                "order",
                _DAYS,
            ),
            otherwise=(_POLAR_MAPS,),
            results=(("Right answers, after the clue", "80.0 % (SD 15.8)"),),
        ),
    ),
)

_MIRSKY = "Mirsky et al., CT-GAN: Malicious Tampering of 3D Medical Imagery, USENIX Security 2019"
_MIRSKY_DOI = "10.48550/arXiv.1901.03597"
_WITH_A_NETWORK = "three radiologists; a network for cancer screening beside them"
_OF_VOLUMES = {
    "template": Template.INSERTED_LESIONS,
    "display_mode": DisplayMode.STACK,
    "stack_slices": 61,
}
_LUNGS = (
    "There lungs were read; here livers.",
    WHOLE_VOLUME,
    "There lesions were removed as well as inserted, in one trial; here a study has one of the two.",
)
MIRSKY = PublishedPhases(
    key="ct_gan_2019",
    authors="Mirsky et al. 2019",
    title="Tampered lung CT, diagnosed by readers who don't know, then searched by readers who know",
    reference=_MIRSKY,
    doi=_MIRSKY_DOI,
    raters=_WITH_A_NETWORK,
    phases=(
        PublishedProtocol(
            key="ct_gan_2019_blind",
            authors="Mirsky et al. 2019, blind trial",
            title="Tampered lung CT, diagnosed by readers who do not know of it",
            reference=f"{_MIRSKY}, blind trial",
            doi=_MIRSKY_DOI,
            raters=_WITH_A_NETWORK,
            settings={**_OF_VOLUMES, "cases_planned": 80},
            ours={
                "title": "Diagnosis of lesions",
                "question": "Is the lesion at the ring malignant?",
                "instructions": "Look at the lesion at the ring and say how likely it is malignant. " + COMMON,
                "task_name": Scale.name,
                "task_settings": {"levels": "5", "towards": REAL, "labels": ["Surely benign", "Surely malignant"]},
            },
            naive=True,
            untold=(
                _OURS,
                "how many of the scans were of each kind",
                "whether anything was asked besides the diagnosis",
                "order and time limit",
            ),
            otherwise=(
                *_LUNGS,
                _AS_A_SCALE,
                "There whole scans were searched for cancer; here a ring shows one lesion at a time.",
            ),
            results=(("Took for real, not told of tampering", "98 % (radiologists), 100 % (network)"),),
        ),
        PublishedProtocol(
            key="ct_gan_2019_open",
            authors="Mirsky et al. 2019, open trial",
            title="Tampered lung CT, places to be found by readers who know",
            reference=f"{_MIRSKY}, open trial",
            doi=_MIRSKY_DOI,
            raters=_WITH_A_NETWORK,
            settings={**_OF_VOLUMES, "cases_planned": 20, "task_name": AnyPlaces.name},
            cases=Cases.OTHERS,
            untold=(
                "how many of the scans were of each kind",
                "levels of confidence",
                "radius within which a mark was right",
                "reasons, if any were asked",
                "order and time limit",
                _DAYS,
            ),
            otherwise=(*_LUNGS, "There the scans were others; here they are of other patients."),
            results=(("Took for real, told of it", "60 % of inserted and 87 % of removed lesions"),),
        ),
    ),
)

PHASED: Mapping[str, PublishedPhases] = {phased.key: phased for phased in (CHEN, TORDJMAN, HIGAKI, MIRSKY)}
