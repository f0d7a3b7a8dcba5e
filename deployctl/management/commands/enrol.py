"""`manage.py enrol`: shows which keys a host has, asks, and pins one to its target."""

from __future__ import annotations

import asyncio
from typing import Any

from django.core.management.base import CommandParser

from deployctl.engine import drivers
from deployctl.engine.drivers.ssh import SshCommandDriver, SshDriver
from deployctl.engine.reach import Reach
from deployctl.engine.ssh import Lost, fingerprint, offered_keys, parts
from deployctl.management.terminal import finding
from deployctl.management.terminal.base import TerminalCommand, Wrong
from deployctl.management.terminal.codes import Code
from deployctl.management.terminal.screen import plain
from deployctl.models import Target
from deployctl.networks import allowed
from deployctl.services import enrolment
from deployctl.services.enrolment import Seen
from deployctl.services.fleet import InUse
from deployctl.services.people import at_terminal

_OVER_SSH = (SshDriver, SshCommandDriver)


class Command(TerminalCommand):
    """From then on the target is that key's holder, and nobody else."""

    help = "Show the host keys of a target that is reached by SSH, and pin one."
    complete = (*TerminalCommand.complete, enrolment.Refused, InUse)
    mistakes = (Lost, ValueError)

    def add_arguments(self, parser: CommandParser) -> None:
        """A target, and what is known of its key from elsewhere."""
        super().add_arguments(parser)
        parser.add_argument("target")
        parser.add_argument("--app", help="its application, where names are not enough")
        parser.add_argument("--env", help="its environment, where names are not enough")
        parser.add_argument(
            "--yes",
            metavar="FINGERPRINT",
            help="do not ask: pin the key with this fingerprint, SHA256:..",
        )
        parser.add_argument("--replace", action="store_true", help="another was pinned")
        parser.add_argument("--by", help="who you are, if not by your login's name")

    def act(self, options: dict[str, Any]) -> Code:
        """Ask the host, then the person, and pin."""
        target = _target(options)
        by = at_terminal(options["by"])
        seen = self._chosen(target, options["yes"])
        pinned = enrolment.pin_host_key(target, seen, by=by, replace=options["replace"])
        said = "is pinned for" if pinned else "was pinned before for"
        self.screen.record(
            {"target": target.name, "pinned": seen.fingerprint, "is_new": pinned}
        )
        self.screen.line(f"{seen.fingerprint} {said} {target.name}.")
        return Code.DONE

    def _chosen(self, target: Target, expected: str | None) -> Seen:
        """Return the key that the person knows to be the host's."""
        lines = asyncio.run(_offered(target))
        by_print = {fingerprint(line): line for line in lines}
        for text, line in by_print.items():
            kind = line.partition(" ")[0]
            self.screen.record({"target": target.name, "kind": kind, "key": text})
            self.screen.line(f"{target.name} has {kind} {text}")
        if expected is None:
            if self.screen.is_json:
                raise Wrong("With --json nothing is asked: say --yes FINGERPRINT.")
            expected = next(iter(by_print))
            self.screen.note(
                "Compare on the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
            )
            if not _says_yes(f"Pin {expected} for {target.name}? [y/N] "):
                raise Wrong("Nobody said yes.")
        if expected not in by_print:
            raise Wrong(
                f"The host has no key {expected}. If you had that fingerprint from the"
                " host itself, somebody else is answering."
            )
        return Seen(by_print[expected], expected, target.address)


def _says_yes(question: str) -> bool:
    try:
        return input(plain(question)).strip().lower() in ("y", "yes")
    except EOFError:
        return False  # Nobody sits there.


async def _offered(target: Target) -> list[str]:
    reach = Reach(allowed=allowed(target.environment.allowed_addresses))
    _, name, port = parts(target.address)
    return await offered_keys(name, port, reach)


def _target(options: dict[str, Any]) -> Target:
    target = finding.target(options["target"], options["app"], options["env"])
    if not issubclass(drivers.get(target.driver), _OVER_SSH):
        raise Wrong(f"{target.name} is of kind {target.driver}, not over SSH.")
    problem = drivers.get(target.driver).problems(target.address, {}).get("address")
    if problem:
        raise Wrong(f"The address of {target.name} {problem}.")
    return target
