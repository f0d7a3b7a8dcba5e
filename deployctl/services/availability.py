"""How many targets are available, and what counts as that: for the floor and its room.

As in `operations`, the caller holds the deployment's lock and nothing is decided here.
"""

from __future__ import annotations

from deployctl.services.operations import OPEN_STATES
from deployctl.services.sql import sql


def count_pending(deployment_id: int, start: int, stop: int) -> tuple[int, int]:
    """Return how many are pending in a range, and on unavailable targets."""
    with sql() as cursor:
        cursor.execute(
            """
            SELECT count(*), count(*) FILTER (WHERE t.health = 'unhealthy')
              FROM deployctl_operation o JOIN deployctl_target t ON t.id = o.target_id
             WHERE o.deployment_id = %s AND o.direction = 'forward'
               AND o.state = 'pending' AND o.position >= %s AND o.position < %s
            """,
            [deployment_id, start, stop],
        )
        for pending, unavailable in cursor:
            return pending, unavailable
    raise AssertionError("an aggregate has one row")


def count_available(deployment_id: int, target_ids: list[int]) -> tuple[int, int]:
    """Return how many of these targets are available, and how many that wait to be
    taken back are not."""
    with sql() as cursor:
        cursor.execute(
            f"""
            SELECT (SELECT count(*) FROM deployctl_target t
                     WHERE t.id = ANY(%s) AND t.removed_at IS NULL
                       AND t.health <> 'unhealthy' AND NOT EXISTS (
                           SELECT 1 FROM deployctl_operation o
                            WHERE o.target_id = t.id AND o.state IN {OPEN_STATES})),
                   (SELECT count(*) FROM deployctl_operation o
                      JOIN deployctl_target t ON t.id = o.target_id
                     WHERE o.deployment_id = %s AND o.direction = 'return'
                       AND o.state = 'pending' AND t.health = 'unhealthy')
            """,
            [target_ids, deployment_id],
        )
        for available, unavailable in cursor:
            return available, unavailable
    raise AssertionError("an aggregate has one row")


def look_at_standby(target_ids: list[int], good: int, bad: int) -> None:
    """Let what was seen of targets that stand by count: nobody else changes these."""
    with sql() as cursor:
        cursor.execute(
            """
            UPDATE deployctl_target
               SET health = CASE WHEN looks >= %s THEN 'healthy' ELSE 'unhealthy' END
             WHERE id = ANY(%s) AND ((looks >= %s AND health = 'unhealthy')
                                  OR (looks <= -%s AND health <> 'unhealthy'))
            """,
            [good, target_ids, good, bad],
        )
