"""What of a DICOM file may stay: an allow-list after PS3.15 Annex E; `procedure` is its table.

Basic profile with the options that research needs: Clean Descriptors (text is reduced to words that describe the
measurement), Retain Patient Characteristics (sex; age, capped) and Retain Device Identity (make and model only).
No UID, date, name, number or free text is kept; the report names what was there by keyword, never its value.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset as DicomDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as DicomSequence
from pydicom.tag import BaseTag
from pydicom.uid import UID

from ctplatform.datasets.importing import procedure
from ctplatform.datasets.importing.procedure import Action, Facts
from ctplatform.datasets.importing.refusal import ImportRefusedError

# Attributes that the report doesn't call removed
STAYS = frozenset(
    attribute for rule in procedure.DICOM if rule.action in {Action.KEPT, Action.READ} for attribute in rule.attributes
)
OTHER_MODALITIES = frozenset(
    """CR DX DOC ECG ES IO KO MG MR NM OP OT PR PT REG RF RTDOSE RTIMAGE RTPLAN RTSTRUCT SC SEG SM SR US XA
    XC""".split()
)
# DCM, PS3.16 CID 7005
SYNTHESIZING_EQUIPMENT = "109100"
# Codes inside sequences: as deep as the standard puts the route of a contrast agent
DEEPEST_CODE = 2
OTHER_SCALES = {
    "MGML": "milligrams per millilitre",
    "Z_EFF": "effective atomic numbers",
    "ED": "electron densities",
    "EDW": "electron densities relative to water",
    "HU_MOD": "modified Hounsfield units",
    "PCT": "per cent",
    "OD": "optical densities",
}
NOT_A_SLICE = {
    "LOCALIZER": "a localizer (scout) image",
    "SCREEN SAVE": "a screen capture",
    "SCREENSHOT": "a screen capture",
    "CAPTURE": "a screen capture",
    "DOSE_INFO": "a dose report",
    "PROJECTION IMAGE": "a projection, not a slice",
    "MIP": "a maximum intensity projection",
    "MINIP": "a minimum intensity projection",
    "MAX_IP": "a maximum intensity projection",
    "MIN_IP": "a minimum intensity projection",
    "VRT": "a rendered picture",
    "3D": "a rendered picture",
}


def refuse_unfit(header: DicomDataset, sop_class: UID) -> None:
    """Pictures that aren't CT slices, and those in which an identity may be drawn into the pixels."""
    if str(header.get("BurnedInAnnotation", "")).upper() == "YES":
        raise ImportRefusedError(
            "It says that text is burned into its pixels (Burned In Annotation = YES), "
            "and that text may name the patient. Export the original slices."
        )
    if str(header.get("RecognizableVisualFeatures", "")).upper() == "YES":
        raise ImportRefusedError("It says that the patient can be recognised in the picture. Crop or deface it first.")
    if "ConversionType" in header or "Secondary Capture" in sop_class.name:
        raise ImportRefusedError("It is a secondary capture, not a CT slice. Export the original CT series.")
    modality = str(header.get("Modality", ""))
    if modality != "CT":
        shown = modality if modality in OTHER_MODALITIES else "unknown"
        raise ImportRefusedError(f"Its modality is {shown}; only CT is imported.")
    refuse_other_values(header)
    image_type = header.get("ImageType", None) or []
    kinds = [image_type] if isinstance(image_type, str) else [str(value).upper() for value in image_type]
    for kind in kinds:
        if kind in NOT_A_SLICE:
            raise ImportRefusedError(f"It is {NOT_A_SLICE[kind]}.")


def refuse_other_values(header: DicomDataset) -> None:
    """Maps of iodine, effective atomic number or electron density look like CT and are not in HU."""
    scale = str(header.get("RescaleType", "") or "").strip().upper()
    if scale not in {"", "HU", "US"}:
        shown = OTHER_SCALES.get(scale, "of another kind than HU")
        raise ImportRefusedError(
            f"Its values are {shown} (Rescale Type), not Hounsfield units. Export the original series."
        )


