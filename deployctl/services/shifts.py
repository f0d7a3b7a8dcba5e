"""The set-based SQL on shifts and their routers, for the journal alone.

As in `operations` and `claims`, the caller holds the deployment's lock and nothing is
decided here. A deployment without a router never comes here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from deployctl.services.claims import STARTED, Claim, claimed_from
from deployctl.services.operations import (
    ABANDONED,
    OPEN_STATES,
    Change,
    Row,
    row_from,
)
from deployctl.services.sql import numbers, sql
from strategies.actions import Start
from strategies.steps import Shift

_ROW = """
    SELECT o.id, o.direction, o.position, o.step, o.state, o.attempt, o.fence,
           o.claimed_by_id, o.was_available, o.router_id, false
      FROM deployctl_operation o
     WHERE o.deployment_id = %s AND o.kind = 'shift' AND {} ORDER BY o.id
"""


def _rows(condition: str, parameters: Sequence[object]) -> list[Row]:
    with sql() as cursor:
        cursor.execute(_ROW.format(condition), parameters)
        return [row_from(found) for found in cursor.fetchall()]


def reported(deployment_id: int, ids: list[int], worker_id: int) -> list[Row]:
    """Return the shifts of these ids that this worker still holds."""
    return _rows(
        "o.id = ANY(%s::bigint[]) AND o.claimed_by_id = %s",
        [deployment_id, numbers(ids), worker_id],
    )


def in_state(deployment_id: int, direction: str, *states: str) -> list[Row]:
    """Return the shifts of one direction in any of these states."""
    return _rows(
        "o.direction = %s AND o.state = ANY(%s)",
        [deployment_id, direction, list(states)],
    )


def numbered(deployment_id: int, operation_id: int) -> list[Row]:
    """Return one shift by its id, as a list of at most one."""
    return _rows("o.id = %s", [deployment_id, operation_id])


def abandoned(
    deployment_id: int, now: datetime, dead_seconds: float, grace_seconds: float
) -> list[Row]:
    """Return open shifts whose worker is dead or gone, or which are overdue."""
    return _rows(ABANDONED, [deployment_id, now, dead_seconds, now, grace_seconds])


def plan_forward(
    deployment_id: int, router_id: int, shifts: Sequence[tuple[int, Shift]]
) -> None:
    """Write the forward shifts: (step, shift)."""
    with sql() as cursor:
        for step, shift in shifts:
            cursor.execute(
                """
                INSERT INTO deployctl_operation
                    (deployment_id, kind, router_id, direction, position, step, batch,
                     state, attempt, fence, was_available, from_version, to_version,
                     error, output)
                VALUES (%s, 'shift', %s, 'forward', %s, %s, 0, 'pending', 0, 0, false,
                        %s, %s, '', '')
                """,
                [
                    *(deployment_id, router_id, shift.start, step),
                    *(shift.from_slot, shift.to_slot),
                ],
            )


def write_return(deployment_id: int, *, evens: bool) -> int:
    """Write the way back of every shift ever claimed; return how many there are.

    With `evens` it is that of the first alone, from wherever traffic then is.
    """
    with sql() as cursor:
        cursor.execute(
            """
            INSERT INTO deployctl_operation
                (deployment_id, kind, router_id, direction, position, step, batch,
                 state, attempt, fence, was_available, from_version, to_version,
                 error, output)
            SELECT deployment_id, 'shift', router_id, 'return', position, step, batch,
                   'pending', 0, 0, false, CASE WHEN %s THEN NULL ELSE to_version END,
                   from_version, '', ''
              FROM deployctl_operation
             WHERE deployment_id = %s AND direction = 'forward' AND kind = 'shift'
               AND attempt > 0 AND state <> 'skipped'
             ORDER BY position LIMIT CASE WHEN %s THEN 1 END
            RETURNING position
            """,
            [evens, deployment_id, evens],
        )
        return len(cursor.fetchall())


def count_pending(deployment_id: int, start: int, stop: int) -> int:
    """Return how many forward shifts are pending in a range of positions."""
    found = in_state(deployment_id, "forward", "pending")
    return sum(start <= row.position < stop for row in found)


def pick(
    deployment_id: int,
    start: Start,
    now: datetime,
    fenced: Sequence[str],
    kinds: list[str] | None,
) -> list[int]:
    """Return the shift that may be claimed, as a list of at most one.

    Left out is a router that is being switched elsewhere, must stay quiet, or is of a
    kind that is not among these.
    """
    order = "DESC" if start.direction == "return" else "ASC"
    with sql() as cursor:
        cursor.execute(
            f"""
            SELECT o.id FROM deployctl_operation o
              JOIN deployctl_router r ON r.id = o.router_id
             WHERE o.deployment_id = %s AND o.direction = %s AND o.state = 'pending'
               AND o.position >= %s AND o.position < %s
               AND (r.quiet_at IS NULL OR r.quiet_at <= %s OR r.kind = ANY(%s))
               AND (%s::text[] IS NULL OR r.kind = ANY(%s))
               AND NOT EXISTS (SELECT 1 FROM deployctl_operation x
                                WHERE x.router_id = r.id AND x.state IN {OPEN_STATES})
             ORDER BY o.position {order} LIMIT 1
            """,
            [
                *(deployment_id, start.direction.value, start.start, start.stop),
                *(now, list(fenced), kinds, kinds),
            ],
        )
        return [row[0] for row in cursor.fetchall()]


def claim(
    ids: list[int], worker_id: int, now: datetime, apply_seconds: float
) -> list[Claim]:
    """Make these pending shifts running, each with its router's next fence."""
    return _taken(
        STARTED,
        [now, now, apply_seconds, worker_id],
        ids,
        now,
    )


