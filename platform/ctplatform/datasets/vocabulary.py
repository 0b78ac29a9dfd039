"""Words that name no person. Text and file names are reduced to these: an allow-list, because names have no end."""

import re

MEASURED = frozenset(
    """abdomen abdominal abd chest thorax thoracic pelvis pelvic liver hepatic spleen kidney renal body trunk whole
    arterial artery art portal venous vein pv pvp late early delayed delay equilibrium phase phases native plain
    noncontrast nativ contrast enhanced unenhanced with without wo ww iv oral post pre non multiphase triphasic
    axial ax coronal cor sagittal sag thin thick soft tissue softtissue standard sharp smooth kernel recon
    reconstruction routine protocol helical spiral volume ct cta""".split()  # noqa: SIM905
)
RESEARCH = frozenset(
    """case patient subject scan image img volume vol segmentation seg label labels mask masks lesion lesions tumor
    tumors tumour tumours vessel vessels test train training val validation phantom twin synthetic data dataset
    series study lits msd task ircad ircadb dircadb hcc tace tcga tcia lidc idri flare amos btcv chaos kits
    totalsegmentator abdomenct wawtace crlm colorectal sliver demo sample fold part draft""".split()  # noqa: SIM905
)
ALL_WORDS = MEASURED | RESEARCH
# Too many digits are a date of birth or a hospital number, more than two letters before digits may be a name.
_CODE = re.compile(r"\d{0,2}([a-z]{0,2}|[a-z]+)\d{0,5}")
# Words that say nothing about which scan it is
GENERIC = frozenset({"ct", "image", "img", "volume", "vol", "scan", "data", "series"})


def words(text: str) -> list[str]:
    return [word for word in re.split(r"[^0-9a-zA-Z]+", text) if word]


def is_harmless(word: str) -> bool:
    match = _CODE.fullmatch(word.lower())
    if match is None:
        return False
    letters = match.group(1)
    # "s012" is a code; "Li" and "Wu" are people
    return letters in ALL_WORDS or not letters or (len(letters) <= 2 and letters != word.lower())


def harmless_name(text: str) -> str:
    """The text when every word of it is harmless, else nothing."""
    found = words(text)
    if not text.isascii():
        return ""  # split at its accents, a name would fall into harmless pieces
    return text.strip()[:80] if found and all(is_harmless(word) for word in found) else ""


def measured_words(text: str) -> str:
    """What free text says about the measurement, in lower case; everything else is dropped."""
    return " ".join(word for word in (w.lower() for w in words(text)) if word in MEASURED)[:120]


def contrast_phase(text: str) -> str:
    """The contrast phase when the words name exactly one."""
    found = set(words(text.lower()))
    phases = {
        "arterial": {"arterial", "artery", "art"},
        "portal venous": {"portal", "venous", "pv", "pvp"},
        "delayed": {"delayed", "delay", "late", "equilibrium"},
        "non-contrast": {"native", "nativ", "plain", "noncontrast", "unenhanced"},
    }
    named = [phase for phase, marks in phases.items() if marks & found]
    return named[0] if len(named) == 1 else ""
