"""One deployment's turn at the door: its locked row, its progress, what was folded.

It performs what the machine asks for and keeps rows, tallies and events in step; it
does not know workers, people or why it was opened.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import JSONField

from deployctl import doorbell
from deployctl.models import Deployment
from deployctl.queries.plans import progress_of
from deployctl.services import audit, events, operations, perform, plans, shifts
from deployctl.services.claims import Claim, unclaim
from deployctl.services.operations import Change, Report, Row, unreported
from deployctl.services.outcomes import change_of
from deployctl.services.people import Actor
from deployctl.services.perform import PERFORM
from deployctl.services.sql import sql
from strategies import folds, rules
from strategies.actions import Start, WakeAt
from strategies.messages import (
    Fact,
    OperationsMoved,
    TargetsDrifted,
    TimePassed,
    Where,
)
from strategies.states import OPEN, Direction, Kind, OperationState, State

_S = OperationState
#: No plan asks for so many decisions in one turn; a bound against a rule that loops.
MOST_DECISIONS = 100_000
_FIELDS = Deployment._meta.concrete_fields
_NAMES = [field.attname for field in _FIELDS]
_JSON = frozenset(field for field in _FIELDS if isinstance(field, JSONField))
_LOCK = f"""
    SELECT {", ".join(str(field.column) for field in _FIELDS)} FROM deployctl_deployment
     WHERE id = %s FOR NO KEY UPDATE
