"""`manage.py worker`: one worker process; any number may run, on any machine."""

from __future__ import annotations

from typing import Any

import uvloop

from deployctl.engine import worker
from deployctl.management.base import OurCommand


class Command(OurCommand):
    """Run deployments until told to stop."""

    help = "Run one worker: it claims operations and carries them out."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM or SIGINT."""
        uvloop.run(worker.run())
