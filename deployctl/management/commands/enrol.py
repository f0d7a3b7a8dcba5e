"""`manage.py enrol`: shows which keys a host has, asks, and pins one to its target."""

from __future__ import annotations

import asyncio
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from deployctl.engine import drivers
from deployctl.engine.drivers.ssh import SshCommandDriver, SshDriver
from deployctl.engine.reach import Reach
from deployctl.engine.ssh import Lost, fingerprint, offered_keys, parts
from deployctl.management.terminal import finding
from deployctl.management.terminal.base import Wrong
from deployctl.models import Target
from deployctl.networks import allowed
from deployctl.services import enrolment
from deployctl.services.enrolment import Seen
from deployctl.services.fleet import InUse
from deployctl.services.people import NotAllowed, at_terminal

_OVER_SSH = (SshDriver, SshCommandDriver)


class Command(BaseCommand):
    """From then on the target is that key's holder, and nobody else."""

    help = "Show the host keys of a target that is reached by SSH, and pin one."

    def add_arguments(self, parser: CommandParser) -> None:
        """A target, and what is known of its key from elsewhere."""
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

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask the host, then the person, and pin."""
        target = _target(options)
        try:
            by = at_terminal(options["by"])
            seen = self._chosen(target, options["yes"])
            pinned = enrolment.pin_host_key(
                target, seen, by=by, replace=options["replace"]
            )
        except (NotAllowed, enrolment.Refused, InUse) as error:
            raise CommandError(str(error)) from None
        except (Lost, ValueError) as error:
            raise CommandError(f"{error}. Nothing was changed.") from None
        said = "is pinned for" if pinned else "was pinned before for"
        self.stdout.write(f"{seen.fingerprint} {said} {target.name}.")

    def _chosen(self, target: Target, expected: str | None) -> Seen:
        """Return the key that the person knows to be the host's."""
        lines = asyncio.run(_offered(target))
        by_print = {fingerprint(line): line for line in lines}
        for text, line in by_print.items():
            self.stdout.write(f"{target.name} has {line.partition(' ')[0]} {text}")
        if expected is None:
            expected = next(iter(by_print))
            self.stdout.write(
                "Compare on the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
            )
            if not _says_yes(f"Pin {expected} for {target.name}? [y/N] "):
                raise CommandError("Nothing was changed.")
        if expected not in by_print:
            raise CommandError(
                f"The host has no key {expected}. Nothing was changed; if you had that"
                " fingerprint from the host itself, somebody else is answering."
            )
        return Seen(by_print[expected], expected, target.address)


def _says_yes(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False  # Nobody sits there.


async def _offered(target: Target) -> list[str]:
    reach = Reach(allowed=allowed(target.environment.allowed_addresses))
    _, name, port = parts(target.address)
    return await offered_keys(name, port, reach)


def _target(options: dict[str, Any]) -> Target:
    try:
        target = finding.target(options["target"], options["app"], options["env"])
    except Wrong as error:
        raise CommandError(f"{error} Nothing was changed.") from None
    if not issubclass(drivers.get(target.driver), _OVER_SSH):
        raise CommandError(f"{target.name} is of kind {target.driver}, not over SSH.")
    problem = drivers.get(target.driver).problems(target.address, {}).get("address")
    if problem:
        raise CommandError(f"The address of {target.name} {problem}.")
    return target
