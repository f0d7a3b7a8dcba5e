"""`manage.py application`: adds applications and lists them; it removes none."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from deployctl.management.terminal.nouns import NounCommand
from deployctl.queries import places
from deployctl.queries.sentences import counted
from deployctl.services import fleet
from deployctl.services.people import at_terminal


class Command(NounCommand):
    """What is deployed: a product with versions and fleets of its own."""

    help = "Add an application, or list those that there are."
    mistakes = (ValueError,)
    verbs = {
        "add": "Add an application; one that is there stays as it is.",
        "list": "Say which there are, with their versions and targets.",
    }

    def add_words(self, verb: str, parser: CommandParser) -> None:
        """Add a name, where one is added."""
        if verb == "add":
            parser.add_argument("name")
            parser.add_argument("--by", help="who you are, if not by your login's name")

    def add(self, options: dict[str, Any]) -> None:
        """Add one."""
        row = fleet.add_application(options["name"], by=at_terminal(options["by"]))
        self.screen.record({"name": row.name})
        self.screen.line(f"Application {row} is there.")

    def list(self, options: dict[str, Any]) -> None:
        """Print a line for each."""
        found = places.applications()
        for each in found:
            self.screen.record(each)
            where = [f"{counted(n)} in {env}" for env, n in each["targets"].items()]
            has = [counted(each["versions"], "version"), *(where or ["no target"])]
            self.screen.line(f"{each['name']}: {', '.join(has)}.")
        if not found:
            self.screen.line("There is none yet; `manage.py application add` adds one.")
