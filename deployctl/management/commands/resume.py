"""`manage.py resume`: lifts a hold, in whichever direction it was going."""

from __future__ import annotations

from deployctl.management.terminal.following import Aim, onward
from deployctl.management.terminal.presses import PressCommand
from deployctl.models import Deployment


class Command(PressCommand):
    """Resume a paused deployment; with --wait until it is at rest."""

    help = "Lift the pause of a deployment."
    kind = "resume"

    def aim(self, row: Deployment) -> Aim:
        """Wait for the end of the way that it is on."""
        return onward(row)
