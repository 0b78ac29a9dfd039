from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from readerstudy.management.lookup import study_named
from readerstudy.models import Study
from readerstudy.verification import verify


class Command(BaseCommand):
    help = "Prove that everything of one study (or of all) is as it was locked, recorded, written and anchored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", nargs="?", help="Title or id; without it, every study")

    def handle(self, *args: Any, **options: Any) -> None:
        studies = [study_named(options["study"])] if options["study"] else Study.objects.all()
        broken = 0
        for study in studies:
            outcome = verify(study)
            broken += not outcome.intact
            state = "intact" if outcome.intact else "; ".join(outcome.problems)
            self.stdout.write(f"{study.title}: {outcome.events} entries, {outcome.stimuli} stimuli: {state}")
        if broken:
            raise CommandError(f"{broken} of the studies checked did not pass.")
