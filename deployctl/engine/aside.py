"""Database work beside the event loop: one thread, and so one connection, for each job.

Django's connection belongs to its thread. It knows no query, and repeats none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import structlog
from django.db import Error, connection

log = structlog.get_logger()
T = TypeVar("T")


class Asked(Protocol):
    """Runs a query or a service beside the loop; None if the database is away."""

    def __call__(self, query: Callable[[], Any], /) -> Awaitable[Any]:
        """Run it."""


class Aside:
    """A thread of its own; what is given to it is done in turn."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def done(self, query: Callable[[], T]) -> T:
        """Run a query; what it raises comes out."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, _guarded, query)

    async def asked(self, query: Callable[[], T]) -> T | None:
        """Run a query; None if the database is away."""
        try:
            return await self.done(query)
        except Error as error:
            log.warning("query.failed", error=str(error).strip())
            return None


def _guarded(query: Callable[[], T]) -> T:
    """Run on this thread's connection; drop the connection on any error."""
    try:
        return query()
    except Error:
        connection.close()
        raise
