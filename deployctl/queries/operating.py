"""What was done to one target, by which deployment, and what came of it."""

from __future__ import annotations

from typing import Any

from deployctl.models import Operation
from deployctl.queries.paging import Rows
from strategies.states import Direction

PAGE = 50


def of_target(target_id: int) -> Rows[Operation]:
    """Return what was done to a target, the newest first."""
    rows = Operation.objects.filter(target_id=target_id, attempt__gt=0)
    return Rows(rows.order_by("-pk"))


def told(row: Operation) -> dict[str, Any]:
    """Return an operation as a row of a target's history."""
    return {
        "deployment_id": row.deployment_id,
        "at": row.started_at,
        "from_version": row.from_version,
        "to_version": row.to_version,
        "returning": returns(row),
        "state": row.state,
        "label": word(row),
        "attempts": row.attempt,
        "took_seconds": (row.ended_at - row.started_at).total_seconds()
        if row.ended_at and row.started_at
        else None,
        "error": row.error,
        "output": row.output,
    }


def word(row: Operation) -> str:
    """Return an operation's state as people say it."""
    return "regressed" if row.regressed else row.state


def returns(row: Operation) -> bool:
    """Whether it takes its target back."""
    return row.direction == Direction.RETURN.value
