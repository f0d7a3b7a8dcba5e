"""`manage.py demo_agents`: the demo's agents, each real, in one process.

All listen or none does, so a port that was taken meanwhile is given up for another.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from deployctl.management.base import OurCommand
from deployctl.management.commands.demo import configuration_file, has_taken_ports


class Command(OurCommand):
    """Become the reference agent, with the demo's configuration."""

    help = "Run the agents of the demo fleet."

    def handle(self, *args: Any, **options: Any) -> None:
        """Never returns: the process becomes the agents."""
        path = configuration_file(settings.DATA_DIR)
        if not path.is_file():
            raise CommandError("There is no demo here; run `manage.py demo` first.")
        if has_taken_ports(settings.DATA_DIR):
            call_command("demo")
        agent = str(settings.BASE_DIR / "deployctl" / "agent.py")
        os.execv(sys.executable, [sys.executable, agent, "--config", str(path)])
