"""Routers: made here, with an audit entry; what workers read of them is kept here.

It knows a router only by its kind and settings; what these mean is the engine's affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from deployctl.models import Application, Deployment, Environment, Router
from deployctl.models.deployments import LIVE_STATES
from deployctl.services import audit
from deployctl.services.fleet import driver_digest
from deployctl.services.people import Actor, require


def add_router(
    application: Application,
    environment: Environment,
    kind: str,
    slots: Sequence[str],
    settings: Mapping[str, Any],
    *,
    by: Actor,
) -> Router:
    """Add the one router of an application in an environment, or change it.

    A plan made before does not start any more: it names how the router is reached. What
    was read of another one is forgotten, until a worker reads this one.

    Args:
        application: whose traffic it leads.
        environment: where.
        kind: what it is made of.
        slots: the two between which it leads traffic; none, if it shares it.
        settings: as its kind wants them.
        by: who adds it.

    Raises:
        ValueError: if these are not two slots with names of their own, or a deployment
            is live there.
        NotAllowed: if this person may not.
    """
    require(by, "add routers", environment.name)
    if slots and (len(slots) != 2 or len(set(slots)) != 2 or not all(slots)):
        raise ValueError("a router leads traffic to one of two slots, by their names")
    with transaction.atomic():
        live = Deployment.objects.filter(
            application=application, environment=environment, state__in=LIVE_STATES
        ).first()
        if live is not None:
            raise ValueError(f"deployment {live.pk} is live there; wait for its end")
        row, made = Router.objects.update_or_create(
            application=application,
            environment=environment,
            defaults={
                "kind": kind,
                "slots": list(slots),
                "settings": dict(settings),
                "driver_digest": driver_digest(kind, "", settings),
                "serving": None,
                "observed_at": None,
            },
        )
        action = "router.added" if made else "router.changed"
        audit.record(by, action, row, after={"kind": kind, "slots": list(slots)})
    return row


def seen(router_id: int, serving: str | None, asked_at: datetime) -> None:
    """Keep what a worker read of a router that nobody is switching.

    What was asked before a switch had ended says nothing of what is.
    """
    with transaction.atomic():
        row = Router.objects.select_for_update(no_key=True).get(pk=router_id)
        busy = row.operations.filter(
            state__in=("running", "verifying", "unknown")
        ).exists()
        stale = row.observed_at is not None and row.observed_at > asked_at
        if not busy and not stale:
            row.serving, row.observed_at = serving, asked_at
            row.save(update_fields=["serving", "observed_at"])
