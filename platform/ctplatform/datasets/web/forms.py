from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.utils.translation import gettext, gettext_lazy

from ctplatform.accounts.models import Role, User
from ctplatform.datasets.kinds import ExportFormat, MaskKind
from ctplatform.datasets.models import Dataset, Scan
from ctplatform.datasets.services import MAX_REASON
from ctplatform.form_fields import rows_of
from ctplatform.lists import in_language


class DatasetForm(forms.ModelForm[Dataset]):
    class Meta:
        model = Dataset
        fields = ["name", "description", "source", "licence"]
        labels = {
            "name": gettext_lazy("Name"),
            "description": gettext_lazy("Description"),
            "source": gettext_lazy("Source"),
            "licence": gettext_lazy("Licence"),
        }
        help_texts = {
            "source": gettext_lazy("Where the scans come from"),
            "licence": gettext_lazy("Under which terms the scans may be used, such as CC BY 4.0"),
        }


class ScanForm(forms.ModelForm[Scan]):
    class Meta:
        model = Scan
        fields = ["name", "subject"]


class MemberForm(forms.Form):
    member = forms.ModelChoiceField(
        queryset=User.objects.none(), label=gettext_lazy("Member"), empty_label=gettext_lazy("Choose a person")
    )

    def __init__(self, *args: Any, dataset: Dataset, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        taken = [dataset.owner_id, *dataset.members.values_list("pk", flat=True)]
        people = User.objects.filter(is_active=True).exclude(role=Role.RATER).exclude(pk__in=taken)
        rows_of(self, "member").queryset = people.order_by("username")


class ExportForm(forms.Form):
    scans = forms.ModelMultipleChoiceField(
        queryset=Scan.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one scan.")},
    )
    form = forms.ChoiceField(
        label=gettext_lazy("Format"),
        choices=in_language(ExportFormat.choices),
        widget=forms.RadioSelect,
        initial=ExportFormat.DICOM,
    )
    masks = forms.BooleanField(label=gettext_lazy("With masks"), required=False, initial=True)
    archive = forms.ChoiceField(label=gettext_lazy("Where to"), required=False)

    def __init__(self, *args: Any, scans: QuerySet[Scan], archive_names: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(name, gettext("%(name)s (archive, as DICOM)") % {"name": name}) for name in archive_names]
        self.fields["archive"].choices = [("", gettext("A package to download")), *names]  # type: ignore[attr-defined]
        rows_of(self, "scans").queryset = scans

    def clean_form(self) -> ExportFormat:
        return ExportFormat(self.cleaned_data["form"])

    def clean_scans(self) -> list[Scan]:
        return list(self.cleaned_data["scans"])


class SearchForm(forms.Form):
    """What to look for in an archive; archives match whole values, and `*` stands for any text."""

    archive = forms.ChoiceField(label=gettext_lazy("Archive"))
    patient_id = forms.CharField(required=False, max_length=64, label=gettext_lazy("Patient ID"))
    patient_name = forms.CharField(
        required=False, max_length=200, label=gettext_lazy("Patient name"), help_text=gettext_lazy("MUELLER* for all")
    )
    study_date = forms.RegexField(
        r"^\d{8}(-\d{8})?$",
        required=False,
        label=gettext_lazy("Study date"),
        help_text=gettext_lazy("20240131, or 20240101-20240131"),
        error_messages={"invalid": gettext_lazy("Write a date as 20240131, or a time as 20240101-20240131.")},
    )
    description = forms.CharField(
        required=False, max_length=64, label=gettext_lazy("Series description"), help_text="*portal*"
    )

    def __init__(self, *args: Any, archive_names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["archive"].choices = [(name, name) for name in archive_names]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors and not any(
            given[name] for name in ("patient_id", "patient_name", "study_date", "description")
        ):
            raise forms.ValidationError(gettext("Say what to look for: at least one of the fields."))
        return given

    @property
    def wanted(self) -> dict[str, str]:
        """By the keywords of DICOM."""
        return {
            "PatientID": self.cleaned_data["patient_id"],
            "PatientName": self.cleaned_data["patient_name"],
            "StudyDate": self.cleaned_data["study_date"],
            "SeriesDescription": self.cleaned_data["description"],
        }


class ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """Django's file field keeps the last of several files; this one keeps all."""

    widget = ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> list["UploadedFile[bytes]"]:
        files: Sequence[Any] = data if isinstance(data, (list, tuple)) else [data]
        return [file for file in (super(ManyFilesField, self).clean(file, initial) for file in files) if file]


class WithdrawalForm(forms.Form):
    whole_patient = forms.BooleanField(
        label=gettext_lazy("All scans of this patient in the dataset"),
        required=False,
        help_text=gettext_lazy("And whatever was edited from them"),
    )
    reason = forms.CharField(
        max_length=MAX_REASON, label=gettext_lazy("Why"), help_text=gettext_lazy("Such as “consent withdrawn”; no name")
    )


class AcceptLiverForm(forms.Form):
    mask = forms.UUIDField()


class TakeBackForm(forms.Form):
    correction = forms.IntegerField()


class MasksForm(forms.Form):
    masks = ManyFilesField(
        label=gettext_lazy("Mask files"),
        help_text=gettext_lazy("NIfTI, NRRD, MHA, MHD with its raw file, DICOM segmentations or slices; any grid."),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("What they hold"),
        required=False,
        choices=[
            ("", gettext_lazy("As their names or labels say")),
            (MaskKind.LIVER, gettext_lazy("The liver")),
            (MaskKind.LESION, gettext_lazy("Lesions")),
            (MaskKind.VESSEL, gettext_lazy("Vessels")),
        ],
    )
    labels = forms.CharField(
        max_length=300,
        required=False,
        label=gettext_lazy("What the labels mean"),
        help_text=gettext_lazy("If asked for: 1=liver, 2=lesion"),
    )


class UploadForm(forms.Form):
    # Django takes declared fields off the class, so this hides no attribute of BaseForm
    files = ManyFilesField(  # type: ignore[assignment]
        label=gettext_lazy("Scans"),
        help_text=gettext_lazy(
            "Zips and files together: DICOM slices, NIfTI (.nii, .nii.gz), NRRD, MHA, MHD with its raw file."
        ),
    )
    masks = ManyFilesField(
        label=gettext_lazy("Masks"),
        required=False,
        help_text=gettext_lazy(
            "Only when they are not among the files above: files named after what they hold (liver, "
            "lesion_1, vessels), label files with 1 for liver and 2 for lesion, or DICOM segmentations."
        ),
    )
    subject = forms.CharField(
        max_length=120,
        required=False,
        label=gettext_lazy("Subject label"),
        help_text=gettext_lazy(
            "For scans of one person. Leave it empty to have one made. Never a name or a hospital number."
        ),
    )
    manifest = forms.FileField(
        required=False,
        label=gettext_lazy("Manifest"),
        help_text=gettext_lazy(
            "For images that other programs made: a CSV with one row a file, such as file, generator, "
            "operation, host, centre_mm, diameter_mm, mask. The help beside this form has all columns."
        ),
    )
    labels = forms.CharField(
        max_length=300,
        required=False,
        label=gettext_lazy("What the labels mean"),
        help_text=gettext_lazy(
            "Only after an import has asked for it, such as 1=liver, 2=lesion. Labels that you leave out are not used."
        ),
    )
    spacing = forms.CharField(
        max_length=60,
        required=False,
        label=gettext_lazy("Spacing"),
        help_text=gettext_lazy("Only for scans whose file has lost it, in mm, such as 0.57 0.57 1.6."),
    )
    text_looked_at = forms.BooleanField(
        required=False,
        label=gettext_lazy("I looked at the slices: marks outside the body name nobody"),
        help_text=gettext_lazy(
            "Only after an import was refused because of marks that look like drawn text. Your account "
            "is noted in the scan's report."
        ),
    )
