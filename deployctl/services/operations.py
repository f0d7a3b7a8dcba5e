"""The set-based SQL on operations and their targets, for the journal alone.

Every function here expects the deployment's row to be locked by the caller; none of
them decides anything: states come in as the core has chosen them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from deployctl.services.sql import flags, numbers, sql, texts
from strategies.states import Direction, OperationState

_DIRECTIONS = {each.value: each for each in Direction}
_STATES = {each.value: each for each in OperationState}
OPEN_STATES = "('running', 'verifying', 'unknown')"


#: Its worker is dead or gone, or it is overdue: now, dead seconds, now, grace seconds.
ABANDONED = f"""
    o.state IN {OPEN_STATES} AND o.claimed_by_id IS NOT NULL AND (
        EXISTS (SELECT 1 FROM deployctl_worker w WHERE w.id = o.claimed_by_id
            AND (w.left_at IS NOT NULL
                 OR w.beat_at < %s - make_interval(secs => %s)))
        OR (o.state = 'running' AND o.apply_by < %s - make_interval(secs => %s)))
"""


class Row(NamedTuple):
    """An operation as the journal needs it to settle, write off or take over."""

    id: int
    direction: Direction
    position: int
    step: int
    state: OperationState
    attempt: int
    fence: int
    claimed_by: int | None
    was_available: bool
    target_id: int
    target_available: bool


class Report(NamedTuple):
    """What a worker found out about one operation that it holds.

    `state` is the new one; RUNNING together with `drift` means: found at a third
    version, not changed yet. `observed` is the version seen, None if none was. With
    `let_go` nothing is reported but that this worker does not hold it. `available` is
    None when nothing was learnt of the target's health.
    """

    operation_id: int
    fence: int
    state: OperationState
    available: bool | None = False
    observed: str | None = None
    error: str = ""
    output: str = ""
    drift: bool = False
    let_go: bool = False


class Change(NamedTuple):
    """What settling writes into an operation and its target.

    The target's health is written only if something was `learnt` of it.
    """

    id: int
    target_id: int
    state: OperationState
    attempt: int
    available: bool
    learnt: bool = False
    error: str = ""
    output: str = ""
    observed: str | None = None
    recorded: bool = False
    quiet: bool = False


def unreported(
    row: Row,
    state: OperationState,
    *,
    error: str = "",
    quiet: bool = False,
    attempt: int | None = None,
) -> Change:
    """Return a change that is nobody's report: the target is as it was known to be."""
    return Change(
        id=row.id,
        target_id=row.target_id,
        state=state,
        attempt=row.attempt if attempt is None else attempt,
        available=row.target_available,
        error=error,
        quiet=quiet,
    )


_ROW = """
    SELECT o.id, o.direction, o.position, o.step, o.state, o.attempt, o.fence,
           o.claimed_by_id, o.was_available, o.target_id, t.health <> 'unhealthy'
      FROM deployctl_operation o JOIN deployctl_target t ON t.id = o.target_id
     WHERE {} AND {}
     ORDER BY o.id
"""
_OF_DEPLOYMENT = "o.deployment_id = %s"
#: The same, in words that no index serves: rows that are named by their id must be
#: found by it, and not by walking through the whole deployment.
_AND_OF_DEPLOYMENT = "(o.deployment_id = %s) IS TRUE"


def _rows(
    condition: str, parameters: Sequence[object], scope: str = _OF_DEPLOYMENT
) -> list[Row]:
    with sql() as cursor:
        cursor.execute(_ROW.format(scope, condition), parameters)
        return [row_from(found) for found in cursor.fetchall()]


def row_from(found: tuple[Any, ...]) -> Row:
    """Return a row as the statements above select it."""
    direction, state = _DIRECTIONS[found[1]], _STATES[found[4]]
    return Row(found[0], direction, found[2], found[3], state, *found[5:])


def reported(deployment_id: int, ids: list[int], worker_id: int) -> list[Row]:
    """Return the operations of these ids that this worker still holds."""
    return _rows(
        "o.id = ANY(%s::bigint[]) AND o.claimed_by_id = %s",
        [deployment_id, numbers(ids), worker_id],
        _AND_OF_DEPLOYMENT,
    )


def in_state(deployment_id: int, direction: Direction, *states: str) -> list[Row]:
    """Return the operations of one direction in any of these states."""
    return _rows(
        "o.direction = %s AND o.state = ANY(%s)",
        [deployment_id, direction.value, list(states)],
    )


def numbered(deployment_id: int, operation_id: int) -> list[Row]:
    """Return one operation by its id, as a list of at most one."""
    return _rows("o.id = %s", [deployment_id, operation_id])


def abandoned(
    deployment_id: int, now: datetime, dead_seconds: float, grace_seconds: float
) -> list[Row]:
    """Return open operations whose worker is dead or gone, or which are overdue."""
    return _rows(ABANDONED, [deployment_id, now, dead_seconds, now, grace_seconds])


def excluded(deployment_id: int, start: int, stop: int) -> list[Row]:
    """Return the pending operations from `start` to `stop` whose target is gone."""
    return _rows(
        """o.direction = 'forward' AND o.state = 'pending'
           AND o.position >= %s AND o.position < %s AND t.removed_at IS NOT NULL""",
        [deployment_id, start, stop],
    )


