from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from ctplatform.backups import databases, files
from ctplatform.backups.followers import tell_restored
from ctplatform.errors import DomainError


class Command(BaseCommand):
    help = "Put a backup into an empty database and an empty storage, bring its tables up to date, verify all studies."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"]
        try:
            files.refuse_damaged(folder)
            files.refuse_unless_storage_is_empty()
            databases.load(folder)
            count = files.put_back(folder)
        except DomainError as error:
            raise CommandError(error.message) from error
        call_command("migrate", verbosity=0)
        tell_restored()
        self.stdout.write(f"Database and {count} files are restored. Every study is verified:")
        call_command("verify_ledger", stdout=self.stdout)
