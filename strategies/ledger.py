"""The in-memory driver of the machine: one row an operation, and what each flush does.

It is the reference for what the SQL journal does. It knows neither clock nor targets:
time is passed in, outcomes are reported, and whoever holds a claim acts on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from strategies import commands, operations, rules
from strategies.actions import Start, WakeAt
from strategies.books import Books, Change
from strategies.messages import Command, Fact, Started, TimePassed
from strategies.perform import count_standby, perform
from strategies.plan import Plan
from strategies.rows import Claim, Report, Row
from strategies.states import OPEN, Direction, Kind, OperationState

_S = OperationState
#: After these the target is known to be healthy, unless a report says otherwise.
_GOOD = frozenset({_S.SUCCEEDED, _S.SKIPPED})


class Ledger(Books):
    """A deployment in memory, and what each flush does to it.

    Attributes:
        due_at: when the machine wants to be flushed at the latest; None for never.
    """

    def __init__(self, plan: Plan, unavailable_ids: Collection[str] = ()) -> None:
        super().__init__(plan, unavailable_ids)
        self.due_at: datetime | None = None
        self._start: Start | None = None

    # -- what the outside does --------------------------------------------------

    def start(self, at: datetime, by: str) -> None:
        """Begin. Flush next, to get claims."""
        self.fold(Started(available=self.counted(), by=by), at)
        self._run(at)
        self.close(at)

    def command(self, command: Command, at: datetime) -> tuple[Fact, ...]:
        """Grant a command, and return the facts that granted it.

        Raises:
            CommandRefused: if the present state does not allow it.
        """
        facts = commands.decide(self.progress, command, at)
        for fact in facts:
            self.fold(fact, at)
        self._run(at)
        self.close(at)
        return facts

    def flush(
        self, reports: Sequence[Report], at: datetime, places: int
    ) -> list[Claim]:
        """Settle reports, do what the machine decides, and claim up to `places`."""
        self._settle(reports, at)
        count_standby(self, at)
        self._run(at)
        claims = self._claim(places, at)
        self.close(at)
        return claims

    def take_over(self, rows: Iterable[Row], at: datetime) -> list[Claim]:
        """Take open operations from a holder that is lost; the new holder settles them.

        What was seen applied goes on verifying; the rest is unknown.
        """
        held = [row for row in rows if row.state in OPEN]
        self.move([Change(r, _S.UNKNOWN, False) for r in held if _is_running(r)], at)
        self._run(at)
        self.close(at)
        return [self._numbered(row) for row in held]

    def resolve(self, row: Row, state: OperationState, at: datetime) -> None:
        """Store what a person says about an unresolved operation."""
        if row.state is _S.UNRESOLVED:
            self.move([Change(row, state, state in _GOOD)], at)
            self._run(at)
            self.close(at)

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
                changes.append(Change(row, _S.FAILED, False))
            elif row.state is _S.FAILED and row.regressed and is_healthy:
                row.regressed = False
                changes.append(Change(row, _S.SUCCEEDED, True))
        self.move(changes, at)
        self._run(at)
        self.close(at)

    def adopt(self, at: datetime) -> None:
        """Note that all of it was touched by an earlier deployment, which is over.

        A return asked for next takes it back as if it were this one's own.
        """
        for row in self.in_state(Direction.FORWARD, _S.PENDING):
            row.attempt += 1
            self.move([Change(row, _S.RUNNING, False)], at)
            self.move([self.kept(row, _S.SUCCEEDED)], at)
        self.close(at)

    def standby_changed(self, count: int) -> None:
        """Note how many targets of the slot that serves are healthy now.

        The next flush counts them anew, before anything is claimed.
        """
        self.spare = count

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
        self.move([self._change(row, report) for row, report in held], at)

    def _change(self, row: Row, report: Report) -> Change:
        if report.state is _S.RELEASED:
            row.attempt -= 1
            return Change(row, _S.RELEASED, self.is_healthy(row))
        state = self._after_retry(row, report.state)
        said = report.available
        return Change(row, state, report.state in _GOOD if said is None else said)

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

    # -- claims -----------------------------------------------------------------

    def _claim(self, places: int, at: datetime) -> list[Claim]:
        start = self._start
        if start is None:
            return []
        picked = self.queues.pop(start, min(places, start.at_most))
        rows = [self.rows[start.direction, position] for position in picked]
        was_available = {row.position: self.is_available(row) for row in rows}
        for row in rows:
            row.attempt += 1
            row.was_available = was_available[row.position]
        # In the order in which the journal folds them: those that cost no room first.
        ordered = sorted(rows, key=lambda row: was_available[row.position])
        self.move([Change(row, _S.RUNNING, False) for row in ordered], at)
        return [self._numbered(row) for row in rows]

    def _numbered(self, row: Row) -> Claim:
        row.number += 1
        shift = self.shifts.get(row.position)
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
                    self.fold(TimePassed(action.timer), at)
                    return True
                self.due_at = action.at
            else:
                perform(self, action, at)
                return True
        return False


def _is_running(row: Row) -> bool:
    return row.state is _S.RUNNING
