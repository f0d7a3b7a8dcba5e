"""`manage.py export_targets`: a fleet as a file that can be imported again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from deployctl.inventories import formats
from deployctl.management.terminal import finding
from deployctl.management.terminal.base import TerminalCommand
from deployctl.management.terminal.codes import Code
from deployctl.queries import exported, selecting


class Command(TerminalCommand):
    """Targets as CSV or JSON on stdout. No secret is in it: settings only name them."""

    help = "Print the targets of a fleet, or those that a query chooses."
    nothing = ""
    mistakes = (ValueError,)

    def add_arguments(self, parser: CommandParser) -> None:
        """A fleet, which of its targets, and as what; the answer is a file."""
        parser.add_argument("application")
        parser.add_argument("--env", required=True, help="the environment")
        parser.add_argument("--where", help="as zone=eu-west & !canary")
        parser.add_argument("--format", choices=formats.WRITTEN, default="csv")

    def act(self, options: dict[str, Any]) -> Code:
        """Print the file."""
        found = selecting.fleet(*finding.place(options))
        if options["where"]:
            found = found.filter(selecting.condition(options["where"]))
        for part in formats.written(exported.rows(found), options["format"]):
            self.stdout.write(part, ending="")
        return Code.DONE
