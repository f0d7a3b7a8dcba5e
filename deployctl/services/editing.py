"""Bulk edits of a fleet by query: labels, and who is disabled and why.

Which targets a query chooses is `queries.selecting`'s affair, and what being disabled
means is the core's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from django.db import transaction

from deployctl.inventories.rows import labels_wrong
from deployctl.models import Application, Environment
from deployctl.queries.selecting import selected
from deployctl.services import audit
from deployctl.services.changing import (
    Change,
    State,
    digest,
    known,
    refuse_moved,
    write,
)
from deployctl.services.people import Actor, require

MOST_REASON_CHARS = 500
#: So many targets are named in an audit entry; their number is always there.
NAMED = 100


@dataclass(frozen=True)
class Edit:
    """What is done to each target that is chosen.

    Attributes:
        labels: set, by name; None takes a label away.
        disable: why they are left out of plans and looks from now on; "" does not.
        enable: whether they take part again.
    """

    labels: Mapping[str, str | None] = field(default_factory=dict)
    disable: str = ""
    enable: bool = False

    def check(self) -> None:
        """Raise ValueError, with the sentence that says what is wrong."""
        for where, reason in labels_wrong(self.labels):
            raise ValueError(f"{where}: {reason}.")
        if self.disable and self.enable:
            raise ValueError("Disable or enable them, not both.")
        if len(self.disable) > MOST_REASON_CHARS or not self.disable.isprintable():
            raise ValueError(
                f"The reason is one line of at most {MOST_REASON_CHARS} characters."
            )
        if not (self.labels or self.disable or self.enable):
            raise ValueError("Say what is to be changed: labels, or disable or enable.")


@dataclass(frozen=True)
class Edits:
    """What an edit would do: `chosen` is how many targets the query means."""

    chosen: int
    changes: list[Change]
    digest: str


def preview(
    application: Application, environment: Environment, where: str, edit: Edit
) -> Edits:
    """Return what would be done; nothing is changed.

    Raises:
        ValueError: what is wrong with the query or the edit, or nothing is chosen.
    """
    return _edits(application, environment, where, edit, lock=False)


def edit_targets(
    application: Application,
    environment: Environment,
    where: str,
    edit: Edit,
    *,
    by: Actor,
    seen: str | None = None,
) -> Edits:
    """Edit all targets that a query chooses, or none; return what was done.

    Args:
        application: whose targets they are.
        environment: where.
        where: the query.
        edit: what is done to each.
        by: who does it.
        seen: the digest of the preview that they looked at; None if at none.

    Raises:
        NotAllowed: if this person may not.
        ValueError: as `preview`.
        Moved: what would be done is not what was seen.
        InUse: if a live deployment has still to act on one that is disabled or enabled.
    """
    require(by, "edit targets", environment.name)
    with transaction.atomic():
        edits = _edits(application, environment, where, edit, lock=True)
        refuse_moved(seen, edits.digest)
        if edits.changes:
            write(application, environment, edits.changes)
            after = {
                "application": application.name,
                "where": where,
                "labels": dict(edit.labels),
                "disabled": edit.disable or None,
                "enabled": edit.enable,
                "count": len(edits.changes),
                "targets": [change.name for change in edits.changes[:NAMED]],
            }
            audit.record(
                by, "targets.edited", environment, after=after, reason=edit.disable
            )
    return edits


def _edits(
    application: Application,
    environment: Environment,
    where: str,
    edit: Edit,
    *,
    lock: bool,
) -> Edits:
    edit.check()
    ids = selected(application, environment, where)
    if not ids:
        raise ValueError(
            f"No target of {application} in {environment} is like that. Change the"
            " query."
        )
    there = known(application, environment, lock=lock, ids=ids)
    changes = [
        Change(name, each.id, each.state, after)
        for name, each in sorted(there.items())
        if (after := _edited(each.state, edit)) != each.state
    ]
    return Edits(len(ids), changes, digest(changes))


def _edited(state: State, edit: Edit) -> State:
    labels = {**state.labels, **edit.labels}
    disabled = "" if edit.enable else edit.disable or state.disabled
    kept = {name: value for name, value in labels.items() if value is not None}
    return replace(state, labels=kept, disabled=disabled)
