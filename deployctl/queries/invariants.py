"""Whether what is stored of a deployment agrees: plan, rows, tallies, columns, events.

It reads one snapshot and knows nothing of how it came about, so that it may be asked at
any moment, also while workers run; it mends nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Count, QuerySet

from deployctl.models import Deployment, Operation
from deployctl.queries.plans import plan_of, progress_of
from strategies import replay, wire
from strategies.messages import Fact
from strategies.plan import Plan
from strategies.progress import Progress
from strategies.states import OPEN, Direction, Kind
from strategies.tally import Tally

#: What reading something that was tampered with may raise.
_UNREADABLE = (
    wire.UnknownFormat,
    *(ValueError, KeyError, TypeError, AttributeError, AssertionError),
)


@contextmanager
def snapshot() -> Iterator[None]:
    """Let all reads inside see one moment; nothing can be written, nobody waits."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def wrongs(row: Deployment) -> Iterator[str]:
    """Yield a sentence for each thing that disagrees; to be read in a `snapshot`."""
    plan = _plan(row)
    if plan is None:
        yield "its plan does not match the hash under which it is stored"
        return
    yield from _numbers(row)
    if row.progress is None:
        if row.operations.exists():
            yield "it has operations although it never started"
        return
    try:
        progress = progress_of(row)
        told = replay(plan.course, events(row))
    except _UNREADABLE as error:
        yield f"what is stored cannot be read: {error}"
        return
    yield from _tallies(row, progress)
    yield from _columns(row, progress)
    if told != progress:
        yield "its events, told again, do not lead to its progress"


def events(row: Deployment) -> Iterator[tuple[datetime, list[Fact]]]:
    """Yield (at, facts) of all events of a deployment, in order."""
    for event in row.events.order_by("seq").iterator(500):
        yield event.at, wire.load_facts(event.payload)


def _plan(row: Deployment) -> Plan | None:
    try:
        plan, stored = plan_of(row), wire.load(row.plan.course)
    except _UNREADABLE:
        return None
    return plan if plan.hash == row.plan_id and plan.course == stored else None


def _numbers(row: Deployment) -> Iterator[str]:
    numbers = row.events.order_by("seq").values_list("seq", flat=True)
    if list(numbers) != list(range(1, row.seq + 1)):
        yield f"its events are not numbered from 1 to {row.seq} without a gap"


def _tallies(row: Deployment, p: Progress) -> Iterator[str]:
    rows = row.operations.all()
    forward = rows.filter(direction=Direction.FORWARD.value)
    back = rows.filter(direction=Direction.RETURN.value)
    shift = Kind.SHIFT.value
    pairs = {
        "targets": (forward.exclude(kind=shift), p.whole),
        "returned targets": (back.exclude(kind=shift), p.back),
        "shifts": (forward.filter(kind=shift), p.shifts),
        "returned shifts": (back.filter(kind=shift), p.back_shifts),
    }
    if p.opened is not None:
        span = range(p.opened.start, p.opened.stop)
        batch = forward.filter(position__gte=span.start, position__lt=span.stop)
        pairs["targets of the open batch"] = batch, p.batch_tally
    for what, (found, said) in pairs.items():
        if tally(found) != said:
            yield f"the tally of its {what} differs from the rows"


def tally(rows: QuerySet[Operation]) -> Tally:
    """Count operations by state."""
    counts = rows.order_by().values_list("state").annotate(Count("pk"))
    return Tally(**dict(counts))


def _columns(row: Deployment, p: Progress) -> Iterator[str]:
    """Compare the columns that are a projection of progress."""
    open_ones = row.operations.filter(state__in=[state.value for state in OPEN])
    held = row.operations.exclude(pk__in=open_ones.values("pk"))
    agree = {
        "state": row.state == p.state.value,
        "intent": row.intent == int(p.intent),
        "hold": (row.hold is None) == (p.hold is None),
        "halt": (row.halt is None) == (p.halt is None),
        "rested_at": (row.rested_at is None) == (p.rest is None),
        "open_count": row.open_count == p.open == open_ones.count(),
    }
    for name in (name for name, agrees in agree.items() if not agrees):
        yield f"its column {name} differs from its progress"
    if held.exclude(claimed_by=None).exists():
        yield "a worker holds an operation of it that is not open"
