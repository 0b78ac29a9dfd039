from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from ctplatform.datasets.scans.sweeping import sweep
from ctplatform.datasets.withdrawal import finish_withdrawals


class Command(BaseCommand):
    help = "Remove voxel and upload files that no scan, mask or job owns, and what is left of withdrawn scans."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--hours", type=float, default=24, help="Only what is older than this (a job may run)")

    def handle(self, *args: Any, **options: Any) -> None:
        finish_withdrawals()
        removed = sweep(before=timezone.now() - timedelta(hours=options["hours"]))
        self.stdout.write(f"{removed} ownerless folder(s) removed.")
