"""A scan as a DICOM series of CT Image objects (PS3.3 A.3), one file per slice.

What no patient's scanner measured says so in every file (PS3.3 C.12.1.1.11): Synthetic Data = YES, a derived image
type, the synthesising equipment with its parameters, and the slice it was made from.
"""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pydicom.valuerep import DS

from ctplatform.datasets.exporting import uids
from ctplatform.datasets.exporting.described import DescribedScan, Synthesis
from ctplatform.datasets.scans.thumbnails import WINDOW_CENTRE_HU, WINDOW_WIDTH_HU
from ml.geometry import Grid

PLATFORM = "Turing Ward"
# Lengths of a value in PS3.5 6.2
LONGEST_LO = 64
LONGEST_ST = 1024
LONGEST_SH = 16
SERIES_OF_CT = 1
# Attributes of the scanner by the name under which import keeps them; see `importing.procedure`.
MEASUREMENT = {
    "kvp": "KVP",
    "tube_current_ma": "XRayTubeCurrent",
    "exposure_time_ms": "ExposureTime",
    "exposure_mas": "Exposure",
    "slice_thickness_mm": "SliceThickness",
    "pitch": "SpiralPitchFactor",
    "reconstruction_diameter_mm": "ReconstructionDiameter",
    "ctdi_vol_mgy": "CTDIvol",
    "kernel": "ConvolutionKernel",
}
# The profile that import follows; see `importing.procedure.PROFILE`.
PROFILE = (
    codes.DCM.BasicApplicationConfidentialityProfile,
    codes.DCM.CleanDescriptorsOption,
    codes.DCM.RetainPatientCharacteristicsOption,
    codes.DCM.RetainDeviceIdentityOption,
)
WHOLE_NUMBERS = {"XRayTubeCurrent", "ExposureTime", "Exposure"}
DOUBLES = {"SpiralPitchFactor", "CTDIvol"}


def ct_series(scan: DescribedScan) -> Iterator[FileDataset]:
    """The slices in the order of the grid, each whole by itself."""
    return (ct_slice(scan, index) for index in range(scan.grid.size_zyx[0]))


def ct_slice(scan: DescribedScan, index: int) -> FileDataset:
    made = ct_header(scan, index)
    made.PixelData = samples(scan, index)
    return made


def samples(scan: DescribedScan, index: int) -> bytes:
    """The pixels of a slice as they stand in its file."""
    return np.ascontiguousarray(scan.plane(index), "<i2").tobytes()


def ct_header(scan: DescribedScan, index: int) -> FileDataset:
    """A slice without its samples, which is all that a segmentation takes over of its series."""
    made = _empty(uids.instance(scan.id, scan.subject, index))
    _patient_and_study(made, scan)
    _series(made, scan)
    _equipment(made, scan)
    _measurement(made, scan)
    _image(made, scan, index)
    if scan.synthesis is not None:
        _synthetic(made, scan, scan.synthesis, index)
    _place(made, scan.grid, index)
    _describe_samples(made, scan.grid)
    return made


def _empty(instance: UID) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, preamble=b"\0" * 128, file_meta=meta)
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID = CTImageStorage
    made.SOPInstanceUID = instance
    return made


def _patient_and_study(made: Dataset, scan: DescribedScan) -> None:
    subject = as_lo(scan.subject)
    made.PatientID = subject
    # A caret says that the one component is meant: what stands for a name here is a label.
    made.PatientName = subject.replace("^", " ").replace("=", " ") + "^"
    made.PatientBirthDate = ""
    made.PatientSex = scan.acquisition.get("sex", "")
    if age := _age(scan.acquisition.get("age_years")):
        made.PatientAge = age
    if scan.is_deidentified:
        made.PatientIdentityRemoved = "YES"
        made.DeidentificationMethodCodeSequence = [coded(code) for code in PROFILE]
        made.LongitudinalTemporalInformationModified = "REMOVED"
    made.StudyInstanceUID = uids.study(scan)
    made.StudyID = str(scan.root.int % 10**LONGEST_SH)
    made.StudyDate = made.StudyTime = made.AccessionNumber = made.ReferringPhysicianName = ""
    made.StudyDescription = as_lo(scan.dataset)


def _age(years: Any) -> str:
    """DICOM's age string; import keeps ages above the limit as text, which says less than a number would."""
    if not isinstance(years, int | float):
        return ""
    return f"{int(years):03d}Y" if years >= 1 else f"{round(years * 12):03d}M"


def _series(made: Dataset, scan: DescribedScan) -> None:
    made.Modality = "CT"
    made.SeriesInstanceUID = uids.series(scan.id, scan.subject)
    made.SeriesNumber = SERIES_OF_CT
    made.SeriesDescription = as_lo(scan.name if not scan.is_synthetic else f"SYNTHETIC {scan.name}")
    made.BodyPartExamined = "ABDOMEN"
    made.PatientPosition = ""
    made.FrameOfReferenceUID = uids.frame_of_reference(scan)
    made.PositionReferenceIndicator = ""


