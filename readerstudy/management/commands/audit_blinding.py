from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ctplatform.errors import DomainError
from readerstudy.auditing.certificate import leaks_of, limits_words
from readerstudy.management.lookup import study_named
from readerstudy.opening.execution import check_for_leaks


class Command(BaseCommand):
    help = "Look at a locked study as every one of its raters would, and say whether anything but the lesion tells."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="Title or id")

    def handle(self, *args: Any, **options: Any) -> None:
        study = study_named(options["study"])
        try:
            outcome = check_for_leaks(study)
        except DomainError as error:
            raise CommandError(error.message) from error
        for family in outcome["families"]:
            self.stdout.write(f"  {family['name']}: {_judged(family)}")
        self.stdout.write(f"{outcome['requests']} answers to {outcome['raters']} raters. {limits_words(outcome)}")
        if not outcome["passed"]:
            raise CommandError(f"{study.title} leaks: {', '.join(leaks_of(outcome, sealed=True))}")
        self.stdout.write(f"{study.title}: passed")


def _judged(family: dict[str, Any]) -> str:
    """What was looked at; figures of the truth stay sealed."""
    said = f"{family['observables']} observables in {family['features']} ways"
    if not family["judgeable"]:
        return f"{said}, not judgeable with so few cases"
    return f"{said}, smallest leak found AUC {family['smallest_auc']:.2f}" if family["smallest_auc"] else said
