"""`manage.py retry`: a new deployment of what another one could not do."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.core.management.base import CommandParser

from deployctl.management.terminal import finding, showing
from deployctl.management.terminal.asking import answered
from deployctl.management.terminal.codes import Code
from deployctl.management.terminal.following import rests_as
from deployctl.management.terminal.presses import (
    FollowingCommand,
    add_following,
    add_person,
    add_place,
)
from deployctl.services.deployments import retry_failed
from deployctl.services.people import at_terminal
from strategies.states import State


class Command(FollowingCommand):
    """Try again what failed, as a linked deployment; with --wait until its rest."""

    help = "Try again what failed or stayed unresolved, as a new, linked deployment."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which one, who, why, and whether it is followed."""
        super().add_arguments(parser)
        add_place(parser)
        add_person(parser)
        add_following(parser)

    def act(self, options: dict[str, Any]) -> Code:
        """Start it, say its number, and follow it if asked."""
        by, key = at_terminal(options["by"]), str(uuid4())
        row = finding.deployment(options["deployment"], options["env"], at_rest=True)
        made = answered(
            lambda: retry_failed(row.pk, by=by, key=key, why=options["reason"]),
            self.screen,
        )
        self.screen.line(f"{showing.title(made)} started: it tries {row.pk} again.")
        self.screen.line(showing.address(made))
        return self.follow(made, rests_as(State.COMPLETED), options)
