"""Worker rows: arrival, beats and leaving."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from deployctl.models import Worker


def arrive(
    host: str, pid: int, version: str, kinds: Sequence[str] | None = None
) -> int:
    """Enter a worker process that has just started, and return its id.

    Args:
        host: where it runs.
        pid: its process there.
        version: of the product.
        kinds: the kinds of targets that it can reach; None if it does not say.
    """
    said = None if kinds is None else list(kinds)
    made = Worker.objects.create(host=host, pid=pid, version=version, kinds=said)
    return int(made.pk)


def beat(worker_id: int) -> None:
    """Say that a worker is alive, in database time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE deployctl_worker SET beat_at = clock_timestamp() WHERE id = %s",
            [worker_id],
        )


def leave(worker_id: int) -> None:
    """Say that a worker stops by itself, so that others take over at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE deployctl_worker SET left_at = clock_timestamp() WHERE id = %s",
            [worker_id],
        )
