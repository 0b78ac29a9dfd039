import getpass
import os
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ctplatform.accounts.models import Role, User


class Command(BaseCommand):
    help = "Make the first account. Everyone else is invited by link from the People page."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        password = os.environ.get("CT_ADMINISTRATOR_PASSWORD") or getpass.getpass("Password: ")
        user = User(username=options["username"], role=Role.ADMINISTRATOR)
        try:
            validate_password(password, user)
            user.set_password(password)
            user.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        user.save()
        self.stdout.write(f"Account {user.username} is ready to log in.")
