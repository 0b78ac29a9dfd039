"""What happens to every attribute at import: the one table that the code obeys and that people read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ctplatform.datasets.importing import scanners, vocabulary

# Raised with every change of what is kept; scans say by which version they were imported.
VERSION = 3
VERSIONS = {
    1: "Allow-list of attributes; free text reduced to words about the measurement. Scans of this version do not "
    "name it.",
    2: "Scanner models and kernels only as makers are known to write them; numbers only within plausible limits and "
    "rounded; ages above 89 as 90; contrast agent and route; names of files without dates in pieces; pixels searched "
    "for drawn text.",
    3: "Whether a program made the picture is read: such series become synthetic scans. Nothing more is kept.",
}
PROFILE = (
    "DICOM PS3.15 Annex E basic profile with clean descriptors, retained patient characteristics (sex, age up to 89) "
    "and retained device make and model"
)
# Annex E asks for nothing here, but ages above 89 single people out.
OLDEST_AGE_KEPT = 89
AGE_ABOVE = 90
OLDEST_PLAUSIBLE_AGE = 125
YEARS_OF = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}

# An attribute's values as text; a sequence gives the meanings of its codes
Values = Mapping[str, Sequence[str]]


class Action(StrEnum):
    KEPT = "kept"
    REDUCED = "reduced"
    REPLACED = "replaced"
    READ = "read, not stored"
    REMOVED = "removed"


@dataclass
class Facts:
    """What is kept, by the name under which it is stored; and why a value was not, by attribute."""

    kept: dict[str, object] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)


class Rule:
    """Attributes, what happens to them and why; facts() sees the values of these attributes and of no others."""

    def __init__(self, attributes: str, action: Action, reason: str) -> None:
        self.attributes = tuple(attributes.split())
        self.action = action
        self.reason = reason

    def facts(self, values: Values) -> Facts:
        """Most attributes leave none."""
        return Facts()


class Number(Rule):
    """A number within what scanners can do: a date or a hospital number would lie outside."""

    def __init__(self, attribute: str, fact: str, lowest: float, highest: float, decimals: int) -> None:
        rounding = (
            f"rounded to {decimals} decimal{'s' if decimals > 1 else ''}" if decimals else "rounded to a whole number"
        )
        limits = f"{lowest:g} to {highest:g}"
        super().__init__(attribute, Action.KEPT, f"Describes the measurement; only from {limits}, {rounding}.")
        self.fact, self.lowest, self.highest, self.decimals = fact, lowest, highest, decimals
        self.why_dropped = f"not a number from {limits}"

    def facts(self, values: Values) -> Facts:
        (attribute,) = self.attributes
        try:
            number = float(_first(values, attribute))
        except ValueError:
            number = float("nan")
        if self.lowest <= number <= self.highest:
            return Facts({self.fact: round(number, self.decimals)})
        return Facts(dropped={attribute: self.why_dropped}) if values.get(attribute) else Facts()


class Device(Rule):
    def facts(self, values: Values) -> Facts:
        facts = Facts()
        maker = scanners.maker_of(_first(values, "Manufacturer"))
        model_text = _first(values, "ManufacturerModelName")
        model = scanners.model_of(maker, model_text)
        kernel = scanners.kernel_of(values.get("ConvolutionKernel", ()))
        facts.kept = {"manufacturer": maker, "model": model, "kernel": kernel}
        for attribute, kept in zip(self.attributes, (maker, model, kernel), strict=True):
            if not kept and values.get(attribute):
                facts.dropped[attribute] = "not in the list of known names"
        if model and _letters(model) != _letters(model_text):
            facts.dropped["ManufacturerModelName"] = "reduced to the words in the list of known names"
        return facts


class Described(Rule):
    """The series' own description tells the phase before those of the whole study do."""

    def facts(self, values: Values) -> Facts:
        series = _first(values, "SeriesDescription")
        everything = " ".join(text for attribute in self.attributes for text in values.get(attribute, ()))
        phase = vocabulary.contrast_phase(series) or vocabulary.contrast_phase(everything)
        return Facts({"description": vocabulary.measured_words(series), "contrast_phase": phase})


class Contrast(Rule):
    def facts(self, values: Values) -> Facts:
        agents = [text for name in self.attributes if "Agent" in name for text in values.get(name, ())]
        routes = [text for name in self.attributes if "Route" in name for text in values.get(name, ())]
        given, by = vocabulary.contrast_given(agents, routes)
        return Facts({"contrast_agent": given, "contrast_route": ", ".join(by)})


class Sex(Rule):
    def facts(self, values: Values) -> Facts:
        sex = _first(values, "PatientSex")
        if sex in {"M", "F", "O"}:
            return Facts({"sex": sex})
        return Facts(dropped={"PatientSex": "neither M, F nor O"}) if sex else Facts()


class Age(Rule):
    """018M is 1.5 years."""

    def facts(self, values: Values) -> Facts:
        text = _first(values, "PatientAge")
        if not text:
            return Facts()
        well_formed = len(text) == 4 and text[:3].isascii() and text[:3].isdigit() and text[3] in YEARS_OF
        years = int(text[:3]) * YEARS_OF[text[3]] if well_formed else float("inf")
        if years > OLDEST_PLAUSIBLE_AGE:
            return Facts(dropped={"PatientAge": "not an age"})
        if years >= OLDEST_AGE_KEPT + 1:
            return Facts({"age_years": AGE_ABOVE}, {"PatientAge": f"above {OLDEST_AGE_KEPT}, kept as {AGE_ABOVE}"})
        return Facts({"age_years": int(years) if text[3] == "Y" else round(years, 3)})


