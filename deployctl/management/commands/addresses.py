"""`manage.py addresses`: says or sets which networks an environment may use."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from deployctl.management.terminal import finding
from deployctl.management.terminal.base import TerminalCommand, Wrong
from deployctl.management.terminal.codes import Code
from deployctl.services import fleet
from deployctl.services.people import at_terminal


class Command(TerminalCommand):
    """Networks in which an environment's targets, routers and checks must be."""

    help = "Say which networks an environment may use, or set them."
    mistakes = (ValueError,)

    def add_arguments(self, parser: CommandParser) -> None:
        """An environment, and what it may use from now on."""
        super().add_arguments(parser)
        parser.add_argument("environment")
        parser.add_argument(
            "--allow",
            metavar="NETWORK",
            nargs="+",
            help="these only, such as 10.0.0.0/8 fd00::/8 192.0.2.7",
        )
        parser.add_argument("--any", action="store_true", help="any again")
        parser.add_argument("--by", help="who you are, if not by your login's name")

    def act(self, options: dict[str, Any]) -> Code:
        """Set them if any are given, and say what they are."""
        row = finding.environment(options["environment"])
        if options["any"] and options["allow"]:
            raise Wrong("Say --allow or --any, not both.")
        if options["any"] or options["allow"]:
            by = at_terminal(options["by"])
            row = fleet.allow_addresses(row, options["allow"] or [], by=by)
        allowed = row.allowed_addresses
        said = " ".join(allowed) or "any but those of metadata services"
        self.screen.record({"environment": row.name, "allowed": allowed})
        self.screen.line(f"{row.name} may use {said}.")
        return Code.DONE