def write(
    changes: list[Change], now: datetime, settle_by: datetime, verify_by: datetime
) -> None:
    """Store new states of operations, and what was learnt of their targets.

    An operation that is open no more, or unknown, is held by nobody afterwards.

    The ids are named twice, in the list and in a condition: joined by the list alone,
    PostgreSQL reads the whole table while it has no statistics of a new fleet.
    """
    ordered = sorted(changes, key=lambda change: change.id)
    ids = numbers([c.id for c in ordered])
    with sql() as cursor:
        cursor.execute(
            """
            UPDATE deployctl_operation o
               SET state = c.state, attempt = c.attempt, error = c.error,
                   output = c.output,
                   claimed_by_id = CASE WHEN c.state = 'verifying'
                                        THEN o.claimed_by_id END,
                   settle_by = CASE WHEN c.state = 'unknown' THEN %s
                                    ELSE o.settle_by END,
                   verify_by = CASE WHEN c.state = 'verifying' THEN %s
                                    ELSE o.verify_by END,
                   ended_at = CASE WHEN c.state IN ('succeeded', 'failed', 'skipped')
                                   THEN %s END
              FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::text[], %s::text[])
                   AS c(id, state, attempt, error, output)
             WHERE o.id = c.id AND o.id = ANY(%s::bigint[])
            """,
            [
                settle_by,
                verify_by,
                now,
                ids,
                texts([c.state.value for c in ordered]),
                numbers([c.attempt for c in ordered]),
                texts([c.error for c in ordered]),
                texts([c.output for c in ordered]),
                ids,
            ],
        )
    _write_targets(sorted(changes, key=lambda change: change.target_id), now)


def _write_targets(changes: list[Change], now: datetime) -> None:
    ids = numbers([c.target_id for c in changes])
    with sql() as cursor:
        cursor.execute(
            """
            UPDATE deployctl_target t
               SET health = CASE WHEN NOT c.learnt THEN t.health
                                 WHEN c.available THEN 'healthy' ELSE 'unhealthy' END,
                   observed_version = COALESCE(c.observed, t.observed_version),
                   observed_at = CASE WHEN c.observed IS NULL THEN t.observed_at
                                      ELSE %s END,
                   recorded_version = CASE WHEN c.recorded THEN c.observed
                                           ELSE t.recorded_version END,
                   looks = CASE WHEN c.recorded THEN 0 ELSE t.looks END,
                   quiet_at = CASE WHEN NOT c.quiet THEN t.quiet_at
                        ELSE GREATEST(t.quiet_at, (
                             SELECT o.apply_by FROM deployctl_operation o
                              WHERE o.id = c.operation)) END
              FROM unnest(%s::bigint[], %s::bigint[], %s::bool[], %s::bool[],
                          %s::text[], %s::bool[], %s::bool[])
                   AS c(id, operation, learnt, available, observed, recorded, quiet)
             WHERE t.id = c.id AND t.id = ANY(%s::bigint[])
            """,
            [
                now,
                ids,
                numbers([c.id for c in changes]),
                flags([c.learnt for c in changes]),
                flags([c.available for c in changes]),
                texts([c.observed for c in changes]),
                flags([c.recorded for c in changes]),
                flags([c.quiet for c in changes]),
                ids,
            ],
        )


def mark_regressed(regressed: list[int], recovered: list[int]) -> None:
    """Remember which failed operations had succeeded, so that they may recover."""
    for ids, value in ((regressed, True), (recovered, False)):
        if ids:
            with sql() as cursor:
                cursor.execute(
                    """UPDATE deployctl_operation SET regressed = %s
                        WHERE id = ANY(%s::bigint[])""",
                    [value, numbers(ids)],
                )


def drifted(deployment_id: int, found: dict[int, str | None]) -> None:
    """Make the version found on a target the one that a return goes back to."""
    with sql() as cursor:
        cursor.execute(
            """
            UPDATE deployctl_operation o SET from_version = c.version
              FROM unnest(%s::bigint[], %s::text[]) AS c(id, version)
             WHERE o.id = c.id AND o.deployment_id = %s
            """,
            [list(found), list(found.values()), deployment_id],
        )


def failed_positions(
    deployment_id: int, start: int, stop: int, limit: int
) -> list[int]:
    """Return positions of failed forward operations, the first to fail first."""
    with sql() as cursor:
        cursor.execute(
            """SELECT position FROM deployctl_operation
                WHERE deployment_id = %s AND direction = 'forward'
                  AND state = 'failed' AND position >= %s AND position < %s
                ORDER BY ended_at, position LIMIT %s""",
            [deployment_id, start, stop, limit],
        )
        return [row[0] for row in cursor.fetchall()]


def aim(operation_id: int) -> str | None:
    """Return the version that an operation is to reach."""
    with sql() as cursor:
        cursor.execute(
            "SELECT to_version FROM deployctl_operation WHERE id = %s", [operation_id]
        )
        for (version,) in cursor:
            return version if version is None else str(version)
    return None
