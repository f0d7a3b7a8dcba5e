"""`manage.py demo_agents`: the demo's agents, each real, in one process."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from deployctl.management.commands.demo import configuration_file


class Command(BaseCommand):
    """Become the reference agent, with the demo's configuration."""

    help = "Run the agents of the demo fleet."
    # It reads no table: the agents know nothing of the rest.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Never returns: the process becomes the agents."""
        path = configuration_file(settings.DATA_DIR)
        if not path.is_file():
            raise CommandError("There is no demo here; run `manage.py demo` first.")
        agent = str(settings.BASE_DIR / "deployctl" / "agent.py")
        os.execv(sys.executable, [sys.executable, agent, "--config", str(path)])
