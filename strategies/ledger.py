"""The in-memory driver of the machine: one row an operation, and what each flush does.

It is the reference for what the SQL journal does. It knows neither clock nor targets:
time is passed in, outcomes are reported, and whoever holds a claim acts on it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from strategies import commands, folds, operations, rules
from strategies.messages import (
    BatchOpened,
    Command,
    Fact,
    OpenBatch,
    OperationsMoved,
    PlanReturn,
    Record,
    RecordHalt,
    Recounted,
    ReviveReturn,
    RollbackPlanned,
    Start,
    Started,
    TimePassed,
    WakeAt,
    WriteOff,
)
from strategies.plan import Plan
from strategies.progress import Progress
from strategies.rows import Claim, Queues, Report, Row
from strategies.states import OPEN, Direction, Kind, OperationState
from strategies.steps import Shift
from strategies.values import replace

_S = OperationState
#: How many failed operations a halt names as its evidence.
EVIDENCE = 50
#: After these the target is known to be healthy, unless a report says otherwise.
_GOOD = frozenset({_S.SUCCEEDED, _S.SKIPPED})


@dataclass(frozen=True)
class _Change:
    row: Row
    now: OperationState
    is_available: bool


class Ledger:
    """A deployment in memory: its rows, its progress, and the events so far.

    Attributes:
        rows: one for each operation, by direction and position; the shifts' positions
            follow those of the targets.
        available: whether each target, by position, is healthy as far as is known.
        removed: positions of targets that are gone, to be skipped by their batch.
        events: (at, facts), in order; `replay` of them gives `progress`.
        due_at: when the machine wants to be flushed at the latest; None for never.
    """

    def __init__(self, plan: Plan, unavailable_ids: Collection[str] = ()) -> None:
        self.plan = plan
        self.progress = Progress.begin(plan.course)
        self.events: list[tuple[datetime, list[Fact]]] = []
        self.due_at: datetime | None = None
        self.available = [t.id not in unavailable_ids for t in plan.targets]
        self.rows: dict[tuple[Direction, int], Row] = {}
        steps = plan.course.steps
        self._shifts = {step.start: step for step in steps if isinstance(step, Shift)}
        #: Where an idle slot is changed, only the slot that serves is counted.
        self._standby = set(plan.router.standby) if plan.router else set()
        spare = self._standby or {s.id for s in plan.skipped}
        self._spare = len(spare - set(unavailable_ids))
        #: Positions of targets that were removed since the plan was made.
        self.removed: set[int] = set()
        self._queues = Queues()
        self._moves = 0
        self._start: Start | None = None
        self._facts: list[Fact] = []
        for position in range(plan.course.work + plan.course.shifts):
            kind = plan.course.kind_at(position)
            self._write(Row(Direction.FORWARD, position, kind))

    # -- what the outside does --------------------------------------------------

    def start(self, at: datetime, by: str) -> None:
        """Begin. Flush next, to get claims."""
        self._fold(Started(available=self._counted(), by=by), at)
        self._run(at)
        self._close(at)

    def command(self, command: Command, at: datetime) -> tuple[Fact, ...]:
        """Grant a command, and return the facts that granted it.

        Raises:
            CommandRefused: if the present state does not allow it.
        """
        facts = commands.decide(self.progress, command, at)
        for fact in facts:
            self._fold(fact, at)
        self._run(at)
        self._close(at)
        return facts

    def flush(
        self, reports: Sequence[Report], at: datetime, places: int
    ) -> list[Claim]:
        """Settle reports, do what the machine decides, and claim up to `places`."""
        self._settle(reports, at)
        self._count_standby(at)
        self._run(at)
        claims = self._claim(places, at)
        self._close(at)
        return claims

    def take_over(self, rows: Iterable[Row], at: datetime) -> list[Claim]:
        """Take open operations from a holder that is lost; the new holder settles them.

        What was seen applied goes on verifying; the rest is unknown.
        """
        held = [row for row in rows if row.state in OPEN]
        self._move([_Change(r, _S.UNKNOWN, False) for r in held if _is_running(r)], at)
        self._run(at)
        self._close(at)
        return [self._numbered(row) for row in held]

    def resolve(self, row: Row, state: OperationState, at: datetime) -> None:
        """Store what a person says about an unresolved operation."""
        if row.state is _S.UNRESOLVED:
            self._move([_Change(row, state, state in _GOOD)], at)
            self._run(at)
            self._close(at)

    def watch(self, healthy: Mapping[int, bool], at: datetime) -> None:
        """Store what was seen of accepted targets, by position.

        One that had succeeded regresses when it is seen unhealthy, and recovers when it
        is seen healthy again; all else is left as it is. Once a return is planned it
        is the return that says how its targets are.
        """
        if self.progress.return_planned:
            return
        changes = []
        for position, is_healthy in healthy.items():
            row = self.rows.get((Direction.FORWARD, position))
            if row is None or row.kind is Kind.SHIFT:
                continue
            if row.state is _S.SUCCEEDED and not is_healthy:
                row.regressed = True
                changes.append(_Change(row, _S.FAILED, False))
            elif row.state is _S.FAILED and row.regressed and is_healthy:
                row.regressed = False
                changes.append(_Change(row, _S.SUCCEEDED, True))
        self._move(changes, at)
        self._run(at)
        self._close(at)

    def adopt(self, at: datetime) -> None:
        """Note that all of it was touched by an earlier deployment, which is over.

        A return asked for next takes it back as if it were this one's own.
        """
        for row in self.in_state(Direction.FORWARD, _S.PENDING):
            row.attempt += 1
            self._move([_Change(row, _S.RUNNING, False)], at)
            self._move([self._kept(row, _S.SUCCEEDED)], at)
        self._close(at)

    def standby_changed(self, count: int) -> None:
        """Note how many targets of the slot that serves are healthy now.

        The next flush counts them anew, before anything is claimed.
        """
        self._spare = count

    def in_state(self, direction: Direction, *states: OperationState) -> list[Row]:
        """Return the rows of one direction that are in one of these states."""
        return [
            row
            for row in self.rows.values()
            if row.direction is direction and row.state in states
        ]

    def touched(self) -> list[Row]:
        """Return what a return takes back, in plan order."""
        return [r for r in self.in_state(Direction.FORWARD, *_S) if r.touched]

    # -- reports ------------------------------------------------------------------

    def _settle(self, reports: Sequence[Report], at: datetime) -> None:
        once = {(r.direction, r.position, r.number): r for r in reversed(reports)}
        held = [
            (row, report)
            for (direction, position, number), report in reversed(once.items())
            if (row := self.rows.get((direction, position))) is not None
            and row.state in OPEN
            and row.number == number
        ]
        self._move([self._change(row, report) for row, report in held], at)

    def _change(self, row: Row, report: Report) -> _Change:
        if report.state is _S.RELEASED:
            row.attempt -= 1
            return _Change(row, _S.RELEASED, self._healthy(row))
        state = self._after_retry(row, report.state)
        said = report.available
        return _Change(row, state, report.state in _GOOD if said is None else said)

    def _after_retry(self, row: Row, state: OperationState) -> OperationState:
        undone = state is _S.PENDING and row.state is _S.UNKNOWN
        if state is not _S.FAILED and not undone:
            return state
        after = operations.after_doubt if undone else operations.after_failure
        retries = self.plan.course.limits.retries
        if row.direction is Direction.RETURN:
            retries = operations.return_retries(retries)
        return after(
            attempt=row.attempt,
            retries=retries,
            may_claim=self.progress.may_retry(row.direction),
        )

    # -- rows and facts -------------------------------------------------------------

    def _fold(self, fact: Fact, at: datetime) -> None:
        self.progress = folds.apply(self.progress, fact, at)
        self._facts.append(fact)

    def _close(self, at: datetime) -> None:
        if self._facts:
            self.events.append((at, self._facts))
            self._facts = []

    def _move(self, changes: Sequence[_Change], at: datetime) -> None:
        """Store new states, and fold them, one fact for each group of equal moves."""
        groups: dict[OperationsMoved, list[int]] = defaultdict(list)
        for change in changes:
            groups[self._stored(change)].append(change.row.position)
        for moved, positions in groups.items():
            self._fold(replace(moved, positions=tuple(sorted(positions))), at)

    def _stored(self, change: _Change) -> OperationsMoved:
        """Store one change, and return its fact, still without positions."""
        row, position = change.row, change.row.position
        was, was_available = row.state, self._is_available(row)
        self._moves += 1
        row.moved = self._moves
        row.state = _S.PENDING if change.now is _S.RELEASED else change.now
        if row.state not in OPEN and row.kind is not Kind.SHIFT:
            self.available[position] = change.is_available
        if row.state is _S.PENDING:
            self._queues.push(row, self._serves(row))
        return OperationsMoved(
            direction=row.direction,
            where=self.progress.where(row.direction, position),
            was=was,
            now=change.now,
            was_available=was_available,
            is_available=self._is_available(row),
            positions=(),
            effect=row.kind,
        )

    def _is_available(self, row: Row) -> bool:
        return row.state not in OPEN and self._serves(row)

    def _serves(self, row: Row) -> bool:
        """Whether the row's subject counts as available, but for being open."""
        return not self._standby and self._healthy(row)

    def _healthy(self, row: Row) -> bool:
        """Whether the row's target was healthy when it was last closed."""
        return row.kind is not Kind.SHIFT and self.available[row.position]

    def _counted(self) -> int:
        return self._spare + (0 if self._standby else sum(self.available))

    def _write(self, row: Row) -> None:
        self.rows[row.direction, row.position] = row
        self._queues.push(row, self._serves(row))

    # -- claims -----------------------------------------------------------------

    def _claim(self, places: int, at: datetime) -> list[Claim]:
        start = self._start
        if start is None:
            return []
        picked = self._queues.pop(start, min(places, start.at_most))
        rows = [self.rows[start.direction, position] for position in picked]
        was_available = {row.position: self._is_available(row) for row in rows}
        for row in rows:
            row.attempt += 1
            row.was_available = was_available[row.position]
        # In the order in which the journal folds them: those that cost no room first.
        ordered = sorted(rows, key=lambda row: was_available[row.position])
        self._move([_Change(row, _S.RUNNING, False) for row in ordered], at)
        return [self._numbered(row) for row in rows]

    def _numbered(self, row: Row) -> Claim:
        row.number += 1
        shift = self._shifts.get(row.position)
        return Claim(
            direction=row.direction,
            position=row.position,
            number=row.number,
            attempt=row.attempt,
            state=row.state,
            kind=row.kind,
            target=None if shift else self.plan.targets[row.position],
            shift=shift,
        )

    # -- what the machine asks for ------------------------------------------------

    def _run(self, at: datetime) -> None:
        """Do what the machine decides, until it asks only for claims and timers."""
        # A batch is opened and closed, and little else; more is a rule that loops.
        for _ in range(100 + 4 * len(self.rows)):
            if not self._decided(at):
                return
        raise RuntimeError(f"it never stopped deciding: {self.progress}")

    def _decided(self, at: datetime) -> bool:
        self._start, self.due_at = None, None
        for action in rules.actions(self.progress):
            if isinstance(action, Start):
                self._start = action
            elif isinstance(action, WakeAt):
                if action.at <= at:
                    self._fold(TimePassed(action.timer), at)
                    return True
                self.due_at = action.at
            else:
                _PERFORM[type(action)](self, action, at)
                return True
        return False

    def _record(self, action: Record, at: datetime) -> None:
        self._fold(action.fact, at)

    def _open_batch(self, action: OpenBatch, at: datetime) -> None:
        rows = [
            self.rows[Direction.FORWARD, position]
            for position in range(action.start, action.stop)
        ]
        gone = [r for r in rows if r.position in self.removed and r.state is _S.PENDING]
        self._move([_Change(row, _S.SKIPPED, False) for row in gone], at)
        if gone:
            self._queues.drop(Direction.FORWARD, self.removed)
        pending = [row for row in rows if row.state is _S.PENDING]
        self._fold(
            BatchOpened(
                step=action.step,
                batch=action.batch,
                start=action.start,
                stop=action.stop,
                pending=len(pending),
                unavailable=sum(not self._serves(row) for row in pending),
                skipped=len(rows) - len(pending),
            ),
            at,
        )

    def _record_halt(self, action: RecordHalt, at: datetime) -> None:
        halted = action.halted
        start, stop = rules.evidence_span(self.progress, halted)
        failed = self.in_state(Direction.FORWARD, _S.FAILED)
        inside = [row for row in failed if start <= row.position < stop]
        inside.sort(key=lambda row: row.moved)
        evidence = inside[: min(max(halted.observed, 1), EVIDENCE)]
        self._fold(replace(halted, positions=tuple(r.position for r in evidence)), at)

    def _write_off(self, action: WriteOff, at: datetime) -> None:
        rows = self.in_state(action.direction, _S.UNRESOLVED)
        self._move([self._kept(row, _S.FAILED) for row in rows], at)

    def _plan_return(self, action: PlanReturn, at: datetime) -> None:
        self._write_off(WriteOff(Direction.FORWARD), at)
        touched = self.touched()
        shifts = [row.position for row in touched if row.kind is Kind.SHIFT]
        written = [row.position for row in touched if row.kind is not Kind.SHIFT]
        written = written if action.targets else []
        content = [
            (position, target.id, target.from_version)
            for position, target in ((p, self.plan.targets[p]) for p in written)
        ]
        rows = [Row(Direction.RETURN, position, Kind.RESTORE) for position in written]
        rows += [Row(Direction.RETURN, position, Kind.SHIFT) for position in shifts]
        for row in rows:
            self._write(row)
        unavailable = sum(not self._serves(row) for row in rows[: len(written)])
        digest = hashlib.sha256(repr(content).encode()).hexdigest()
        planned = RollbackPlanned(len(written), unavailable, digest, len(shifts))
        self._fold(planned, at)
        self._recount(at)

    def _recount(self, at: datetime) -> None:
        """Count what is available; nothing is open when a return begins."""
        waiting = self.in_state(Direction.RETURN, _S.PENDING)
        targets = [row for row in waiting if row.kind is not Kind.SHIFT]
        unavailable = sum(not self._serves(row) for row in targets)
        self._fold(Recounted(self._counted(), unavailable), at)

    def _count_standby(self, at: datetime) -> None:
        """Count what serves anew if it has changed: traffic may be about to return."""
        p = self.progress
        if self._standby and p.rest is None and p.available != self._counted():
            self._recount(at)

    def _revive_return(self, _: ReviveReturn, at: datetime) -> None:
        rows = self.in_state(Direction.RETURN, _S.FAILED, _S.UNRESOLVED)
        for row in rows:
            row.attempt = 0
        self._move([self._kept(row, _S.PENDING) for row in rows], at)
        self._recount(at)

    def _kept(self, row: Row, now: OperationState) -> _Change:
        """Return a change that is nobody's report: its target is as it was."""
        return _Change(row, now, self._healthy(row))


def _is_running(row: Row) -> bool:
    return row.state is _S.RUNNING


_PERFORM: dict[type, Callable[[Ledger, Any, datetime], None]] = {
    Record: Ledger._record,
    OpenBatch: Ledger._open_batch,
    RecordHalt: Ledger._record_halt,
    WriteOff: Ledger._write_off,
    PlanReturn: Ledger._plan_return,
    ReviveReturn: Ledger._revive_return,
}
