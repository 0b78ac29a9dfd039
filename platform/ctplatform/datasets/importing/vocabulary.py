"""Words that name no person. Text and file names are reduced to these: an allow-list, because names have no end."""

import re
from collections.abc import Iterable

MEASURED = frozenset(
    """abdomen abdominal abd chest thorax thoracic pelvis pelvic liver hepatic spleen kidney renal body trunk whole
    arterial artery art portal venous vein pv pvp late early delayed delay equilibrium phase phases native plain
    noncontrast nativ arteriell portalvenoes venoes spaet contrast
    enhanced unenhanced with without wo ww iv oral post pre non multiphase triphasic
    axial ax coronal cor sagittal sag thin thick soft tissue softtissue standard sharp smooth kernel recon
    reconstruction routine protocol helical spiral volume ct cta""".split()
)
RESEARCH = frozenset(
    """case patient subject scan image img volume vol segmentation seg label labels mask masks lesion lesions tumor
    tumors tumour tumours vessel vessels test train training val validation phantom twin synthetic data dataset
    series study lits msd task ircad ircadb dircadb hcc tace tcga tcia lidc idri flare amos btcv chaos kits
    totalsegmentator abdomenct wawtace crlm colorectal sliver demo sample fold part draft pt id tr ts va""".split()
)
ALL_WORDS = MEASURED | RESEARCH
# Too many digits are a date of birth or a hospital number, two letters before digits are a person's initials.
_CODE = re.compile(r"\d{0,2}([a-z]*)\d{0,5}")
MOST_DIGITS_OF_A_NAME = 6
MOST_DIGITS_OF_NUMBERS = 5
# nnU-Net's channel: liver_31_0000
_CHANNEL = re.compile(r"000\d")
# Words that say nothing about which scan it is
GENERIC = frozenset({"ct", "image", "img", "volume", "vol", "scan", "data", "series"})


def words(text: str) -> list[str]:
    return [word for word in re.split(r"[^0-9a-zA-Z]+", text) if word]


def is_harmless(word: str) -> bool:
    match = _CODE.fullmatch(word.lower())
    if match is None:
        return False
    letters = match.group(1)
    # "s012" is a code; "m" alone and "wu12" may be a person
    return letters in ALL_WORDS or not letters or (len(letters) == 1 and letters != word.lower())


def harmless_name(text: str) -> str:
    """The text when every word of it is harmless and its digits make neither a date nor a hospital number."""
    found = words(text)
    if not text.isascii():
        return ""  # split at its accents, a name would fall into harmless pieces
    harmless = bool(found) and all(is_harmless(word) for word in found) and not _hides_a_number(found)
    return text.strip()[:80] if harmless else ""


def _hides_a_number(found: list[str]) -> bool:
    """12-03-57 in pieces is still a date of birth."""
    kept = found[:-1] if _CHANNEL.fullmatch(found[-1]) else found
    numbers = [word for word in kept if word.isdigit()]
    digits = sum(character.isdigit() for word in kept for character in word)
    return digits > MOST_DIGITS_OF_A_NAME or len(numbers) > 2 or len("".join(numbers)) > MOST_DIGITS_OF_NUMBERS


def measured_words(text: str) -> str:
    """What free text says about the measurement, in lower case; everything else is dropped."""
    return " ".join(word for word in words(plain_letters(text)) if word in MEASURED)[:120]


def contrast_phase(text: str) -> str:
    """The contrast phase when the words name exactly one."""
    found = set(words(plain_letters(text)))
    phases = {
        "arterial": {"arterial", "artery", "art", "arteriell"},
        "portal venous": {"portal", "venous", "pv", "pvp", "portalvenoes", "venoes"},
        "delayed": {"delayed", "delay", "late", "equilibrium", "spaet"},
        "non-contrast": {"native", "nativ", "plain", "noncontrast", "unenhanced"},
    }
    named = [phase for phase, marks in phases.items() if marks & found]
    return named[0] if len(named) == 1 else ""


ROUTES = {
    "oral": {"oral", "orally", "po", "peroral"},
    "intravenous": {"iv", "intravenous", "intravenously", "intraven", "intravenoes"},
    "intra-arterial": {"intraarterial", "ia"},
    "rectal": {"rectal", "rectally", "pr"},
}
_NO = frozenset("no none not non without wo nil nein ohne kein keine sans nativ native plain unenhanced".split())
_UNKNOWN = frozenset({"unknown", "unk", "unspecified", "na"})
_CLAUSES = re.compile(r"[,;&+|]|\b(?:and|with|but|und|mit)\b")


def contrast_given(agents: Iterable[str], routes: Iterable[str]) -> tuple[bool | None, list[str]]:
    """Whether a contrast agent was given, or None when nothing says so, and by which routes."""
    agent_clauses = [clause for text in agents for clause in _clauses(text)]
    given: set[str] = set()
    says_no = False
    for clause in agent_clauses + [clause for text in routes for clause in _clauses(text)]:
        named = {route for route, marks in ROUTES.items() if marks & clause}
        if not clause & _NO:
            given |= named
        elif not named or {"oral", "intravenous"} <= named:  # "no oral" leaves the vein open
            says_no = True
    says_yes = any(not clause & _NO for clause in agent_clauses)
    return (True if given or says_yes else False if says_no else None), [route for route in ROUTES if route in given]


def _clauses(text: str) -> list[set[str]]:
    """Letters only, so that IV100ML holds "iv"; what is said to be unknown is left out."""
    plain = re.sub(r"\bc-(?!\w)|\bw/o\b", "without", plain_letters(text))
    plain = re.sub(r"\bn/a\b", "unknown", plain).replace(".", "").replace("intra-", "intra")
    clauses = [set(re.findall(r"[a-z]+", part)) for part in _CLAUSES.split(plain)]
    return [clause for clause in clauses if clause and not clause & _UNKNOWN]


def plain_letters(text: str) -> str:
    """In lower case and without umlauts."""
    return text.lower().translate({ord("ä"): "ae", ord("ö"): "oe", ord("ü"): "ue", ord("ß"): "ss"})
