from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ctplatform.errors import DomainError
from readerstudy.management.lookup import study_named
from readerstudy.simulation import add_virtual_raters, simulate


class Command(BaseCommand):
    help = (
        "Virtual raters for a dry run. On a draft: adds --raters of them. On a study that collects: they rate all "
        "their cases through the reading API. Their ratings are marked as simulated everywhere."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="Title or id")
        parser.add_argument("--skill", type=float, default=0.6, help="Probability of a right answer (0.5: guessing)")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--raters", type=int, help="How many virtual raters (default: 3 to add, all to rate)")

    def handle(self, *args: Any, **options: Any) -> None:
        study = study_named(options["study"])
        try:
            if study.is_draft:
                added = add_virtual_raters(study=study, actor=study.owner, count=options["raters"] or 3)
                self.stdout.write(
                    f"{len(added)} virtual raters are in the draft; lock and open it, then run this again."
                )
                return
            total = simulate(
                study=study,
                skill=options["skill"],
                seed=options["seed"],
                raters=options["raters"],
                say=self.stdout.write,
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{total} simulated ratings are in the ledger.")
