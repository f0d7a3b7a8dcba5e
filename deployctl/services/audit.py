"""The record of who did what: written in the transaction of the change itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from deployctl.models import Audit, Deployment
from deployctl.services.people import Actor
from strategies import wire
from strategies.messages import (
    AbortAsked,
    Fact,
    GateDecided,
    Halted,
    Held,
    PromotedFully,
    Rested,
    Resumed,
    RollBackAsked,
    Started,
    WaitCut,
)
from strategies.states import State

#: What is entered for each kind of fact; other facts are progress, not acts.
_ACTIONS: dict[type[Fact], str] = {
    Started: "deployment.started",
    Held: "deployment.paused",
    Resumed: "deployment.resumed",
    GateDecided: "deployment.promoted",
    WaitCut: "deployment.wait_cut",
    PromotedFully: "deployment.promoted_fully",
    AbortAsked: "deployment.aborted",
    RollBackAsked: "deployment.roll_back_asked",
    Halted: "deployment.halted",
    Rested: "deployment.rested",
}


def record_facts(
    row: Deployment,
    facts: Sequence[Fact],
    now: datetime,
    before: State,
    by: Actor | None,
) -> None:
    """Enter each act among the facts; rules act under the name of the rule."""
    entries = []
    for fact in facts:
        action = _ACTIONS.get(type(fact))
        if action is None:
            continue
        rule = getattr(fact, "rule", None)
        person = None if rule else by if hasattr(fact, "by") else None
        entries.append(
            Audit(
                at=now,
                actor=f"rule {rule}" if rule else getattr(fact, "by", "rule"),
                actor_id=person.user_id if person else None,
                source=person.source if person else "",
                action=action,
                object_type="deployment",
                object_id=row.pk,
                object_label=_label(row),
                before={"state": before.value},
                after={"state": row.state, "fact": wire.dump(fact)},
                reason=getattr(fact, "reason", ""),
            )
        )
    Audit.objects.bulk_create(entries)


def record(
    by: Actor,
    action: str,
    subject: Any,
    *,
    result: str = "ok",
    reason: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Enter what a person did, or was refused; `subject` is a model instance."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now = cursor.fetchone()[0]
    Audit.objects.create(
        at=now,
        actor=by.label,
        actor_id=by.user_id,
        action=action,
        object_type=type(subject).__name__.lower(),
        object_id=subject.pk,
        object_label=_label(subject),
        before=before,
        after=after,
        reason=reason,
        result=result,
        source=by.source,
    )


def _label(subject: Any) -> str:
    """Return how something is called, as long as there is room: its id names it."""
    return str(subject)[: Audit._meta.get_field("object_label").max_length]
