"""Changes to many targets of one fleet: compared, hashed, and written all at once.

It does not say which changes are wanted: `importing` and `editing` do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError

from deployctl.models import Application, Environment, Target
from deployctl.services.fleet import driver_digest, lock_live, refuse_in_use
from deployctl.services.sql import sql

#: What a deployment approved of a target: not its labels.
_APPROVED = ("address", "kind", "slot", "settings", "disabled")

# Made once: a large fleet has many changes.
_ENCODER = json.JSONEncoder(sort_keys=True)


class Moved(Exception):
    """The fleet is not as it was when somebody looked; nothing was changed."""


@dataclass(frozen=True, slots=True)
class State:
    """A target as people describe it; `disabled` is why, or empty."""

    address: str = ""
    kind: str = ""
    slot: str | None = None
    version: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    disabled: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What one target is to become; one that is not there yet was nothing before.

    `id` is None for one that never was; one that was removed has one, and no `before`.
    """

    name: str
    id: int | None
    before: State | None
    after: State

    def fields(self) -> list[tuple[str, Any, Any]]:
        """Return (field, before, after) of what differs, labels and settings apart."""
        was, will = _flat(self.before or State()), _flat(self.after)
        return [
            (name, was.get(name), will.get(name))
            for name in dict.fromkeys((*was, *will))
            if not same(was.get(name), will.get(name))
        ]


def same(before: Any, after: Any) -> bool:
    """Whether two values of JSON are the same: 1 is 1.0, and is not true."""
    return before == after and isinstance(before, bool) == isinstance(after, bool)


def _flat(state: State) -> dict[str, Any]:
    flat: dict[str, Any] = {
        "address": state.address or None,
        "kind": state.kind or None,
        "slot": state.slot,
        "version": state.version,
    }
    flat |= {f"label.{name}": value for name, value in state.labels.items()}
    flat |= {f"settings.{name}": value for name, value in state.settings.items()}
    return {**flat, "disabled": state.disabled or None}


@dataclass(frozen=True, slots=True)
class Known:
    """A target that has a row, and whether it was removed."""

    id: int
    state: State
    is_removed: bool


def known(
    application: Application,
    environment: Environment,
    *,
    lock: bool,
    ids: Sequence[int] | None = None,
) -> dict[str, Known]:
    """Return the targets of a fleet by name, also those that were removed.

    Args:
        lock: hold what live deployments and others would change of them.
        ids: only these; None means all.
    """
    if lock:
        lock_live(application, environment)
    found = Target.objects.filter(application=application, environment=environment)
    if ids is not None:
        found = found.filter(pk__in=ids)
    if lock:
        found = found.select_for_update()
    rows = found.order_by("pk").values_list(
        *("name", "pk", "removed_at", "address", "driver", "slot"),
        *("recorded_version", "labels", "settings", "disabled_reason"),
    )
    there = {}
    for name, pk, removed_at, address, kind, slot, *more in rows.iterator(10_000):
        state = State(address, kind, slot or None, *more)
        there[name] = Known(pk, state, removed_at is not None)
    return there


def digest(changes: Iterable[Change]) -> str:
    """Return 64 hex digits that are the same for the same changes to the same fleet."""
    hashed = hashlib.sha256()
    for change in changes:
        content = [change.name, change.id, change.fields()]
        hashed.update(_ENCODER.encode(content).encode() + b"\n")
    return hashed.hexdigest()


def refuse_moved(seen: str | None, found: str) -> None:
    """Refuse changes that are not the ones that somebody looked at, if anybody did."""
    if seen is not None and seen != found:
        raise Moved(
            "The fleet or the file has changed since you looked: this is what would be"
            " done now. Nothing was changed; look at it, and say so again."
        )


_COLUMNS = (
    *("id", "name", "address", "driver", "settings", "digest"),
    *("labels", "slot", "version", "disabled"),
)
_TABLE = """
    CREATE TEMPORARY TABLE deployctl_changes (
        id bigint, name text, address text, driver text, settings jsonb, digest text,
        labels jsonb, slot text, version text, disabled text) ON COMMIT DROP
"""
# One that was removed begins anew, as one that never was; its fence goes on, since the
# host may still remember it.
_UPDATE = """
    UPDATE deployctl_target t
       SET address = c.address, driver = c.driver, settings = c.settings,
           driver_digest = c.digest, labels = c.labels, slot = c.slot,
           recorded_version = c.version, removed_at = NULL,
           health = CASE WHEN t.removed_at IS NULL THEN t.health ELSE 'unknown' END,
           looks = CASE WHEN t.removed_at IS NULL THEN t.looks ELSE 0 END,
           looked_at = CASE WHEN t.removed_at IS NULL THEN t.looked_at END,
           observed_version = CASE WHEN t.removed_at IS NULL
                                   THEN t.observed_version END,
           observed_at = CASE WHEN t.removed_at IS NULL THEN t.observed_at END,
           disabled_reason = c.disabled,
           disabled_at = CASE WHEN c.disabled = '' THEN NULL
                              WHEN c.disabled = t.disabled_reason THEN t.disabled_at
                              ELSE clock_timestamp() END
      FROM deployctl_changes c WHERE c.id = t.id
"""
_INSERT = """
    INSERT INTO deployctl_target (
           application_id, environment_id, name, address, driver, settings,
           driver_digest, labels, slot, recorded_version, health, fence, looks,
           disabled_reason, disabled_at)
    SELECT %s, %s, name, address, driver, settings, digest, labels, slot, version,
           'unknown', 0, 0, disabled,
           CASE WHEN disabled <> '' THEN clock_timestamp() END
      FROM deployctl_changes WHERE id IS NULL
"""


def write(
    application: Application, environment: Environment, changes: Sequence[Change]
) -> None:
    """Write changes in the caller's transaction, whose fleet is `known` and locked.

    Raises:
        InUse: if a live deployment has still to act on one that is changed.
        Moved: somebody else has just added one of the new ones.
    """
    refuse_in_use([each.id for each in changes if each.id and _is_approved(each)])
    copy = f"COPY deployctl_changes ({', '.join(_COLUMNS)}) FROM STDIN"
    try:
        with sql() as cursor:
            cursor.execute(_TABLE)
            with cursor.copy(copy) as rows:
                for change in changes:
                    rows.write_row(_written(change))
            cursor.execute(_UPDATE)
            cursor.execute(_INSERT, [application.pk, environment.pk])
            cursor.execute("DROP TABLE deployctl_changes")
    except IntegrityError as error:
        raise Moved(
            "Somebody else has just added one of these targets. Nothing was changed;"
            " look again."
        ) from error


def _is_approved(change: Change) -> bool:
    """Whether it changes what a deployment that runs has approved."""
    before = change.before
    return before is not None and any(
        getattr(before, name) != getattr(change.after, name) for name in _APPROVED
    )


def _written(change: Change) -> list[Any]:
    after = change.after
    settings, labels = dict(after.settings), dict(after.labels)
    found = driver_digest(after.kind, after.address, settings)
    return [
        *(change.id, change.name, after.address, after.kind),
        *(json.dumps(settings), found, json.dumps(labels)),
        *(after.slot, after.version, after.disabled),
    ]
