"""Applications and environments as lists, each with how much of it there is."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q

from deployctl.models import Application, Environment, Target

_THERE = Q(targets__removed_at=None)


def applications() -> list[dict[str, Any]]:
    """Return {name, versions, targets} of each, by name; targets by environment."""
    rows = Application.objects.annotate(versions_there=Count("versions"))
    targets = Target.objects.filter(removed_at=None).order_by("environment__name")
    counts = targets.values_list("application", "environment__name").annotate(
        Count("pk")
    )
    where: dict[int, dict[str, int]] = {}
    for application, environment, count in counts:
        where.setdefault(application, {})[environment] = count
    return [
        {
            "name": row.name,
            "versions": row.versions_there,
            "targets": where.get(row.pk, {}),
        }
        for row in rows.order_by("name")
    ]


def environments() -> list[dict[str, Any]]:
    """Return {name, is_production, targets} of each, by name."""
    rows = Environment.objects.annotate(there=Count("targets", filter=_THERE))
    return [
        {"name": row.name, "is_production": row.is_production, "targets": row.there}
        for row in rows.order_by("name")
    ]


def is_empty() -> bool:
    """Whether there is no place yet in which a target could be."""
    return not (Application.objects.exists() and Environment.objects.exists())
