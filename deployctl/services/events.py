"""One event a flush: the facts of one transaction under one sequence number."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from deployctl.models import Deployment
from deployctl.services.sql import sql
from strategies import wire
from strategies.messages import (
    AbortAsked,
    BatchClosed,
    BatchOpened,
    Fact,
    GateDecided,
    Halted,
    Held,
    OperationsMoved,
    PromotedFully,
    Rested,
    Resumed,
    RollBackAsked,
    RollbackPlanned,
    Started,
    StepEntered,
    StepSkipped,
    TargetsDrifted,
    WaitCut,
)

#: Most telling first: an event is named after the first of these that it holds.
TELLING: tuple[type[Fact], ...] = (
    Rested,
    Halted,
    RollBackAsked,
    AbortAsked,
    Held,
    Resumed,
    PromotedFully,
    GateDecided,
    WaitCut,
    Started,
    RollbackPlanned,
    TargetsDrifted,
    StepEntered,
    StepSkipped,
    BatchClosed,
    BatchOpened,
    OperationsMoved,
)


def record(row: Deployment, facts: Sequence[Fact], now: datetime) -> None:
    """Store one event under the row's sequence number, which must be new."""
    kinds = {type(fact) for fact in facts}
    telling = next((kind for kind in TELLING if kind in kinds), type(facts[0]))
    payload = json.dumps(wire.dump_facts(tuple(facts)))
    with sql() as cursor:
        cursor.execute(
            "INSERT INTO deployctl_event (deployment_id, seq, kind, payload, at)"
            " VALUES (%s, %s, %s, %s, %s)",
            [row.pk, row.seq, telling.__name__, payload, now],
        )
