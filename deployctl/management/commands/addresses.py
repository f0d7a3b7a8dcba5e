"""`manage.py addresses`: says or sets which networks an environment may use."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from deployctl.models import Environment
from deployctl.services import fleet
from deployctl.services.people import NotAllowed, at_terminal


class Command(BaseCommand):
    """Networks in which an environment's targets, routers and checks must be."""

    help = "Say which networks an environment may use, or set them."

    def add_arguments(self, parser: CommandParser) -> None:
        """An environment, and what it may use from now on."""
        parser.add_argument("environment")
        parser.add_argument(
            "--allow",
            metavar="NETWORK",
            nargs="+",
            help="these only, such as 10.0.0.0/8 fd00::/8 192.0.2.7",
        )
        parser.add_argument("--any", action="store_true", help="any again")
        parser.add_argument("--by", help="who you are, if not by your login's name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Set them if any are given, and say what they are."""
        name = options["environment"]
        row = Environment.objects.filter(name=name).first()
        if row is None:
            raise CommandError(f"There is no environment {name}. Nothing was changed.")
        if options["any"] and options["allow"]:
            raise CommandError("Say --allow or --any, not both. Nothing was changed.")
        if options["any"] or options["allow"]:
            wanted = options["allow"] or []
            try:
                by = at_terminal(options["by"])
                row = fleet.allow_addresses(row, wanted, by=by)
            except (NotAllowed, ValueError) as error:
                raise CommandError(f"{error}. Nothing was changed.") from None
        said = " ".join(row.allowed_addresses) or "any but those of metadata services"
        self.stdout.write(f"{row.name} may use {said}.")
