"""`manage.py import_targets`: a fleet from a file, looked at first, all or nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from deployctl.engine.targets import problems
from deployctl.inventories import formats
from deployctl.inventories.rows import Inventory, Problems
from deployctl.inventories.texts import MOST_BYTES
from deployctl.management.changes import lines
from deployctl.management.commands.router import place
from deployctl.services import importing
from deployctl.services.changing import Moved
from deployctl.services.fleet import InUse
from deployctl.services.importing import Import, Wrong
from deployctl.services.people import NotAllowed, at_terminal


class Command(BaseCommand):
    """Targets from CSV, JSON, or an inventory of Ansible."""

    help = "Add and change the targets of a fleet as a file says, all or none."

    def add_arguments(self, parser: CommandParser) -> None:
        """A fleet, a file, and what it is."""
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

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, or say why not."""
        try:
            found = self._found(options)
        except (NotAllowed, InUse, Moved) as error:
            raise CommandError(str(error)) from None
        except Wrong as wrong:
            raise CommandError("\n".join(told(wrong.problems))) from None
        except ValueError as error:
            said = str(error).rstrip(".")
            raise CommandError(f"{said}. Nothing was changed.") from None
        for line in report(found, options):
            self.stdout.write(line)

    def _found(self, options: dict[str, Any]) -> Import:
        more = " ".join(options["setting"])
        inventory = read(options["file"], options["format"], more)
        where = (*place(options), inventory, problems)
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


def report(found: Import, options: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that say what would be done, or was."""
    yield from lines(found.added)
    yield from lines([*found.changed, *found.disabled])
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
