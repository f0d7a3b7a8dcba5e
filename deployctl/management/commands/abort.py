"""`manage.py abort`: stops a deployment for good; nothing is rolled back."""

from __future__ import annotations

from deployctl.management.terminal.following import Aim, stops
from deployctl.management.terminal.presses import PressCommand
from deployctl.models import Deployment


class Command(PressCommand):
    """Abort a live deployment; with --wait until it is at rest."""

    help = "Stop a deployment for good. What it has changed stays as it is."
    kind = "abort"
    gates = False

    def aim(self, row: Deployment) -> Aim:
        """Wait until it is at rest because of this."""
        return stops
