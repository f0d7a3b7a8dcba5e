"""Plans and progress as they are stored, read back into the core's values."""

from __future__ import annotations

from functools import lru_cache

from deployctl.models import Deployment, Plan
from strategies import wire
from strategies.plan import Plan as PlanValue
from strategies.progress import Progress
from strategies.steps import Course


def plan_of(deployment: Deployment) -> PlanValue:
    """Return a deployment's whole plan, checked against its hash."""
    return wire.load_plan(deployment.plan.content)


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
