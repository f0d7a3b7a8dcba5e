"""A worker's sign of life, on a thread and a connection of its own.

It says that this process is alive, and tells it when it may no longer believe so; it
knows no operations.
"""

from __future__ import annotations

import threading
import time

import structlog
from django.db import connection

from deployctl.services import workers

log = structlog.get_logger()


def boottime() -> float:
    """Return seconds that go on while the machine sleeps and the process is stopped."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Beats:
    """Beats every `beat_seconds` until stopped.

    `trusted` is false once the last acknowledged beat is older than `trust_seconds`,
    counted from before it was asked: then others may hold us for dead, and no effect
    may start.
    """

    def __init__(
        self, worker_id: int, *, beat_seconds: float, trust_seconds: float
    ) -> None:
        self._worker_id = worker_id
        self._beat_seconds = beat_seconds
        self._trust_seconds = trust_seconds
        self._acknowledged_at = boottime()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beats", daemon=True)

    @property
    def trusted(self) -> bool:
        """Whether this worker may still start effects."""
        return boottime() - self._acknowledged_at < self._trust_seconds

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more; returns when the thread has ended."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            asked_at = boottime()
            try:
                workers.beat(self._worker_id)
                self._acknowledged_at = asked_at
            except Exception as error:
                # Whatever it is: a worker without beats is dead to all others.
                log.warning("beat.failed", error=str(error))
                connection.close()
            self._stopped.wait(self._beat_seconds)
        connection.close()
