"""Names of CT makers, scanners and reconstruction kernels: the only ones that are kept."""

import re
from collections.abc import Mapping, Sequence

MAKERS = {
    "SIEMENS": "Siemens",
    "GE": "GE",
    "PHILIPS": "Philips",
    "MARCONI": "Philips",
    "PICKER": "Philips",
    "TOSHIBA": "Toshiba",
    "CANON": "Canon",
    "HITACHI": "Hitachi",
    "FUJIFILM": "Fujifilm",
    "NEUSOFT": "Neusoft",
    "NMS": "Neusoft",
    "UIH": "United Imaging",
    "UNITED": "United Imaging",
    "SAMSUNG": "Samsung",
    "NEUROLOGICA": "Samsung",
}
# Words that name a family of scanners; a model without one of them says too little to be believed
_FAMILIES = {
    "Siemens": "SOMATOM Sensation Emotion Biograph NAEOTOM Definition Symbia Volume Spirit Scope Perspective",
    "GE": """LightSpeed BrightSpeed HiSpeed HiLight Discovery Optima Revolution ProSpeed CT750 CT660
        CT520 CT540 CT580 CT590""",
    "Philips": """Brilliance iCT Ingenuity IQon Incisive Mx8000
        MX Gemini GeminiGXL Precedence Vereos Access Spectral Tomoscan AcQSim PQ5000 PQ6000 Ultraz""",
    "Toshiba": "Aquilion Asteion Activion Alexion Astelion Xvision Auklet Xpress Celesteion",
    "Canon": "Aquilion Alexion Astelion Cartesion Celesteion",
    "Hitachi": "SCENARIA Supria ECLOS Presto Pronto ROBUSTO Radix Pratico",
    "Fujifilm": "SCENARIA Supria FCT Speedia",
    "Neusoft": "NeuViz ScintCare",
    "United Imaging": "uCT uMI uEXPLORER",
    "Samsung": "NExCT BodyTom CereTom OmniTom",
}
# Words that follow a family's name
_VARIANTS = {
    "Siemens": """Definition Flash Edge Drive Force AS AS+ DS Zoom Access Plus Volume Duo Open Cardiac Smart Art
        Balance Esprit Esprit+ Spirit Sliding Gantry Confidence RT Pro go go.Now go.Up go.All go.Top go.Sim go.Open
        go.Fit On.site X.cite X.ceed Alpha Alpha.Peak Alpha.Pro Alpha.Prime TruePoint mCT Horizon Vision Quadra Trinion
        4R 3R Flow Intevo T2 T6 T16 Excel Eco Power""",
    "GE": """VCT XT XTe XTE Ultra Plus Pro QX/i QXi CT/i CTi NX/i NXi DX/i FX/i LX/i ZX/i X/i RT RT16 Xtra Elite Edge
        Excel Select S Series STE ST RX LS VCT GSI HD HDe FREEDOM EVO Apex Maxima Ascend Frontier Expert ES ACTs Power
        Advance MI IQ NM/CT NM CT HR ACT Dual""",
    "Philips": """Big Bore CT SP Elite Core Flex TF XL Air Power IDT Dual Quad EXP Slice 16-slice 6-slice
        7500 8000 Workspace Oncology AV SR""",
    "Toshiba": """ONE PRIME SP Lightning Precision CX CXL RXL LB Exceed Start Serve GENESIS VISION
        ViSION Edition Super Multi VP VR VF EX GX Advance Access TSX""",
    "Hitachi": "View Grande Plus Advance Full Focus Optica Turbo SE",
    "Fujifilm": "View Grande Plus iStream Advance HD",
    "Neusoft": "Prime ACE Glory Epoch Essence Classic Extra In Dual Premium SP Spectral PET/CT",
    "United Imaging": "ATLAS ORION Astound Vista Panorama Elite 960+ GS",
    "Samsung": "Elite",
}
_VARIANTS["Canon"] = f"{_VARIANTS['Toshiba']} INSIGHT Prime Vision Rise"
# Numbers that makers put into names: rows of detectors and model numbers
_NUMBERS = {
    "Philips": "7500 8000",
    "GE": "520 540 580 590 600 610 660 670 680 690 710 750 850",
    "United Imaging": """310 320 503 510 520 528 530 550 610 710 720 750 755 760 768 780 790 810 820 830 860 880 960
        968 978""",
}
_ROWS = "1 2 3 4 6 7 8 10 12 16 20 24 32 40 50 64 80 85 100 120 128 160 256 320 384 512 640"
_CODE = re.compile(r"\bTSX-\d{3}[A-Z]\b", re.IGNORECASE)

