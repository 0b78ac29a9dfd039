from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ctplatform.accounts.models import Role, User
from ctplatform.datasets import services
from ctplatform.datasets.importing.run import ImportOrder, import_path, told_of
from ctplatform.datasets.importing.said import Said
from ctplatform.datasets.models import Dataset
from ctplatform.errors import DomainError


class Command(BaseCommand):
    help = "Import CT scans: a DICOM folder or zip, NIfTI, NRRD or MHA files, a folder in LiTS or Decathlon style."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--dataset", required=True, help="Name of the dataset; it is made when there is none")
        parser.add_argument("--masks", type=Path, help="A mask file or a folder of masks")
        parser.add_argument(
            "--manifest", type=Path, help="A CSV that tells of each file what it is, for images of other programs"
        )
        parser.add_argument("--labels", default="", help="What the labels of mask files mean: 1=liver,2=lesion")
        parser.add_argument("--spacing", default="", help="In mm, for scans whose file has lost it: '0.57 0.57 1.6'")
        parser.add_argument("--owner", help="Username of the owner; by default the first administrator")
        parser.add_argument("--subject", default="", help="Label of the person, for all scans of this import")
        parser.add_argument(
            "--text-looked-at",
            action="store_true",
            help="You looked at the slices: marks that look like drawn text name nobody",
        )
        parser.add_argument("--source", default="", help="Where the scans come from (for a new dataset)")
        parser.add_argument("--licence", default="", help="Under which licence (for a new dataset)")

    def handle(self, *args: Any, **options: Any) -> None:
        manifest: Path | None = options["manifest"]
        for path in (options["path"], options["masks"], manifest):
            if path is not None and not path.exists():
                raise CommandError(f"There is no {path}.")
        try:
            said = Said.of(
                labels=options["labels"],
                spacing=options["spacing"],
                manifest=None if manifest is None else manifest.read_bytes(),
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        owner = self._owner(options["owner"])
        dataset, is_new = self._dataset(owner, options)
        order = ImportOrder(
            dataset=dataset,
            created_by=owner,
            subject=options["subject"],
            text_looked_at=options["text_looked_at"],
            said=said,
        )
        try:
            outcome = import_path(options["path"], order, self._progress, masks=options["masks"])
            saved = outcome.save()
        except DomainError as error:
            if is_new:
                dataset.delete()
            raise CommandError("\n".join([error.message, *error.details[5:]])) from error
        for scan in saved:
            masks = ", ".join(mask.get_kind_display().lower() for mask in scan.masks.all()) or "no masks"
            self.stdout.write(f"{scan.name}: {scan.slices} slices, {masks}, {scan.lesions.count()} lesions")
            for told in told_of(scan):
                self.stdout.write(f"  {told}")
        for reason in outcome.reasons():
            self.stderr.write(f"not imported: {reason}")
        self.stdout.write(self.style.SUCCESS(f"{len(saved)} scan(s) imported into {dataset.name}."))

    def _progress(self, _fraction: float, message: str) -> None:
        if not message.endswith("stored"):  # not every slice
            self.stdout.write(message)

    def _owner(self, username: str | None) -> User:
        if username:
            owner = User.objects.filter(username=username).first()
        else:
            owner = User.objects.filter(role=Role.ADMINISTRATOR, is_active=True).order_by("pk").first()
        if owner is None:
            raise CommandError(f"There is no account {username or 'of an administrator'}. Name one with --owner.")
        return owner

    def _dataset(self, owner: User, options: dict[str, Any]) -> tuple[Dataset, bool]:
        dataset = Dataset.objects.filter(name=options["dataset"]).first()
        if dataset is None:
            about = {"source": options["source"], "licence": options["licence"]}
            return services.create_dataset(owner=owner, name=options["dataset"], **about), True
        if not dataset.editable_by(owner):
            raise CommandError(f"{owner} may not change {dataset.name}.")
        return dataset, False
