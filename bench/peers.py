"""What the same work costs without us: bare pools, bare SQL; knows no deployment."""

from __future__ import annotations

import asyncio
import json
import shlex
import time
from collections.abc import Awaitable, Callable

import aiohttp
import asyncssh
import psycopg

from bench.sshd import Hosts


def sleeping(count: int, at_once: int, seconds: float) -> float:
    """Return the wall seconds of a bare asyncio pool that only waits."""

    async def effect(_: int) -> None:
        await asyncio.sleep(seconds)

    return asyncio.run(_pool(count, at_once, effect))


def posting(addresses: list[str], at_once: int, fence: int, *, looks: bool) -> float:
    """Return the wall seconds of a bare aiohttp pool over agents.

    Args:
        looks: ask for the state before and after each apply, as deployctl does.
    """

    async def run() -> float:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def effect(index: int) -> None:
                address = addresses[index]
                body = {"version": str(fence), "fence": fence, "seconds": 30.0}
                if looks:
                    query = {"fence": str(fence), "seconds": "10"}
                    async with session.get(f"{address}/v1/state", params=query) as got:
                        await got.read()
                async with session.post(f"{address}/v1/apply", json=body) as got:
                    assert (await got.json(content_type=None))["ok"]
                if looks:
                    async with session.get(f"{address}/v1/state") as got:
                        assert (await got.json(content_type=None))["healthy"]

            return await _pool(len(addresses), at_once, effect)

    return asyncio.run(run())


def commanding(hosts: Hosts, at_once: int, fence: int) -> float:
    """Return the wall seconds of a bare asyncssh pool over new connections.

    It runs what deployctl runs on each host: a probe, an apply, a probe.
    """
    known = (
        asyncssh.import_public_key(hosts.host_key),
        asyncssh.import_private_key(hosts.key),
    )
    apply = {"do": "apply", "version": str(fence), "fence": fence, "seconds": 30}
    requests = [{"do": "probe", "seconds": 10}, apply, {"do": "probe", "seconds": 10}]

    async def run() -> float:
        kept = []

        async def effect(number: int) -> None:
            connection = await asyncssh.connect(
                hosts.addresses[number],
                hosts.port,
                username=hosts.user,
                known_hosts=([known[0]], [], []),
                client_keys=[known[1]],
                agent_path=None,
                config=None,
            )
            kept.append(connection)
            for request in requests:
                line = json.dumps(request, separators=(",", ":")) + "\n"
                command = shlex.join(hosts.command(number, "peer"))
                done = await connection.run(command, input=line, check=True)
                answer = json.loads(str(done.stdout))
                assert answer.get("ok", answer.get("healthy")), answer

        wall = await _pool(len(hosts.addresses), at_once, effect)
        for connection in kept:
            connection.close()
        await asyncio.gather(*(each.wait_closed() for each in kept))
        return wall

    return asyncio.run(run())


async def _pool(
    count: int, at_once: int, effect: Callable[[int], Awaitable[None]]
) -> float:
    waiting = iter(range(count))

    async def take() -> None:
        for index in waiting:
            await effect(index)

    began = time.perf_counter()
    await asyncio.gather(*(take() for _ in range(at_once)))
    return time.perf_counter() - began


class BareSql:
    """The least that a durable intent and result cost here: one row's two updates.

    Groups as large as the concurrency; per group one transaction with a result, the
    next intent, one event and one NOTIFY. No lock, no rules, no targets' rows.
    """

    def __init__(self, owner_url: str, count: int) -> None:
        self._connection = psycopg.connect(owner_url)
        self._connection.execute(
            "CREATE TABLE bench_bare (id int PRIMARY KEY, state text, fence int)"
            " WITH (fillfactor = 50)"
        )
        self._connection.execute(
            "CREATE TABLE bench_events (seq int PRIMARY KEY, payload jsonb)"
        )
        self._connection.execute(
            "INSERT INTO bench_bare SELECT i, 'pending', 0 FROM"
            " generate_series(0, %s) i",
            [count - 1],
        )
        self._connection.commit()
        self._count, self._seq = count, 0

    def run(self, at_once: int) -> float:
        """Return the wall seconds for all rows."""
        update = (
            "UPDATE bench_bare b SET state = %s, fence = b.fence + 1"
            " FROM unnest(%s::int[]) AS c(id) WHERE b.id = c.id RETURNING b.id"
        )
        began = time.perf_counter()
        done: list[int] = []
        for start in range(0, self._count + at_once, at_once):
            ids = list(range(start, min(start + at_once, self._count)))
            for state, group in (("succeeded", done), ("running", ids)):
                if group:
                    self._connection.execute(update, [state, group]).fetchall()
            self._seq += 1
            self._connection.execute(
                "INSERT INTO bench_events VALUES (%s, to_jsonb(%s::int[]))",
                [self._seq, [*done, *ids]],
            )
            self._connection.execute("SELECT pg_notify('bench', %s)", [str(self._seq)])
            self._connection.commit()
            done = ids
        return time.perf_counter() - began

    def close(self) -> None:
        """Drop what was made."""
        self._connection.execute("DROP TABLE bench_bare, bench_events")
        self._connection.commit()
        self._connection.close()
