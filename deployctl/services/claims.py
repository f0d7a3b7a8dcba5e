"""Claims: which operations a worker may take now, and taking them, as set-based SQL.

As in `operations`, the caller holds the deployment's lock and nothing is decided here:
how many may start is what the core asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from deployctl.services.operations import OPEN_STATES
from deployctl.services.sql import numbers, sql
from strategies.actions import Start
from strategies.states import Direction, Kind, OperationState

#: What may be claimed or adopted: the ids of an operation and of its target.
Picked = tuple[int, int]

_DIRECTIONS = {each.value: each for each in Direction}
_KINDS = {each.value: each for each in Kind}
_STATES = {each.value: each for each in OperationState}


class Claim(NamedTuple):
    """One committed intent: what a worker may now do, and until when.

    Seconds are what remained at the flush; count them from before it was asked.
    `state` is running for a new effect, unknown or verifying for one to be settled.
    """

    operation_id: int
    deployment_id: int
    direction: Direction
    position: int
    state: OperationState
    attempt: int
    fence: int
    from_version: str | None
    to_version: str | None
    was_available: bool
    subject_id: int
    name: str
    address: str
    driver: str
    settings: dict[str, Any]
    apply_seconds: float
    verify_seconds: float
    settle_seconds: float
    quiet: bool
    kind: Kind
    #: The slots of a router; a target has none.
    slots: tuple[str, ...] = ()
    #: Where traffic is shared: the targets that each share is for, as (name, setting
    #: traffic), the earlier share first.
    groups: Mapping[str, Sequence[tuple[str, list[dict[str, Any]]]]] = {}


#: What a claim sets: now, now, apply seconds, worker.
STARTED = """
    state = 'running', attempt = o.attempt + 1, started_at = %s, ended_at = NULL,
    error = '', output = '', apply_by = %s + make_interval(secs => %s),
    verify_by = NULL, settle_by = NULL, claimed_by_id = %s
"""


def pick(
    deployment_id: int,
    start: Start,
    places: int,
    now: datetime,
    fenced: list[str],
    kinds: list[str] | None,
) -> list[Picked]:
    """Return what may be claimed, in order.

    Left out are subjects that are open elsewhere, those that must stay quiet, and
    targets of a kind that is not among these.
    """
    at_most = min(start.at_most, places)
    free = min(start.available_at_most, at_most)
    order = "DESC" if start.direction is Direction.RETURN else "ASC"
    query = f"""
        SELECT o.id, o.target_id, o.position
          FROM deployctl_operation o JOIN deployctl_target t ON t.id = o.target_id
         WHERE o.deployment_id = %s AND o.direction = %s AND o.state = 'pending'
           AND o.position >= %s AND o.position < %s
           AND (t.quiet_at IS NULL OR t.quiet_at <= %s OR t.driver = ANY(%s))
           AND (%s::text[] IS NULL OR t.driver = ANY(%s))
           AND o.target_id <> ALL (ARRAY(
                SELECT x.target_id FROM deployctl_operation x
                 WHERE x.state IN {OPEN_STATES} AND x.deployment_id <> %s))
           {{}} ORDER BY o.position {order} LIMIT %s
    """
    span = [start.direction.value, start.start, start.stop]
    given = [deployment_id, *span, now, fenced, kinds, kinds, deployment_id]
    with sql() as cursor:
        if free >= at_most:
            cursor.execute(query.format(""), [*given, at_most])
            return [(row[0], row[1]) for row in cursor.fetchall()]
        # Not enough room for all: so many on available targets, the rest on others.
        rows: list[tuple[int, int, int]] = []
        for condition, limit in (("<>", free), ("=", at_most)):
            if limit:
                part = query.format(f"AND t.health {condition} 'unhealthy'")
                cursor.execute(part, [*given, limit])
                rows += cursor.fetchall()
    rows.sort(key=lambda row: row[2], reverse=order == "DESC")
    return [(row[0], row[1]) for row in rows[:at_most]]


def claim(
    picked: list[Picked], worker_id: int, now: datetime, apply_seconds: float
) -> list[Claim]:
    """Make these pending operations running, each with its target's next fence."""
    return _taken(
        f"{STARTED}, was_available = b.available",
        [now, now, apply_seconds, worker_id],
        picked,
        now,
    )


