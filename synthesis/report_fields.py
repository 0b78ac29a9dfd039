"""The fields of a card and of reports that the platform reads, whoever wrote the file and with which version."""

from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WrapValidator
from pydantic import ValidatorFunctionWrapHandler as Validate

from ml.generator.card import OBJECTIVE_WORDS, POPULATION_WORDS

LARGEST_INTEGER = 2**53
LONGEST_TEXT = 400
# Stands beside a figure and in a column.
LONGEST_NAME = 80
NOT_MEASURED, PASSED, MISSED = "not measured", "reached", "not reached"
COMPARISONS = {"<=": "at most", ">=": "at least", "absolute <=": "within ±", "==": "exactly"}

ValueT = TypeVar("ValueT")
PartT = TypeVar("PartT", bound="Part")


def _or_none(value: Any, validate: Validate) -> Any:
    try:
        return validate(value)
    except ValidationError:
        # A stranger's report: a field that is missing or of another form is shown as missing.
        return None


def _as_text(value: Any) -> Any:
    return value if value is None else str(value)[:LONGEST_TEXT]


def _as_name(value: Any) -> Any:
    return value if value is None else str(value)[:LONGEST_NAME]


def _as_interval(value: Any) -> Any:
    return dict(zip(("value", "low", "high"), value, strict=True)) if isinstance(value, list) else value


# What does not fit its field is as good as missing, and the rest stays.
Fitting: TypeAlias = Annotated[ValueT | None, WrapValidator(_or_none)]
Text: TypeAlias = Annotated[str, BeforeValidator(_as_text)]
Name: TypeAlias = Annotated[str, BeforeValidator(_as_name)]
Number: TypeAlias = Annotated[
    float, Field(strict=True, allow_inf_nan=False, ge=-float(LARGEST_INTEGER), le=float(LARGEST_INTEGER))
]
# An accuracy, an area under a curve.
Share: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1)]
Count: TypeAlias = Annotated[int, Field(strict=True)]


class Part(BaseModel):
    """Fields that a file may hold; others are none of ours."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Interval(Part):
    """A share with its 95 % interval."""

    value: Share
    low: Share
    high: Share


Rate: TypeAlias = Annotated[Interval, BeforeValidator(_as_interval)]


class GateLine(Part):
    """One target of the realism gate and what was measured for it."""

    name: Fitting[Text] = None
    value: Fitting[Number] = None
    low: Fitting[Number] = None
    high: Fitting[Number] = None
    n: Fitting[Count] = None
    target: Fitting[Number] = None
    comparison: Fitting[Text] = None
    unit: Fitting[Name] = None
    passed: Fitting[Annotated[bool, Field(strict=True)]] = None
    note: Fitting[Text] = None

    @property
    def asked(self) -> str:
        """The target in words."""
        if self.target is None:
            return ""
        unit = "voxel" if (self.unit, self.target) == ("voxels", 1) else self.unit or ""
        return f"{COMPARISONS.get(self.comparison or '', '')} {self.target:.3g} {unit}".strip()

    @property
    def verdict(self) -> str:
        if self.passed is None:
            return NOT_MEASURED
        return PASSED if self.passed else MISSED


class MeasuredArea(Part):
    auc: Share
    low: Share
    high: Share
    n: Fitting[list[Fitting[Count]]] = None

    @property
    def interval(self) -> Interval:
        return Interval(value=self.auc, low=self.low, high=self.high)

    @property
    def counts(self) -> str:
        return " + ".join(str(n) for n in (self.n or [])[:2] if n is not None)


class Judges(Part):
    features: Fitting[MeasuredArea] = None
    bands: Fitting[MeasuredArea] = None
    network: Fitting[MeasuredArea] = None


class OnScans(Part):
    """Lesions of patients' scans among edits that match them."""

    gate: Fitting[list[Fitting[GateLine]]] = None
    patients: Fitting[Count] = None
    lesions: Fitting[Count] = None
    notes: Fitting[list[Fitting[Text]]] = None
    editor_version: Fitting[int] = None

    @property
    def counted(self) -> str:
        return f"{self.lesions or 0} lesions of {self.patients or 0} patient{'' if self.patients == 1 else 's'}"


class Realism(Part):
    gate: Fitting[list[Fitting[GateLine]]] = None
    scans: Fitting[OnScans] = None
    two_sample: Fitting[dict[str, Fitting[Judges]]] = None
    # "phantoms" or "scans"; reports of earlier versions don't say.
    measured_on: Fitting[Text] = None
    editor_version: Fitting[int] = None
    generator_sha256: Any = None


