"""Versions and where each runs; nothing is registered or withdrawn here."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.db.models import Count, Q, QuerySet

from deployctl.models import Environment, Target, Version

PAGE = 50


def listed(q: str = "", application: str = "") -> QuerySet[Version]:
    """Return versions, the newest first."""
    found = Version.objects.select_related("application").order_by("-pk")
    if application:
        found = found.filter(application__name=application)
    if q:
        found = found.filter(Q(version__icontains=q) | Q(notes__icontains=q))
    return found


def line(version: Version, where: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a version as a row of a list."""
    return {
        "id": version.pk,
        "application": version.application.name,
        "application_id": version.application_id,
        "version": version.version,
        "digest": version.digest,
        "notes": version.notes,
        "ticket": version.ticket,
        "registered_at": version.created_at,
        "registered_by": "",
        "withdrawn": version.withdrawn_at is not None,
        "withdrawn_reason": version.withdrawn_reason,
        "where": where,
    }


def where(versions: list[Version]) -> dict[int, list[dict[str, Any]]]:
    """Return, by version id, in which environments it runs on how many targets."""
    environments = {row.pk: row for row in Environment.objects.all()}
    live = Target.objects.filter(
        removed_at=None, application__in={v.application_id for v in versions}
    ).order_by()
    place = ("application_id", "environment_id")
    sizes = {tuple(r[:2]): r[2] for r in live.values_list(*place).annotate(Count("pk"))}
    found: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
    rows = live.values_list(*place, "recorded_version").annotate(n=Count("pk"))
    for application, environment, version, count in rows.order_by("environment__name"):
        found[application, version].append(
            {
                "environment": environments[environment],
                "count": count,
                "of": sizes[application, environment],
            }
        )
    return {v.pk: found[v.application_id, v.version] for v in versions}
