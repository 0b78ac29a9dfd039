from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ctplatform.errors import DomainError
from readerstudy.management.lookup import study_named
from readerstudy.report.audit_archive import audit_files
from readerstudy.report.zipping import zipped
from readerstudy.unblinding.opened import UnblindedStudy


class Command(BaseCommand):
    help = "Write the auditor's archive of an unblinded study: chains, orders, sealed tables, a script to check them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="Title or id")
        parser.add_argument("--out", type=Path, required=True, help="The zip file to write")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            files = audit_files(UnblindedStudy(study_named(options["study"])))
        except DomainError as error:
            raise CommandError(error.message) from error
        options["out"].write_bytes(zipped(files))
        self.stdout.write(f"{options['out']}: unpack it and run audit.py in it.")
