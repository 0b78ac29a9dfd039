from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from ctplatform.accounts.models import Role, User
from ctplatform.datasets.models import Dataset, Scan


class DatasetForm(forms.ModelForm[Dataset]):
    class Meta:
        model = Dataset
        fields = ["name", "description", "source", "licence"]
        help_texts = {"licence": "Under which terms the scans may be used, such as CC BY 4.0"}


class ScanForm(forms.ModelForm[Scan]):
    class Meta:
        model = Scan
        fields = ["name", "subject"]


class MemberForm(forms.Form):
    member = forms.ModelChoiceField(queryset=User.objects.none(), empty_label="Choose a person")

    def __init__(self, *args: Any, dataset: Dataset, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        taken = [dataset.owner_id, *dataset.members.values_list("pk", flat=True)]
        people = User.objects.filter(is_active=True).exclude(role=Role.RATER).exclude(pk__in=taken)
        self.fields["member"].queryset = people.order_by("username")  # type: ignore[attr-defined]


class ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """Django's file field keeps the last of several files; this one keeps all."""

    widget = ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> list["UploadedFile[bytes]"]:
        files: Sequence[Any] = data if isinstance(data, (list, tuple)) else [data]
        return [file for file in (super(ManyFilesField, self).clean(file, initial) for file in files) if file]


class UploadForm(forms.Form):
    # Django takes declared fields off the class, so this hides no attribute of BaseForm
    files = ManyFilesField(  # type: ignore[assignment]
        label="Scans",
        help_text="A zip, or several files: DICOM slices, NIfTI (.nii, .nii.gz), NRRD, MHA, MHD with its raw file. "
        "Put folders of more than 5000 files into a zip.",
    )
    masks = ManyFilesField(
        label="Masks",
        required=False,
        help_text="Only when they are not among the files above: label files with 1 for liver and 2 for lesion, "
        "files named after what they hold, or DICOM segmentations.",
    )
    subject = forms.CharField(
        max_length=120,
        required=False,
        label="Subject label",
        help_text="For scans of one person. Leave it empty to have one made. Never a name or a hospital number.",
    )
    text_looked_at = forms.BooleanField(
        required=False,
        label="I looked at the slices: marks outside the body name nobody",
        help_text="Only after an import was refused because of marks that look like drawn text. Your account is noted "
        "in the scan's report.",
    )