class ClassifierRow(Part):
    features: Name = ""
    classifier: Name = ""
    view: Name = ""
    accuracy: Rate
    sensitivity: Rate
    specificity: Rate
    lesions: Fitting[Text] = None
    normals: Fitting[Text] = None
    patients: Fitting[Text] = None

    @property
    def counts(self) -> str:
        return said("{lesions} + {normals} patches of {patients} patients", self)


class Training(Part):
    objective: Fitting[Annotated[str, Field(strict=True)]] = None
    population: Fitting[Annotated[str, Field(strict=True)]] = None
    batch: Fitting[Text] = None
    seed: Fitting[Text] = None

    @property
    def objective_in_words(self) -> str | None:
        """A card of another version may name what this one does not know."""
        return OBJECTIVE_WORDS.get(self.objective or "", self.objective)

    @property
    def population_in_words(self) -> str | None:
        return POPULATION_WORDS.get(self.population or "", self.population)


class TrainingData(Part):
    cases: Fitting[Text] = None
    lesions: Fitting[Text] = None
    note: Fitting[Text] = None
    case_names: Fitting[list[Any]] = None
    case_names_left_out: Fitting[Count] = None

    @property
    def in_words(self) -> str:
        counted = said("{cases} scans with {lesions} lesions.", self)
        return f"{counted} {self.note or ''}".strip() if counted else ""


class Network(Part):
    patch_zyx: Fitting[list[Text]] = None
    spacing_zyx_mm: Fitting[list[Text]] = None
    code_size: Fitting[Text] = None

    @property
    def patch_in_words(self) -> str:
        if not self.patch_zyx or not self.spacing_zyx_mm:
            return ""
        patch, spacing = (" × ".join(sizes[:3]) for sizes in (self.patch_zyx, self.spacing_zyx_mm))
        return f"{patch} samples (z, y, x) of {spacing} mm"


class OtherWeights(Part):
    """Another generator, as a card names it."""

    name: Fitting[Name] = None
    weights_sha256: Fitting[Name] = None

    @property
    def in_words(self) -> str:
        return f"{self.name} ({self.weights_sha256[:10]})" if self.name and self.weights_sha256 else ""


def counted_words(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


class Bank(Part):
    """Exemplars that a generator was given after its training."""

    dataset: Fitting[Name] = None
    lesions: Fitting[Count] = None
    patients: Fitting[Count] = None
    beside_those_of_before: Fitting[Annotated[bool, Field(strict=True)]] = None
    left_out: Fitting[dict[Name, Fitting[Count]]] = None

    @property
    def in_words(self) -> str:
        if self.lesions is None or self.patients is None:
            return ""
        counted = f"{counted_words(self.lesions, 'lesion')} of {counted_words(self.patients, 'patient')}"
        where = f" of {self.dataset}" if self.dataset else ""
        place = "beside those of before" if self.beside_those_of_before else "instead of those of before"
        left_out = ", ".join(f"{count} {reason}" for reason, count in (self.left_out or {}).items() if count)
        return f"{counted}{where}, {place}" + (f". Left out: {left_out}" if left_out else "")


class Card(Part):
    intended_use: Fitting[Text] = None
    limits: Fitting[Text] = None
    command: Fitting[Text] = None
    steps_done: Fitting[Text] = None
    explained_variance_ratio: Fitting[list[Fitting[Number]]] = None
    train: Fitting[Training] = None
    data: Fitting[TrainingData] = None
    net: Fitting[Network] = None
    began_from: Fitting[OtherWeights] = None
    banks: Fitting[list[Fitting[Bank]]] = None

    @property
    def variance_in_words(self) -> str:
        shares = (self.explained_variance_ratio or [])[:3]
        return ", ".join(f"{100 * share:.0f} %" for share in shares if share)


class Receipt(Part):
    by: Fitting[Text] = None
    at: Text = ""


def read(part: type[PartT], values: Any) -> PartT:
    """What fits of some JSON; nothing when it is of another form."""
    return part.model_validate(values if isinstance(values, dict) else {})


def said(sentence: str, *parts: Part) -> str:
    """The sentence with the fields in place; nothing at all when one is missing."""
    known = {name: value for part in parts for name, value in part.model_dump().items() if value is not None}
    try:
        return sentence.format_map(known)
    except KeyError:
        return ""
