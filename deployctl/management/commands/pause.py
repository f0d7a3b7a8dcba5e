"""`manage.py pause`: nothing more is claimed; what is in flight finishes."""

from __future__ import annotations

from deployctl.management.terminal.following import Aim, is_held
from deployctl.management.terminal.presses import PressCommand
from deployctl.models import Deployment


class Command(PressCommand):
    """Pause a live deployment; with --wait until nothing is in flight."""

    help = "Pause a deployment: nothing more is claimed, what is in flight finishes."
    kind = "pause"
    gates = False

    def aim(self, row: Deployment) -> Aim:
        """Wait until it is held with nothing open."""
        return is_held
