from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from ctplatform.datasets.exporting.described import described
from ctplatform.datasets.exporting.package import write_package
from ctplatform.datasets.kinds import ExportFormat
from ctplatform.datasets.models import Dataset, Scan


class Command(BaseCommand):
    help = "Write scans of a dataset into a zip: DICOM series with segmentations, or NIfTI."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("out", type=Path, help="The zip to write; it must not exist yet")
        parser.add_argument("--dataset", required=True, help="Name of the dataset")
        parser.add_argument("--scan", action="append", default=[], help="Name or id of a scan; by default all")
        parser.add_argument("--format", choices=ExportFormat.values, default=ExportFormat.DICOM)
        parser.add_argument("--no-masks", action="store_true", help="Leave the masks out")

    def handle(self, *args: Any, **options: Any) -> None:
        out: Path = options["out"]
        if out.exists():
            raise CommandError(f"{out} exists already. Choose another name.")
        scans = [described(scan) for scan in self._scans(options["dataset"], options["scan"])]
        try:
            write_package(
                out,
                scans,
                form=ExportFormat(options["format"]),
                masks=not options["no_masks"],
                on_progress=lambda _fraction, message: self.stdout.write(message),
            )
        except BaseException:
            out.unlink(missing_ok=True)
            raise
        self.stdout.write(self.style.SUCCESS(f"{len(scans)} scan(s) written to {out}."))

    def _scans(self, dataset_name: str, wanted: list[str]) -> list[Scan]:
        dataset = Dataset.objects.filter(name=dataset_name).first()
        if dataset is None:
            raise CommandError(f"There is no dataset called {dataset_name}.")
        scans = list(dataset.scans.select_related("dataset", "provenance", "source_scan"))
        if not wanted:
            if not scans:
                raise CommandError(f"{dataset_name} holds no scan.")
            return scans
        by_name = {scan.name: scan for scan in scans} | {str(scan.pk): scan for scan in scans}
        if unknown := [name for name in wanted if _as_written(name) not in by_name]:
            raise CommandError(f"{dataset_name} holds no scan {', '.join(unknown)}.")
        return [by_name[_as_written(name)] for name in wanted]


def _as_written(name: str) -> str:
    try:
        return str(UUID(name))
    except ValueError:
        return name
