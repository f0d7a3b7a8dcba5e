"""Routers as workers and pages read them; nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Now

from deployctl.models import Application, Environment, Router, Target


@dataclass(frozen=True)
class RouterDue:
    """A router to read; `asked_at` is database time before anybody asked."""

    id: int
    name: str
    kind: str
    settings: Mapping[str, Any]
    slots: tuple[str, ...]
    asked_at: datetime
    environment_id: int


def routers_due(seconds: float) -> list[RouterDue]:
    """Return the routers whose last reading is older than so many seconds."""
    old = Q(observed_at=None) | Q(observed_at__lt=Now() - timedelta(seconds=seconds))
    found = Router.objects.filter(old).annotate(now=Now())
    return [
        RouterDue(
            id=row.pk,
            name=str(row),
            kind=row.kind,
            settings=row.settings,
            slots=tuple(row.slots),
            asked_at=row.now,
            environment_id=row.environment_id,
        )
        for row in found.select_related("application", "environment").order_by(
            F("observed_at").asc(nulls_first=True)
        )[:50]
    ]


def why_no_switch(application_id: int, environment_id: int) -> str:
    """Return why traffic cannot be switched in a place; "" if it can, or if unknown.

    Whether the router has been read is left to the plan: it will be, within seconds.
    """
    applications = Application.objects.filter(pk=application_id)
    environments = Environment.objects.filter(pk=environment_id)
    where = applications.first(), environments.first()
    if None in where:
        return ""
    place = {"application": application_id, "environment": environment_id}
    router = Router.objects.filter(**place).first()
    if router is None:
        return "{} has no router in {}, so traffic cannot be switched there.".format(
            *where
        )
    if not router.slots:
        return "The router of {} in {} shares traffic, and has no slots.".format(*where)
    in_slots = Target.objects.filter(**place, removed_at=None, slot__in=router.slots)
    if in_slots.exists():
        return ""
    slots = " or ".join(router.slots)
    return f"No target of {where[0]} in {where[1]} is in slot {slots}."
