from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ctplatform.accounts.models import User
from ctplatform.errors import DomainError
from synthesis.generators.services import register


class Command(BaseCommand):
    help = "Register a trained generator (a folder with its weights and card)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--name", required=True)
        parser.add_argument("--user", required=True, help="Login of the person who registers it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = User.objects.get(username=options["user"])
            generator = register(folder=options["folder"], name=options["name"], registered_by=user)
        except User.DoesNotExist:
            raise CommandError(f"There is no account {options['user']!r}.") from None
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{generator.name} {generator.digest}")