def adopt(picked: list[Picked], worker_id: int, now: datetime) -> list[Claim]:
    """Take open operations that nobody holds, each with its target's next fence.

    The new fence shuts out the attempt whose end nobody saw.
    """
    return _taken("claimed_by_id = %s", [worker_id], picked, now)


def orphans(deployment_id: int, limit: int, kinds: list[str] | None) -> list[Picked]:
    """Return open operations on targets of these kinds that nobody holds."""
    with sql() as cursor:
        cursor.execute(
            f"""SELECT o.id, o.target_id FROM deployctl_operation o
                  JOIN deployctl_target t ON t.id = o.target_id
                 WHERE o.deployment_id = %s AND o.state IN {OPEN_STATES}
                   AND o.claimed_by_id IS NULL
                   AND (%s::text[] IS NULL OR t.driver = ANY(%s))
                 ORDER BY o.id LIMIT %s""",
            [deployment_id, kinds, kinds, limit],
        )
        return cursor.fetchall()


def _taken(
    assignments: str, parameters: list[object], picked: list[Picked], now: datetime
) -> list[Claim]:
    # Both by name: PostgreSQL, asked to find the targets of operations, reads all.
    ids, targets = map(numbers, zip(*picked, strict=True))
    with sql() as cursor:
        cursor.execute(
            f"""
            WITH b AS (
                UPDATE deployctl_target t SET fence = t.fence + 1
                 WHERE t.id = ANY(%s::bigint[])
                RETURNING t.id, t.fence, t.name, t.address, t.driver, t.settings,
                          t.health <> 'unhealthy' AS available,
                          t.quiet_at IS NULL OR t.quiet_at <= %s AS quiet
            )
            UPDATE deployctl_operation o SET fence = b.fence, {assignments}
              FROM b WHERE o.id = ANY(%s::bigint[]) AND o.target_id = b.id
            RETURNING o.id, o.deployment_id, o.direction, o.position, o.state,
                      o.attempt, o.fence, o.from_version, o.to_version,
                      o.was_available, b.id, b.name, b.address, b.driver, b.settings,
                      EXTRACT(EPOCH FROM o.apply_by - %s)::float8,
                      EXTRACT(EPOCH FROM o.verify_by - %s)::float8,
                      EXTRACT(EPOCH FROM o.settle_by - %s)::float8, b.quiet, o.kind
            """,
            [targets, now, *parameters, ids, now, now, now],
        )
        return sorted(
            (claimed_from(row) for row in cursor.fetchall()), key=lambda c: c.position
        )


def claimed_from(row: tuple[Any, ...]) -> Claim:
    """Return a claim as the statement above returns it; a router's has slots too."""
    return Claim._make(
        (
            *row[:2],
            _DIRECTIONS[row[2]],
            row[3],
            _STATES[row[4]],
            *row[5:14],
            _settings(row[14]),
            *(max(0.0, seconds or 0.0) for seconds in row[15:18]),
            row[18],
            _KINDS[row[19]],
            tuple(json.loads(row[20])) if len(row) > 20 else (),
            {},
        )
    )


@lru_cache(maxsize=1024)
def _settings(text: str) -> dict[str, Any]:
    """Read settings once for all targets that have the same; nobody changes them."""
    read: dict[str, Any] = json.loads(text)
    return read


def unclaim(ids: list[int], verify_by: datetime | None = None) -> None:
    """Let go of these operations, so that another worker may take them.

    With `verify_by`, whoever takes them may verify until then.
    """
    if ids:
        with sql() as cursor:
            cursor.execute(
                "UPDATE deployctl_operation SET claimed_by_id = NULL,"
                " verify_by = COALESCE(%s::timestamptz, verify_by) WHERE id = ANY(%s)",
                [verify_by, ids],
            )
