"""Watching: whether accepted targets stay well, and what all others and routers say.

It only reads, at most so many targets at once, and keeps what it saw; what follows is
decided under the deployment's lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

import structlog

from deployctl.engine import clean, drivers
from deployctl.engine.aside import Asked
from deployctl.engine.drivers.base import TargetRef
from deployctl.engine.effects import DriverError
from deployctl.engine.health import health
from deployctl.engine.outside import Outside
from deployctl.engine.reaches import Unread
from deployctl.engine.routers.base import RouterRef
from deployctl.queries.routers import RouterDue, routers_due
from deployctl.services import routers, watching
from deployctl.services.watching import Due, Seen
from deployctl.settings import Engine as Settings

log = structlog.get_logger()
#: A router that says nothing for so long is asked again at the next round.
READ_SECONDS = 5.0


class Watch:
    """Looks at targets and routers for one worker."""

    def __init__(self, outside: Outside, settings: Settings, asked: Asked) -> None:
        self._outside = outside
        self._settings = settings
        self._asked = asked
        self._under_way: set[asyncio.Task[None]] = set()
        self._seen: list[Seen] = []
        self._kinds = [kind for kind in drivers.kinds() if may_look(kind)]

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        try:
            while True:
                await self.round()
                await asyncio.sleep(self._settings.watch_seconds)
        finally:
            for task in self._under_way:
                task.cancel()

    async def round(self) -> None:
        """Keep what was seen since the last round, and set out to look at what is due.

        A target that does not answer holds up nobody but itself.
        """
        await self._keep()
        free = self._settings.looks - len(self._under_way)
        settings = self._settings
        due = await self._asked(
            lambda: watching.due(self._kinds, free, settings.look_seconds)
        )
        for each in due or ():
            self._begin(self._look(each))
        for router in await self._asked(lambda: routers_due(READ_SECONDS)) or ():
            self._begin(self._read(router))

    async def settled(self) -> None:
        """Wait until nothing is under way, and keep what was seen."""
        while self._under_way:
            await asyncio.wait(self._under_way)
        await self._keep()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_attended(work))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _look(self, due: Due) -> None:
        self._seen.append(await looked(due, self._outside))

    async def _read(self, due: RouterDue) -> None:
        reach = await self._outside.reaches.of(due.environment_id)
        ref = RouterRef(str(due.id), due.name, due.slots, due.settings, reach)
        try:
            router = self._outside.routers.of(due.kind)
            async with asyncio.timeout(READ_SECONDS):
                reading = await router.read(ref, fence=None, seconds=READ_SECONDS)
        except (TimeoutError, DriverError, LookupError) as error:
            said = clean.line(reach.masked(str(error)))
            log.warning("router.unread", router=due.id, error=said)
            return
        await self._asked(lambda: routers.seen(due.id, reading.serving, due.asked_at))

    async def _keep(self) -> None:
        seen, self._seen = self._seen, []
        if not seen:
            return
        await self._asked(lambda: watching.keep(seen))
        # Whoever stands by is looked at as all others are, and matters all the same.
        doubtful = await self._asked(watching.doubtful) or ()
        details = {each.due.target_id: each.detail for each in seen if each.detail}
        for deployment_id in doubtful:
            await self._asked(partial(watching.regard, deployment_id, details))


def may_look(kind: str) -> bool:
    """Whether any process may look at targets of a kind, and sees the same."""
    can = drivers.get(kind).abilities
    return can.probes and can.common


async def looked(due: Due, outside: Outside) -> Seen:
    """Look at one target, and return what was seen.

    Raises:
        Unread: nobody knows what may be used for it; nothing was sent.
    """
    reach = await outside.reaches.of(due.environment_id)
    target = TargetRef(str(due.target_id), due.name, due.address, due.settings, reach)
    driver, seconds = outside.drivers.of(due.driver), due.timeout_seconds
    try:
        async with asyncio.timeout(seconds):
            probe = await health(driver, target, outside.checks, seconds=seconds)
    except TimeoutError:
        return Seen(due, False, None, f"no answer within {seconds:.3g} s")
    except DriverError as error:
        return Seen(due, False, None, clean.line(reach.masked(str(error))))
    version = probe.version or None
    as_wanted = due.version is None or version == due.version
    if version and version != due.version:
        version = clean.line(reach.masked(version), limit=128)
    detail = clean.line(reach.masked(probe.detail))
    if not as_wanted:
        found = version or "an unknown version"
        detail = f"is at {found}, not at {due.version}. {detail}".strip()
    return Seen(due, probe.healthy and as_wanted, version, detail)


async def _attended(work: Coroutine[Any, Any, None]) -> None:
    """Look at one; where nobody knows what may be used, nothing is sent or seen."""
    try:
        await work
    except Unread as error:
        log.warning("reach.unread", error=str(error))
