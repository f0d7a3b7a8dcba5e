"""`manage.py rollback`: takes back what a deployment touched, and nothing else."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from deployctl.management.terminal import finding, showing
from deployctl.management.terminal.asking import answered
from deployctl.management.terminal.base import Wrong
from deployctl.management.terminal.codes import Code
from deployctl.management.terminal.following import Aim, rests_as
from deployctl.management.terminal.presses import PressCommand
from deployctl.models import Deployment
from deployctl.services.deployments import take_back
from deployctl.services.people import at_terminal
from strategies.states import State


class Command(PressCommand):
    """Roll a deployment back, or take back one that is completed."""

    help = (
        "Take each touched target back to its own earlier version. A completed"
        " deployment is taken back by a new one, and only by its number."
    )
    kind = "roll_back"
    at_rest = True

    def aim(self, row: Deployment) -> Aim:
        """Wait until all of it is back."""
        return rests_as(State.ROLLED_BACK)

    def act(self, options: dict[str, Any]) -> Code:
        """Press, or start the way back of a completed one."""
        row = finding.deployment(options["deployment"], options["env"], at_rest=True)
        if row.state != State.COMPLETED.value:
            return super().act(options)
        if not options["deployment"].isdigit():
            # By place it would be another one at each call: back, and forth again.
            raise Wrong(
                f"{showing.title(row)} is completed. To take it back, name it:"
                f" `manage.py rollback {row.pk}`."
            )
        by, key = at_terminal(options["by"]), str(uuid4())
        made = answered(
            lambda: take_back(row.pk, by=by, key=key, why=options["reason"]),
            self.screen,
        )
        self.screen.line(f"{showing.title(made)} started: it takes {row.pk} back.")
        self.screen.line(showing.address(made))
        return self.follow(made, rests_as(State.COMPLETED), options)
