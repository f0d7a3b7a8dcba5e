"""Django's migrate, as the role that owns the tables; refuses the app's login."""

from __future__ import annotations

from django.core.management.base import CommandParser
from django.core.management.commands.migrate import Command as DjangoMigrate
from django.db import connections


class Command(DjangoMigrate):
    """`manage.py migrate` uses DATABASE_OWNER_URL when that is set."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the owner's connection when there is one, and the app's else."""
        super().add_arguments(parser)
        owner = "owner" if "owner" in connections else "default"
        parser.set_defaults(database=owner)
