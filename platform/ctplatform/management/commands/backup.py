from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ctplatform.backups import databases, files
from ctplatform.errors import DomainError


class Command(BaseCommand):
    help = "Write database and storage into an empty folder; people may go on working. Secrets are not in it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"]
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(folder.iterdir()):
            raise CommandError(f"{folder} is not empty. Name another folder.")
        try:
            # Files are written before the rows that name them, so what the rows name is there when files are copied.
            databases.dump(folder)
            count = files.copy_storage(folder)
            files.write_sums(folder)
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Database and {count} files are in {folder}. Keep the secret key apart from it.")
