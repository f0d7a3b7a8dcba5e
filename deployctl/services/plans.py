"""Plans kept as rows, and the projection of progress onto a deployment's columns.

It computes no plan and takes no decision: both are `strategies`' affair.
"""

from __future__ import annotations

import json
from datetime import datetime

from django.db import transaction

from deployctl.models import Deployment, Plan
from deployctl.services.people import Actor
from deployctl.services.sql import sql
from strategies import wire
from strategies.plan import Plan as PlanValue
from strategies.progress import Progress

#: The columns that `project` sets, and that `save` writes.
PROJECTED = (
    "format",
    "progress",
    "seq",
    "control_version",
    "state",
    "intent",
    "hold",
    "halt",
    "open_count",
    "reason",
    "outcome",
    "due_at",
    "started_at",
    "rested_at",
)
_JSON = frozenset({"progress", "hold", "halt"})
_SAVE = f"""
    UPDATE deployctl_deployment
       SET {", ".join(f"{column} = %s" for column in PROJECTED)}
     WHERE id = %s
"""


def keep_plan(plan: PlanValue, *, by: Actor) -> Plan:
    """Store a plan under its hash; the same plan is stored once."""
    with transaction.atomic():
        row, _ = Plan.objects.get_or_create(
            hash=plan.hash,
            defaults={
                "content": wire.dump_plan(plan),
                "course": wire.dump(plan.course),
                "created_by_id": by.user_id,
            },
        )
    return row


def project(
    row: Deployment, progress: Progress, now: datetime, due_at: datetime | None
) -> None:
    """Set a row's columns from progress; nothing is saved here."""
    row.format = wire.FORMAT
    row.progress = wire.dump_progress(progress)
    row.state = progress.state.value
    row.intent = int(progress.intent)
    row.hold = _hold(progress)
    row.halt = wire.dump(progress.halt) if progress.halt else None
    row.open_count = progress.open
    row.due_at = due_at
    row.started_at = row.started_at or now
    rest = progress.rest
    row.rested_at = (row.rested_at or now) if rest else None
    row.reason = rest.reason if rest else ""
    row.outcome = rest.outcome if rest else ""


def save(row: Deployment) -> None:
    """Write the projected columns of a row, which the caller has locked."""
    values = (
        _as_json(getattr(row, column)) if column in _JSON else getattr(row, column)
        for column in PROJECTED
    )
    with sql() as cursor:
        cursor.execute(_SAVE, [*values, row.pk])


def _as_json(value: object) -> str | None:
    return None if value is None else json.dumps(value)


def _hold(progress: Progress) -> dict[str, object] | None:
    if progress.hold is None or progress.held_at is None:
        return None
    return {**wire.dump(progress.hold), "since": progress.held_at.isoformat()}
