"""`manage.py doctor`: looks whether all is well, and says what to do; mends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from deployctl.management.terminal import showing
from deployctl.management.terminal.base import TerminalCommand
from deployctl.management.terminal.codes import Code
from deployctl.models import Deployment
from deployctl.queries import checkup, invariants
from deployctl.queries.checkup import Finding
from deployctl.queries.sentences import counted
from deployctl.services.sealing import source
from deployctl.services.secrets import opened

#: So many that are over are looked into, unless all are asked for.
NEWEST = 100


class Command(TerminalCommand):
    """Safe under load: snapshots that write nothing, one deployment at a time."""

    help = "Look whether all that is stored agrees, and whether all can work."
    nothing = ""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add how far back is looked."""
        super().add_arguments(parser)
        parser.add_argument(
            "--all",
            action="store_true",
            help=f"look into all deployments; else the live and the newest {NEWEST}",
        )

    def act(self, options: dict[str, Any]) -> Code:
        """Say each finding as it is found, and at last how much was looked at."""
        found, looked = 0, 0
        for finding in unmigrated():
            self.say(finding)
            found += 1
        if not found:  # Else the tables are not those that are asked.
            for finding in self.around():
                self.say(finding)
                found += 1
            for number in checkup.to_check(newest=None if options["all"] else NEWEST):
                looked += 1
                for finding in within(number):
                    self.say(finding)
                    found += 1
        return self.summed_up(found, looked)

    def around(self) -> Iterator[Finding]:
        """Yield what is wrong beside the deployments; say who works."""
        with invariants.snapshot():
            workers = checkup.beating()
            findings = [*checkup.findings(), *sealed()]
        for worker in workers:
            kinds = "any kind" if worker.kinds is None else ", ".join(worker.kinds)
            self.screen.line(f"Worker {worker.name}, {worker.version}: {kinds}.")
            self.screen.record({"worker": worker._asdict()})
        yield from findings

    def say(self, finding: Finding) -> None:
        """Print a finding, and what to do."""
        self.screen.record({"finding": finding.what, "do": finding.do})
        self.screen.line(f"WRONG {finding.what}")
        self.screen.line(f"      {finding.do}")

    def summed_up(self, found: int, looked: int) -> Code:
        """Print how much was looked at, and return how it went."""
        code = Code.REFUSED if found else Code.DONE
        self.screen.record(
            {"deployments": looked, "findings": found, "exit_code": int(code)}
        )
        things = counted(found, "thing") if found else "nothing"
        self.screen.line(
            f"Looked into {counted(looked, 'deployment')}: {things} wrong."
        )
        return code


def unmigrated() -> Iterator[Finding]:
    """Yield that the tables are older than this program."""
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        names = ", ".join(f"{each.app_label} {each.name}" for each, _ in missing[:3])
        yield Finding(
            f"{counted(len(missing), 'migration')} not applied: {names}.",
            "Run `manage.py migrate`, then look again.",
        )


def within(number: int) -> Iterator[Finding]:
    """Yield what disagrees in one deployment, read in a snapshot of its own."""
    with invariants.snapshot():
        row = Deployment.objects.select_related(
            "plan", "application", "environment", "version"
        ).get(pk=number)
        said = list(invariants.wrongs(row))
    for text in said:
        yield Finding(
            f"{showing.title(row)}: {text}.",
            "Change nothing by hand. Pause it if it is live, keep a copy of the"
            f" database, and report it with `manage.py history {number} --json`.",
        )


def sealed() -> Iterator[Finding]:
    """Yield how many secrets do not open with the keys that are here."""
    closed = [each for each in opened() if each.value is None]
    if closed:
        yield Finding(
            f"{counted(len(closed), 'secret')} cannot be opened: {closed[0].problem}",
            f"Put the key into {source()}, or set them again: `manage.py secret set`.",
        )
