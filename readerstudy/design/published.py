"""Published reader studies of synthetic images that a draft may start from: all of them, by their short names.

Those that were read in several phases have a file of their own.
"""

from collections.abc import Mapping
from typing import Any

from readerstudy.design.published_phases import PHASED
from readerstudy.design.published_protocol import (
    ANSWERS_ONLY,
    WHOLE_PICTURE,
    WHOLE_VOLUME,
    PublishedPhases,
    PublishedProtocol,
)
from readerstudy.models import DisplayMode, Template
from readerstudy.tasks.forced_choice import ForcedChoice
from readerstudy.tasks.one_place import OnePlace
from readerstudy.tasks.real_or_synthetic import RealOrSynthetic
from readerstudy.tasks.scale import Scale
from readerstudy.tasks.task import REAL, SYNTHETIC


def _grade(name: str, question: str, *options: str) -> dict[str, Any]:
    return {"kind": "grade", "name": name, "question": question, "options": list(options)}


_OF_ONE_PHASE = (
    PublishedProtocol(
        key="kleesiek_2021",
        authors="Kleesiek et al. 2021",
        title="Liver lesions of an implicit autoencoder, patches",
        reference="Kleesiek et al., Discovering Digital Tumor Signatures, Cancers 2021;13:3108",
        doi="10.3390/cancers13133108",
        raters="five radiologists in each of two experiments",
        settings={
            "template": Template.INSERTED_LESIONS,
            "display_mode": DisplayMode.PATCH,
            "task_name": RealOrSynthetic.name,
            "task_settings": {},
        },
        untold=(
            "number of cases",
            "edge of the patches and window",
            "levels of confidence",
            "words of the question",
            "order, repeats and feedback",
        ),
        otherwise=("There two experiments were run; here the second one is a copy of the first study.",),
        results=(
            ("First experiment", "one rater and the ensemble of raters marginally above chance"),
            ("Second experiment", "no rater above chance"),
        ),
    ),
    PublishedProtocol(
        key="washu_2023_pairs",
        authors="Two-alternative web tool for PET, 2023",
        title="PET slices in pairs",
        reference="Two-alternative forced choice for synthetic PET, Phys Med Biol 2023;68:074001",
        doi="10.1088/1361-6560/acc0ce",
        raters="five physicians who read PET and one physicist",
        settings={
            "template": Template.INSERTED_LESIONS,
            "display_mode": DisplayMode.SLICE,
            "confidence_levels": 5,
            "task_name": ForcedChoice.name,
            "task_settings": {"images": 2, "find": REAL},
        },
        untold=(
            "number of pairs",
            "whether a pair shows the same host",
            "window",
            "order, feedback and time limit",
        ),
        otherwise=(
            "There pictures were PET.",
            WHOLE_PICTURE,
        ),
        results=(("Right choices", "about one half"),),
    ),
    PublishedProtocol(
        key="cervical_spine_2025",
        authors="Cervical spine by diffusion, 2025",
        title="Lateral radiographs, four at a time",
        reference="Denoising diffusion for cervical spine radiographs, arXiv 2510.22166",
        doi="10.48550/arXiv.2510.22166",
        raters="six neuroradiologists and two spine surgeons",
        settings={
            "template": Template.INSERTED_LESIONS,
            "display_mode": DisplayMode.SLICE,
            "cases_planned": 200,
            "task_name": ForcedChoice.name,
            "task_settings": {"images": 4, "find": REAL},
            "further_questions": [
                {
                    "kind": "grade",
                    "name": "realism",
                    "question": "How realistic is it?",
                    "options": ["1, unrealistic", "2", "3", "4, fully realistic"],
                }
            ],
        },
        untold=(
            "how the four of a trial were put together",
            "the words of the question on realism, and of its grades 2 and 3",
            "whether images were graded on the page of the choice",
            "levels of confidence, if any",
            "window",
            "order, repeats and time limit",
        ),
        otherwise=(
            "There pictures were lateral radiographs; here they are slices of CT.",
            WHOLE_PICTURE,
            "There the synthetic ones came from three checkpoints, one each; here of the programs there are.",
        ),
        results=(
            ("Right choices", "116 of 400 (29.0 %; guessing: 25 %)"),
            ("Agreement", "Fleiss' kappa .061"),
            ("Mean grade", "3.323 for real images, 3.228, 3.258 and 3.320 for those of the three checkpoints"),
        ),
    ),
    PublishedProtocol(
        key="hu_2023",
        authors="Hu et al. 2023",
        title="Inserted liver tumours, with “unsure”",
        reference="Hu et al., Label-Free Liver Tumor Segmentation, CVPR 2023",
        doi="10.1109/CVPR52729.2023.00717",
        raters="two radiologists, of 6 and 15 years of experience",
        settings={
            "template": Template.INSERTED_LESIONS,
            "display_mode": DisplayMode.STACK,
            "stack_slices": 61,
            "cases_planned": 50,
            "task_name": Scale.name,
            "task_settings": {
                "levels": "2",
                "towards": SYNTHETIC,
                "labels": ["Real", "Synthetic"],
                "cannot_tell": True,
            },
        },
        untold=("window", "order", "feedback and time limit"),
        otherwise=(
            "There 20 cases were real and 30 synthetic, from other data sets; here half are of each kind.",
            WHOLE_VOLUME,
            "There “unsure” was left out; here it counts as the middle.",
        ),
        results=(
            ("Right answers, “unsure” left out", "26.5 % of 49 (junior), 71.0 % of 31 (senior)"),
            (
                "AUC with “unsure” as the middle, computed here from the published counts",
                ".263 (95 % interval .134 to .391, junior), .695 (.557 to .833, senior)",
            ),
        ),
    ),
    PublishedProtocol(
        key="difftumor_2024",
        authors="DiffTumor 2024",
        title="Tumours of a diffusion model, volumes",
        reference="Chen et al., Towards Generalizable Tumor Synthesis (DiffTumor), 2024",
        doi="10.48550/arXiv.2402.19470",
        raters="four readers, as it seems: their number follows from the number of answers",
        settings={
            "template": Template.INSERTED_LESIONS,
            "display_mode": DisplayMode.STACK,
            "stack_slices": 61,
            "cases_planned": 240,
            **ANSWERS_ONLY,
        },
        untold=("window", "order", "feedback"),
        otherwise=(WHOLE_VOLUME, "There three organs had 240 cases each; here a study has one organ."),
        results=(
            ("Real ones called real", "above 90 %"),
            ("Synthetic liver tumours found", "31.7, 22.5, 39.2 and 45.8 % of the four readers"),
            ("Time", "3.0 min a volume"),
        ),
    ),
    PublishedProtocol(
        key="freetumor_2025",
        authors="FreeTumor 2025",
        title="Tumours of five organs, volumes",
        reference="FreeTumor, Nat Commun 2025",
        doi="10.1038/s41467-025-66071-6",
        raters="13 board-certified radiologists",
        settings={
            "template": Template.INSERTED_LESIONS,
            "display_mode": DisplayMode.STACK,
            "stack_slices": 61,
            "cases_planned": 90,
            "task_name": RealOrSynthetic.name,
            "task_settings": {},
        },
        untold=("how many of the cases were synthetic", "whether “unsure” was an answer", "window", "order"),
        otherwise=(WHOLE_VOLUME, "There 18 cases were of each of five organs; here a study has one organ."),
        results=(("Sensitivity", "51.1 %"), ("Right answers", "60.8 %")),
    ),
    PublishedProtocol(
        key="benchmark_2026",
        authors="arXiv 2605.13686",
        title="Several generators, volumes",
        reference="Benchmark of three-dimensional image-to-image synthesis, arXiv 2605.13686",
        doi="10.48550/arXiv.2605.13686",
        raters="17 physicians, 15 of them radiologists",
        settings={
            "template": Template.INSERTED_LESIONS,
            "display_mode": DisplayMode.STACK,
            "stack_slices": 61,
            **ANSWERS_ONLY,
        },
        untold=("number of cases and their shares", "viewer and window", "order"),
        otherwise=(WHOLE_VOLUME, WHOLE_PICTURE, "Which of two pictures is preferred is not part of it."),
        results=(("Right answers", "56.7 %"),),
    ),
    PublishedProtocol(
        key="park_2021",
        authors="Park et al. 2021",
        title="Slices of body CT, groups of experience",
        reference="Park et al., JMIR Med Inform 2021;9(3):e23328",
        doi="10.2196/23328",
        raters="ten radiologists: four below 5 years of experience, four of 5 to 10, two above",
        settings={
            "template": Template.INSERTED_LESIONS,
            "display_mode": DisplayMode.SLICE,
            "cases_planned": 300,
            **ANSWERS_ONLY,
        },
        untold=("order", "time limit", "training"),
        otherwise=(WHOLE_PICTURE,),
        results=(
            ("Right answers", "1,781 of 3,000 (59.4 %)"),
            ("Synthetic ones found", "779 of 1,500 (51.9 %)"),
            ("By experience, few to many years", "696 of 1,200, 726 of 1,200, 359 of 600; P = .36"),
            ("Fleiss’ kappa", ".11"),
        ),
    ),
    PublishedProtocol(
        key="khader_2023",
        authors="Khader et al. 2023",
        title="Three grades of quality",
        reference="Khader et al., Sci Rep 2023;13:7303",
        doi="10.1038/s41598-023-34341-2",
        raters="two radiologists",
        settings={
            "template": Template.INSERTED_LESIONS,
            "display_mode": DisplayMode.STACK,
            "stack_slices": 61,
            "further_questions": [
                _grade(
                    "overall",
                    "How does it look as a whole?",
                    "Not recognisable",
                    "Overall unrealistic",
                    "Overall realistic, small faults",
                    "Cannot be told from a real one",
                ),
                _grade(
                    "between_slices",
                    "How well do neighbouring slices fit one another?",
                    "No slices",
                    "Up to 3 slices",
                    "More than 10 slices",
                    "All slices",
                ),
                _grade(
                    "anatomy",
                    "Is the anatomy right?",
                    "Region not recognisable",
                    "Region recognisable, anatomy wrong",
                    "Mostly right",
                    "Correct",
                ),
            ],
        },
        untold=(
            "number of volumes, and whether real ones were among them",
            "the exact words of all twelve options: the middle ones are ours",
            "order",
        ),
        otherwise=(
            "There nothing was asked about real and synthetic; here that is asked first, and grades follow.",
            WHOLE_VOLUME,
        ),
    ),
    PublishedProtocol(
        key="dilger_2019",
        authors="Dilger et al. 2019, part II",
        title="Low-contrast liver lesions to be found, one place",
        reference="Dilger et al., Localization of liver lesions in abdominal CT imaging, Phys Med Biol 2019, part II",
        page="https://www.isct.org/research/2019/5/10/localization-of-liver-lesions-in-abdominal-ct-imaging-i-"
        "correlation-of-human-observer-performance-between-anatomical-and-uniform-backgrounds-ly29p",
        raters="three medical physicists; a model observer beside them",
        settings={
            "template": Template.INSERTED_LESIONS,
            "display_mode": DisplayMode.SLICE,
            "cases_planned": 100,
            "task_name": OnePlace.name,
            "task_settings": {"mark_with": "every"},
        },
        untold=("levels of confidence", "radius within which a mark was right", "training", "window and time limit"),
        otherwise=(
            "There readers looked for the lesion itself; here they look for the edit, beside real lesions.",
            "There 66 pictures of a condition had a lesion and 34 none; here half are of each kind.",
            "There 36 conditions of dose, reconstruction, background and size were read; here a study is one.",
        ),
        results=(
            ("Area under the LROC curve", ".53, .91 and .97 for lesions of 5, 7 and 9 mm"),
            ("Readers and model", "Spearman's correlation .93"),
        ),
    ),
)
_PHASES = [phase for phased in PHASED.values() for phase in phased.phases]
PUBLISHED: Mapping[str, PublishedProtocol] = {protocol.key: protocol for protocol in (*_OF_ONE_PHASE, *_PHASES)}

# What the page of new studies lists: one button each. A phase can be had alone, too.
LISTED: tuple[PublishedProtocol | PublishedPhases, ...] = tuple(
    sorted((*_OF_ONE_PHASE, *PHASED.values()), key=lambda one: one.authors.casefold())
)
# What may be asked for by name.
STARTED: Mapping[str, PublishedProtocol | PublishedPhases] = {**PUBLISHED, **PHASED}
