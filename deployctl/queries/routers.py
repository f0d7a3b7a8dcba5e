"""Routers as workers and pages read them; nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Now

from deployctl.models import Router


@dataclass(frozen=True)
class RouterDue:
    """A router to read; `asked_at` is database time before anybody asked."""

    id: int
    name: str
    kind: str
    settings: Mapping[str, Any]
    slots: tuple[str, ...]
    asked_at: datetime


def routers_due(seconds: float) -> list[RouterDue]:
    """Return the routers whose last reading is older than so many seconds."""
    old = Q(observed_at=None) | Q(observed_at__lt=Now() - timedelta(seconds=seconds))
    found = Router.objects.filter(old).annotate(now=Now())
    return [
        RouterDue(row.pk, str(row), row.kind, row.settings, tuple(row.slots), row.now)
        for row in found.select_related("application", "environment").order_by(
            F("observed_at").asc(nulls_first=True)
        )[:50]
    ]
