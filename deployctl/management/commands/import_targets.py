"""`manage.py import_targets`: a fleet from a file, looked at first, all or nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from deployctl.engine.targets import problems
from deployctl.inventories import formats
from deployctl.inventories.rows import Inventory, Problems
from deployctl.inventories.texts import MOST_BYTES
from deployctl.management.terminal import changes, finding
from deployctl.management.terminal.base import TerminalCommand
from deployctl.management.terminal.codes import Code
from deployctl.management.terminal.screen import plain
from deployctl.services import importing
from deployctl.services.changing import Moved
from deployctl.services.fleet import InUse
from deployctl.services.importing import Import, Wrong
from deployctl.services.people import at_terminal


class Command(TerminalCommand):
    """Targets from CSV, JSON, or an inventory of Ansible."""

    help = "Add and change the targets of a fleet as a file says, all or none."
    complete = (*TerminalCommand.complete, InUse, Moved)
    mistakes = (ValueError,)

    def add_arguments(self, parser: CommandParser) -> None:
        """A fleet, a file, and what it is."""
        super().add_arguments(parser)
        parser.add_argument("application")
        parser.add_argument("file", metavar="FILE|-", help="a file, or - for stdin")
        parser.add_argument("--env", required=True, help="the environment")
        parser.add_argument(
            "--format",
            choices=formats.READ,
            help="left out: as the file's name ends",
        )
        parser.add_argument(
            "--setting",
            metavar="NAME=VALUE",
            action="append",
            default=[],
            help="for each target that has none in the file, as key=deploy",
        )
        parser.add_argument("--plan", action="store_true", help="say it, and no more")
        parser.add_argument(
            "--disable-missing",
            action="store_true",
            help="disable the targets that the file has not",
        )
        parser.add_argument("--by", help="who you are, if not by your login's name")

    def act(self, options: dict[str, Any]) -> Code:
        """Do it, or only say what it would do."""
        try:
            found = self._found(options)
        except Wrong as wrong:
            said = map(plain, told(wrong.problems))
            raise CommandError("\n".join(said)) from None
        changes.show(self.screen, found.added)
        changes.show(self.screen, [*found.changed, *found.disabled])
        self.screen.record(
            {
                "added": len(found.added),
                "changed": len(found.changed),
                "disabled": len(found.disabled),
                "same": found.same,
                "missing": found.missing,
                "versions_kept": found.versions_kept,
                "done": not options["plan"],
            }
        )
        for line in summary(found, options):
            self.screen.line(line)
        return Code.DONE

    def _found(self, options: dict[str, Any]) -> Import:
        more = " ".join(options["setting"])
        inventory = read(options["file"], options["format"], more)
        where = (*finding.place(options), inventory, problems)
        if options["plan"]:
            return importing.preview(*where, disable_missing=options["disable_missing"])
        return importing.import_targets(
            *where,
            by=at_terminal(options["by"]),
            disable_missing=options["disable_missing"],
        )


def read(file: str, format: str | None, settings: str) -> Inventory:
    """Return what a file says, or stdin.

    Raises:
        ValueError: it cannot be read, or nobody said what it is.
    """
    chosen = format or formats.by_ending(file)
    if not chosen:
        raise ValueError(f"Say what it is: --format {', '.join(formats.READ)}")
    try:
        if file == "-":
            data = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(file).open("rb") as opened:
                data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    return formats.read(data, chosen, settings)


def told(problems: Problems) -> Iterator[str]:
    """Yield the lines that say what is wrong with a file."""
    for problem in problems.first:
        yield str(problem)
    if problems.more:
        yield f".. and {problems.more:,} more"
    yield f"Nothing was changed: the file has {problems.count:,} mistakes."


def summary(found: Import, options: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that say how much would be done, or was."""
    does = "would be " if options["plan"] else ""
    yield (
        f"{len(found.added):,} {does}added, {len(found.changed):,} {does}changed,"
        f" {found.same:,} as they are."
    )
    if options["disable_missing"]:
        yield f"{len(found.disabled):,} not in the file {does}disabled."
    elif found.missing:
        yield f"{len(found.missing):,} not in the file are left alone."
    if found.versions_kept:
        yield (
            f"{found.versions_kept:,} run another version than the file says; only a"
            " deployment changes that."
        )
