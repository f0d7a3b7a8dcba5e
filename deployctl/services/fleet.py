"""Applications, environments and targets: made and changed here, with an audit entry.

It knows a driver only by its name and settings; what these mean is the engine's
affair.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from deployctl.models import Application, Environment, Target
from deployctl.services import audit
from deployctl.services.people import Actor, require


@dataclass(frozen=True)
class NewTarget:
    """A target to be added; `recorded_version` is what it runs, None if unknown."""

    name: str
    address: str
    driver: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    recorded_version: str | None = None


def driver_digest(driver: str, address: str, settings: Mapping[str, Any]) -> str:
    """Return 64 hex digits that change when how a target is reached changes.

    SHA-256 of the canonical JSON of the three; part of each plan.

    Raises:
        ValueError: NaN or an infinite number has no canonical form.
    """
    canonical = json.dumps(
        {"address": address, "kind": driver, "settings": dict(settings)},
        allow_nan=False,
        separators=(",", ":"),
        sort_keys=True,
    )
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def add_application(name: str, *, by: Actor) -> Application:
    """Add an application, or return the one of that name."""
    require(by, "add applications", "every environment")
    with transaction.atomic():
        row, made = Application.objects.get_or_create(name=name)
        if made:
            audit.record(by, "application.added", row)
    return row


def add_environment(
    name: str, *, by: Actor, is_production: bool = False
) -> Environment:
    """Add an environment, or return the one of that name."""
    require(by, "add environments", name)
    with transaction.atomic():
        row, made = Environment.objects.get_or_create(
            name=name, defaults={"is_production": is_production}
        )
        if made:
            audit.record(by, "environment.added", row)
    return row


def add_targets(
    application: Application,
    environment: Environment,
    targets: Iterable[NewTarget],
    *,
    by: Actor,
) -> list[Target]:
    """Add targets to a fleet, all or none.

    Raises:
        NotAllowed: if this person may not.
        IntegrityError: if a name is taken in this fleet.
    """
    require(by, "add targets", environment.name)
    with transaction.atomic():
        rows = Target.objects.bulk_create(
            [
                Target(
                    application=application,
                    environment=environment,
                    name=new.name,
                    address=new.address,
                    driver=new.driver,
                    settings=dict(new.settings),
                    driver_digest=driver_digest(new.driver, new.address, new.settings),
                    labels=dict(new.labels),
                    recorded_version=new.recorded_version,
                )
                for new in targets
            ]
        )
        names = [row.name for row in rows]
        audit.record(by, "targets.added", environment, after={"targets": names[:100]})
    return rows


def move_targets(
    application: Application,
    environment: Environment,
    addresses: Mapping[str, str],
    *,
    by: Actor,
) -> int:
    """Give targets new addresses, by name; return how many had another one.

    A plan made before does not start any more: it names how each target is reached.
    """
    require(by, "change targets", environment.name)
    with transaction.atomic():
        there = Target.objects.select_for_update().filter(
            application=application, environment=environment, name__in=list(addresses)
        )
        moved = [t for t in there.order_by("pk") if t.address != addresses[t.name]]
        for target in moved:
            target.address = addresses[target.name]
            target.driver_digest = driver_digest(
                target.driver, target.address, target.settings
            )
        if moved:
            Target.objects.bulk_update(moved, ["address", "driver_digest"])
            names = {target.name: target.address for target in moved[:100]}
            audit.record(by, "targets.moved", environment, after=names)
    return len(moved)