"""


class Turn:
    """The locked row of one deployment, and what happens to it in one transaction.

    Attributes:
        progress: as of the last fact folded.
        now: database time, read after the lock.
        start: what the machine would claim, after `run`.
        quiet: pages were rung for a moment ago, and can wait.
        calls: whether a worker may find something to do that nobody has taken.
        called: workers were rung for a moment ago, and can wait too.
        lets_go: whether operations go on that nobody holds now.
        by: the person who acts in this turn, if one does.
    """

    def __init__(self, row: Deployment, now: datetime) -> None:
        self.row = row
        self.now = now
        self.progress = progress_of(row)
        self.start: Start | None = None
        self.quiet, self.called = False, False
        self.calls, self.lets_go = True, False
        self.by: Actor | None = None
        self._due_at: datetime | None = row.due_at
        self._facts: list[Fact] = []
        self._control_key = self.progress.control_key

    @classmethod
    def locked(cls, deployment_id: int) -> Turn:
        """Lock a deployment's row, alone in its statement; read what it protects."""
        with sql() as lock, sql() as clock:
            lock.execute(_LOCK, [deployment_id])
            clock.execute("SELECT clock_timestamp()")
            found, now = lock.fetchone(), clock.fetchone()
        if found is None or now is None:
            raise Deployment.DoesNotExist(f"there is no deployment {deployment_id}")
        values = (
            json.loads(value) if value is not None and field in _JSON else value
            for field, value in zip(_FIELDS, found, strict=True)
        )
        return cls(Deployment.from_db(connection.alias, _NAMES, [*values]), now[0])

    @property
    def id(self) -> int:
        """The deployment's id."""
        return int(self.row.pk)

    @property
    def seq(self) -> int:
        """The sequence number of the last event, this turn's included once stored."""
        return self.row.seq

    @property
    def due_seconds(self) -> float | None:
        """How long until the machine's next timer; None if it has none."""
        if self._due_at is None:
            return None
        return max(0.0, (self._due_at - self.now).total_seconds())

    @property
    def control_changed(self) -> bool:
        """Whether what a go-type command depends on has changed in this turn."""
        return self.progress.control_key != self._control_key

    # -- folding --------------------------------------------------------------

    def fold(self, *facts: Fact) -> None:
        """Fold facts that have happened now."""
        for fact in facts:
            self.progress = folds.apply(self.progress, fact, self.now)
            self._facts.append(fact)

    def run(self) -> None:
        """Do what the machine decides, until it asks only for claims and timers."""
        for _ in range(MOST_DECISIONS):
            if not self._decided():
                return
        raise RuntimeError(f"deployment {self.id} never stopped deciding")

    def _decided(self) -> bool:
        """Do one decision; False when only claims and timers are left."""
        self.start, self._due_at = None, None
        for action in rules.actions(self.progress):
            if isinstance(action, Start):
                self.start = action
            elif isinstance(action, WakeAt):
                if action.at <= self.now:
                    self.fold(TimePassed(action.timer))
                    return True
                self._due_at = action.at
            else:
                PERFORM[type(action)](self, action)
                return True
        return False

    # -- reports --------------------------------------------------------------

    def settled(self, pairs: Sequence[tuple[Row, Report]]) -> None:
        """Store reported outcomes, and fold the moves that they are."""
        self.move(
            [(row, change_of(self.progress, row, report)) for row, report in pairs],
            released={row.id for row, r in pairs if r.state is _S.RELEASED},
        )

    def abandoned(self, rows: Iterable[Row]) -> None:
        """Take open operations from whoever held them."""
        lost = list(rows)
        applied = [row for row in lost if row.state is _S.VERIFYING]
        doubtful = [row for row in lost if row.state is not _S.VERIFYING]
        self.move([(row, unreported(row, _S.UNKNOWN, quiet=True)) for row in doubtful])
        # Whoever goes on gets the whole time again: nobody was asking meanwhile.
        deadline = self.progress.course.limits.health.deadline_seconds
        unclaim([r.id for r in applied], self.now + timedelta(seconds=deadline))

    def drifted(self, rows: Sequence[Row], found: dict[int, str | None]) -> None:
        """Record that targets were found at a third version, before it is changed."""
        operations.drifted(self.id, found)
        self.fold(TargetsDrifted(tuple(sorted(row.position for row in rows))))

    def claimed(self, claims: Sequence[Claim]) -> None:
        """Fold claims as started operations."""
        groups: dict[tuple[Direction, Kind, bool], list[int]] = defaultdict(list)
        for claim in claims:
            available = claim.was_available and self.counts_changed
            groups[claim.direction, claim.kind, available].append(claim.position)
        for (direction, kind, available), positions in sorted(groups.items()):
            where: Where = "batch" if direction is Direction.FORWARD else "elsewhere"
            key = (direction, where, _S.PENDING, _S.RUNNING, kind, available, False)
            self.fold(_moved(key, positions))
        if claims:
            self._set_due()

    def _set_due(self) -> None:
        """Note the next timer: with something open there is one more than without."""
        timers = [a.at for a in rules.actions(self.progress) if isinstance(a, WakeAt)]
        self._due_at = min(timers, default=None)

    def move(
        self,
        changes: Sequence[tuple[Row, Change]],
        *,
        released: Collection[int] = (),
    ) -> None:
        """Store new states, and fold them, one fact for each group of equal moves."""
        if not changes:
            return
        limits = self.progress.course.limits
        settle_by = self.now + timedelta(seconds=limits.settle_seconds)
        verify_by = self.now + timedelta(seconds=limits.health.deadline_seconds)
        routed = [pair for pair in changes if self.is_shift(pair[0])]
        if routed:
            shifts.write(routed, self.now, settle_by, verify_by)
        aimed = [change for row, change in changes if not self.is_shift(row)]
        if aimed:
            operations.write(aimed, self.now, settle_by, verify_by)
        groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for row, change in changes:
            counts = self.counts_changed and not self.is_shift(row)
            now = _S.RELEASED if row.id in released else change.state
            was_available = counts and row.state not in OPEN and row.target_available
            is_available = counts and now not in OPEN and change.available
            where = self.progress.where(row.direction, row.position)
            key = (row.direction, where, row.state, now, self.kind_of(row))
            groups[*key, was_available, is_available].append(row.position)
        for key, found in groups.items():
            self.fold(_moved(key, found))
        for row, change in routed:
            perform.retain(self, row, change)

    @property
    def counts_changed(self) -> bool:
        """Whether the targets that are changed are those that carry the traffic."""
        return not self.progress.course.standby

    def is_shift(self, row: Row) -> bool:
        """Whether an operation's subject is a router."""
        return row.position >= self.progress.course.work

    def kind_of(self, row: Row) -> Kind:
        """Return what an operation does to its subject."""
        if row.direction is Direction.FORWARD or self.is_shift(row):
            return self.progress.course.kind_at(row.position)
        return Kind.RESTORE

    # -- storing ----------------------------------------------------------------

    def store(self) -> None:
        """Write the row, one event, the audit entries, and ring; nothing if nothing."""
        row, progress = self.row, self.progress
        if not self._facts:
            if row.due_at != self._due_at:
                Deployment.objects.filter(pk=row.pk).update(due_at=self._due_at)
            return
        changed = self.control_changed
        row.seq += 1
        row.control_version += changed
        before = State(row.state)
        plans.project(row, progress, self.now, self._due_at)
        plans.save(row)
        events.record(row, self._facts, self.now)
        audit.record_facts(row, self._facts, self.now, before, self.by)
        # What a person may do has changed: that waits for nobody.
        calls = changed or (self.calls and not self.called)
        if calls or not self.quiet:
            doorbell.ring(self.id, row.seq, calls=calls)


def _moved(key: tuple[Any, ...], positions: list[int]) -> OperationsMoved:
    direction, where, was, now, kind, was_available, is_available = key
    return OperationsMoved(
        direction=direction,
        where=where,
        was=was,
        now=now,
        was_available=was_available,
        is_available=is_available,
        positions=tuple(sorted(positions)),
        effect=kind,
    )
