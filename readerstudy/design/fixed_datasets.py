"""A dataset stays while a study names it: a draft that names none takes its cases from all of its owner's."""

from django.utils.translation import gettext

from ctplatform.datasets.models import Dataset
from ctplatform.errors import ConflictError
from readerstudy.models import Study


def refuse_for_chosen(dataset: Dataset) -> None:
    if Study.objects.filter(datasets=dataset).exists():
        raise ConflictError(
            gettext(
                "A reader study takes its cases from this dataset, so it can't be deleted. Choose other datasets "
                "in the draft first; of a locked study they stay."
            ),
            code="chosen",
        )
