"""`manage.py template`: how a team deploys, kept under names; it plans nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from deployctl.management.terminal import finding, showing
from deployctl.management.terminal.base import TerminalCommand, Wrong
from deployctl.management.terminal.nouns import NounCommand
from deployctl.management.terminal.options import add_options, typed
from deployctl.management.terminal.screen import plain
from deployctl.models import SavedForm
from deployctl.queries import saved_forms as queries
from deployctl.services import saved_forms
from deployctl.services.people import at_terminal
from deployctl.services.saved_forms import Taken

_GONE = "It is not there any more."


class Command(NounCommand):
    """Templates of everybody, and the drafts of one person, to look at."""

    help = "Save, list, show, rename and remove templates; list your drafts."
    #: What cannot be saved says that nothing was, and so does a name that is taken.
    complete = (*TerminalCommand.complete, Taken, ValueError)
    verbs = {
        "save": "Save a strategy and its options for everybody who deploys there.",
        "list": "Say which templates there are.",
        "show": "Say what a template says.",
        "rename": "Give a template another name; it never replaces another one.",
        "remove": "Remove a template; what it began keeps its own plan.",
        "drafts": "Say which drafts you have in the builder; nobody sees another's.",
    }

    def add_words(self, verb: str, parser: CommandParser) -> None:
        """Add which template, and what it says."""
        if verb == "list":
            parser.add_argument("application", nargs="?", help="only of this one")
            parser.add_argument("--env", help="only of this environment")
        elif verb != "drafts":
            parser.add_argument("application")
            parser.add_argument("template", help="its name")
            if verb == "rename":
                parser.add_argument("name", help="its new name")
            parser.add_argument("--env", required=True, help="the environment")
        if verb not in ("list", "show"):
            parser.add_argument("--by", help="who you are, if not by your login's name")
        if verb == "save":
            parser.add_argument("--strategy", required=True, help="how")
            add_options(parser)
            parser.add_argument(
                "--query",
                metavar="NAME",
                help="its targets: a saved query of the application",
            )
            parser.add_argument(
                "--over",
                type=int,
                metavar="N",
                help="instead of the one there, if that is revision N, as `show` said",
            )

    def save(self, options: dict[str, Any]) -> None:
        """Save one; one that was not seen is not overwritten."""
        place = finding.place(options)
        name, over = options["template"], options["over"]
        seen = ""
        if over is not None:
            there = finding.template(*place, name)
            seen = f"{there.pk}.{over}" if there else ""
        # As in the builder: what is empty is as usual.
        given = {n: v.strip() for n, v in typed(options["option"]).items() if v.strip()}
        if "strategy" in given:
            raise Wrong("The strategy is said by --strategy.")
        try:
            row = saved_forms.save_template(
                *(*place, name),
                {"strategy": options["strategy"], **given},
                by=at_terminal(options["by"]),
                query=finding.query(place[0], options["query"]),
                seen=seen,
            )
        except Taken as error:
            raise CommandError(plain(f"{error} {_overwrite(error.row)}")) from None
        self.screen.record(told(row))
        self.screen.line(f"The template {row} is saved for {where(row)}.")

    def list(self, options: dict[str, Any]) -> None:
        """Print a line for each."""
        rows = queries.templates()
        if options["application"]:
            rows = rows.filter(application=finding.application(options["application"]))
        if options["env"]:
            rows = rows.filter(environment=finding.environment(options["env"]))
        self._lines(rows, "There is none; `manage.py template save` saves one.")

    def show(self, options: dict[str, Any]) -> None:
        """Print all that it says, a line each."""
        row = _named(options)
        self.screen.record(told(row))
        self.screen.line(f"{row}, of {where(row)}: {row.fields['strategy']}.")
        for name, value in sorted(_options(row).items()):
            self.screen.line(f"  {name}={value}")
        if row.query:
            self.screen.line(f"  where {row.query.text}, the saved query {row.query}")
        at = showing.stamp(row.saved_at)
        self.screen.line(f"  revision {row.revision}, saved by {row.saved_by}, {at}")
        last = row.last_deployment
        began = f"deployment {last.pk} began with it last" if last else "never used"
        self.screen.line(f"  {began}")

    def rename(self, options: dict[str, Any]) -> None:
        """Give it another name."""
        by = at_terminal(options["by"])
        row = saved_forms.rename_template(_named(options).pk, options["name"], by=by)
        if row is None:
            raise Wrong(_GONE)
        self.screen.record(told(row))
        self.screen.line(f"It is called {row} now.")

    def remove(self, options: dict[str, Any]) -> None:
        """Remove it."""
        row = _named(options)
        content = told(row)
        if saved_forms.remove_saved(row.pk, by=at_terminal(options["by"])) is None:
            raise Wrong(_GONE)
        self.screen.record(content)
        self.screen.line(f"The template {row} of {where(row)} is removed.")

    def drafts(self, options: dict[str, Any]) -> None:
        """Print a line for each of one's own, the newest first."""
        rows = queries.drafts(at_terminal(options["by"]).user_id)
        self._lines(rows, "You have none.")

    def _lines(self, rows: Iterable[SavedForm], none: str) -> None:
        found = [*rows]
        for row in found:
            self.screen.record(told(row))
            self.screen.row(cells(row))
        if not found:
            self.screen.line(none)


def _named(options: dict[str, Any]) -> SavedForm:
    row = finding.template(*finding.place(options), options["template"])
    assert row is not None, "it was named"
    return row


def _overwrite(row: SavedForm) -> str:
    return f"It is revision {row.revision}: --over {row.revision} overwrites that one."


def where(row: SavedForm) -> str:
    """Return its place."""
    return f"{row.application} in {row.environment}"


def cells(row: SavedForm) -> tuple[str, ...]:
    """Return a template or a draft for a line of its own."""
    return (
        *(row.application.name, row.environment.name, row.name),
        row.fields.get("strategy", ""),
        f"where {row.query.text}" if row.query else "",
        f"saved by {row.saved_by}",
        showing.stamp(row.saved_at),
    )


def _options(row: SavedForm) -> dict[str, str]:
    return {name: text for name, text in row.fields.items() if name != "strategy"}


def told(row: SavedForm) -> dict[str, Any]:
    """Return a template or a draft for programs."""
    return {
        "application": row.application.name,
        "environment": row.environment.name,
        "name": row.name,
        "strategy": row.fields.get("strategy", ""),
        "options": _options(row),
        "query": row.query.name if row.query else None,
        "where": row.query.text if row.query else None,
        "revision": row.revision,
        "saved_by": row.saved_by,
        "saved_at": row.saved_at.isoformat(),
        "last_deployment": row.last_deployment_id,
    }
