"""What commands that press something have in common; each names its verb and aim.

Whether it is allowed is decided behind `services.commands.press`, as for a button.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import uuid4

from django.core.management.base import CommandError, CommandParser

from deployctl.management.terminal import finding, showing
from deployctl.management.terminal.asking import answered
from deployctl.management.terminal.base import TerminalCommand
from deployctl.management.terminal.codes import Code
from deployctl.management.terminal.following import Aim, Follower, until_gate
from deployctl.management.terminal.screen import plain
from deployctl.models import Deployment
from deployctl.queries import room
from deployctl.services import commands
from deployctl.services.commands import GO_TYPE
from deployctl.services.people import at_terminal

#: What came of a press that is as it was asked.
_DONE = ("ok", "noop")


def add_person(parser: CommandParser, why: str = "--reason") -> None:
    """Add who acts, and why."""
    parser.add_argument("--by", help="who you are, if not by your login's name")
    parser.add_argument(why, default="", metavar="TEXT", help="why, for the record")


def add_place(parser: CommandParser) -> None:
    """Add which deployment is meant."""
    parser.add_argument(
        "deployment", help="its number, or an application: the live one there"
    )
    parser.add_argument("--env", help="the environment of that application")


def add_following(parser: CommandParser, *, gates: bool = True) -> None:
    """Add whether it is followed, and how long."""
    parser.add_argument(
        "--wait", action="store_true", help="follow it until it has come to that"
    )
    if gates:
        parser.add_argument(
            "--until-gate",
            action="store_true",
            help="as --wait, but end with 4 when it waits for a person",
        )


class FollowingCommand(TerminalCommand):
    """A command after which a deployment may be followed."""

    def follow(
        self, row: Deployment, aim: Aim, options: dict[str, Any], *, told: int = 0
    ) -> Code:
        """Follow it if that was asked for; else say how it stands now, and be done."""
        if options.get("until_gate"):
            aim = until_gate(aim)
        elif not options["wait"]:
            said = {**showing.record(row), "exit_code": int(Code.DONE)}
            self.screen.record(said)
            if row.rested_at is None and (text := showing.no_worker()):
                self.screen.note(text)
            return Code.DONE
        return Follower(self.screen, row.pk, told=told).follow(aim)


class PressCommand(FollowingCommand):
    """Gives a deployment one of the commands of `services.commands`, once."""

    #: As `services.commands.KINDS` names it.
    kind: ClassVar[str]
    #: Whether somebody may have to be waited for before the aim is reached.
    gates: ClassVar[bool] = True
    #: Whether one at rest will do, where none is live.
    at_rest: ClassVar[bool] = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which one, who, why, and whether it is followed."""
        super().add_arguments(parser)
        add_place(parser)
        add_person(parser)
        add_following(parser, gates=self.gates)
        if self.kind in GO_TYPE:
            parser.add_argument(
                "--expect",
                type=int,
                metavar="N",
                help="only if its control_version is still this, as `status` said",
            )

    def kind_of(self, options: dict[str, Any]) -> str:
        """Return what is pressed."""
        return self.kind

    def aim(self, row: Deployment) -> Aim:
        """Return what `--wait` waits for."""
        raise NotImplementedError

    def act(self, options: dict[str, Any]) -> Code:
        """Press, say what came of it, and follow it if asked."""
        by = at_terminal(options["by"])
        row = finding.deployment(
            options["deployment"], options["env"], at_rest=self.at_rest
        )
        self.press(row, by, options)
        row = room.deployment(row.pk)
        return self.follow(row, self.aim(row), options, told=row.seq)

    def press(self, row: Deployment, by: Any, options: dict[str, Any]) -> None:
        """Press at what was just read, so that a change in between is refused."""
        seen = options.get("expect")
        expected = row.control_version if seen is None else seen
        key, kind = str(uuid4()), self.kind_of(options)
        ask: Callable[[], commands.Reply] = lambda: commands.press(  # noqa: E731
            row.pk, kind, by=by, key=key, expected=expected, reason=options["reason"]
        )
        reply = answered(ask, self.screen)
        if reply.status not in _DONE:
            raise CommandError(f"{showing.title(row)}. {plain(reply.message)}")
        self.screen.line(f"{showing.title(row)}. {reply.message}")
