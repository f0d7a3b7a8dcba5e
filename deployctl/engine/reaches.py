"""What targets of each environment may use, as the database last said; in memory only.

It is read at the start, when the doorbell says that it is old, and now and then. It
knows no driver; what it reads, it writes nowhere.
"""

from __future__ import annotations

import asyncio
from collections import ChainMap, defaultdict
from collections.abc import Sequence

import structlog

from deployctl.engine.aside import Asked
from deployctl.engine.reach import Reach, Rights
from deployctl.networks import Network, allowed
from deployctl.queries.engine import Surroundings, surroundings
from deployctl.services import secrets

log = structlog.get_logger()


class Unread(Exception):
    """Nobody knows what an environment's targets may use: nothing may be sent."""


class Reaches:
    """The reach of each environment, for one event loop.

    A reach that was given is kept up to date for as long as anybody holds it.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._known: dict[int, Rights] = {}
        self._is_fresh = False
        self._reading = asyncio.Lock()
        self._wake = asyncio.Event()
        self._unopened: set[str] = set()

    async def of(self, environment_id: int) -> Reach:
        """Return what one target or router may use, once nothing newer is due.

        While the database is away that is what was last read.

        Raises:
            Unread: nothing was. To allow what nobody forbade would be a guess.
        """
        if environment_id not in self._known:
            self._is_fresh = False
        await self._read()
        rights = self._known.get(environment_id)
        if rights is None:
            raise Unread(f"what environment {environment_id} may use was never read")
        return Reach.having(rights)

    def changed(self) -> None:
        """Note that what is known is old; returns at once."""
        self._is_fresh = False
        self._wake.set()

    async def run(self, poll_seconds: float) -> None:
        """Read again whenever something has changed, and now and then, for ever."""
        while True:
            await self._read()
            try:
                async with asyncio.timeout(poll_seconds):
                    await self._wake.wait()
            except TimeoutError:
                self._is_fresh = False
            self._wake.clear()

    async def _read(self) -> None:
        async with self._reading:
            if self._is_fresh:
                return
            # What changes from here on makes it old again.
            self._is_fresh, found = True, None
            try:
                found = await self._asked(_found)
            finally:
                self._is_fresh = self._is_fresh and found is not None
            if found is not None:
                self._take(*found)

    def _take(
        self, places: Sequence[Surroundings], opened: Sequence[secrets.Open]
    ) -> None:
        by_place: dict[int | None, dict[str, str | None]] = defaultdict(dict)
        for each in opened:
            by_place[each.environment_id][each.name] = each.value
        for place in places:
            rights = self._known.setdefault(place.id, Rights())
            rights.secrets = ChainMap(by_place[place.id], by_place[None])
            rights.allowed = _allowed(place)
        problems = {each.problem for each in opened if each.problem}
        for problem in problems - self._unopened:
            log.warning("secret.unopened", problem=problem)
        self._unopened = problems


def _found() -> tuple[list[Surroundings], list[secrets.Open]]:
    return surroundings(), secrets.opened()


def _allowed(place: Surroundings) -> tuple[Network, ...] | None:
    try:
        return allowed(place.allowed_addresses)
    except ValueError as error:
        # Written past the services: nothing is allowed.
        log.error("networks.unread", environment=place.id, error=str(error))
        return ()
