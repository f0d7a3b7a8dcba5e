"""Targets and where they stand: lists, one target with its history, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from deployctl.models import Application, Deployment, Environment, Operation, Target
from deployctl.models.fleet import ZONE
from deployctl.queries.operating import returns, word
from deployctl.queries.plans import course_of
from deployctl.queries.selecting import condition
from strategies.states import OPEN
from strategies.steps import Deploy

PAGE = 100
STATES = [("healthy", "healthy"), ("unhealthy", "unhealthy"), ("unknown", "not seen")]
#: States of an operation, for the targets of one deployment.
OPERATION_STATES = [
    (state, state)
    for state in ("pending", "running", "verifying", "unknown", "unresolved")
] + [(state, state) for state in ("succeeded", "failed", "skipped")]
_LABELS = {"healthy": "healthy", "unhealthy": "unhealthy", "unknown": "not seen yet"}
_CSS = {"healthy": "is-ok", "unhealthy": "is-failed", "unknown": "is-queued"}


@dataclass(frozen=True)
class Filters:
    """What a list of targets is asked for; empty texts ask for everything."""

    q: str = ""
    application: str = ""
    environment: str = ""
    version: str = ""
    state: str = ""
    where: str = ""
    deployment: int | None = None
    batch: int | None = None
    position: int | None = None


def listed(filters: Filters) -> QuerySet[Target]:
    """Return the targets that are like that, by name.

    Raises:
        ValueError: one sentence that says what is wrong with `where`, and at which
            place.
    """
    found = Target.objects.select_related("application", "environment")
    if filters.deployment is None:
        found = found.filter(removed_at=None)
    else:
        found = found.filter(pk__in=_of_deployment(filters.deployment, filters))
    exact = {
        "application__name": filters.application,
        "environment__name": filters.environment,
        "recorded_version": filters.version,
    }
    found = found.filter(**{name: value for name, value in exact.items() if value})
    if filters.state and filters.deployment is None:
        found = found.filter(health=filters.state)
    if filters.q:
        found = found.filter(
            Q(name__icontains=filters.q) | Q(address__icontains=filters.q)
        )
    if filters.where:
        found = found.filter(condition(filters.where))
    return found.order_by("name", "pk")


def _of_deployment(deployment_id: int, filters: Filters) -> QuerySet[Operation, int]:
    found = Operation.objects.filter(deployment_id=deployment_id)
    if filters.state:
        found = found.filter(state=filters.state)
    if filters.position is not None:
        found = found.filter(position=filters.position)
    if filters.batch is not None:
        start, stop = _span(deployment_id, filters.batch)
        found = found.filter(position__gte=start, position__lt=stop)
    return found.values_list("target_id", flat=True)


def _span(deployment_id: int, batch: int) -> tuple[int, int]:
    """Return (start, stop) of a batch as people number it; nothing if there is none."""
    plan = Deployment.objects.filter(pk=deployment_id).values_list("plan_id")
    for (plan_hash,) in plan:
        spans = [
            step.batch(number)
            for step in course_of(plan_hash).steps
            if isinstance(step, Deploy)
            for number in range(len(step.starts))
        ]
        if 1 <= batch <= len(spans):
            return spans[batch - 1]
    return (0, 0)


def line(target: Target, operation: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a target as a row of a list."""
    return {
        "id": target.pk,
        "name": target.name,
        "application": target.application.name,
        "environment": target.environment,
        "address": target.address,
        "zone": target.labels.get(ZONE, ""),
        "slot": target.slot,
        "driver": target.driver,
        "version": target.recorded_version,
        "observed_version": target.observed_version,
        "state": "pending" if target.health == "unknown" else target.health,
        "label": _LABELS[target.health],
        "checked_at": target.observed_at,
        "labels": sorted(target.labels.items()),
        "fence": target.fence,
        "disabled": target.disabled_reason,
        "disabled_at": target.disabled_at,
        "operation": operation,
    }


def operations_in(deployment_id: int, ids: list[int]) -> dict[int, dict[str, str]]:
    """Return where each target stands in one deployment; its return hides the rest."""
    rows = Operation.objects.filter(deployment_id=deployment_id, target_id__in=ids)
    return {
        int(row.target_id or 0): {
            "state": row.state,
            "label": f"return {row.state}" if returns(row) else word(row),
            "error": row.error,
        }
        for row in rows.order_by("direction")
    }


def open_operation(target_id: int) -> dict[str, Any] | None:
    """Return what a target is held by now."""
    states = [state.value for state in OPEN] + ["unresolved"]
    rows = Operation.objects.filter(target_id=target_id, state__in=states)
    row = rows.select_related("deployment__application", "deployment__version").first()
    if row is None:
        return None
    return {
        "deployment_id": row.deployment_id,
        "title": f"{row.deployment.application} {row.deployment.version}",
        "state": row.state,
        "since_at": row.started_at,
    }


def summary(found: QuerySet[Target]) -> dict[str, Any]:
    """Return counts by health, as a bar and as words."""
    counts: Counter[str] = Counter(
        dict(found.order_by().values_list("health").annotate(n=Count("pk")))
    )
    rows = [
        {
            "state": "pending" if name == "unknown" else name,
            "count": counts[name],
            "label": _LABELS[name],
        }
        for name in _LABELS
        if counts[name]
    ]
    parts = [{"css": _CSS[name], "count": counts[name]} for name in _LABELS]
    return {"parts": parts, "total": sum(counts.values()), "rows": rows}


def applications() -> list[tuple[str, str]]:
    """Return the applications as choices."""
    return [(n, n) for n in _names(Application.objects.all())]


def only_application() -> int | None:
    """Return the id of the one application there is; None if there are more."""
    ids = list(Application.objects.values_list("pk", flat=True)[:2])
    return ids[0] if len(ids) == 1 else None


def environments() -> list[tuple[str, str]]:
    """Return the environments as choices."""
    return [(n, n) for n in _names(Environment.objects.all())]


def _names(rows: Any) -> list[str]:
    return list(rows.order_by("name").values_list("name", flat=True))


def running_versions(application: str = "") -> list[tuple[str, str]]:
    """Return the versions that are recorded anywhere, as choices."""
    found = Target.objects.filter(removed_at=None, recorded_version__isnull=False)
    if application:
        found = found.filter(application__name=application)
    names = found.values_list("recorded_version", flat=True).distinct()
    return [(n, n) for n in names.order_by("recorded_version")[:200] if n]
