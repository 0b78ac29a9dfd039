from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ctplatform.errors import DomainError
from readerstudy.management.lookup import study_named
from readerstudy.unblinding.opened import UnblindedStudy


class Command(BaseCommand):
    help = "Write the report of an unblinded study into a folder: tables, figures, texts, R script."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="Title or id")
        parser.add_argument("--out", type=Path, required=True, help="Folder for the files; made when missing")

    def handle(self, *args: Any, **options: Any) -> None:
        from readerstudy.report.making import made_files

        try:
            files = made_files(UnblindedStudy(study_named(options["study"])))
        except DomainError as error:
            raise CommandError(error.message) from error
        folder: Path = options["out"]
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.stdout.write(f"{len(files)} files are in {folder}.")
