"""A deployment as what is typed to plan one like it; nothing is planned here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from deployctl.models import Deployment
from deployctl.queries.plans import plan_of, written


def like(deployment_id: int | None) -> dict[str, Any]:
    """Return the builder's fields as they were for a deployment; {} if there is none.

    The version too, unless it may not be deployed any more. Targets are chosen anew.
    """
    rows = Deployment.objects.select_related("plan", "version")
    row = rows.filter(pk=deployment_id).first() if deployment_id else None
    if row is None:
        return {}
    plan = plan_of(row)
    # What was left out is empty, and not what the builder proposes.
    options = {
        name: "" if value is None or value is False else written(value)
        for name, value in plan.options.items()
    }
    health = asdict(plan.course.limits.health)
    return {
        "application": row.application_id,
        "environment": row.environment_id,
        "strategy": plan.strategy,
        **({} if row.version.withdrawn_at else {"version": row.version_id}),
        **options,
        **{f"health_{name}": f"{value:g}" for name, value in health.items()},
    }
