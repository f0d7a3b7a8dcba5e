"""`manage.py promote`: says go on at a gate, or cuts a bake short."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from deployctl.management.terminal.following import Aim, onward
from deployctl.management.terminal.presses import PressCommand
from deployctl.models import Deployment


class Command(PressCommand):
    """Promote a deployment; with --wait until it is at rest."""

    help = "Say go on at a gate; a bake or a wait is cut short."
    kind = "promote"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add whether all further gates and bakes are passed as well."""
        super().add_arguments(parser)
        parser.add_argument(
            "--fully", action="store_true", help="pass all further gates and bakes too"
        )

    def kind_of(self, options: dict[str, Any]) -> str:
        """Return which of the two is pressed."""
        return "promote_fully" if options["fully"] else self.kind

    def aim(self, row: Deployment) -> Aim:
        """Wait for the end of the way that it is on."""
        return onward(row)
