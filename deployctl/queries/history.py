"""Deployments as lists: their rows, those that run, and those that need somebody.

What a list is asked for, and how that is found, is `queries.filtering`'s affair.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now

from deployctl.models import Deployment
from deployctl.models.deployments import LIVE_STATES
from deployctl.queries import looks
from deployctl.queries.filtering import whole
from deployctl.queries.lineage import children, how
from deployctl.queries.plans import course_of
from deployctl.queries.sentences import halt_words
from strategies import wire
from strategies.states import AT_REST, LIVE, WAITING

PAGE = 50
STATES = [
    (state.value, state.value.replace("_", " "))
    for group in (LIVE, WAITING, AT_REST)
    for state in sorted(group)
]


def line(row: Any) -> dict[str, Any]:
    """Return a deployment as a row of a list; it must come from `whole`."""
    state, label = looks.shown(row)
    letters = looks.letters_of(row.progress)
    ended = row.rested_at and row.started_at
    return {
        "id": row.pk,
        "application": row.application.name,
        "environment": row.environment,
        "from_version": row.from_version or "",
        "to_version": row.version.version,
        "strategy": row.strategy,
        "state": state,
        "label": label,
        "parts": looks.parts_of(letters),
        "total": looks.total_of(row.progress),
        "by": row.created_by.get_username(),
        "at": row.started_at or row.created_at,
        "started_at": row.started_at,
        "took_seconds": _seconds(row.rested_at - row.started_at) if ended else None,
        "reason": row.why,
        "parent": {"id": row.parent_id, "says": how(row)} if row.parent_id else None,
    }


def lines(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Return deployments as rows of a list, each with what came of it."""
    told = [line(row) for row in rows]
    came = children(each["id"] for each in told)
    return [{**each, "children": came.get(each["id"], [])} for each in told]


def _seconds(took: timedelta) -> float:
    return took.total_seconds()


def running() -> list[dict[str, Any]]:
    """Return the live deployments, the newest first."""
    return [line(row) for row in whole().filter(state__in=LIVE_STATES)]


def went_wrong() -> tuple[list[dict[str, Any]], int]:
    """Return the bad ends of the last day, and of how many deployments."""
    day = whole().filter(started_at__gt=Now() - timedelta(days=1))
    bad = day.filter(
        Q(state__in=("failed", "rolled_back", "rollback_failed"))
        | Q(outcome="completed_with_failures")
    )[:20]
    rows = [{**line(row), "at": row.rested_at, "text": why(row)} for row in bad]
    return rows, day.count()


def why(row: Deployment) -> str:
    """Return in a few words why a deployment stands where it does."""
    if row.hold:
        reason = row.hold.get("reason") or ""
        by = row.hold.get("rule") or row.hold.get("by")
        return f"paused by {by}" + (f": {reason}" if reason else "")
    if row.halt:
        return halt_words(wire.load(row.halt), course_of(row.plan_id).steps)
    return row.reason.replace("_", " ")


def waiting_for_people() -> list[dict[str, Any]]:
    """Return what needs somebody: halted at rest, paused, roll backs that failed."""
    pks = Deployment.objects.order_by("-pk").values_list("pk", flat=True)
    held = pks.filter(Q(state="paused") | Q(state="rolling_back", hold__isnull=False))
    ended = pks.filter(
        state__in=("failed", "rollback_failed"), pk__in=newest_of_each_place()
    )
    # Apart, so that each follows an index, and only by number: every page asks this.
    latest = sorted([*held[:20], *ended[:20]], reverse=True)[:20]
    if not latest:
        return []
    return [_need(row) for row in whole().filter(pk__in=latest)]


def newest_of_each_place() -> list[int]:
    """Return the ids of the deployment that started last in each place."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT d.id FROM deployctl_application a
                 CROSS JOIN deployctl_environment e
                 CROSS JOIN LATERAL (
                      SELECT id FROM deployctl_deployment
                       WHERE application_id = a.id AND environment_id = e.id
                         AND started_at IS NOT NULL
                       ORDER BY started_at DESC LIMIT 1) d"""
        )
        return [pk for (pk,) in cursor.fetchall()]


def _need(row: Any) -> dict[str, Any]:
    told = line(row)
    verb = "Decide" if row.state in ("failed", "rollback_failed") else "Open"
    at: datetime | None = row.rested_at or row.started_at
    if row.hold:
        at = datetime.fromisoformat(row.hold["since"])
    return {
        "state": told["state"],
        "url": f"/deployments/{row.pk}/",
        "what": told["application"],
        "from_version": told["from_version"],
        "to_version": told["to_version"],
        "says": f"{told['label'].lower()} in {row.environment.name}",
        "text": why(row),
        "at": at,
        "action": verb,
    }
