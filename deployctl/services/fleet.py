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

from deployctl import doorbell
from deployctl.models import Application, Deployment, Environment, Operation, Target
from deployctl.models.deployments import LIVE_STATES
from deployctl.networks import networks
from deployctl.services import audit
from deployctl.services.people import Actor, require
from strategies.states import OPEN, OperationState

#: A target with such an operation in a live deployment is still to be acted on.
_UNSETTLED = [
    *(state.value for state in OPEN),
    OperationState.PENDING.value,
    OperationState.UNRESOLVED.value,
]


class InUse(Exception):
    """A live deployment is about to act on these targets; nothing was changed."""


@dataclass(frozen=True)
class NewTarget:
    """A target to be added; `recorded_version` is what it runs, None if unknown."""

    name: str
    address: str
    driver: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    recorded_version: str | None = None
    slot: str | None = None


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


def check_name(name: str) -> None:
    """Refuse what cannot be typed, or would be taken for something else.

    Raises:
        ValueError: a whole sentence.
    """
    if not 1 <= len(name) <= 128 or name != name.strip() or not name.isprintable():
        raise ValueError(
            "A name is one line of 1 to 128 characters, without blanks around it."
        )
    if name.startswith("-"):
        raise ValueError("A name that begins with - would be taken for an option.")
    if name.isdigit():
        raise ValueError("A name of digits alone would be taken for a number.")


def add_application(name: str, *, by: Actor) -> Application:
    """Add an application, or return the one of that name.

    Raises:
        NotAllowed: if this person may not.
        ValueError: it cannot be called so; nothing was stored.
    """
    require(by, "add applications", "every environment")
    check_name(name)
    with transaction.atomic():
        row, made = Application.objects.get_or_create(name=name)
        if made:
            audit.record(by, "application.added", row)
    return row


def add_environment(
    name: str, *, by: Actor, is_production: bool = False
) -> Environment:
    """Add an environment, or return the one of that name as it is.

    Raises:
        NotAllowed: if this person may not.
        ValueError: it cannot be called so; nothing was stored.
    """
    require(by, "add environments", name)
    check_name(name)
    with transaction.atomic():
        row, made = Environment.objects.get_or_create(
            name=name, defaults={"is_production": is_production}
        )
        if made:
            audit.record(by, "environment.added", row)
    return row


def allow_addresses(
    environment: Environment, texts: Iterable[str], *, by: Actor
) -> Environment:
    """Let targets, routers and checks of an environment have these networks only.

    None allows all again, but those that never are a target's. Workers hear of it at
    once: a request that is under way ends as it began, and an operation's next one is
    refused where it may not go any more.

    Raises:
        NotAllowed: if this person may not.
        ValueError: one of them is no network; nothing was changed.
    """
    require(by, "change allowed addresses", environment.name)
    wanted = [str(network) for network in networks(texts)]
    with transaction.atomic():
        row = Environment.objects.select_for_update(no_key=True).get(pk=environment.pk)
        before, row.allowed_addresses = row.allowed_addresses, wanted
        if before != wanted:
            row.save(update_fields=["allowed_addresses"])
            audit.record(
                by,
                "environment.addresses",
                row,
                before={"allowed": before},
                after={"allowed": wanted},
            )
            doorbell.ring_reach()
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
                    slot=new.slot,
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
    """Give targets new addresses, by name, all or none; return how many had another.

    A plan made before does not start any more: it names how each target is reached. A
    live deployment keeps what was approved for the targets that it has still to act
    on; those that it is done with may be moved, and return at the new address.

    Raises:
        NotAllowed: if this person may not.
        InUse: if a live deployment has still to act on one of them.
    """
    require(by, "change targets", environment.name)
    with transaction.atomic():
        there = locked(application, environment, addresses)
        moved = [t for t in there if t.address != addresses[t.name]]
        refuse_in_use([target.pk for target in moved])
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


def locked(
    application: Application, environment: Environment, names: Iterable[str]
) -> list[Target]:
    """Return targets by name, locked so that how they are reached may be changed.

    The order of all: deployment, operations, targets. Under its lock nobody claims; who
    starts just now waits for the targets, then compares its plan.
    """
    lock_live(application, environment)
    there = Target.objects.select_for_update().filter(
        application=application, environment=environment, name__in=list(names)
    )
    return list(there.order_by("pk"))


def lock_live(application: Application, environment: Environment) -> None:
    """Lock the live deployment of a fleet, if there is one: before its targets."""
    live = Deployment.objects.select_for_update(no_key=True).filter(
        application=application, environment=environment, state__in=LIVE_STATES
    )
    list(live.order_by("pk").values_list("pk"))


def refuse_in_use(target_ids: list[int]) -> None:
    """Refuse when a live deployment has still to act on any of these locked targets."""
    unsettled = Operation.objects.filter(
        target__in=target_ids,
        state__in=_UNSETTLED,
        deployment__state__in=LIVE_STATES,
    ).order_by("deployment_id", "target__name")
    names: dict[int, list[str]] = {}
    for deployment_id, name in unsettled.values_list("deployment_id", "target__name"):
        names.setdefault(deployment_id, []).append(name)
    for deployment_id, used in names.items():
        more = f" and {len(used) - 3} more" if len(used) > 3 else ""
        raise InUse(
            f"Deployment {deployment_id} is live and has still to act on"
            f" {', '.join(used[:3])}{more}, as its plan says. Nothing was changed;"
            " wait until it is over, or abort it first."
        )
