"""`manage.py audit`: says who did what, from where and why; it enters nothing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from deployctl.management.terminal import finding, showing
from deployctl.management.terminal.base import Wrong
from deployctl.management.terminal.nouns import NounCommand
from deployctl.queries import audited

#: The most that one list may have.
MOST = 10_000


class Command(NounCommand):
    """The record of acts, of people and of rules."""

    help = "Say who did what, from where and why."
    nothing = ""
    verbs = {"list": "The newest entries first; of all, or of one deployment."}

    def add_words(self, verb: str, parser: CommandParser) -> None:
        """Add what is listed."""
        parser.add_argument(
            "deployment",
            nargs="?",
            help="only this one: its number, or an application with one that is live",
        )
        parser.add_argument(
            "--limit", type=int, default=20, metavar="N", help="so many (20)"
        )

    def list(self, options: dict[str, Any]) -> None:
        """Print a line, or an object with all that was kept, for each."""
        if not 1 <= options["limit"] <= MOST:
            raise Wrong(f"--limit is from 1 to {MOST:,}.")
        named = options["deployment"]
        only = finding.deployment(named, None).pk if named else None
        for told in audited.newest(options["limit"], deployment_id=only):
            self.screen.record({**told, "at": told["at"].isoformat()})
            self.screen.row(cells(told))


def cells(told: dict[str, Any]) -> tuple[str, ...]:
    """Return an entry for a line of its own."""
    about = told["object"]
    what = f"{about['type']} {about['id']}: {about['label']}"
    result = "" if told["result"] == "ok" else f"{told['result']}. "
    return (
        showing.stamp(told["at"]),
        told["actor"],
        told["action"],
        what,
        result + told["reason"],
        told["source"],
    )
