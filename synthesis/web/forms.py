from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import QuerySet

from ctplatform.datasets.models import Dataset, Lesion, Operation, Scan
from ctplatform.errors import DomainError
from ctplatform.form_fields import rows_of
from ml.editing.spec import (
    MAX_CONTRAST_HU,
    MAX_DIAMETER_MM,
    MIN_CONTRAST_HU,
    MIN_DIAMETER_MM,
    LesionSpec,
    usual_contrast_hu,
)
from ml.errors import SpecError
from ml.generator.card import OBJECTIVE_WORDS, POPULATION_WORDS
from ml.scans.lesions import LesionKind
from synthesis.edits.placement import PlacementRules, liver_hu_around
from synthesis.edits.services import BatchOrder, refuse_outside
from synthesis.generators.training import MAX_STEPS, MIN_STEPS
from synthesis.models import LESION_KIND_CHOICES, MAX_SEED, Generator


def coordinate_field(axis: str) -> forms.FloatField:
    widget = forms.NumberInput(attrs={"step": "0.1", "data-viewer-point": axis})
    return forms.FloatField(label=f"{axis} (mm)", label_suffix="", widget=widget)


def diameter_field(label: str, initial: float) -> forms.FloatField:
    return forms.FloatField(label=label, min_value=MIN_DIAMETER_MM, max_value=MAX_DIAMETER_MM, initial=initial)


def contrast_field(label: str, initial: float | None, **options: Any) -> forms.FloatField:
    return forms.FloatField(
        label=label, min_value=MIN_CONTRAST_HU, max_value=MAX_CONTRAST_HU, initial=initial, **options
    )


def seed_field(help_text: str = "The same seed gives the same voxels") -> forms.IntegerField:
    return forms.IntegerField(min_value=0, max_value=MAX_SEED, initial=1, help_text=help_text)