def _equipment(made: Dataset, scan: DescribedScan) -> None:
    """Who made the object: a scanner, or for synthetic pixels this platform, which then names the scanner beside."""
    scanner = {name: scan.acquisition.get(name, "") for name in ("manufacturer", "model")}
    if not scan.is_synthetic:
        made.Manufacturer, model = scanner["manufacturer"], scanner["model"]
        if model:
            made.ManufacturerModelName = model
        return
    made.Manufacturer = made.ManufacturerModelName = PLATFORM
    made.ContributingEquipmentSequence = []
    if scanner["manufacturer"]:
        acquired_by = _contribution(codes.DCM.AcquisitionEquipment, scanner["manufacturer"])
        acquired_by.ManufacturerModelName = scanner["model"]
        made.ContributingEquipmentSequence.append(acquired_by)


def _measurement(made: Dataset, scan: DescribedScan) -> None:
    made.KVP = None
    made.SliceThickness = DS(scan.grid.spacing_zyx_mm[0], auto_format=True)
    for fact, keyword in MEASUREMENT.items():
        value = scan.acquisition.get(fact)
        if value in {None, ""}:
            continue
        if keyword in WHOLE_NUMBERS:
            value = round(float(value))
        elif keyword in DOUBLES:
            value = float(value)
        elif keyword != "ConvolutionKernel":
            value = DS(float(value), auto_format=True)
        setattr(made, keyword, value)
    if route := scan.acquisition.get("contrast_route"):
        made.ContrastBolusAgent = "not named"
        made.ContrastBolusRoute = as_lo(str(route))
    elif scan.acquisition.get("contrast_agent"):
        made.ContrastBolusAgent = "not named"


def _image(made: Dataset, scan: DescribedScan, index: int) -> None:
    made.ImageType = ["DERIVED", "SECONDARY", "AXIAL"] if scan.is_synthetic else ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.AcquisitionNumber = None
    made.InstanceNumber = index + 1
    made.SyntheticData = "YES" if scan.is_synthetic else "NO"
    made.BurnedInAnnotation = "NO"
    phase = scan.acquisition.get("contrast_phase")
    if phase:
        made.ImageComments = f"Contrast phase: {phase}"
    made.WindowCenter, made.WindowWidth = str(WINDOW_CENTRE_HU), str(WINDOW_WIDTH_HU)


def _synthetic(made: Dataset, scan: DescribedScan, synthesis: Synthesis, index: int) -> None:
    made.DerivationDescription = synthesis.description[:LONGEST_ST]
    equipment = _contribution(codes.DCM.SynthesizingEquipment, PLATFORM)
    equipment.ManufacturerModelName = as_lo(synthesis.program)
    if synthesis.version:
        equipment.SoftwareVersions = as_lo(synthesis.version)
    equipment.ContributionDescription = synthesis.description[:LONGEST_ST]
    made.ContributingEquipmentSequence.append(equipment)
    if scan.source is not None:
        source = Dataset()
        source.ReferencedSOPClassUID = CTImageStorage
        source.ReferencedSOPInstanceUID = uids.instance(scan.source, scan.source_subject, index)
        source.PurposeOfReferenceCodeSequence = [coded(codes.DCM.SourceImageForImageProcessingOperation)]
        made.SourceImageSequence = [source]


def _contribution(purpose: Code, manufacturer: str) -> Dataset:
    equipment = Dataset()
    equipment.PurposeOfReferenceCodeSequence = [coded(purpose)]
    equipment.Manufacturer = as_lo(manufacturer)
    return equipment


def _place(made: Dataset, grid: Grid, index: int) -> None:
    z_mm, y_mm, x_mm = grid.spacing_zyx_mm
    axes, corner = grid.direction_matrix, grid.to_world((index, 0, 0))
    made.PixelSpacing = _decimals(y_mm, x_mm)
    made.SpacingBetweenSlices = DS(z_mm, auto_format=True)
    made.ImageOrientationPatient = _decimals(*axes[:, 0], *axes[:, 1])
    made.ImagePositionPatient = _decimals(*corner)
    made.SliceLocation = DS(float(axes[:, 2] @ corner), auto_format=True)


def _decimals(*values: float) -> list[Any]:
    """Decimal strings have 16 characters at most: a millimetre keeps eleven places."""
    return [DS(float(value), auto_format=True) for value in values]


def _describe_samples(made: Dataset, grid: Grid) -> None:
    """Hounsfield units as they are stored here."""
    made.SamplesPerPixel = 1
    made.PhotometricInterpretation = "MONOCHROME2"
    _, made.Rows, made.Columns = grid.size_zyx
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit = 15
    made.PixelRepresentation = 1
    made.RescaleIntercept, made.RescaleSlope, made.RescaleType = "0", "1", "HU"


def as_file(made: Dataset) -> bytes:
    """A whole DICOM file."""
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def as_lo(text: str) -> str:
    """A Long String: no backslash, which separates values, no control characters, 64 characters at most."""
    return "".join(c if c.isprintable() and c != "\\" else " " for c in text)[:LONGEST_LO].strip()
