"""`manage.py secret`: sets, lists, removes and rotates secrets; prints no value."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from deployctl.models import Environment
from deployctl.queries import secrets as queries
from deployctl.services import secrets
from deployctl.services.people import NotAllowed, at_terminal
from deployctl.services.sealing import NoKey


class Command(BaseCommand):
    """Secrets of drivers. A value comes from stdin or is asked for, never from argv."""

    help = "Set, list, remove and rotate the secrets that targets and routers name."

    def add_arguments(self, parser: CommandParser) -> None:
        """One verb, and what it is about."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb, text in (
            ("set", "Set a secret; its value is read from stdin, or asked for."),
            ("remove", "Remove a secret that no target or router names."),
        ):
            one = verbs.add_parser(verb, help=text)
            one.add_argument("name")
            one.add_argument("--by", help="who you are, if not by your login's name")
            one.add_argument("--env", help="of this environment; left out: of all")
        verbs.add_parser("list", help="Say which secrets are set, and never a value.")
        rotate = verbs.add_parser("rotate", help="Seal all with the newest key.")
        rotate.add_argument("--by", help="who you are")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, or say why not."""
        verb = {
            "set": self.set,
            "list": self.list,
            "remove": self.remove,
            "rotate": self.rotate,
        }[options["verb"]]
        try:
            verb(options)
        except (NoKey, NotAllowed, secrets.Refused) as error:
            raise CommandError(str(error)) from None

    def set(self, options: dict[str, Any]) -> None:
        """Read the value, and set it."""
        environment = environment_of(options)
        by = at_terminal(options["by"])
        name = options["name"]
        row = secrets.set_secret(name, asked(name), environment, by=by)
        self.stdout.write(f"{row.name} is set for {where(environment)}.")

    def list(self, options: dict[str, Any]) -> None:
        """Print a line for each secret."""
        for row in queries.listed():
            at = f"{row.set_at:%Y-%m-%d %H:%M:%S} UTC"
            line = row.name, where(row.environment), at, row.set_by, row.key_id
            self.stdout.write("\t".join(line))

    def remove(self, options: dict[str, Any]) -> None:
        """Remove it, if it is there and nobody names it."""
        environment = environment_of(options)
        by = at_terminal(options["by"])
        there = secrets.remove_secret(options["name"], environment, by=by)
        said = "is removed" if there else "was not set"
        self.stdout.write(f"{options['name']} {said} for {where(environment)}.")

    def rotate(self, options: dict[str, Any]) -> None:
        """Seal anew, and fail when anything had to be left."""
        done = secrets.rotate(by=at_terminal(options["by"]))
        self.stdout.write(f"{done.count} sealed with the newest key.")
        if done.left:
            raise CommandError(
                f"{len(done.left)} left as they were:\n" + "\n".join(done.left)
            )


def environment_of(options: dict[str, Any]) -> Environment | None:
    """Return the environment that was named, or None for all."""
    name = options["env"]
    if name is None:
        return None
    found = Environment.objects.filter(name=name).first()
    if found is None:
        raise CommandError(f"There is no environment {name}. Nothing was changed.")
    return found


def where(environment: Environment | None) -> str:
    """Say for whom a secret is."""
    return environment.name if environment else "every environment"


def asked(name: str) -> str:
    """Return a value from stdin, or from whoever sits there, without an echo."""
    if not sys.stdin.isatty():
        try:
            return sys.stdin.read()
        except UnicodeDecodeError:
            raise CommandError("The value is no text. Nothing was changed.") from None
    value = getpass.getpass(f"Value of {name}: ")
    if value != getpass.getpass("Once more: "):
        raise CommandError("The two are not the same. Nothing was changed.")
    return value
