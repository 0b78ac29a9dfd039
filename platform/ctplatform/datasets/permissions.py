"""Who may do what with datasets and scans. Services ask here and refuse; pages ask the models the same.

The list and the object form stand beside the rows: `visible_to` of every table and `Dataset.editable_by`.
"""

from collections.abc import Iterable

from django.utils.translation import gettext

from ctplatform.accounts.models import User
from ctplatform.datasets.models import Dataset, Scan
from ctplatform.errors import ConflictError, ForbiddenError


def refuse_unless_editor(dataset: Dataset, actor: User) -> None:
    if not dataset.editable_by(actor):
        raise ForbiddenError(
            gettext("Only %(owner)s and administrators change this dataset. Ask one of them.")
            % {"owner": dataset.owner},
            code="not_yours",
        )


def refuse_unless_shared(dataset: Dataset, actor: User) -> None:
    if not Dataset.objects.visible_to(actor).filter(pk=dataset.pk).exists():
        raise ForbiddenError(gettext("This dataset is not shared with you. Ask its owner."))


def refuse_unless_usable(scans: Iterable[Scan], actor: User) -> None:
    scans = list(scans)
    datasets = {scan.dataset_id for scan in scans}
    if Dataset.objects.visible_to(actor).filter(pk__in=datasets).count() != len(datasets):
        raise ForbiddenError(gettext("Only those who may use a scan's dataset use the scan. Ask the dataset's owner."))
    refuse_without_pixels(scans)


def refuse_without_pixels(scans: Iterable[Scan]) -> None:
    """A withdrawn scan is a row that says so; nothing can be made of it any more."""
    gone = [scan.name for scan in scans if scan.withdrawn_at is not None]
    if gone:
        raise ConflictError(
            gettext("“%(name)s” was withdrawn, so its pixels are no longer here. Choose other scans.")
            % {"name": gone[0]},
            code="withdrawn",
        )


def hold_pixels(scans: Iterable[Scan]) -> None:
    """For the end of work that keeps pieces of scans: none was withdrawn or deleted, and none is before it ends."""
    wanted = {scan.pk for scan in scans}
    held = list(Scan.objects.select_for_update().filter(pk__in=wanted).order_by("pk"))
    if len(held) < len(wanted):
        raise ConflictError("A scan of this work was deleted meanwhile. Order it again of the others.")
    refuse_without_pixels(held)
