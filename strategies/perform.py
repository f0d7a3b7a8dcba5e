"""What the machine asks for, done to the in-memory books, one function an action.

Claims and timers are not here: they are the ledger's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from strategies import rules
from strategies.actions import (
    Action,
    OpenBatch,
    PlanReturn,
    Record,
    RecordHalt,
    ReviveReturn,
    WriteOff,
)
from strategies.books import Books, Change
from strategies.messages import BatchOpened, Recounted, RollbackPlanned
from strategies.rows import Row
from strategies.states import Direction, Kind, OperationState
from strategies.values import replace

_S = OperationState


def perform(books: Books, action: Action, at: datetime) -> None:
    """Do what the machine asks for: rows first, then the facts that tell of them."""
    _PERFORM[type(action)](books, action, at)


def _record(books: Books, action: Record, at: datetime) -> None:
    books.fold(action.fact, at)


def _open_batch(books: Books, action: OpenBatch, at: datetime) -> None:
    rows = [
        books.rows[Direction.FORWARD, position]
        for position in range(action.start, action.stop)
    ]
    gone = [r for r in rows if r.position in books.removed and r.state is _S.PENDING]
    books.move([Change(row, _S.SKIPPED, False) for row in gone], at)
    if gone:
        books.queues.drop(Direction.FORWARD, books.removed)
    pending = [row for row in rows if row.state is _S.PENDING]
    books.fold(
        BatchOpened(
            step=action.step,
            batch=action.batch,
            start=action.start,
            stop=action.stop,
            pending=len(pending),
            unavailable=sum(not books.serves(row) for row in pending),
            skipped=len(rows) - len(pending),
        ),
        at,
    )


def _record_halt(books: Books, action: RecordHalt, at: datetime) -> None:
    halted = action.halted
    start, stop = rules.evidence_span(books.progress, halted)
    failed = books.in_state(Direction.FORWARD, _S.FAILED)
    inside = [row for row in failed if start <= row.position < stop]
    inside.sort(key=lambda row: row.moved)
    evidence = inside[: halted.evidence_at_most]
    books.fold(replace(halted, positions=tuple(r.position for r in evidence)), at)


def _write_off(books: Books, action: WriteOff, at: datetime) -> None:
    rows = books.in_state(action.direction, _S.UNRESOLVED)
    books.move([books.kept(row, _S.FAILED) for row in rows], at)


def _plan_return(books: Books, action: PlanReturn, at: datetime) -> None:
    _write_off(books, WriteOff(Direction.FORWARD), at)
    touched = books.touched()
    shifts = [row.position for row in touched if row.kind is Kind.SHIFT]
    written = [row.position for row in touched if row.kind is not Kind.SHIFT]
    written = written if action.targets else []
    shifts = shifts[:1] if action.evens else shifts
    content = [
        (position, target.id, target.from_version)
        for position, target in ((p, books.plan.targets[p]) for p in written)
    ]
    rows = [Row(Direction.RETURN, position, Kind.RESTORE) for position in written]
    rows += [Row(Direction.RETURN, position, Kind.SHIFT) for position in shifts]
    for row in rows:
        books.write(row)
    unavailable = sum(not books.serves(row) for row in rows[: len(written)])
    digest = hashlib.sha256(repr(content).encode()).hexdigest()
    planned = RollbackPlanned(len(written), unavailable, digest, len(shifts))
    books.fold(planned, at)
    recount(books, at)


def recount(books: Books, at: datetime) -> None:
    """Count what is available; nothing is open when a return begins."""
    waiting = books.in_state(Direction.RETURN, _S.PENDING)
    targets = [row for row in waiting if row.kind is not Kind.SHIFT]
    unavailable = sum(not books.serves(row) for row in targets)
    books.fold(Recounted(books.counted(), unavailable), at)


def count_standby(books: Books, at: datetime) -> None:
    """Count what serves anew if it has changed: traffic may be about to return."""
    p = books.progress
    if books.standby and p.rest is None and p.available != books.counted():
        recount(books, at)


def _revive_return(books: Books, _: ReviveReturn, at: datetime) -> None:
    rows = books.in_state(Direction.RETURN, _S.FAILED, _S.UNRESOLVED)
    for row in rows:
        row.attempt = 0
    books.move([books.kept(row, _S.PENDING) for row in rows], at)
    recount(books, at)


_PERFORM: dict[type, Callable[[Books, Any, datetime], None]] = {
    Record: _record,
    OpenBatch: _open_batch,
    RecordHalt: _record_halt,
    WriteOff: _write_off,
    PlanReturn: _plan_return,
    ReviveReturn: _revive_return,
}
