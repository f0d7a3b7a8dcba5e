"""The slots of an environment's router: what runs there, how well, and what is kept.

It reads what workers saw last and says since when; it asks no router itself.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Min, Q
from django.db.models.functions import Now

from deployctl.models import Deployment, Router, Target
from strategies.progress import Progress
from strategies.steps import Shift

_IS_KEPT = Q(retained_slot__isnull=False, retain_until__gt=Now())


def slots(row: Deployment, progress: Progress) -> dict[str, Any] | None:
    """Return {serving, read_at, cards} of the router that a plan switches.

    `serving` is None where nobody could read it. A plan without a switch has none.
    """
    if not progress.course.switches:
        return None
    shift = next(s for s in progress.course.steps if isinstance(s, Shift))
    place = {"application": row.application_id, "environment": row.environment_id}
    router = Router.objects.annotate(is_kept=_IS_KEPT).get(**place)
    seen = _seen(place, router.slots)
    cards = [
        {
            "name": slot,
            "serves": slot == router.serving,
            "changes": slot == shift.to_slot,
            "awaits": slot == shift.to_slot and _awaits(progress),
            "retained_until": router.retain_until
            if slot == router.retained_slot and router.is_kept
            else None,
            **seen[slot],
        }
        for slot in router.slots
    ]
    return {"serving": router.serving, "read_at": router.observed_at, "cards": cards}


def _awaits(p: Progress) -> bool:
    """Whether a person is asked whether traffic may be led over."""
    following = p.course.steps[p.step + 1 : p.step + 2]
    return p.gate is not None and any(isinstance(step, Shift) for step in following)


def _seen(place: dict[str, Any], names: list[str]) -> dict[str, dict[str, Any]]:
    """Return {runs, count, healthy, unhealthy, seen_at} by slot.

    `seen_at` is the oldest of the looks: not one target was seen before it.
    """
    found = Target.objects.filter(**place, removed_at=None, slot__in=names)
    counts = found.values("slot", "recorded_version").annotate(
        count=Count("id"),
        healthy=Count("id", filter=Q(health="healthy")),
        unhealthy=Count("id", filter=Q(health="unhealthy")),
        seen_at=Min("observed_at"),
    )
    rows: list[Any] = list(counts.order_by("slot", "-count"))
    return {
        name: _summed([each for each in rows if each["slot"] == name]) for name in names
    }


def _summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    sums = {
        name: sum(each[name] for each in rows)
        for name in ("count", "healthy", "unhealthy")
    }
    looks = [each["seen_at"] for each in rows if each["seen_at"]]
    runs = [
        {"version": each["recorded_version"] or "unknown", "count": each["count"]}
        for each in rows
    ]
    return {**sums, "runs": runs, "seen_at": min(looks, default=None)}


def kept() -> list[dict[str, Any]]:
    """Return the slots that are kept for a way back, the first to be let go first."""
    found = Router.objects.filter(_IS_KEPT).select_related("application", "environment")
    return [
        {
            "application": row.application.name,
            "environment": row.environment,
            "slot": row.retained_slot,
            "serving": row.serving,
            "until_at": row.retain_until,
        }
        for row in found.order_by("retain_until")
    ]
