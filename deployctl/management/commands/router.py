"""`manage.py router`: says and sets what leads an application's traffic."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from deployctl.engine import routers as kinds
from deployctl.management.terminal import finding
from deployctl.management.terminal.base import Wrong
from deployctl.management.terminal.files import read_json
from deployctl.management.terminal.nouns import NounCommand
from deployctl.models import Router
from deployctl.services import routers
from deployctl.services.people import at_terminal


class Command(NounCommand):
    """Routers. Settings are JSON, from a file or from stdin; secrets only by name."""

    help = "Say or set what leads an application's traffic in an environment."
    mistakes = (ValueError,)

    verbs = {
        "list": "Say what leads traffic, and where to.",
        "set": "Add the router of a place, or change it.",
    }

    def add_words(self, verb: str, parser: CommandParser) -> None:
        """Add where, and what leads traffic there."""
        if verb != "set":
            return
        parser.add_argument("application")
        parser.add_argument("--env", required=True, help="the environment")
        parser.add_argument("--by", help="who you are, if not by your login's name")
        parser.add_argument("--kind", required=True, choices=kinds.kinds())
        parser.add_argument(
            "--slots",
            default="",
            help="two names, as blue,green; left out where it shares traffic",
        )
        parser.add_argument(
            "--settings",
            default="-",
            metavar="FILE",
            help="a JSON object; left out, or -, it is read from stdin",
        )

    def list(self, options: dict[str, Any]) -> None:
        """Print a line for each router."""
        for row in Router.objects.select_related("application", "environment").order_by(
            "application__name", "environment__name"
        ):
            leads = " or ".join(row.slots) or "by weights"
            now = row.serving or "not read yet"
            self.screen.record(told(row))
            self.screen.line(f"{row}: {row.kind}, {leads}; now {now}.")

    def set(self, options: dict[str, Any]) -> None:
        """Add or change a router, if its kind has no objection."""
        where = finding.place(options)
        kind = options["kind"]
        slots = [each.strip() for each in options["slots"].split(",") if each.strip()]
        settings = read_json(options["settings"])
        if not isinstance(settings, dict):
            raise Wrong("Its settings must be a JSON object.")
        if "\\u0000" in json.dumps(settings):  # No database keeps it.
            raise Wrong("Its settings have a NUL in them.")
        problems = dict(kinds.get(kind).problems(settings))
        abilities = kinds.get(kind).abilities
        if slots and not abilities.slots:
            problems["slots"] = f"{kind} shares traffic and has none"
        if not slots and not abilities.shares:
            problems["slots"] = f"{kind} leads traffic to one of two: name them"
        if problems:
            said = "; ".join(f"{name}: {text}" for name, text in problems.items())
            raise Wrong(f"{said}.")
        row = routers.add_router(
            *where, kind, slots, settings, by=at_terminal(options["by"])
        )
        self.screen.record(told(row))
        self.screen.line(f"{row} is set. A worker reads it within seconds.")


def told(row: Router) -> dict[str, Any]:
    """Return a router for programs; its settings name secrets, and have none."""
    return {
        "application": row.application.name,
        "environment": row.environment.name,
        "kind": row.kind,
        "slots": row.slots,
        "serving": row.serving,
        "settings": row.settings,
    }
