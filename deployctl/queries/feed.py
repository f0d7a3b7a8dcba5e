"""The events of a deployment, read and told; it changes none.

What each of them says stands elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection

from deployctl.models import Deployment, Event
from deployctl.queries import grid
from deployctl.queries.sentences import Line, Told, few, lines
from strategies import wire
from strategies.messages import Fact
from strategies.steps import Course

#: How many events are read at once.
MOST_EVENTS = 60
#: How many sentences a room shows; it sends them all with each change.
MOST_LINES = 50
#: Those that hold something to say.
_TELLING = """
    SELECT seq FROM deployctl_event
     WHERE deployment_id = %s AND seq > %s AND seq <= %s
       AND (kind NOT IN ('OperationsMoved', 'TimePassed')
        OR payload @? '$.facts[*] ? (@.now == "failed"
             || @.effect == "shift" || @.was == "failed"
             || @.now == "unknown" || @.now == "unresolved")')
"""
_NEWEST = f"{_TELLING} ORDER BY seq DESC LIMIT %s"
_OLDEST = f"{_TELLING} ORDER BY seq LIMIT %s"

_Read = tuple[int, datetime, list[Fact]]


def feed(row: Deployment, course: Course) -> dict[str, Any]:
    """Return {total, entries}, newest first, for the room's feed."""
    entries = [
        {"seq": seq, "at": at, **line._asdict()}
        for seq, at, told in _told(row, course, _events(row, 0, _NEWEST))
        for line in told
    ]
    return {"total": row.seq, "entries": entries[: -MOST_LINES - 1 : -1]}


def after(row: Deployment, course: Course, seq: int) -> Iterator[dict[str, Any]]:
    """Yield {seq, at, icon, css, who, text} of what came after an event, oldest first.

    Nothing is left out up to the row's own number, however much that is.
    """
    while read := _events(row, seq, _OLDEST):
        for number, at, told in _told(row, course, read):
            for line in told:
                yield {"seq": number, "at": at, **line._asdict()}
        seq = read[-1][0]


def _told(
    row: Deployment, course: Course, read: list[_Read]
) -> Iterator[tuple[int, datetime, list[Line]]]:
    """Yield (seq, at, sentences) of events."""
    wanted = {p for _, _, facts in read for fact in facts for p in few(fact)}
    names = grid.names(row, sorted(wanted))
    context = Told(grid.batch_numbers(course), names, course.steps)
    for seq, at, facts in read:
        yield seq, at, list(lines(facts, context))


def _events(row: Deployment, after_seq: int, query: str) -> list[_Read]:
    """Return (seq, at, facts) of events that hold something to say, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(query, [row.pk, after_seq, row.seq, MOST_EVENTS])
        seqs = [seq for (seq,) in cursor.fetchall()]
    events = Event.objects.filter(deployment_id=row.pk, seq__in=seqs).order_by("seq")
    return [(e.seq, e.at, wire.load_facts(e.payload)) for e in events]
