"""`manage.py secret`: sets, lists, removes and rotates secrets; prints no value."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from deployctl.management.terminal import finding, showing
from deployctl.management.terminal.base import Wrong
from deployctl.management.terminal.nouns import NounCommand
from deployctl.management.terminal.screen import plain
from deployctl.models import Environment, Secret
from deployctl.queries import secrets as queries
from deployctl.services import secrets
from deployctl.services.people import at_terminal
from deployctl.services.sealing import NoKey


class Command(NounCommand):
    """Secrets of drivers. A value comes from stdin or is asked for, never from argv."""

    help = "Set, list, remove and rotate the secrets that targets and routers name."
    complete = (*NounCommand.complete, NoKey, secrets.Refused)

    verbs = {
        "set": "Set a secret; its value is read from stdin, or asked for.",
        "remove": "Remove a secret that no target or router names.",
        "list": "Say which secrets are set, and never a value.",
        "rotate": "Seal all with the newest key.",
    }

    def add_words(self, verb: str, parser: CommandParser) -> None:
        """Add which secret, and whose; a value is no word."""
        if verb != "list":
            parser.add_argument("--by", help="who you are, if not by your login's name")
        if verb in ("set", "remove"):
            parser.add_argument("name")
            parser.add_argument("--env", help="of this environment; left out: of all")

    def set(self, options: dict[str, Any]) -> None:
        """Read the value, and set it."""
        environment = named(options)
        by = at_terminal(options["by"])
        name = options["name"]
        row = secrets.set_secret(name, asked(name), environment, by=by)
        env = environment.name if environment else None
        self.screen.record({"name": row.name, "environment": env})
        self.screen.line(f"{row.name} is set for {where(environment)}.")

    def list(self, options: dict[str, Any]) -> None:
        """Print a line for each secret."""
        for row in queries.listed():
            self.screen.record(told(row))
            for_whom, at = where(row.environment), showing.stamp(row.set_at)
            self.screen.row((row.name, for_whom, at, row.set_by, row.key_id))

    def remove(self, options: dict[str, Any]) -> None:
        """Remove it, if it is there and nobody names it."""
        environment = named(options)
        by = at_terminal(options["by"])
        name = options["name"]
        there = secrets.remove_secret(name, environment, by=by)
        said = "is removed" if there else "was not set"
        env = environment.name if environment else None
        self.screen.record({"name": name, "environment": env, "removed": there})
        self.screen.line(f"{name} {said} for {where(environment)}.")

    def rotate(self, options: dict[str, Any]) -> None:
        """Seal anew, and fail when anything had to be left."""
        done = secrets.rotate(by=at_terminal(options["by"]))
        self.screen.record({"sealed": done.count, "left": done.left})
        self.screen.line(f"{done.count} sealed with the newest key.")
        if done.left:
            said = (f"{len(done.left)} left as they were:", *map(plain, done.left))
            raise CommandError("\n".join(said))


def named(options: dict[str, Any]) -> Environment | None:
    """Return the environment that was named, or None for all."""
    return None if options["env"] is None else finding.environment(options["env"])


def where(environment: Environment | None) -> str:
    """Say for whom a secret is."""
    return environment.name if environment else "every environment"


def told(row: Secret) -> dict[str, Any]:
    """Return a secret for programs; its value is not read."""
    return {
        "name": row.name,
        "environment": row.environment.name if row.environment else None,
        "set_at": row.set_at.isoformat(),
        "set_by": row.set_by,
        "key": row.key_id,
    }


def asked(name: str) -> str:
    """Return a value from stdin, or from whoever sits there, without an echo."""
    if not sys.stdin.isatty():
        try:
            return sys.stdin.read()
        except UnicodeDecodeError:
            raise Wrong("The value is no text.") from None
    value = getpass.getpass(f"Value of {name}: ")
    if value != getpass.getpass("Once more: "):
        raise Wrong("The two are not the same.")
    return value