def says_synthetic(header: DicomDataset) -> bool:
    """Synthetic Data (PS3.3 C.12.1.1.11), or from before 2023 a derived image with synthesising equipment."""
    if str(header.get("SyntheticData", "") or "").strip().upper() == "YES":
        return True
    purposes = {
        str(item.get("CodeValue", ""))
        for equipment in _items(header, "ContributingEquipmentSequence")
        for item in _items(equipment, "PurposeOfReferenceCodeSequence")
    }
    image_type = header.get("ImageType", None) or [""]
    return SYNTHESIZING_EQUIPMENT in purposes and str(image_type[0]).upper() == "DERIVED"


def _items(header: DicomDataset, keyword: str) -> list[DicomDataset]:
    found = header.get(keyword, None)
    return list(found) if isinstance(found, DicomSequence) else []


def acquisition_facts(header: DicomDataset) -> dict[str, Any]:
    return {"modality": "CT"} | _facts(header).kept


def _facts(header: DicomDataset) -> Facts:
    """Each rule is shown the attributes that it names, so that the table can't say less than what is read."""
    found = Facts()
    for rule in procedure.DICOM:
        facts = rule.facts({attribute: _texts(header, attribute) for attribute in rule.attributes})
        found.kept |= {name: value for name, value in facts.kept.items() if value not in {"", None}}
        found.dropped |= facts.dropped
    return found


def _texts(header: DicomDataset, keyword: str) -> list[str]:
    """The values of an attribute as text; none when it is missing, empty or its bytes make no value."""
    try:
        value = header.get(keyword, None)
        if isinstance(value, DicomSequence):
            return _meanings(value)
        values = value if isinstance(value, MultiValue) else [value]
        return [text for part in values if part is not None and (text := str(part).strip())]
    except Exception:  # noqa: BLE001 - each value representation fails in its own way
        return []


def _meanings(items: DicomSequence, depth: int = 1) -> list[str]:
    found = []
    for item in items:
        found += _texts(item, "CodeMeaning")
        inner = [element.value for element in item if element.VR == "SQ"] if depth < DEEPEST_CODE else []
        found += [meaning for sequence in inner for meaning in _meanings(sequence, depth + 1)]
    return found


def identity(header: DicomDataset) -> str:
    """What tells one person from another; only a keyed hash of it is ever stored."""
    return next(iter(_texts(header, "PatientID") + _texts(header, "StudyInstanceUID")), "")


def removed_keywords(headers: Iterable[DicomDataset]) -> tuple[list[str], int]:
    """Keywords of the elements that held something and were not kept, and how many private ones there were."""
    removed: set[str] = set()
    private: set[str] = set()
    for header in headers:
        for tag in header.keys():  # noqa: SIM118 - iterating the data set itself would decode every value
            keyword = _reported_as(tag)
            if keyword is None:
                private.add(str(tag))
            elif keyword and keyword not in removed and not _is_empty(header.get_item(tag)):
                removed.add(keyword)
    return sorted(removed), len(private)


@lru_cache(maxsize=10_000)
def _reported_as(tag: BaseTag) -> str | None:
    """The keyword of what is removed, nothing for what stays, None for private elements. Slices have the same ones."""
    if tag.is_private:
        return None
    keyword = keyword_for_tag(tag)
    return "" if keyword in STAYS or tag.element == 0 else keyword or "unknown elements"


def _is_empty(element: Any) -> bool:
    value = None if element is None else element.value
    return value is None or (hasattr(value, "__len__") and len(value) == 0)


def dicom_report(headers: Iterable[DicomDataset]) -> dict[str, Any]:
    headers = list(headers)
    removed, private = removed_keywords(headers)
    report = {
        "format": "DICOM",
        "profile": procedure.PROFILE,
        "removed": removed,
        "removed_private_elements": private,
    }
    dropped = [f"{attribute}: {why}" for attribute, why in _facts(headers[0]).dropped.items()]
    return report | ({"not_kept_as_written": dropped} if dropped else {})
