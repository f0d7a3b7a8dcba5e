"""`manage.py status`: how deployments stand; changes nothing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from deployctl.management.terminal import finding, showing
from deployctl.management.terminal.base import TerminalCommand
from deployctl.management.terminal.codes import Code
from deployctl.queries import history, room


class Command(TerminalCommand):
    """One deployment, or all that are live."""

    help = "Say how a deployment stands, or all that are live."
    nothing = ""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which one; left out, all that are live."""
        super().add_arguments(parser)
        parser.add_argument(
            "deployment",
            nargs="?",
            help="its number, or an application: the live one there, or the last",
        )
        parser.add_argument("--env", help="the environment of that application")

    def act(self, options: dict[str, Any]) -> Code:
        """Print each, and that nobody works if that is so."""
        if options["deployment"] is not None:
            rows = [
                finding.deployment(options["deployment"], options["env"], at_rest=True)
            ]
        else:
            env = options["env"]
            only = finding.environment(env) if env is not None else None
            rows = [
                room.deployment(told["id"])
                for told in history.running()
                if only in (None, told["environment"])
            ]
        for row in rows:
            self.screen.record(showing.record(row))
            for line in showing.lines(row):
                self.screen.line(line)
        if not rows:
            self.screen.line("No deployment is live.")
        if text := showing.no_worker():
            self.screen.note(text)
        return Code.DONE
