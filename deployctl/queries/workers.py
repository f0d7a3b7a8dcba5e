"""Which workers are there, when they last beat, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection


@dataclass(frozen=True)
class Pulse:
    """How many workers beat now, and when any last did; None if none ever."""

    beating: int
    last_beat_at: datetime | None


def pulse() -> Pulse:
    """Return whether anybody is there to do work."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*) FILTER (WHERE left_at IS NULL
                 AND beat_at > clock_timestamp() - make_interval(secs => %s)),
               max(beat_at) FROM deployctl_worker""",
            [settings.ENGINE.dead_after_seconds],
        )
        return Pulse(*cursor.fetchone())


def unserved(deployment_id: int) -> list[tuple[str, int]]:
    """Return (kind, how many operations) that wait and that no beating worker can do.

    Nothing while no worker beats at all: then that is what keeps them.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH alive AS (
                SELECT kinds FROM deployctl_worker WHERE left_at IS NULL
                   AND beat_at > clock_timestamp() - make_interval(secs => %s))
            SELECT t.driver, count(*) FROM deployctl_operation o
              JOIN deployctl_target t ON t.id = o.target_id
             WHERE o.deployment_id = %s AND o.claimed_by_id IS NULL
               AND o.state IN ('pending', 'unknown', 'verifying')
               AND EXISTS (SELECT 1 FROM alive)
               AND NOT EXISTS (SELECT 1 FROM alive
                                WHERE kinds IS NULL OR kinds ? t.driver)
             GROUP BY 1 ORDER BY 1
            """,
            [settings.ENGINE.dead_after_seconds, deployment_id],
        )
        return list(cursor.fetchall())


def workers(deployment_id: int | None = None) -> list[dict[str, Any]]:
    """Return {name, open, beat_at, state} of those that beat or hold something.

    Args:
        deployment_id: count what is open in this one alone.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH w AS (
                SELECT w.id, w.host, w.pid, w.beat_at, w.left_at IS NULL
                       AND w.beat_at > clock_timestamp() - make_interval(secs => %s)
                       AS alive, count(o.id) AS open
                  FROM deployctl_worker w LEFT JOIN deployctl_operation o
                    ON o.claimed_by_id = w.id AND (%s::bigint IS NULL
                       OR o.deployment_id = %s)
                   AND o.state IN ('running', 'verifying', 'unknown')
                 WHERE w.beat_at > clock_timestamp() - interval '1 day'
                 GROUP BY w.id)
            SELECT host, pid, open, beat_at, alive FROM w WHERE alive OR open > 0
             ORDER BY id LIMIT 50
            """,
            [settings.ENGINE.dead_after_seconds, deployment_id, deployment_id],
        )
        return [
            {
                "name": f"{host}:{pid}",
                "open": count,
                "beat_at": beat_at,
                "state": "" if alive else "unknown",
            }
            for host, pid, count, beat_at, alive in cursor.fetchall()
        ]
