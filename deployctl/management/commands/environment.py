"""`manage.py environment`: adds environments and lists them; it removes none."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from deployctl.management.terminal.base import Wrong
from deployctl.management.terminal.nouns import NounCommand
from deployctl.queries import places
from deployctl.queries.sentences import counted
from deployctl.services import fleet
from deployctl.services.people import at_terminal


class Command(NounCommand):
    """Where applications run."""

    help = "Add an environment, or list those that there are."
    mistakes = (ValueError,)
    verbs = {
        "add": "Add an environment; one that is there stays as it is.",
        "list": "Say which there are, and how many targets each has.",
    }

    def add_words(self, verb: str, parser: CommandParser) -> None:
        """Add a name and what it is, where one is added."""
        if verb == "add":
            parser.add_argument("name")
            parser.add_argument(
                "--production", action="store_true", help="pages mark it as production"
            )
            parser.add_argument("--by", help="who you are, if not by your login's name")

    def add(self, options: dict[str, Any]) -> None:
        """Add one; what is there is never made another kind."""
        by, wanted = at_terminal(options["by"]), options["production"]
        row = fleet.add_environment(options["name"], by=by, is_production=wanted)
        if row.is_production != wanted:
            raise Wrong(
                f"Environment {row} is there, and is"
                f" {'' if row.is_production else 'not '}marked as production."
            )
        self.screen.record({"name": row.name, "is_production": row.is_production})
        self.screen.line(f"Environment {row} is there{marked(row.is_production)}.")

    def list(self, options: dict[str, Any]) -> None:
        """Print a line for each."""
        found = places.environments()
        for each in found:
            self.screen.record(each)
            has = counted(each["targets"]) if each["targets"] else "no target"
            self.screen.line(f"{each['name']}: {has}{marked(each['is_production'])}.")
        if not found:
            self.screen.line("There is none yet; `manage.py environment add` adds one.")


def marked(is_production: bool) -> str:
    """Say that an environment is marked, if it is."""
    return ", marked as production" if is_production else ""