def adopt(ids: list[int], worker_id: int, now: datetime) -> list[Claim]:
    """Take open shifts that nobody holds, each with its router's next fence."""
    return _taken("claimed_by_id = %s", [worker_id], ids, now)


def orphans(deployment_id: int, kinds: list[str] | None) -> list[int]:
    """Return the ids of open shifts on routers of these kinds that nobody holds."""
    found = _rows(
        f"""o.state IN {OPEN_STATES} AND o.claimed_by_id IS NULL
            AND (%s::text[] IS NULL OR EXISTS (
                 SELECT 1 FROM deployctl_router r
                  WHERE r.id = o.router_id AND r.kind = ANY(%s)))""",
        [deployment_id, kinds, kinds],
    )
    return [row.id for row in found]


def _taken(
    assignments: str, parameters: list[object], ids: list[int], now: datetime
) -> list[Claim]:
    given = numbers(ids)
    with sql() as cursor:
        cursor.execute(
            f"""
            WITH b AS (
                UPDATE deployctl_router r SET fence = r.fence + 1
                 WHERE r.id IN (SELECT router_id FROM deployctl_operation
                                 WHERE id = ANY(%s::bigint[]))
                RETURNING r.id, r.fence, r.kind, r.settings, r.slots,
                          r.quiet_at IS NULL OR r.quiet_at <= %s AS quiet
            )
            UPDATE deployctl_operation o SET fence = b.fence, {assignments}
              FROM b WHERE o.id = ANY(%s::bigint[]) AND o.router_id = b.id
            RETURNING o.id, o.deployment_id, o.direction, o.position, o.state,
                      o.attempt, o.fence, o.from_version, o.to_version,
                      false, b.id, 'router', '', b.kind, b.settings,
                      EXTRACT(EPOCH FROM o.apply_by - %s)::float8,
                      EXTRACT(EPOCH FROM o.verify_by - %s)::float8,
                      EXTRACT(EPOCH FROM o.settle_by - %s)::float8, b.quiet,
                      o.kind, b.slots
            """,
            [given, now, *parameters, given, now, now, now],
        )
        return [claimed_from(row) for row in cursor.fetchall()]


def write(
    changes: Sequence[tuple[Row, Change]],
    now: datetime,
    settle_by: datetime,
    verify_by: datetime,
) -> None:
    """Store new states of shifts, and what was read back of their routers."""
    with sql() as cursor:
        for _, c in changes:
            cursor.execute(
                """
                UPDATE deployctl_operation
                   SET state = %(state)s::text, attempt = %(attempt)s,
                       error = %(error)s, output = %(output)s,
                       claimed_by_id = CASE WHEN %(state)s::text = 'verifying'
                                            THEN claimed_by_id END,
                       settle_by = CASE WHEN %(state)s::text = 'unknown'
                                        THEN %(settle_by)s::timestamptz
                                        ELSE settle_by END,
                       verify_by = CASE WHEN %(state)s::text = 'verifying'
                                        THEN %(verify_by)s::timestamptz
                                        ELSE verify_by END,
                       ended_at = CASE WHEN %(state)s::text IN
                                            ('succeeded', 'failed', 'skipped')
                                       THEN %(now)s::timestamptz END
                 WHERE id = %(id)s
                """,
                {
                    "state": c.state.value,
                    "attempt": c.attempt,
                    "error": c.error,
                    "output": c.output,
                    "settle_by": settle_by,
                    "verify_by": verify_by,
                    "now": now,
                    "id": c.id,
                },
            )
            cursor.execute(
                """
                UPDATE deployctl_router r
                   SET serving = COALESCE(%s::text, r.serving),
                       observed_at = CASE WHEN %s::text IS NULL THEN r.observed_at
                                          ELSE %s::timestamptz END,
                       quiet_at = CASE WHEN %s::bool
                                       THEN GREATEST(r.quiet_at, o.apply_by)
                                       ELSE r.quiet_at END
                  FROM deployctl_operation o
                 WHERE o.id = %s AND r.id = o.router_id
                """,
                [c.observed, c.observed, now, c.quiet, c.id],
            )


def retain(router_id: int, slot: str, until: datetime) -> None:
    """Keep a slot as it is, so that traffic can return to it."""
    _retained(router_id, slot, until)


def release(router_id: int) -> None:
    """Let the retained slot go: traffic has returned to it, or nobody needs it."""
    _retained(router_id, None, None)


def _retained(router_id: int, slot: str | None, until: datetime | None) -> None:
    with sql() as cursor:
        cursor.execute(
            """UPDATE deployctl_router SET retained_slot = %s, retain_until = %s
                WHERE id = %s""",
            [slot, until, router_id],
        )


def retained_until(now: datetime, shift: Shift) -> datetime:
    """Return until when the slot that a shift left must stay as it is."""
    return now + timedelta(seconds=shift.retain_seconds)
