from typing import Any

from django import forms
from django.db.models import QuerySet

from ctplatform.datasets.models import Lesion, Scan
from ctplatform.errors import DomainError
from ml.editing.spec import MAX_CONTRAST_HU, MAX_DIAMETER_MM, MIN_CONTRAST_HU, MIN_DIAMETER_MM, LesionSpec
from ml.errors import SpecError
from ml.generator.card import OBJECTIVE_WORDS, POPULATION_WORDS
from synthesis.edits.placement import PlacementRules
from synthesis.edits.services import BatchOrder
from synthesis.models import LESION_KIND_CHOICES, Generator

MAX_SEED = 2**31 - 1


def coordinate_field(axis: str) -> forms.FloatField:
    widget = forms.NumberInput(attrs={"step": "0.1", "data-viewer-point": axis})
    return forms.FloatField(label=f"{axis} (mm)", label_suffix="", widget=widget)


def diameter_field(label: str, initial: float) -> forms.FloatField:
    return forms.FloatField(label=label, min_value=MIN_DIAMETER_MM, max_value=MAX_DIAMETER_MM, initial=initial)


def contrast_field(label: str, initial: float) -> forms.FloatField:
    return forms.FloatField(label=label, min_value=MIN_CONTRAST_HU, max_value=MAX_CONTRAST_HU, initial=initial)


def seed_field(help_text: str = "The same seed gives the same voxels") -> forms.IntegerField:
    return forms.IntegerField(min_value=0, max_value=MAX_SEED, initial=1, help_text=help_text)


class ScansField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Scans to tick; names are unique within a dataset only."""

    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj} · {obj.dataset}"


class GeneratorField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Any) -> str:
        return str(obj) if obj.measured else f"{obj} · realism not measured"


class GeneratorForm(forms.Form):
    generator = GeneratorField(queryset=Generator.objects.none(), empty_label=None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["generator"].queryset = Generator.objects.usable().measured_first()  # type: ignore[attr-defined]


class RegistrationForm(forms.Form):
    name = forms.CharField(max_length=120)
    card = forms.FileField(label="card.json")
    weights = forms.FileField(label="weights.safetensors")
    realism = forms.FileField(
        label="realism.json", required=False, help_text="From python -m ml.reproduce, if measured"
    )
    classification = forms.FileField(label="classification.json", required=False, help_text="Likewise")


class TrainingForm(forms.Form):
    name = forms.CharField(max_length=120)
    scans = ScansField(queryset=Scan.objects.none(), label="Scans")
    objective = forms.ChoiceField(
        choices=list(OBJECTIVE_WORDS.items()),
        help_text="Implicit (IAE), adversarial (AAE) or plain (AE) autoencoder; the first is recommended",
    )
    population = forms.ChoiceField(
        label="Patches",
        choices=list(POPULATION_WORDS.items()),
        help_text="Of all patches half lie near lesions; the first is recommended",
    )
    steps = forms.IntegerField(
        min_value=10,
        max_value=1_000_000,
        initial=3000,
        help_text="About 0.3 to 1 second each on a CPU core. Of five patients or more, a fifth is held out, and the "
        "training stops early when they gain nothing for 2000 steps",
    )
    seed = seed_field("The same seed gives the same weights on the same machine")

    def __init__(self, *args: Any, scans: QuerySet[Scan], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scans"].queryset = scans  # type: ignore[attr-defined]


class InsertionForm(GeneratorForm):
    x = coordinate_field("x")
    y = coordinate_field("y")
    z = coordinate_field("z")
    kind = forms.ChoiceField(label="Type", choices=LESION_KIND_CHOICES)
    diameter_mm = diameter_field("Diameter (mm)", 16)
    contrast_hu = contrast_field("Contrast (HU)", -40)
    seed = seed_field()

    field_order = ["x", "y", "z", "kind", "diameter_mm", "contrast_hu", "seed", "generator"]

    @property
    def centre_lps_mm(self) -> list[float]:
        return [self.cleaned_data[axis] for axis in ("x", "y", "z")]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        parts = {name: cleaned.get(name) for name in ("kind", "diameter_mm", "contrast_hu", "seed")}
        if None not in parts.values():
            try:
                cleaned["spec"] = LesionSpec(**parts)  # type: ignore[arg-type]
            except SpecError as error:
                raise forms.ValidationError(str(error)) from error
        return cleaned


class RemovalForm(GeneratorForm):
    lesion = forms.ModelChoiceField(queryset=Lesion.objects.none(), empty_label=None)
    seed = seed_field()

    field_order = ["lesion", "seed", "generator"]

    def __init__(self, *args: Any, scan: Scan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["lesion"]
        field.queryset = scan.lesions.all()  # type: ignore[attr-defined]
        field.label_from_instance = lambda lesion: (  # type: ignore[attr-defined]
            f"{lesion.number}: {lesion.diameter_mm:.0f} mm, {lesion.mean_hu:.0f} HU"
        )


class BatchForm(GeneratorForm):
    scans = ScansField(queryset=Scan.objects.none(), label="Scans")
    per_scan = forms.IntegerField(label="Lesions per scan", min_value=1, max_value=10, initial=1)
    kinds = forms.MultipleChoiceField(
        label="Types", choices=LESION_KIND_CHOICES, initial=["hypodense"], widget=forms.CheckboxSelectMultiple
    )
    min_diameter_mm = diameter_field("Smallest diameter (mm)", 8)
    max_diameter_mm = diameter_field("Largest diameter (mm)", 24)
    min_contrast_hu = contrast_field("Strongest contrast (HU)", -60)
    max_contrast_hu = contrast_field("Weakest contrast (HU)", -25)
    min_depth_mm = forms.FloatField(label="At least this deep below the surface (mm)", min_value=0, initial=8)
    min_vessel_distance_mm = forms.FloatField(label="At least this far from vessels (mm)", min_value=0, initial=3)
    min_lesion_distance_mm = forms.FloatField(
        label="At least this far from other lesions (mm)", min_value=0, initial=10
    )
    seed = seed_field()

    field_order = ["scans", "per_scan", "kinds"]

    def __init__(self, *args: Any, scans: QuerySet[Scan], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scans"].queryset = scans  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        rules = PlacementRules(
            **{name: cleaned[name] for name in ("min_depth_mm", "min_vessel_distance_mm", "min_lesion_distance_mm")}
        )
        ranges = ("min_diameter_mm", "max_diameter_mm", "min_contrast_hu", "max_contrast_hu")
        order = BatchOrder(
            per_scan=cleaned["per_scan"],
            kinds=tuple(cleaned["kinds"]),
            rules=rules,
            seed=cleaned["seed"],
            **{name: cleaned[name] for name in ranges},
        )
        try:
            order.check()
        except DomainError as error:
            raise forms.ValidationError(error.message) from error
        cleaned["order"] = order
        return cleaned
