"""Plans and progress as they are stored, read back into the core's values."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from typing import Any

from deployctl.models import Deployment, Plan
from deployctl.queries import looks
from strategies import wire
from strategies.plan import Plan as PlanValue
from strategies.progress import Progress
from strategies.steps import Course


def plan_of(deployment: Deployment) -> PlanValue:
    """Return a deployment's whole plan, checked against its hash."""
    return read(deployment.plan)


def read(row: Plan) -> PlanValue:
    """Return a stored plan, checked against its hash."""
    return wire.load_plan(row.content)


def frozen(row: Plan, plan: PlanValue) -> dict[str, Any]:
    """Return what is known of a plan beside its content, and what became of it."""
    runs = Deployment.objects.filter(plan=row).select_related(
        "application", "environment"
    )
    first = runs.order_by("pk").first()
    return {
        "hash": row.hash,
        "strategy": plan.strategy.replace("_", "-"),
        "version": plan.version,
        "digest": plan.version_digest,
        "at": row.created_at,
        "by": row.created_by.get_username(),
        "application": first.application.name if first else "",
        "environment": first.environment if first else None,
        "options": [
            (name.replace("_", " "), written(value))
            for name, value in sorted(plan.options.items())
            if value is not None and value != ""
        ],
        "health": [
            (name.replace("_", " "), f"{value:g}")
            for name, value in asdict(plan.course.limits.health).items()
        ],
        "runs": [
            {"id": run.pk, "state": looks.shown(run)[0], "label": looks.shown(run)[1]}
            for run in runs.order_by("-pk")[:20]
        ],
    }


def written(value: object) -> str:
    """Return an option as it would be typed."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@lru_cache(maxsize=256)
def course_of(plan_hash: str) -> Course:
    """Return the small part of a plan that the machine needs; plans never change."""
    course: Course = wire.load(
        Plan.objects.values_list("course", flat=True).get(pk=plan_hash)
    )
    return course


def progress_of(deployment: Deployment) -> Progress:
    """Return how far a deployment has come, as its row says."""
    course = course_of(deployment.plan_id)
    if deployment.progress is None:
        return Progress.begin(course)
    return wire.load_progress(deployment.progress, course)
