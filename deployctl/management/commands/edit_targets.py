"""`manage.py edit_targets`: labels of many targets, and who takes part, by query."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from deployctl.management.terminal import changes, finding
from deployctl.management.terminal.base import TerminalCommand
from deployctl.management.terminal.codes import Code
from deployctl.services import editing
from deployctl.services.changing import Moved
from deployctl.services.editing import Edit
from deployctl.services.fleet import InUse
from deployctl.services.people import at_terminal


class Command(TerminalCommand):
    """Edits of all targets that a query chooses, or of none."""

    help = "Set labels of targets, or disable and enable them, by query."
    complete = (*TerminalCommand.complete, InUse, Moved)
    mistakes = (ValueError,)
    prose = frozenset({"disable"})

    def add_arguments(self, parser: CommandParser) -> None:
        """A fleet, a query, and what is done to each."""
        super().add_arguments(parser)
        parser.add_argument("application")
        parser.add_argument("--env", required=True, help="the environment")
        parser.add_argument("--where", required=True, help="as zone=eu-west & !canary")
        parser.add_argument(
            "--label",
            metavar="NAME=VALUE",
            action="append",
            default=[],
            help="set a label; may be said again",
        )
        parser.add_argument(
            "--unlabel",
            metavar="NAME",
            action="append",
            default=[],
            help="take a label away; may be said again",
        )
        parser.add_argument(
            "--disable",
            metavar="REASON",
            default="",
            help="leave them out of plans and looks, and why",
        )
        parser.add_argument("--enable", action="store_true", help="let them take part")
        parser.add_argument("--plan", action="store_true", help="say it, and no more")
        parser.add_argument("--by", help="who you are, if not by your login's name")

    def act(self, options: dict[str, Any]) -> Code:
        """Do it, or only say what it would do."""
        where = (*finding.place(options), options["where"])
        wanted = Edit(
            labels={**labels(options["label"]), **dict.fromkeys(options["unlabel"])},
            disable=options["disable"].strip(),
            enable=options["enable"],
        )
        if options["plan"]:
            found, does = editing.preview(*where, wanted), "would be"
        else:
            by = at_terminal(options["by"])
            found, does = editing.edit_targets(*where, wanted, by=by), "are"
        changes.show(self.screen, found.changes)
        count = len(found.changes)
        self.screen.record(
            {"chosen": found.chosen, "changed": count, "done": not options["plan"]}
        )
        self.screen.line(f"{count:,} of {found.chosen:,} chosen {does} changed.")
        return Code.DONE


def labels(texts: list[str]) -> dict[str, str]:
    """Return labels by name.

    Raises:
        ValueError: one is not NAME=VALUE.
    """
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise ValueError(f"--label {text[:80]} is not NAME=VALUE")
        found[name.strip()] = value.strip()
    return found
