"""The events of a deployment, read and told newest first; it changes none.

What each of them says stands elsewhere.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection

from deployctl.models import Deployment, Event
from deployctl.queries import grid
from deployctl.queries.sentences import Told, few, lines
from strategies import wire
from strategies.messages import Fact
from strategies.steps import Course

#: How many events are read for the feed.
MOST_EVENTS = 60


def feed(row: Deployment, course: Course) -> dict[str, Any]:
    """Return {total, entries}, newest first, for the room's feed."""
    told = [(seq, at, facts) for seq, at, facts in _events(row)]
    wanted = {p for _, _, facts in told for fact in facts for p in few(fact)}
    names = grid.names(row, sorted(wanted))
    context = Told(grid.batch_numbers(course), names, course.steps)
    entries = [
        {"seq": seq, "at": at, **line._asdict()}
        for seq, at, facts in told
        for line in reversed(list(lines(facts, context)))
    ]
    return {"total": row.seq, "entries": entries}


def _events(row: Deployment) -> list[tuple[int, datetime, list[Fact]]]:
    """Return (seq, at, facts) of the newest events that hold something to say."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT seq FROM deployctl_event
                WHERE deployment_id = %s AND seq <= %s
                  AND (kind NOT IN ('OperationsMoved', 'TimePassed')
                   OR payload @? '$.facts[*] ? (@.now == "failed"
                        || @.effect == "shift" || @.was == "failed"
                        || @.now == "unknown" || @.now == "unresolved")')
                ORDER BY seq DESC LIMIT %s""",
            [row.pk, row.seq, MOST_EVENTS],
        )
        seqs = [seq for (seq,) in cursor.fetchall()]
    events = Event.objects.filter(deployment_id=row.pk, seq__in=seqs).order_by("-seq")
    return [(e.seq, e.at, wire.load_facts(e.payload)) for e in events]
