"""What workers read to find their work: live, due and held; nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from deployctl.models import Deployment, Environment
from deployctl.models.deployments import LIVE_STATES


@dataclass(frozen=True)
class HeldOperation:
    """An open operation that a worker holds, according to the database."""

    id: int
    deployment_id: int
    fence: int
    state: str


@dataclass(frozen=True)
class Surroundings:
    """An environment as workers need it."""

    id: int
    allowed_addresses: list[str]


def surroundings() -> list[Surroundings]:
    """Return all environments."""
    found = Environment.objects.order_by("pk").values_list("pk", "allowed_addresses")
    return [Surroundings(*row) for row in found]


def live_deployments() -> list[int]:
    """Return the ids of all live deployments."""
    live = Deployment.objects.filter(state__in=LIVE_STATES)
    return list(live.order_by("id").values_list("id", flat=True))


def due_deployments(dead_seconds: float) -> list[int]:
    """Return live deployments with a timer that is due or an operation to take over.

    Those whose row is locked now are being looked at, and are left out.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT d.id FROM deployctl_deployment d
             WHERE d.state IN ('in_progress', 'paused', 'rolling_back')
               AND (d.due_at <= clock_timestamp()
                OR EXISTS (
                    SELECT 1 FROM deployctl_operation o
                      LEFT JOIN deployctl_worker w ON w.id = o.claimed_by_id
                     WHERE o.deployment_id = d.id
                       AND o.state IN ('running', 'verifying', 'unknown')
                       AND (o.claimed_by_id IS NULL OR w.left_at IS NOT NULL
                            OR w.beat_at < clock_timestamp()
                                           - make_interval(secs => %s)
                            OR (o.state = 'running'
                                AND o.apply_by < clock_timestamp()))))
             ORDER BY d.id FOR NO KEY UPDATE OF d SKIP LOCKED
            """,
            [dead_seconds],
        )
        return [row[0] for row in cursor.fetchall()]


def held_by(worker_id: int) -> list[HeldOperation]:
    """Return the open operations that this worker holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id, deployment_id, fence, state FROM deployctl_operation
                WHERE claimed_by_id = %s
                  AND state IN ('running', 'verifying', 'unknown') ORDER BY id""",
            [worker_id],
        )
        return [HeldOperation(*row) for row in cursor.fetchall()]