def _first(values: Values, attribute: str) -> str:
    return next(iter(values.get(attribute, ())), "")


def _letters(text: str) -> str:
    return "".join(character for character in text.upper() if character.isalnum())


DICOM: tuple[Rule, ...] = (
    Number("KVP", "kvp", 30, 200, 1),
    Number("XRayTubeCurrent", "tube_current_ma", 1, 2000, 0),
    Number("ExposureTime", "exposure_time_ms", 1, 100_000, 0),
    Number("Exposure", "exposure_mas", 1, 20_000, 0),
    Number("SliceThickness", "slice_thickness_mm", 0.05, 50, 3),
    Number("SpiralPitchFactor", "pitch", 0.05, 5, 3),
    Number("ReconstructionDiameter", "reconstruction_diameter_mm", 20, 1500, 1),
    Number("CTDIvol", "ctdi_vol_mgy", 0.01, 1000, 2),
    Device(
        "Manufacturer ManufacturerModelName ConvolutionKernel",
        Action.KEPT,
        "Which scanner and kernel, which image quality depends on; only names in a closed list of makers, models and "
        "kernels, anything else in these attributes is dropped.",
    ),
    Sex("PatientSex", Action.KEPT, "Describes the sample; only M, F or O."),
    Age(
        "PatientAge",
        Action.KEPT,
        f"Describes the sample; in years, with months, weeks and days as parts of a year. {AGE_ABOVE} stands for "
        f"{AGE_ABOVE} or older, because few people are.",
    ),
    Described(
        "SeriesDescription StudyDescription ProtocolName ImageComments",
        Action.REDUCED,
        "Free text. Only words of a closed list are kept of the series' description; the phase of the contrast is "
        "taken from all of them.",
    ),
    Contrast(
        "ContrastBolusAgent ContrastBolusRoute ContrastBolusAgentSequence ContrastBolusAdministrationRouteSequence",
        Action.REDUCED,
        "Free text and codes. Kept is whether an agent was given, and the routes oral, intravenous, intra-arterial and "
        "rectal; nothing is said where they say nothing.",
    ),
    Rule(
        "PatientID",
        Action.REPLACED,
        "By a label that is made with the server's secret key: equal within a dataset, another in each dataset.",
    ),
    Rule(
        "Modality ImageType SOPClassUID BurnedInAnnotation RecognizableVisualFeatures",
        Action.READ,
        "Pictures that are no CT slices, that say that text is drawn into them or that show a face are refused.",
    ),
    Rule(
        "SyntheticData ContributingEquipmentSequence",
        Action.READ,
        "Say whether a patient was scanned or a program made the picture; of the equipment only that is used.",
    ),
    Rule(
        "Rows Columns PixelSpacing ImagePositionPatient ImageOrientationPatient SliceLocation SpacingBetweenSlices "
        "PatientPosition GantryDetectorTilt NumberOfFrames",
        Action.READ,
        "Become the grid of the scan.",
    ),
    Rule(
        "PixelData BitsAllocated BitsStored HighBit PixelRepresentation SamplesPerPixel PhotometricInterpretation "
        "RescaleSlope RescaleIntercept RescaleType PixelPaddingValue PixelPaddingRangeLimit SmallestImagePixelValue "
        "LargestImagePixelValue WindowCenter WindowWidth LossyImageCompression SpecificCharacterSet InstanceNumber",
        Action.READ,
        "Become Hounsfield units, which are searched for drawn text.",
    ),
    Rule(
        "StudyInstanceUID SeriesInstanceUID SOPInstanceUID FrameOfReferenceUID AcquisitionNumber AcquisitionTime "
        "TemporalPositionIdentifier ConversionType",
        Action.REMOVED,
        "Tell which files belong together or that they are no slices, and lead back to the archive.",
    ),
)


@dataclass(frozen=True)
class Elsewhere:
    """What is no single DICOM attribute."""

    what: str
    action: Action
    reason: str


OTHER: tuple[Elsewhere, ...] = (
    Elsewhere(
        "Every other DICOM attribute, at any depth: names, numbers, dates, UIDs, comments, sequences, overlays (60xx), "
        "curves (50xx)",
        Action.REMOVED,
        "The list of what may identify has no end, so what is not named above never leaves the file.",
    ),
    Elsewhere("Private attributes", Action.REMOVED, "Nobody knows what makers write there. The report counts them."),
    Elsewhere(
        "Names of files and folders",
        Action.REDUCED,
        f"Kept as the scan's name only when every word is in a closed list or a short code and there are at most "
        f"{vocabulary.MOST_DIGITS_OF_A_NAME} digits; otherwise the scan is called after a digest of its voxels.",
    ),
    Elsewhere(
        "Texts in headers of NIfTI, NRRD and MetaImage",
        Action.REMOVED,
        "Free text. The report names the fields that held something.",
    ),
    Elsewhere("Names of masks and segments", Action.REDUCED, "To liver, lesion or vessel."),
    Elsewhere(
        "Pixels",
        Action.KEPT,
        "They are the scan. Marks that look like drawn text outside the body stop the import until a person has "
        "looked at them and says so; the report then names that person.",
    ),
)
