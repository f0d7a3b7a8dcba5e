"""`manage.py router`: says and sets what leads an application's traffic."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from deployctl.engine import routers as kinds
from deployctl.models import Application, Environment, Router
from deployctl.services import routers
from deployctl.services.people import NotAllowed, at_terminal


class Command(BaseCommand):
    """Routers. Settings are JSON, from a file or from stdin; secrets only by name."""

    help = "Say or set what leads an application's traffic in an environment."

    def add_arguments(self, parser: CommandParser) -> None:
        """One verb, and where."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="Say what leads traffic, and where to.")
        one = verbs.add_parser("set", help="Add the router of a place, or change it.")
        one.add_argument("application")
        one.add_argument("--env", required=True, help="the environment")
        one.add_argument("--by", help="who you are, if not by your login's name")
        one.add_argument("--kind", required=True, choices=kinds.kinds())
        one.add_argument(
            "--slots",
            default="",
            help="two names, as blue,green; left out where it shares traffic",
        )
        one.add_argument(
            "--settings",
            default="-",
            metavar="FILE",
            help="a JSON object; left out, or -, it is read from stdin",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, or say why not."""
        try:
            (self.set if options["verb"] == "set" else self.list)(options)
        except NotAllowed as error:
            raise CommandError(str(error)) from None
        except ValueError as error:
            raise CommandError(f"{error}. Nothing was changed.") from None

    def list(self, options: dict[str, Any]) -> None:
        """Print a line for each router."""
        for row in Router.objects.select_related("application", "environment").order_by(
            "application__name", "environment__name"
        ):
            leads = " or ".join(row.slots) or "by weights"
            now = row.serving or "not read yet"
            self.stdout.write(f"{row}: {row.kind}, {leads}; now {now}.")

    def set(self, options: dict[str, Any]) -> None:
        """Add or change a router, if its kind has no objection."""
        where = place(options)
        kind = options["kind"]
        slots = [each.strip() for each in options["slots"].split(",") if each.strip()]
        settings = read(options["settings"])
        problems = dict(kinds.get(kind).problems(settings))
        abilities = kinds.get(kind).abilities
        if slots and not abilities.slots:
            problems["slots"] = f"{kind} shares traffic and has none"
        if not slots and not abilities.shares:
            problems["slots"] = f"{kind} leads traffic to one of two: name them"
        if problems:
            said = "; ".join(f"{name}: {text}" for name, text in problems.items())
            raise ValueError(said)
        row = routers.add_router(
            *where, kind, slots, settings, by=at_terminal(options["by"])
        )
        self.stdout.write(f"{row} is set. A worker reads it within seconds.")


def place(options: dict[str, Any]) -> tuple[Application, Environment]:
    """Return what was named.

    Raises:
        ValueError: there is none of that name.
    """
    application = Application.objects.filter(name=options["application"]).first()
    environment = Environment.objects.filter(name=options["env"]).first()
    if application is None:
        raise ValueError(f"There is no application {options['application']}")
    if environment is None:
        raise ValueError(f"There is no environment {options['env']}")
    return application, environment


def read(file: str) -> dict[str, Any]:
    """Return settings from the JSON in a file, or from stdin.

    Raises:
        ValueError: that is no JSON object, or one that a database cannot keep.
    """
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
        found = json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"Its settings could not be read: {error}") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"Its settings are no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("Its settings must be a JSON object")
    if "\\u0000" in json.dumps(found):
        raise ValueError("Its settings have a NUL in them")
    return found
