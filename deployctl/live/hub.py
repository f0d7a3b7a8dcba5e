"""The hub: reads what happened once, and hands the same text to every viewer.

One for each web process. It knows no person and no protocol, and never waits for a
viewer. The bell only says when to read; reading every few seconds goes on always,
since a broken connection is silent, not missing.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.conf import settings
from django.db import connections

from deployctl import doorbell, frames
from deployctl.live.pace import Pace

T = TypeVar("T")
log = logging.getLogger(__name__)
RESYNC = json.dumps({"kind": "resync"})


class Viewer:
    """One socket's mailbox: bounded, and filled without waiting.

    Attributes:
        seq: the last event whose frame was put in; -1 when it must begin anew.
        steady: it was given every frame since, so that differences are enough.
    """

    def __init__(self, deployment_id: int, user_id: int, seq: int, most: int) -> None:
        self.deployment_id = deployment_id
        self.user_id = user_id
        self.seq = seq
        self.steady = False
        self._most = most
        self._texts: deque[str] = deque()
        self._filled = asyncio.Event()

    def put(self, text: str) -> None:
        """Put a text in; over the bound, all of them become one resync."""
        if len(self._texts) >= self._most:
            self._texts.clear()
            self.steady = False
            text = RESYNC
        self._texts.append(text)
        self._filled.set()

    async def take(self) -> str:
        """Return the oldest text; wait for one."""
        while not self._texts:
            self._filled.clear()
            await self._filled.wait()
        return self._texts.popleft()


class Watch:
    """One watched deployment: its viewers, and what the steady ones have."""

    def __init__(self, deployment_id: int) -> None:
        self.deployment_id = deployment_id
        self.viewers: set[Viewer] = set()
        self.wake = asyncio.Event()
        self.seq = -1
        self.html: dict[str, str] = {}

    def hand_out(self, seen: frames.Look, viewers: set[Viewer]) -> None:
        """Bring these viewers to what was seen: one text for the steady ones.

        Those who came meanwhile share a second one, from the furthest behind of them.
        """
        steady = {v for v in viewers if v.steady and v.seq == self.seq}
        late = {v for v in viewers - steady if seen.reaches(v.seq)}
        for viewer in viewers - steady - late:
            viewer.put(RESYNC)
            viewer.seq = seen.seq
        self._hand(seen, steady, self.html)
        self._hand(seen, late, {})
        if seen.html:
            self.html = dict(seen.html)
        self.seq = seen.seq

    def beat(self, units: dict[str, str]) -> None:
        """Say to every viewer how far this is, with the units that go on changing.

        They are known from now on, as those of a frame are: a viewer that misses this
        begins anew.
        """
        text = json.dumps({"kind": "hb", "seq": self.seq, "html": units})
        self.html.update(units)
        for viewer in self.viewers:
            viewer.put(text)

    def _hand(
        self, seen: frames.Look, viewers: set[Viewer], known: dict[str, str]
    ) -> None:
        behind = {viewer for viewer in viewers if viewer.seq < seen.seq}
        if not behind:
            return
        frame = seen.frame(min(viewer.seq for viewer in behind), known)
        text = json.dumps(frame, separators=(",", ":"))
        for viewer in behind:
            viewer.steady, viewer.seq = True, seen.seq
            viewer.put(text)


class Hub:
    """Starts with its first viewer, ends with its last, and may start again.

    Attributes:
        looks: how often it has read a deployment, for tests and curious people.
    """

    def __init__(self, pace: Pace | None = None, bell: str | None = None) -> None:
        self.pace = pace or Pace()
        self.looks = 0
        self._bell = bell
        self._watches: dict[int, Watch] = {}
        self._of_user: Counter[int] = Counter()
        self._tasks: dict[int | str, asyncio.Task[None]] = {}
        self._readers = ThreadPoolExecutor(self.pace.readers, "live")

    # -- viewers ----------------------------------------------------------------

    def join(self, deployment_id: int, user_id: int, seq: int) -> Viewer | None:
        """Return a new viewer of a deployment; None when this person has too many."""
        if self._of_user[user_id] >= self.pace.sockets_per_user:
            return None
        self._of_user[user_id] += 1
        viewer = Viewer(deployment_id, user_id, seq, self.pace.waiting_frames)
        watch = self._watches.setdefault(deployment_id, Watch(deployment_id))
        watch.viewers.add(viewer)
        watch.wake.set()
        self._start("ear", self._listen)
        self._start("heart", self._beat)
        self._start(deployment_id, lambda: self._follow(watch))
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer; the last one ends the watch, and the last watch the hub."""
        self._of_user[viewer.user_id] -= 1
        watch = self._watches[viewer.deployment_id]
        watch.viewers.discard(viewer)
        if watch.viewers:
            return
        del self._watches[viewer.deployment_id]
        self._tasks.pop(viewer.deployment_id).cancel()
        if not self._watches:
            self._of_user.clear()
            for task in self._tasks.values():
                task.cancel()
            self._tasks.clear()

    async def close(self) -> None:
        """End whatever still runs, viewers or not; the hub is of no use afterwards."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._readers.shutdown(wait=True)

    @property
    def viewers(self) -> int:
        """How many viewers there are, of all deployments."""
        return sum(len(watch.viewers) for watch in self._watches.values())

    async def read(self, work: Callable[[], T]) -> T:
        """Run a read in one of the hub's threads, on a connection of its own."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, _with_connection, work)

    # -- its tasks ----------------------------------------------------------------

    def _start(
        self, name: int | str, work: Callable[[], Coroutine[None, None, None]]
    ) -> None:
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(work(), name=f"live-{name}")

    async def _listen(self) -> None:
        """Wake the watch that the bell is about; all of them when it is new."""
        bell = settings.DATABASE_LISTEN_URL if self._bell is None else self._bell
        async for heard in doorbell.listen(bell):
            for watch in self._watches.values():
                if heard is None or heard.deployment_id == watch.deployment_id:
                    watch.wake.set()

    async def _beat(self) -> None:
        """Say to every viewer that the line is alive, and what goes on meanwhile."""
        while True:
            await asyncio.sleep(self.pace.heartbeat_seconds)
            await asyncio.gather(*map(self._pulse, self._watches.values()))

    async def _pulse(self, watch: Watch) -> None:
        seq, units = watch.seq, {}
        try:
            async with asyncio.timeout(self.pace.poll_seconds):
                units = await self.read(lambda: frames.pulse(watch.deployment_id))
        except Exception:
            # The line is alive, whatever the database says; the next beat asks again.
            log.exception("beats of deployment %s were not read", watch.deployment_id)
        # What was read before the last frame must not come after it.
        watch.beat(units if watch.seq == seq else {})

    async def _follow(self, watch: Watch) -> None:
        """Read one deployment when woken, and at the latest when it is time."""
        while True:
            try:
                async with asyncio.timeout(self.pace.poll_seconds):
                    await watch.wake.wait()
            except TimeoutError:
                pass
            watch.wake.clear()
            try:
                await self._look(watch)
            except Exception:
                # The database is away, or has what this version cannot read: the
                # viewers' pages say how old they are, and the next round tries again.
                log.exception("deployment %s could not be read", watch.deployment_id)
                await asyncio.sleep(self.pace.poll_seconds)
            await asyncio.sleep(self.pace.tick(self.viewers))

    async def _look(self, watch: Watch) -> None:
        viewers = set(watch.viewers)
        seqs = {viewer.seq for viewer in viewers}
        self.looks += 1
        seen = await self.read(lambda: frames.look(watch.deployment_id, seqs))
        watch.hand_out(seen, viewers & watch.viewers)


def _with_connection(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        # Back to the pool where there is one; and never a broken one kept.
        connections.close_all()