class SourceScansForm(forms.Form):
    """Scans to tick, of which a page shows some; or all at once that fit the page's filter."""

    scans = forms.ModelMultipleChoiceField(
        queryset=Scan.objects.none(), label="Scans", required=False, widget=forms.CheckboxSelectMultiple
    )
    all_fitting = forms.BooleanField(required=False)

    def __init__(self, *args: Any, scans: QuerySet[Scan], shown: Sequence[Scan] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = rows_of(self, "scans")
        field.queryset = scans
        # names are unique within a dataset only
        field.widget.choices = [(scan.pk, f"{scan} · {scan.dataset}") for scan in shown]

    @property
    def settings_fields(self) -> list[forms.BoundField]:
        return [field for field in self.visible_fields() if field.name not in {"scans", "all_fitting"}]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.pop("all_fitting", False):
            cleaned["scans"] = rows_of(self, "scans").queryset
        if "scans" in cleaned and not cleaned["scans"]:
            self.add_error("scans", "Choose at least one scan.")
        return cleaned


class GeneratorField(forms.ModelChoiceField[Any]):
    def label_from_instance(self, obj: Any) -> str:
        return str(obj) if obj.measured else f"{obj} · realism not measured"


class GeneratorForm(forms.Form):
    generator = GeneratorField(queryset=Generator.objects.none(), empty_label=None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows_of(self, "generator").queryset = Generator.objects.with_exemplars().measured_first()


class RegistrationForm(forms.Form):
    name = forms.CharField(max_length=120)
    card = forms.FileField(label="card.json")
    weights = forms.FileField(label="weights.safetensors")
    realism = forms.FileField(
        label="realism.json", required=False, help_text="From python -m ml.reproduce, if measured"
    )
    classification = forms.FileField(label="classification.json", required=False, help_text="Likewise")


class TrainingForm(SourceScansForm):
    name = forms.CharField(max_length=120)
    objective = forms.ChoiceField(
        choices=list(OBJECTIVE_WORDS.items()),
        help_text="Implicit (IAE), adversarial (AAE) or plain (AE) autoencoder; the first is recommended",
    )
    population = forms.ChoiceField(
        label="Patches",
        choices=list(POPULATION_WORDS.items()),
        help_text="Of all patches half lie near lesions; the first is recommended",
    )
    # The form's own attribute of this name is set on every instance; Django takes fields out of the class.
    initial = GeneratorField(  # type: ignore[assignment]
        queryset=Generator.objects.none(),
        required=False,
        label="Start from",
        empty_label="Nothing: random weights",
        help_text="A generator whose weights the training bends to these scans; 600 steps are a beginning then",
    )
    lesion_free = forms.CharField(
        label="Free of lesions",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="One name in a line: scans without a lesion mask of which you know that there is nothing to draw. "
        "No other scan without one gives normal liver",
    )
    partly_drawn = forms.CharField(
        label="Not all lesions drawn",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Names of scans whose masks lack lesions, one in a line: they give no normal liver",
    )
    steps = forms.IntegerField(
        min_value=MIN_STEPS,
        max_value=MAX_STEPS,
        initial=3000,
        help_text="About 0.3 to 1 second each on a CPU core. Of five patients or more, a fifth is held out, and the "
        "training stops early when they gain nothing for 2000 steps",
    )
    seed = seed_field("The same seed gives the same weights on the same machine")

    field_order = ["scans", "name", "initial", "objective", "population", "steps", "lesion_free", "partly_drawn"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows_of(self, "initial").queryset = Generator.objects.usable().measured_first()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for field in ("lesion_free", "partly_drawn"):
            cleaned[field] = self._named(field, cleaned)
        return cleaned

    def _named(self, field: str, cleaned: dict[str, Any]) -> list[Scan]:
        """The chosen scans that a field names, one in a line. Names are one scan's within a dataset only."""
        found = []
        for name in dict.fromkeys(line.strip() for line in cleaned.get(field, "").splitlines() if line.strip()):
            named = [scan for scan in cleaned.get("scans") or [] if scan.name == name]
            if not named:
                self.add_error(
                    field, f"“{name}” is none of the chosen scans. Choose it as well, or take its name away."
                )
            elif len(named) > 1:
                datasets = " and ".join(sorted(f"“{scan.dataset.name}”" for scan in named))
                self.add_error(
                    field,
                    f"“{name}” is the name of {len(named)} chosen scans, in {datasets}. Give one of them another name, "
                    "or order the training by the API, which tells scans apart by their ids.",
                )
            found += named
        return found


class BankForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="Of the generator that comes out")
    dataset = forms.ModelChoiceField(
        queryset=Dataset.objects.none(), empty_label=None, help_text="Whose lesions become exemplars"
    )
    beside = forms.ChoiceField(
        label="The generator's own exemplars",
        choices=[("", "Are replaced: edits use these lesions alone"), ("yes", "Stay beside them")],
        required=False,
    )
    partly_drawn = forms.BooleanField(
        required=False,
        label="Some lesions of these scans are not drawn",
        help_text="Then normal liver to compare with is taken from the generator, not from the scans",
    )

    def clean_beside(self) -> bool:
        return bool(self.cleaned_data["beside"])

    def __init__(self, *args: Any, datasets: QuerySet[Dataset], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows_of(self, "dataset").queryset = datasets


class InsertionForm(GeneratorForm):
    x = coordinate_field("x")
    y = coordinate_field("y")
    z = coordinate_field("z")
    kind = forms.ChoiceField(label="Type", choices=LESION_KIND_CHOICES)
    diameter_mm = diameter_field("Diameter (mm)", 16)
    contrast_hu = contrast_field(
        "Contrast (HU)",
        None,
        required=False,
        help_text="Empty: what is usual for the type in this liver; a cyst is near water",
    )
    seed = seed_field()

    field_order = ["x", "y", "z", "kind", "diameter_mm", "contrast_hu", "seed", "generator"]

    def __init__(self, *args: Any, scan: Scan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scan = scan

    @property
    def centre_lps_mm(self) -> list[float]:
        return [self.cleaned_data[axis] for axis in ("x", "y", "z")]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        if cleaned["contrast_hu"] is None:
            cleaned["contrast_hu"] = self._usual_contrast_hu(cleaned["kind"])
        parts = {name: cleaned[name] for name in ("kind", "diameter_mm", "contrast_hu", "seed")}
        try:
            cleaned["spec"] = LesionSpec(**parts)
        except SpecError as error:
            raise forms.ValidationError(str(error)) from error
        return cleaned

    def _usual_contrast_hu(self, kind: LesionKind) -> float:
        try:
            refuse_outside(self.scan, self.centre_lps_mm)
        except DomainError as error:
            raise forms.ValidationError(error.message) from error
        liver_hu = liver_hu_around(self.scan, self.centre_lps_mm)
        if liver_hu is None:
            raise forms.ValidationError("There is no liver around this place. Click into the liver on the scan's page.")
        return usual_contrast_hu(kind, liver_hu)


class LesionField(forms.ModelChoiceField[Any]):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.number}: {obj.diameter_mm:.0f} mm, {obj.mean_hu:.0f} HU"


class RemovalForm(GeneratorForm):
    lesion = LesionField(queryset=Lesion.objects.none(), empty_label=None)
    seed = seed_field()

    field_order = ["lesion", "seed", "generator"]

    def __init__(self, *args: Any, scan: Scan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows_of(self, "lesion").queryset = scan.lesions.all()


class BatchForm(SourceScansForm, GeneratorForm):
    operation = forms.ChoiceField(
        label="What to do",
        choices=[(Operation.INSERT, "Insert lesions"), (Operation.REMOVE, "Remove lesions that are there")],
        required=False,
    )
    per_scan = forms.IntegerField(
        label="Lesions per scan",
        min_value=1,
        max_value=10,
        initial=1,
    )
    together = forms.ChoiceField(
        label="Where they go",
        choices=[
            ("", "Each into a synthetic scan of its own"),
            ("yes", "All of a scan into one, one after another"),
        ],
        required=False,
        help_text="One after another, each edit is reviewed by itself, and a scan carries the edits before it as well",
    )
    kinds = forms.MultipleChoiceField(
        label="Types",
        required=False,
        choices=LESION_KIND_CHOICES,
        initial=["hypodense"],
        widget=forms.CheckboxSelectMultiple,
    )
    min_diameter_mm = diameter_field("Smallest diameter (mm)", 8)
    max_diameter_mm = diameter_field("Largest diameter (mm)", 24)
    min_contrast_hu = contrast_field("Strongest contrast (HU)", -60)
    max_contrast_hu = contrast_field("Weakest contrast (HU)", -25, help_text="Cysts are near water whatever is asked")
    min_depth_mm = forms.FloatField(label="At least this deep below the surface (mm)", min_value=0, initial=3)
    min_vessel_distance_mm = forms.FloatField(label="At least this far from vessels (mm)", min_value=0, initial=3)
    min_lesion_distance_mm = forms.FloatField(
        label="At least this far from other lesions (mm)", min_value=0, initial=10
    )
    seed = seed_field()

    field_order = ["scans", "operation", "per_scan", "together", "kinds"]

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
            together=bool(cleaned["together"]),
            operation=cleaned["operation"] or Operation.INSERT.value,
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
