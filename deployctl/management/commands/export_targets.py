"""`manage.py export_targets`: a fleet as a file that can be imported again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from deployctl.inventories import formats
from deployctl.management.commands.router import place
from deployctl.queries import exported, selecting


class Command(BaseCommand):
    """Targets as CSV or JSON on stdout. No secret is in it: settings only name them."""

    help = "Print the targets of a fleet, or those that a query chooses."

    def add_arguments(self, parser: CommandParser) -> None:
        """A fleet, which of its targets, and as what."""
        parser.add_argument("application")
        parser.add_argument("--env", required=True, help="the environment")
        parser.add_argument("--where", help="as zone=eu-west & !canary")
        parser.add_argument("--format", choices=formats.WRITTEN, default="csv")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it, or say why not."""
        try:
            found = selecting.fleet(*place(options))
            if options["where"]:
                found = found.filter(selecting.condition(options["where"]))
        except ValueError as error:
            raise CommandError(str(error)) from None
        for part in formats.written(exported.rows(found), options["format"]):
            self.stdout.write(part, ending="")
