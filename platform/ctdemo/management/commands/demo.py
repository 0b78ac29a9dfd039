import logging
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ctdemo import edits, people, scans, studies
from ctplatform.celery import app


class Command(BaseCommand):
    help = "Make the demo's content: accounts, phantom scans, edits and studies. What exists already stays."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--logins", action="store_true", help="Only print the demo's logins")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["logins"]:
            self.stdout.write(people.logins())
            return
        # This command is its own worker: jobs run here and now, whether or not a worker process runs.
        app.conf.task_always_eager = True
        logging.getLogger("celery.app.trace").setLevel(logging.WARNING)
        accounts = people.ensure_people()
        coordinator = accounts["coordinator"]
        team = [accounts["researcher"]]
        raters = [user for user in accounts.values() if user.is_rater]
        dataset = scans.ensure_dataset(coordinator, team)
        scans.ensure_scans(dataset, coordinator, self.stdout.write)
        generator = edits.ensure_generator(coordinator)
        edits.ensure_edits(dataset, generator, coordinator, self.stdout.write)
        edits.ensure_atlas(dataset, generator, coordinator, self.stdout.write)
        studies.ensure_studies(dataset, coordinator, team, raters, self.stdout.write)
