"""Connections that are kept between commands: at most one for each equal host.

It decides what is certain about a command that was not seen to end, and how many
connections stay open for how long; it knows no target.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncssh

from deployctl.engine.reach import Reach, Refused, no_secret
from deployctl.engine.ssh.hosts import Host
from deployctl.engine.ssh.opening import Lost, opened
from deployctl.engine.ssh.sessions import WINDOW_BYTES, Ended, Session

#: So many are kept, each a few hundred KB; beyond it the longest idle one goes.
MOST_KEPT = 1000
#: An idle one is closed after this: longer than from one batch to the next.
IDLE_SECONDS = 900.0
#: Commands at once on one connection; sshd's own limit is 10 unless it is told more.
MOST_SESSIONS = 8
#: A kept connection that opens no channel within this is taken for dead.
DEAD_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Way:
    """A host and what proves us to it: who has another secret shares nothing."""

    host: Host
    secret: str = field(repr=False)


class _Connection:
    """One open connection, and how many use it."""

    def __init__(self, inner: asyncssh.SSHClientConnection) -> None:
        self.inner = inner
        self.room = asyncio.Semaphore(MOST_SESSIONS)
        self.users = 0
        #: Whether a command has run on it; until then a failure is the host's word.
        self.proven = False
        self.retired = False
        self.idle: asyncio.TimerHandle | None = None


class Connections:
    """Runs commands on hosts, on the running event loop; made and closed there."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        # In the order in which they became idle.
        self._kept: dict[_Way, _Connection] = {}
        self._opening: dict[_Way, asyncio.Task[_Connection]] = {}

    async def run(
        self, host: Host, command: str, line: bytes, *, reach: Reach, seconds: float
    ) -> Ended:
        """Run a command with a line as input; within `seconds`, connecting included.

        A command that is overdue, or whose caller is cancelled, sees its input end.

        Raises:
            Lost: its end was not seen; `sent` is exact about what can have reached it.
        """
        way, session, overdue = _way(host, reach), Session(line), False
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                while not await self._ran(way, command, session, reach):
                    pass
        except TimeoutError:
            overdue = True
        finally:
            session.close()
        ended = session.ended()
        if ended is not None:
            return ended
        if overdue:
            raise Lost(f"no end within {seconds:.3g} s", sent=session.sent)
        text = "the connection was cut before the end of the command was seen"
        raise Lost(text, sent=True)

    async def close(self) -> None:
        """Close every connection; what runs on one is lost."""
        tasks = list(self._opening.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        kept = list(self._kept.items())
        for way, connection in kept:
            self._retire(way, connection)
            connection.inner.abort()
        await asyncio.gather(*(each.inner.wait_closed() for _, each in kept))

    async def _ran(
        self, way: _Way, command: str, session: Session, reach: Reach
    ) -> bool:
        """Run to its end; False when a kept connection was dead and nothing sent."""
        async with self._used(way, reach) as connection:
            kept = connection.proven
            try:
                async with asyncio.timeout(DEAD_SECONDS if kept else None) as patience:
                    session.when_open = lambda: patience.reschedule(None)
                    await connection.inner.create_session(
                        lambda: session,
                        command,
                        env=None,
                        send_env=None,
                        request_pty=False,
                        encoding=None,
                        window=WINDOW_BYTES,
                    )
            except (OSError, asyncssh.Error) as error:
                if session.sent:
                    raise Lost(str(error), sent=True) from None
                self._retire(way, connection)
                if kept:
                    return False
                raise Lost(_no_channel(error), sent=False) from None
            except asyncio.CancelledError:
                # A channel that is half open would count against the host's limit.
                if not session.sent:
                    self._retire(way, connection)
                raise
            connection.proven = True
            await session.over
        return True

    @asynccontextmanager
    async def _used(self, way: _Way, reach: Reach) -> AsyncIterator[_Connection]:
        connection = await self._connection(way, reach)
        _check(connection, reach)
        connection.users += 1
        if connection.idle is not None:
            connection.idle.cancel()
            connection.idle = None
        try:
            async with connection.room:
                yield connection
        finally:
            connection.users -= 1
            if not connection.users:
                self._put_by(way, connection)

    async def _connection(self, way: _Way, reach: Reach) -> _Connection:
        kept = self._kept.get(way)
        if kept is not None:
            if not kept.inner.is_closed():
                return kept
            self._retire(way, kept)
        task = self._opening.get(way)
        if task is None:
            task = self._loop.create_task(self._opened(way, reach))
            self._opening[way] = task
            task.add_done_callback(lambda done: self._no_more_opening(way, done))
        # Who gives up leaves the others waiting for the same one.
        return await asyncio.shield(task)

    async def _opened(self, way: _Way, reach: Reach) -> _Connection:
        connection = _Connection(await opened(way.host, way.secret, reach))
        idle = (item for item in self._kept.items() if not item[1].users)
        if len(self._kept) >= MOST_KEPT and (oldest := next(idle, None)):
            self._retire(*oldest)
        self._put_by(way, connection)
        return connection

    def _no_more_opening(self, way: _Way, task: asyncio.Task[_Connection]) -> None:
        del self._opening[way]
        if not task.cancelled():
            task.exception()  # Who asked for it may have gone.

    def _put_by(self, way: _Way, connection: _Connection) -> None:
        """Keep one that nobody uses, as the last one to go."""
        if connection.retired:
            connection.inner.close()
            return
        self._kept.pop(way, None)
        self._kept[way] = connection
        connection.idle = self._loop.call_later(
            IDLE_SECONDS, self._retire, way, connection
        )

    def _retire(self, way: _Way, connection: _Connection) -> None:
        """Give it to nobody any more, and close it when its last user has gone."""
        if connection.retired:
            return
        connection.retired = True
        del self._kept[way]
        if connection.idle is not None:
            connection.idle.cancel()
        if not connection.users:
            connection.inner.close()


def _way(host: Host, reach: Reach) -> _Way:
    name = host.password or host.key
    secret = reach.secret(name)
    if secret is None:
        raise Lost(no_secret(name), sent=False)
    return _Way(host, secret)


def _check(connection: _Connection, reach: Reach) -> None:
    """Refuse a connection that another environment, or an earlier right, has opened."""
    try:
        reach.check(str(connection.inner.get_extra_info("peername")[0]))
    except Refused as error:
        raise Lost(str(error), sent=False) from None


def _no_channel(error: Exception) -> str:
    return f"the host let us in, and runs nothing: {error}"
