"""The doorbell: "deployment N is now at seq S", rung and heard over PostgreSQL.

Some rings call workers: there may be something to do that nobody has taken. All others
are for pages alone.

It carries ids only and no authority: what it says is a reason to read, never a truth,
and everything must work, only slower, when it is silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import psycopg
from django.db import connection

CHANNEL = "deployctl_bell"
#: Rung in place of a deployment's id, which is never 0: what an environment may reach
#: has changed, its secrets or its addresses.
REACH = 0
_CALLS = "calls"
#: A listener that lost its connection tries again after this, in seconds.
RECONNECT_SECONDS = 1.0


class Ring(NamedTuple):
    """What a ring says."""

    deployment_id: int
    seq: int
    #: Whether workers should look, too.
    calls: bool


def ring(deployment_id: int, seq: int, *, calls: bool = True) -> None:
    """Ring inside the caller's transaction; it is heard when that commits."""
    text = f"{deployment_id}:{seq}" + (f":{_CALLS}" if calls else "")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, text])


def ring_reach() -> None:
    """Ring, as `ring`, for workers: what they know of secrets and addresses is old."""
    ring(REACH, 0)


async def listen(conninfo: str) -> AsyncIterator[Ring | None]:
    """Yield each ring, for ever.

    Yields None whenever the connection is new: what was rung before may have been
    missed, and the listener should look at everything once.
    """
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                conninfo, autocommit=True
            ) as listener:
                await listener.execute(f"LISTEN {CHANNEL}")
                yield None
                async for heard in listener.notifies():
                    yield _read(heard.payload)
        except psycopg.Error:
            await asyncio.sleep(RECONNECT_SECONDS)


def _read(payload: str) -> Ring | None:
    deployment, seq, calls = (*payload.split(":"), "", "")[:3]
    if not (deployment.isdigit() and seq.isdigit()):
        return None
    return Ring(int(deployment), int(seq), calls == _CALLS)
