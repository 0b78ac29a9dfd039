"""What of a DICOM file may stay: an allow-list after PS3.15 Annex E.

Basic profile with the options that research needs: Clean Descriptors (text is reduced to words that describe the
measurement), Retain Patient Characteristics (sex; age, capped) and Retain Device Identity (make and model only).
No UID, date, name, number or free text is kept; the report names what was there by keyword, never its value.
"""

import re
from collections.abc import Iterable
from typing import Any

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset as DicomDataset
from pydicom.uid import UID

from ctplatform.datasets import vocabulary
from ctplatform.datasets.importing.refusal import ImportRefusedError

PROFILE = (
    "DICOM PS3.15 Annex E basic profile with clean descriptors, retained patient characteristics (sex, age up to 89) "
    "and retained device make and model"
)
# Annex E asks for nothing here, but ages above 89 single people out.
OLDEST_AGE_KEPT = 89

NUMBERS = {
    "KVP": "kvp",
    "XRayTubeCurrent": "tube_current_ma",
    "ExposureTime": "exposure_time_ms",
    "Exposure": "exposure_mas",
    "SliceThickness": "slice_thickness_mm",
    "SpiralPitchFactor": "pitch",
    "ReconstructionDiameter": "reconstruction_diameter_mm",
    "CTDIvol": "ctdi_vol_mgy",
}
TEXTS = ("SeriesDescription", "StudyDescription", "ProtocolName", "ContrastBolusAgent", "ImageComments")
CHARACTERISTICS = ("PatientSex", "PatientAge")
DEVICE = ("Manufacturer", "ManufacturerModelName", "ConvolutionKernel")
# Read to build the volume, and stored as voxels and grid
USED = frozenset(
    """Modality ImageType SOPClassUID SpecificCharacterSet Rows Columns PixelSpacing BitsAllocated BitsStored HighBit
    PixelRepresentation SamplesPerPixel PhotometricInterpretation RescaleSlope RescaleIntercept RescaleType
    PixelPaddingValue PixelPaddingRangeLimit ImagePositionPatient ImageOrientationPatient SliceLocation
    SpacingBetweenSlices PatientPosition BurnedInAnnotation RecognizableVisualFeatures GantryDetectorTilt
    WindowCenter WindowWidth SmallestImagePixelValue LargestImagePixelValue PixelData InstanceNumber
    LossyImageCompression NumberOfFrames""".split()  # noqa: SIM905
)
MAKERS = {
    "SIEMENS": "Siemens",
    "GE": "GE",
    "PHILIPS": "Philips",
    "TOSHIBA": "Toshiba",
    "CANON": "Canon",
    "HITACHI": "Hitachi",
    "FUJIFILM": "Fujifilm",
    "NEUSOFT": "Neusoft",
    "UIH": "United Imaging",
    "UNITED": "United Imaging",
    "SAMSUNG": "Samsung",
}
_KERNEL = re.compile(r"[A-Za-z]{1,2}\d{1,3}[a-z]{0,2}(/\d)?|\d|\d{2}[a-z]?")
_KERNEL_WORDS = {"standard", "soft", "bone", "bonepl", "boneplus", "lung", "detail", "chest", "edge", "body"}
_MODEL = re.compile(r"[A-Za-z0-9 +./\-]{2,40}")
NOT_A_SLICE = {
    "LOCALIZER": "a localizer (scout) image",
    "SCREEN SAVE": "a screen capture",
    "SCREENSHOT": "a screen capture",
    "CAPTURE": "a screen capture",
    "DOSE_INFO": "a dose report",
    "PROJECTION IMAGE": "a projection, not a slice",
    "MIP": "a maximum intensity projection",
    "MINIP": "a minimum intensity projection",
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
        shown = modality if re.fullmatch(r"[A-Z]{2,16}", modality) else "unknown"
        raise ImportRefusedError(f"Its modality is {shown}; only CT is imported.")
    image_type = header.get("ImageType", None) or []
    kinds = [image_type] if isinstance(image_type, str) else [str(value).upper() for value in image_type]
    for kind in kinds:
        if kind in NOT_A_SLICE:
            raise ImportRefusedError(f"It is {NOT_A_SLICE[kind]}.")


def acquisition_facts(header: DicomDataset) -> dict[str, Any]:
    facts: dict[str, Any] = {"modality": "CT"}
    for keyword, name in NUMBERS.items():
        number = _number(header.get(keyword, None))
        if number is not None:
            facts[name] = number
    facts |= _device(header)
    described = " ".join(str(header.get(keyword, "") or "") for keyword in TEXTS)
    facts |= {
        "description": vocabulary.measured_words(str(header.get("SeriesDescription", "") or "")),
        "contrast_phase": vocabulary.contrast_phase(described),
        "contrast_agent": bool(str(header.get("ContrastBolusAgent", "") or "").strip()),
        "sex": _sex(header),
        "age_years": _age_years(header),
    }
    return {name: value for name, value in facts.items() if value not in {"", None}}


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < 1e6 else None


def _device(header: DicomDataset) -> dict[str, str]:
    """Only makes and kernels that are known as such; a model only beside a known make."""
    first = vocabulary.words(str(header.get("Manufacturer", "") or "").upper())[:1]
    maker = MAKERS.get(first[0], "") if first else ""
    kernel = header.get("ConvolutionKernel", "") or ""
    parts = [str(kernel)] if isinstance(kernel, str) else [str(part) for part in kernel]
    fit = all(_KERNEL.fullmatch(part) or part.lower() in _KERNEL_WORDS for part in parts)
    facts = {"manufacturer": maker, "kernel": " ".join(parts) if fit else ""}
    model = str(header.get("ManufacturerModelName", "") or "")
    known_people = identity_words(header)
    clean = not any(word.lower() in known_people for word in vocabulary.words(model))
    if maker and clean and _MODEL.fullmatch(model):
        facts["model"] = model
    return facts


def identity_words(header: DicomDataset) -> set[str]:
    """Words of the elements that name people or places, to be looked for elsewhere."""
    found: set[str] = set()
    for element in header:
        if element.VR == "PN" or element.keyword in {"PatientID", "OtherPatientIDs", "InstitutionName", "StationName"}:
            found |= {word.lower() for word in vocabulary.words(str(element.value))}
    return found


def _sex(header: DicomDataset) -> str:
    sex = str(header.get("PatientSex", "") or "")
    return sex if sex in {"M", "F", "O"} else ""


def _age_years(header: DicomDataset) -> int | None:
    match = re.fullmatch(r"(\d{3})Y", str(header.get("PatientAge", "") or ""))
    return min(int(match.group(1)), OLDEST_AGE_KEPT) if match else None


def identity(header: DicomDataset) -> str:
    """What tells one person from another; only a keyed hash of it is ever stored."""
    return str(header.get("PatientID", "") or "").strip() or str(header.get("StudyInstanceUID", ""))


def removed_keywords(headers: Iterable[DicomDataset]) -> tuple[list[str], int]:
    """Keywords of the elements that held something and were not kept, and how many private ones there were."""
    kept = USED | set(NUMBERS) | set(CHARACTERISTICS) | set(DEVICE)
    removed: set[str] = set()
    private: set[str] = set()
    for header in headers:
        for tag in header.keys():  # noqa: SIM118 - iterating the data set itself would decode every value
            raw = header.get_item(tag)
            keyword = keyword_for_tag(tag)
            if tag.is_private:
                private.add(str(tag))
            elif keyword not in kept and tag.element != 0 and raw is not None and not _is_empty(raw.value):
                removed.add(keyword or str(tag))
    return sorted(removed), len(private)


def _is_empty(value: Any) -> bool:
    return value is None or (hasattr(value, "__len__") and len(value) == 0)


def dicom_report(headers: Iterable[DicomDataset]) -> dict[str, Any]:
    removed, private = removed_keywords(headers)
    return {"format": "DICOM", "profile": PROFILE, "removed": removed, "removed_private_elements": private}
