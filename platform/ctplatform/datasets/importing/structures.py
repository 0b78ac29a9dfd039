"""What the name of a mask, a segment or a label says that is drawn: liver, lesion, vessel, something else, or nothing.

A closed list of words. A word outside it makes the name unclear, and what is unclear is asked, never guessed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cache

from ctplatform.datasets.importing import vocabulary
from ctplatform.datasets.kinds import MaskKind

LIVER = frozenset("liver livers hepar leber foie".split())
# Beside another word it says where; alone it is the hepatic veins to some and the liver to others.
OF_THE_LIVER = frozenset({"hepatic", "hepatis"})
LESION = frozenset(
    """lesion lesions tumor tumors tumour tumours tumeur tumoren mass masses neoplasm neoplasms cancer cancers
    carcinoma hepatocellular cholangiocarcinoma hcc metastasis metastases metastase metastasen mets malignancy
    malignant laesion laesionen hemangioma haemangioma adenoma fnh nodule nodules""".split()
)
VESSEL = frozenset(
    """vessel vessels vein veins venoussystem vascular vasculature vascularity gefaess gefaesse
    pfortader""".split()
)
# Cysts are no tumours; parts are not the liver.
CYSTS = frozenset("cyst cysts kyst zyste zysten".split())
PARTS = frozenset(
    """segment segments lobe lobes remnant part dome capsule caudate ligament box bbox surface contour edge outline
    half lappen""".split()
)
# What lies in or beside a lesion or vessel and is neither
NOT_IT = frozenset("necrosis thrombus ablation embolus stent clip clips drain margin edema fat".split())
OTHER = frozenset(
    """spleen splenic milz kidney kidneys renal niere nieren gallbladder gall bile biliary biliarysystem biliarysytem
    duct ducts bladder pancreas pancreatic stomach gastric duodenum colon colonic intestine intestin smallintestin
    smallintestine bowel esophagus oesophagus adrenal surrenal surrenalgland surretumor gland glands prostate uterus
    ovary rectum aorta arota aortic artery arteries cava postcava venacava iliac iliaca carotid subclavian
    brachiocephalic pulmonary jugular mesenteric lung lungs lunge thyroid trachea heart cardiac myocardium atrium
    atrial appendage ventricle brain face skull bone bones skin rib ribs sternum vertebra vertebrae vertebral spine
    sacrum hip femur humerus scapula clavicula clavicle costal cartilage cartilages gluteus maximus medius minimus
    autochthon iliopsoas psoas muscle muscles spinal cord trunc cavity mediastinum diaphragm lymph node nodes
    lymphnode lymphnodes ascites effusion fluid stone stones metal metastasectomie air external thymus breast tongue
    eye parotid seminal vesicle vesicles organ organs""".split()
)
NOT = frozenset("without minus excluding except no non not ohne sans".split())
SIDES = frozenset(
    """left right upper lower middle superior inferior small common main and of the in with l r c t s th
    primary primaries secondary system blood healthy normal""".split()
)
# Which part of a person a scan shows; a mask of it is none of the liver.
REGIONS = frozenset(
    "abdomen abdominal abd chest thorax thoracic pelvis pelvic body trunk tissue soft softtissue".split()
)
MASK_WORDS = frozenset(
    """segmentation segmentations segmented seg segs label labels mask masks roi annotation annotations gt ground
    truth""".split()
)
SCAN_WORDS = frozenset("volume vol image images img imaging ct scan orig original".split())
# Who drew, how and when
SILENT = (
    MASK_WORDS
    | SCAN_WORDS
    | frozenset(
        """manual auto automatic pred prediction predicted prob probability probabilities draft final new old corrected
        edited fixed resampled cropped reader rater observer expert annotator doctor consensus binary map v ver version
        a b c d e f g h i j k m n o p q u w x y z file whole all total parenchyma""".split()
    )
    | ((vocabulary.ALL_WORDS) - LIVER - OF_THE_LIVER - LESION - VESSEL - OTHER - NOT - PARTS)
)
NAMES = LIVER | OF_THE_LIVER | LESION | VESSEL | CYSTS | NOT_IT | OTHER
LEXICON = NAMES | PARTS | NOT | SIDES | SILENT | REGIONS
SHORTEST_PART = 4


class Says(Enum):
    KIND = "kind"
    OTHER = "other"
    UNCLEAR = "unclear"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Meaning:
    """``name`` holds words of the closed list only, so it may be shown and stored."""

    says: Says
    kind: MaskKind | None = None
    name: str = ""
    # liver tumour: a tumour of the liver, or the liver and its tumour
    may_be_both: bool = False

    @property
    def is_drawn(self) -> bool:
        return self.says in {Says.KIND, Says.OTHER}


NOTHING = Meaning(Says.NOTHING)
UNCLEAR = Meaning(Says.UNCLEAR)


def tokens(text: str) -> list[str]:
    """Words in lower case, apart from their numbers; compounds of the list (livertumor) in their parts."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    found = re.findall(r"[^\W\d_]+|\d+", vocabulary.plain_letters(spaced))
    return [part for word in found for part in _parts(word)]


@cache
def _parts(word: str) -> tuple[str, ...]:
    """The word in as few words of the list as make it up, else as it is."""
    if word in LEXICON or word.isdigit():
        return (word,)
    best: dict[int, tuple[str, ...]] = {0: ()}
    for end in range(1, min(len(word), 40) + 1):
        ways = [
            (*best[start], word[start:end])
            for start in best
            if end - start >= SHORTEST_PART and word[start:end] in LEXICON
        ]
        if ways:
            best[end] = min(ways, key=len)
    return best.get(len(word), (word,))


def meaning_of(text: str, apart_from: Iterable[str] = ()) -> Meaning:
    """What a name says; ``apart_from`` are words that it shares with its scan, which say nothing about the mask."""
    silent = set(apart_from)
    found = [word for word in tokens(text) if not word.isdigit() and word not in silent]
    return _meaning(found)


def _meaning(found: list[str]) -> Meaning:
    said = set(found)
    name = " ".join(
        dict.fromkeys(word for word in found if word in NAMES | PARTS | SIDES | {"portal"} and len(word) > 1)
    )
    is_liver = bool(said & (LIVER | OF_THE_LIVER))
    others = said & (OTHER | CYSTS | NOT_IT)
    if {"portal", "vein"} <= said:
        others -= {"splenic"}  # as TotalSegmentator and others draw the two: one mask
    if others or (said & PARTS and is_liver):
        return Meaning(Says.OTHER, name=name)
    if said & NOT or any(word not in LEXICON for word in said):
        return UNCLEAR
    if said & LESION and "and" in said and is_liver:
        return UNCLEAR
    for kind, words in ((MaskKind.LESION, LESION), (MaskKind.VESSEL, VESSEL), (MaskKind.LIVER, LIVER)):
        if said & words:
            return Meaning(Says.KIND, kind, name, may_be_both=kind == MaskKind.LESION and bool(said & LIVER))
    return UNCLEAR if said & (OF_THE_LIVER | REGIONS) else NOTHING


def names_liver(text: str) -> bool:
    return bool(set(tokens(text)) & (LIVER | OF_THE_LIVER))
