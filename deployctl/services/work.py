"""The operations of a plan and of its return, as they are first written.

As in `operations`, the caller holds the deployment's lock and nothing is decided here.
"""

from __future__ import annotations

from typing import NamedTuple

from deployctl.services.sql import sql


def hold_targets(target_ids: list[int]) -> None:
    """Keep others from changing how these targets are reached, until the commit.

    Claims and reports of others go on: they change nothing that a key depends on.
    """
    with sql() as cursor:
        cursor.execute(
            """SELECT 1 FROM deployctl_target WHERE id = ANY(%s) ORDER BY id
                 FOR KEY SHARE""",
            [target_ids],
        )


class Planned(NamedTuple):
    """A forward operation as it is first written."""

    position: int
    target_id: int
    from_version: str | None
    to_version: str
    step: int
    batch: int
    kind: str


def plan_forward(deployment_id: int, rows: list[Planned]) -> None:
    """Write the forward operations of a deployment on its targets."""
    columns = list(zip(*rows, strict=True)) or [()] * len(Planned._fields)
    with sql() as cursor:
        cursor.execute(
            """
            INSERT INTO deployctl_operation
                (deployment_id, kind, target_id, direction, position, step, batch,
                 state, attempt, fence, was_available, from_version, to_version,
                 error, output)
            SELECT %s, p.kind, p.target, 'forward', p.position, p.step, p.batch,
                   'pending', 0, 0, true, p.from_version, p.to_version, '', ''
              FROM unnest(%s::int[], %s::bigint[], %s::text[], %s::text[], %s::int[],
                          %s::int[], %s::text[])
                   AS p(position, target, from_version, to_version, step, batch, kind)
            """,
            [deployment_id, *(list(column) for column in columns)],
        )


def write_return(deployment_id: int) -> list[tuple[int, int, str | None, bool]]:
    """Write the return of every operation ever claimed whose release was not recorded.

    Returns:
        (position, target id, version to go back to, target available), by position.
    """
    with sql() as cursor:
        cursor.execute(
            """
            WITH written AS (
                INSERT INTO deployctl_operation
                    (deployment_id, kind, target_id, direction, position, step, batch,
                     state, attempt, fence, was_available, from_version, to_version,
                     error, output)
                SELECT deployment_id, 'restore', target_id, 'return', position, step,
                       batch, 'pending', 0, 0, true, to_version, from_version, '', ''
                  FROM deployctl_operation
                 WHERE deployment_id = %s AND direction = 'forward' AND kind = 'deploy'
                   AND attempt > 0 AND state <> 'skipped'
                RETURNING position, target_id, to_version
            )
            SELECT w.position, w.target_id, w.to_version, t.health <> 'unhealthy'
              FROM written w JOIN deployctl_target t ON t.id = w.target_id
             ORDER BY w.position
            """,
            [deployment_id],
        )
        return cursor.fetchall()
