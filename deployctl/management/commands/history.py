"""`manage.py history`: deployments as a list, or all that happened in one."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from deployctl.management.terminal import finding, showing
from deployctl.management.terminal.base import TerminalCommand, Wrong
from deployctl.management.terminal.codes import Code
from deployctl.models import Deployment
from deployctl.queries import feed, history
from deployctl.queries.filtering import Filters, Found
from deployctl.queries.plans import course_of

#: The most that one list may have.
MOST = 10_000


class Command(TerminalCommand):
    """The newest first; or one deployment's events, the oldest first."""

    help = "List deployments, the newest first, or tell what happened in one."
    nothing = ""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what is listed."""
        super().add_arguments(parser)
        parser.add_argument(
            "deployment", nargs="?", help="a number: its story; or an application"
        )
        parser.add_argument("--env", help="only of this environment")
        parser.add_argument(
            "--state",
            choices=[name for name, _ in history.STATES],
            metavar="STATE",
            help="only those that are in this state now",
        )
        parser.add_argument(
            "--limit", type=int, default=20, metavar="N", help="so many (20)"
        )

    def act(self, options: dict[str, Any]) -> Code:
        """Print a line, or an object, for each."""
        named = options["deployment"] or ""
        if named.isascii() and named.isdigit():
            self._story(finding.deployment(named, options["env"]))
            return Code.DONE
        if not 1 <= options["limit"] <= MOST:
            raise Wrong(f"--limit is from 1 to {MOST:,}.")
        filters = Filters(
            application=finding.application(named).name if named else "",
            environment=finding.environment(options["env"]).name
            if options["env"]
            else "",
            state=options["state"] or "",
        )
        rows = Found(filters).older(None, options["limit"])
        for row, told in zip(rows, history.lines(rows), strict=True):
            self.screen.record(showing.record(row))
            self.screen.row(showing.cells(told))
        return Code.DONE

    def _story(self, row: Deployment) -> None:
        for told in feed.after(row, course_of(row.plan_id), 0):
            at = told["at"]
            self.screen.record(
                {
                    "deployment": row.pk,
                    "seq": told["seq"],
                    "at": at.isoformat(),
                    "who": told["who"],
                    "text": told["text"],
                }
            )
            who = f"{told['who']} " if told["who"] else ""
            self.screen.line(f"{showing.stamp(at)}  {who}{told['text']}")
