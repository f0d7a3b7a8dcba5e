"""How one deployment stands, small and whole: for programs, and for one line of text.

It reads and words; it decides nothing, and asks no worker.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from deployctl.models import Deployment
from deployctl.queries import history, looks
from deployctl.queries.plans import progress_of
from strategies.progress import Progress
from strategies.tally import Tally


def glance(row: Deployment) -> dict[str, Any]:
    """Return how a deployment stands, as JSON has it; times are ISO 8601, in UTC.

    `waits_for` is "gate" or "hold" when nothing goes on until a person says so, and
    empty else. `targets` counts the way to the version, `returned` the way back.
    """
    p = progress_of(row)
    return {
        "deployment": row.pk,
        "application": row.application.name,
        "environment": row.environment.name,
        "version": row.version.version,
        "strategy": row.strategy,
        "state": row.state,
        "label": looks.shown(row)[1],
        "outcome": row.outcome,
        "reason": row.reason,
        "why": history.why(row),
        "at_rest": p.rest is not None,
        "waits_for": waits_for(p),
        "targets": _counts(p.whole),
        "returned": _counts(p.back) if p.return_planned else None,
        "halt": row.halt,
        "parent": row.parent_id,
        "plan": row.plan_id,
        "started_by": row.created_by.get_username(),
        "started_at": _written(row.started_at),
        "rested_at": _written(row.rested_at),
        "seq": row.seq,
        "control_version": row.control_version,
    }


def waits_for(p: Progress) -> str:
    """Return what holds a deployment until a person says go on: gate, hold, or ""."""
    if p.rest is not None or p.open:
        return ""
    if p.hold is not None:
        return "hold"
    return "gate" if p.gate is not None else ""


def _counts(tally: Tally) -> dict[str, int]:
    return {
        "total": tally.total,
        "waiting": tally.pending,
        "open": tally.open,
        "succeeded": tally.succeeded,
        "failed": tally.failed,
        "skipped": tally.skipped,
        "unresolved": tally.unresolved,
    }


def _written(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