_KERNEL = re.compile(
    # Siemens: B30f, I31f, Br40d, Qr36, Hc44h, AS40f; its iterations are a value of their own
    r"(?:[ABCDHIJSTUV]|A[HS]|B[flrv]|H[cfnrv]|[QTU]r|S[abv])\d{2}[dfhmsu]?"
    r"|[1-5]"
    # Toshiba and Canon: FC18, FC18-H, FL03
    r"|F[CL]\d{2}(?:-[HQ])?"
    # United Imaging: B_SOFT_B, B_VSHARP_C, H_SHARP_AA
    r"|[BCHLSEFP]_(?:V?SOFT|V?SHARP|SMOOTH|STANDARD|BONE|LUNG)(?:_[A-F]{1,2})?"
    # Philips: B, YA, UB, EC, XCB, IMR1
    r"|[A-FL]|[CEUY][A-D]|X?C[A-D]|IMR[1-3]"
    # GE: STND+, HD STD, HD LUNG, BONEPLUS
    r"|(?:HD )?(?:STANDARD|STND|STD|SOFT|LUNG|BONE|BONEPLUS|DETAIL|EDGE|ULTRA|CHST|CHEST|BODY)(?: ?PLUS|\+)?"
    # Hitachi, Fujifilm, Neusoft
    r"|\d{2}[a-e]?|F\d{2}|S[BF]"
    # words of several makers
    r"|(?:VERY )?(?:SHARP|SMOOTH)|SOFT TISSUE|ABDOMEN|BRAIN",
    re.IGNORECASE,
)


def maker_of(text: str) -> str:
    """The maker that the first word names: GE MEDICAL SYSTEMS, TOSHIBA_MEC, Philips Medical Systems."""
    first = re.match(r"[A-Za-z]+", text.strip())
    return MAKERS.get(first.group().upper(), "") if first else ""


def model_of(maker: str, text: str) -> str:
    """The words of the text that this maker's scanners are called by; nothing without the name of a family."""
    families = _spelled(_FAMILIES.get(maker, ""))
    others = _spelled(f"{_VARIANTS.get(maker, '')} {_NUMBERS.get(maker, '')} {_ROWS}")
    codes = {code.upper(): code.upper() for code in _CODE.findall(text)} if maker in {"Toshiba", "Canon"} else {}
    known = others | families | codes
    found = [known[part] for word in re.split(r"[\s_,()]+", text.upper()) for part in _parts(word, known)]
    return " ".join(found) if (families.keys() | codes.keys()) & {part.upper() for part in found} else ""


def _parts(word: str, known: Mapping[str, str]) -> list[str]:
    """QX/i is one word, AQUILION/ONE and Biograph64 are two; unknown parts are left out."""
    if word in known:
        return [word]
    return [part for part in re.findall(r"[A-Z.]+\+?|\d+\+?", word) if part in known]


def _spelled(names: str) -> dict[str, str]:
    return {name.upper(): name for name in names.split()}


MOST_KERNEL_VALUES = 2


def kernel_of(values: Sequence[str]) -> str:
    """The kernel as written when every value of it is of a form that makers use, else nothing."""
    parts = [value.strip() for value in values]
    fit = 1 <= len(parts) <= MOST_KERNEL_VALUES and all(_KERNEL.fullmatch(part) for part in parts)
    # numbers one after another may be a date: a second one is an iteration of Siemens, from 1 to 5
    return " ".join(parts) if fit and (len(parts) == 1 or not parts[0].isdigit()) else ""
