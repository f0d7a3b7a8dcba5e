"""`manage.py probe`: asks a target now, as a worker would, and says what came of it."""

from __future__ import annotations

import asyncio
from typing import Any

from django.core.management.base import CommandParser
from django.db import connection
from django.utils import timezone

from deployctl.engine.aside import Aside
from deployctl.engine.outside import Outside
from deployctl.engine.reaches import Reaches, Unread
from deployctl.engine.watch import looked, may_look
from deployctl.management.terminal import finding
from deployctl.management.terminal.base import TerminalCommand, Wrong
from deployctl.management.terminal.codes import Code
from deployctl.models import Target
from deployctl.services.watching import Due, Seen


class Command(TerminalCommand):
    """One look at one target; it changes nothing there, and nothing is kept of it."""

    help = "Ask a target which version it runs, and whether it is well."
    nothing = ""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which one, and how long it may take."""
        super().add_arguments(parser)
        parser.add_argument("target")
        parser.add_argument("--app", help="its application, where names are not enough")
        parser.add_argument("--env", help="its environment, where names are not enough")
        parser.add_argument(
            "--seconds", type=float, default=5.0, help="how long it may take (5)"
        )

    def act(self, options: dict[str, Any]) -> Code:
        """Look, say what was seen, and end with 1 if it is not well."""
        row = finding.target(options["target"], options["app"], options["env"])
        if not may_look(row.driver):
            raise Wrong(f"Targets of the kind {row.driver} answer to no one else.")
        if not 0 < options["seconds"] <= 600:
            raise Wrong("--seconds is more than 0 and at most 600.")
        try:
            seen = asyncio.run(_looked(row, options["seconds"]))
        except Unread as error:
            raise Wrong(f"{str(error).capitalize()}: nothing was sent.") from None
        self.screen.record(
            {
                "target": row.name,
                "version": seen.version,
                "healthy": seen.is_well,
                "detail": seen.detail,
            }
        )
        self.screen.line(_told(row, seen))
        return Code.DONE if seen.is_well else Code.REFUSED


async def _looked(row: Target, seconds: float) -> Seen:
    aside = Aside("probe")
    outside = Outside(Reaches(aside.asked))
    try:
        return await looked(_due(row, seconds), outside)
    finally:
        await outside.close()
        await aside.done(lambda: connection.close())  # that thread's own


def _due(row: Target, seconds: float) -> Due:
    """Return the look that is to be made: any version will do."""
    return Due(
        target_id=row.pk,
        environment_id=row.environment_id,
        name=row.name,
        address=row.address,
        driver=row.driver,
        settings=row.settings,
        looked_at=timezone.now(),
        timeout_seconds=seconds,
    )


def _told(row: Target, seen: Seen) -> str:
    runs = f"runs {seen.version}" if seen.version else "says no version"
    state = "is well" if seen.is_well else "is not well"
    more = f": {seen.detail}" if seen.detail else ""
    return f"{row.name} at {row.address} {runs} and {state}{more}"
