"""Where each target of a deployment stands: one letter a position, read in one go.

A return's letter, a capital, lies over the forward one. It reads rows and counts
letters; what they look like is the templates' affair.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db import connection

from deployctl.models import Deployment, Target
from deployctl.queries.looks import LETTERS, REGRESSED
from deployctl.queries.plans import plan_of
from strategies.steps import Course, Deploy, Verify

#: Above so many targets the grid is one text, not one object a target.
MOST_CELLS = 500
ZONE = "zone"
#: So long a room may group its targets by the zones that they had.
MEMBERS_SECONDS = 60

_STATES = "'{" + ",".join(LETTERS) + "}'::text[]"
_FORWARD = "".join(LETTERS.values())
LETTER_SQL = f"""COALESCE(
    substr('{_FORWARD.upper()}', array_position({_STATES}, r.state::text), 1),
    CASE WHEN f.regressed THEN '{REGRESSED}' END,
    substr('{_FORWARD}', array_position({_STATES}, f.state::text), 1))"""
BOTH = """deployctl_operation f LEFT JOIN deployctl_operation r
    ON r.deployment_id = f.deployment_id AND r.direction = 'return'
   AND r.position = f.position"""
#: A shift is no cell: it stands behind the targets.
OF = "f.deployment_id = %s AND f.direction = 'forward' AND f.kind <> 'shift'"


def letters(row: Deployment, course: Course) -> str:
    """Return the letter of each position, in plan order; all wait before the start."""
    if row.progress is None:
        return "p" * course.work
    query = f"SELECT string_agg({LETTER_SQL}, '' ORDER BY f.position)"
    with connection.cursor() as cursor:
        cursor.execute(f"{query} FROM {BOTH} WHERE {OF}", [row.pk])
        return cursor.fetchone()[0] or ""


def batches(course: Course) -> list[tuple[int, int]]:
    """Return (start, stop) of every batch of the whole course, in order."""
    return [
        step.batch(number)
        for step in course.steps
        if isinstance(step, Deploy | Verify)
        for number in range(len(step.starts))
    ]


def stages(course: Course) -> list[int]:
    """Return the numbers of the steps that people count as stages of targets."""
    return [
        number
        for number, step in enumerate(course.steps)
        if isinstance(step, Deploy | Verify) and step.stop > step.start
    ]


def columns(course: Course) -> list[tuple[int, int]]:
    """Return (start, stop) of each column of the board: a stage, or a batch of one."""
    numbers = stages(course)
    if len(numbers) < 2:
        return batches(course)
    ranges = [course.steps[number] for number in numbers]
    return [(r.start, r.stop) for r in ranges if isinstance(r, Deploy | Verify)]


def batch_numbers(course: Course) -> dict[tuple[int, int], int]:
    """Return the number that people see, from 1, by (step, batch) of the machine."""
    keys = [
        (at, number)
        for at, step in enumerate(course.steps)
        if isinstance(step, Deploy | Verify)
        for number in range(len(step.starts))
    ]
    return {key: number for number, key in enumerate(keys, 1)}


def cells(row: Deployment, course: Course, states: str) -> list[dict[str, Any]]:
    """Return one dict a target, as the board wants them; for small fleets only."""
    number = {
        position: count
        for count, (start, stop) in enumerate(columns(course), 1)
        for position in range(start, stop)
    }
    return [
        {
            "position": position,
            "target_id": target_id,
            "name": name,
            "zone": zone,
            "column": number[position],
            "letter": states[position],
        }
        for position, target_id, name, zone in _targets(row)
    ]


def _targets(row: Deployment) -> list[tuple[int, int, str, str]]:
    if row.progress is None:
        ids = [int(target.id) for target in plan_of(row).targets]
        found = Target.objects.in_bulk(ids)
        return [
            (at, pk, found[pk].name, str(found[pk].labels.get(ZONE, "")))
            for at, pk in enumerate(ids)
        ]
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT o.position, t.id, t.name, COALESCE(t.labels->>%s, '')
                 FROM deployctl_operation o
                 JOIN deployctl_target t ON t.id = o.target_id
                WHERE o.deployment_id = %s AND o.direction = 'forward'
                ORDER BY o.position""",
            [ZONE, row.pk],
        )
        return cursor.fetchall()


def names(row: Deployment, positions: Sequence[int]) -> dict[int, tuple[int, str]]:
    """Return (target id, name) by position, for a few positions."""
    if not positions or row.progress is None:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT o.position, t.id, t.name
                 FROM deployctl_operation o
                 JOIN deployctl_target t ON t.id = o.target_id
                WHERE o.deployment_id = %s AND o.direction = 'forward'
                  AND o.position = ANY(%s)""",
            [row.pk, list(positions)],
        )
        return {position: (pk, name) for position, pk, name in cursor.fetchall()}


def zones(row: Deployment, states: str) -> dict[str, Counter[str]]:
    """Return counts of letters by zone label, zones in order of name.

    Args:
        row: the deployment.
        states: its letters.
    """
    if row.progress is None:
        return {}
    this_minute = int(time.monotonic() // MEMBERS_SECONDS)
    members = _members(row.pk, row.created_at, this_minute)
    return {
        zone: Counter(map(states.__getitem__, positions)) for zone, positions in members
    }


@lru_cache(maxsize=64)
def _members(deployment_id: int, *_: object) -> list[tuple[str, array[int]]]:
    """Return the positions of each zone; kept a while, since labels seldom change."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT COALESCE(t.labels->>%s, ''), array_agg(f.position)
                 FROM deployctl_operation f
                 JOIN deployctl_target t ON t.id = f.target_id
                WHERE f.deployment_id = %s AND f.direction = 'forward'
                GROUP BY 1 ORDER BY 1""",
            [ZONE, deployment_id],
        )
        return [(zone, array("l", positions)) for zone, positions in cursor.fetchall()]


def forget() -> None:
    """Read the zones of all targets anew."""
    _members.cache_clear()
