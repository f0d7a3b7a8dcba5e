"""Where each target of a deployment stands: one letter a position, read in one go.

A return's letter, a capital, lies over the forward one. It reads rows and counts
letters; what they look like is the templates' affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

from deployctl.models import Deployment, Operation, Target
from deployctl.models.fleet import ZONE
from deployctl.queries.looks import LETTERS, REGRESSED
from deployctl.queries.plans import plan_of
from deployctl.queries.zones import at_start
from strategies.states import Direction
from strategies.steps import Course, Deploy, Verify

#: Above so many targets the grid is one text, not one object a target.
MOST_CELLS = 500

# By CASE, which costs half of what looking it up in an array would: a room has 100,000.
_WHENS = " ".join(f"WHEN '{state}' THEN '{each}'" for state, each in LETTERS.items())
_FORWARD = f"""
    SELECT string_agg(CASE WHEN regressed THEN '{REGRESSED}'
                           ELSE CASE state {_WHENS} END END, '' ORDER BY position)"""
_BACK = f"""
    SELECT array_agg(position ORDER BY position),
           string_agg(upper(CASE state {_WHENS} END), '' ORDER BY position)"""
# A shift is no cell: it stands behind the targets.
_OF = """
      FROM deployctl_operation
     WHERE deployment_id = %s AND direction = %s AND kind <> 'shift'"""


def letters(row: Deployment, course: Course) -> str:
    """Return the letter of each position, in plan order; all wait before the start."""
    if row.progress is None:
        return "p" * course.work
    # Laid over each other here: a join of what was only just written is planned as if
    # it were a handful of rows, and then takes seconds.
    with connection.cursor() as cursor:
        cursor.execute(_FORWARD + _OF, [row.pk, Direction.FORWARD.value])
        states = str(cursor.fetchone()[0] or "")
        cursor.execute(_BACK + _OF, [row.pk, Direction.RETURN.value])
        positions, back = cursor.fetchone()
    if not positions:
        return states
    cells = list(states)
    for position, letter in zip(positions, back, strict=True):
        cells[position] = letter
    return "".join(cells)


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
        for position, (target_id, name, zone) in enumerate(_targets(row))
    ]


def _targets(row: Deployment) -> list[tuple[int, str, str]]:
    """Return (target id, name, zone) of each position, in plan order."""
    if row.progress is None:
        ids = [int(target.id) for target in plan_of(row).targets]
        found = Target.objects.in_bulk(ids)
        return [(pk, found[pk].name, str(found[pk].labels.get(ZONE, ""))) for pk in ids]
    targets = Operation.objects.filter(
        deployment_id=row.pk, direction=Direction.FORWARD, target__isnull=False
    )
    named = targets.order_by("position").values_list("target_id", "target__name")
    zones = at_start(row)
    return [(pk, name, zone) for (pk, name), zone in zip(named, zones, strict=True)]


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
