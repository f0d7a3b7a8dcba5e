"""The machine's memory: how far a deployment has come, and what each fact changes.

It decides and never does: no clock, no I/O, no names of targets, and its size does
not grow with the fleet.

The machine has three verbs, each pure:

- `commands.decide(progress, command)` answers with facts, or refuses. Only commands
  may be refused.
- `progress.apply(fact, at)` folds a fact that has happened. It is total: a stored
  history always replays, and a report that comes late is counted, not argued with.
- `rules.actions(progress)` says what its driver should do now. Asking twice gives the
  same answer. After doing it the driver must fold the fact that answers it, and ask
  again, until only claims and timers are left.

Rules are state-triggered: an end, a halt or the next batch follows from what the
machine is, after every fact, and not from how it got there.

Three fields say what people and rules want, and the state is derived from them:

- `intent` is none < halt or abort < roll back, and is only raised.
- `hold` is a pause, in either direction. Nothing is claimed; what a rule would raise
  waits. Resume clears it, and so does a person's abort or roll back.
- `rest` says how it ended. It needs that nothing is open.

    rest?            -> that state
    intent roll back -> rolling_back      (held or not)
    hold, none open  -> paused
    otherwise        -> in_progress

Availability. `available` counts the selected targets that are healthy and not open;
room is what lies above the floor. Taking a target that is unavailable already costs
no room, and with no room only such targets are taken: else a broken fleet could
neither be mended nor rolled back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from strategies.messages import (
    AbortAsked,
    BatchClosed,
    BatchOpened,
    Fact,
    Halted,
    Held,
    OperationsMoved,
    Recounted,
    Rested,
    Resumed,
    RollBackAsked,
    RollbackPlanned,
    Started,
    StepEntered,
    TargetsDrifted,
    TimePassed,
    Where,
)
from strategies.states import Direction, Intent, OperationState, State
from strategies.steps import Course, Deploy, Step
from strategies.tally import Tally

_S = OperationState
NOTHING = Tally()
#: What counts as progress: one more target is known to be where it should be.
_MADE_PROGRESS = frozenset({_S.SUCCEEDED, _S.SKIPPED})


@dataclass(frozen=True)
class OpenBatchAt:
    """The batch that may be claimed from; `unavailable` of its pending cost no room."""

    start: int
    stop: int
    size: int
    unavailable: int


@dataclass(frozen=True)
class Progress:
    """How far a deployment has come, as one frozen value.

    `step` and `batch` count from 0 and point at the open or the next one. Datetimes are
    those of the events folded, aware and in UTC.
    """

    course: Course
    step: int = 0
    batch: int = 0
    opened: OpenBatchAt | None = None
    batch_tally: Tally = NOTHING
    step_tally: Tally = NOTHING
    whole: Tally = NOTHING
    back: Tally = NOTHING
    available: int = 0
    floor: int = 0
    #: Claims whose release was not recorded; 0 means that nothing was ever touched.
    claims: int = 0
    intent: Intent = Intent.NONE
    hold: Held | None = None
    held_at: datetime | None = None
    halt: Halted | None = None
    #: Resumed over unresolved operations: they are being written off.
    writing_off: bool = False
    entered_at: datetime | None = None
    delay_until: datetime | None = None
    progress_by: datetime | None = None
    #: The progress deadline has passed.
    overdue: bool = False
    return_planned: bool = False
    return_unavailable: int = 0
    reviving: bool = False
    rest: Rested | None = None

    @classmethod
    def begin(cls, course: Course) -> Progress:
        """Return the progress of a plan that has not started."""
        return cls(course=course, whole=Tally(pending=course.work))

    @property
    def open(self) -> int:
        """Operations that hold their subject, in both directions."""
        return self.whole.open + self.back.open

    @property
    def touched(self) -> int:
        """How many targets a return would take back, as far as tallies can tell.

        A retry is a further claim but not a further target; one that waits for its
        retry is not told from one that waits for its first attempt.
        """
        begun = self.course.work - self.whole.pending - self.whole.skipped
        return max(begun, min(self.claims, 1))

    @property
    def state(self) -> State:
        """The deployment's state, from start to rest."""
        if self.rest is not None:
            return self.rest.state
        if self.intent is Intent.ROLL_BACK:
            return State.ROLLING_BACK
        return State.PAUSED if self.hold and not self.open else State.IN_PROGRESS

    @property
    def room(self) -> int:
        """How many available targets may be taken now."""
        return max(0, self.available - self.floor)

    @property
    def current(self) -> Step | None:
        """The step that is open or next; None after the last."""
        steps = self.course.steps
        return steps[self.step] if self.step < len(steps) else None

    @property
    def may_claim(self) -> bool:
        """Whether new effects may begin: what a worker asks before it sends one."""
        if self.rest is not None or self.hold is not None:
            return False
        return self.intent is Intent.NONE or (
            self.intent is Intent.ROLL_BACK and self.return_planned
        )

    def may_retry(self, direction: Direction) -> bool:
        """Whether a failed attempt may be tried again; a hold only delays it."""
        wanted = Intent.NONE if direction is Direction.FORWARD else Intent.ROLL_BACK
        return self.rest is None and self.intent is wanted

    def where(self, direction: Direction, position: int) -> Where:
        """Say where an operation stands, for the fact that moves it.

        Batches that have not begun are elsewhere: they are counted when they open.
        """
        step = self.current
        if direction is Direction.RETURN or not isinstance(step, Deploy):
            return "elsewhere"
        if self.opened and self.opened.start <= position < self.opened.stop:
            return "batch"
        begun = self.opened.start if self.opened else step.batch(self.batch)[0]
        return "step" if step.start <= position < begun else "elsewhere"

    @property
    def control_key(self) -> tuple[object, ...]:
        """What a person's go-type command depends on; target progress is not in it."""
        return (
            self.state,
            self.intent,
            self.hold,
            self.halt,
            self.step,
            self.rest,
            bool(self.claims),
            bool(self.whole.unresolved or self.back.unresolved),
        )

    def apply(self, fact: Fact, at: datetime) -> Progress:
        """Return the progress after a fact that happened at `at`."""
        return _FOLDS[type(fact)](self, fact, at)

    def deadline(self, at: datetime) -> datetime:
        """When progress must have been made, counted anew from `at`."""
        return self.after(at, self.course.limits.progress_seconds)

    @staticmethod
    def after(at: datetime, seconds: float) -> datetime:
        """Return the time so many seconds later."""
        return at + timedelta(seconds=seconds)


def replay(course: Course, events: list[tuple[datetime, list[Fact]]]) -> Progress:
    """Fold a stored history: (at, facts) for each event, in order."""
    progress = Progress.begin(course)
    for at, facts in events:
        for fact in facts:
            progress = progress.apply(fact, at)
    return progress


# -- folds, one for each kind of fact ---------------------------------------------


def _started(p: Progress, fact: Started, at: datetime) -> Progress:
    # A floor that is broken at the start cannot be kept: the starting value is.
    floor = min(p.course.limits.floor, fact.available)
    return replace(p, available=fact.available, floor=floor, progress_by=p.deadline(at))


def _step_entered(p: Progress, _: StepEntered, at: datetime) -> Progress:
    return replace(p, entered_at=at)


def _next_step(p: Progress, at: datetime) -> Progress:
    return replace(
        p,
        step=p.step + 1,
        batch=0,
        step_tally=NOTHING,
        entered_at=None,
        delay_until=None,
        progress_by=p.deadline(at),
    )


def _batch_opened(p: Progress, fact: BatchOpened, at: datetime) -> Progress:
    counted = Tally(pending=fact.pending, skipped=fact.skipped)
    step = p.step_tally
    return replace(
        p,
        opened=OpenBatchAt(fact.start, fact.stop, fact.pending, fact.unavailable),
        batch_tally=counted,
        step_tally=replace(
            step,
            pending=step.pending + fact.pending,
            skipped=step.skipped + fact.skipped,
        ),
        entered_at=p.entered_at or at,
        delay_until=None,
        progress_by=p.deadline(at),
    )


def _batch_closed(p: Progress, _: BatchClosed, at: datetime) -> Progress:
    step = p.current
    closed = replace(p, opened=None, batch=p.batch + 1, batch_tally=NOTHING)
    if not isinstance(step, Deploy) or p.batch + 1 >= len(step.starts):
        return _next_step(closed, at)
    wait = timedelta(seconds=step.delay_seconds)
    return replace(closed, delay_until=at + wait if wait else None)


def _operations_moved(p: Progress, fact: OperationsMoved, at: datetime) -> Progress:
    count = len(fact.positions)
    change = (fact.was, fact.now, count)
    freed = count * (int(fact.is_available) - int(fact.was_available))
    moved = replace(p, available=p.available + freed)
    waited = not p.open and p.progress_by is not None and at >= p.progress_by
    if fact.now is _S.RUNNING and waited:
        # Nobody was at work: a fleet that waited for a worker is not late.
        moved = replace(moved, progress_by=p.deadline(at), overdue=False)
    if fact.now in _MADE_PROGRESS and p.rest is None:
        moved = replace(moved, progress_by=p.deadline(at), overdue=False)
    # Pending ones on unavailable targets cost no room; they are counted apart.
    cheap = 0
    if fact.was is _S.PENDING and not fact.was_available:
        cheap = -count
    elif fact.now in (_S.PENDING, _S.RELEASED) and not fact.is_available:
        cheap = count
    if fact.direction is Direction.RETURN:
        return replace(
            moved,
            back=p.back.moved(*change),
            return_unavailable=p.return_unavailable + cheap,
            reviving=p.reviving and not _revives(fact),
            writing_off=p.writing_off and p.back.moved(*change).unresolved > 0,
        )
    return _moved_forward(moved, fact, change, cheap)


def _moved_forward(
    p: Progress,
    fact: OperationsMoved,
    change: tuple[OperationState, OperationState, int],
    cheap: int,
) -> Progress:
    claimed = {_S.RUNNING: change[2], _S.RELEASED: -change[2]}
    # A target found at the version already was claimed, but not touched.
    claimed[_S.SKIPPED] = -change[2] if fact.was is _S.RUNNING else 0
    whole = p.whole.moved(*change)
    p = replace(
        p,
        whole=whole,
        claims=p.claims + claimed.get(fact.now, 0),
        writing_off=p.writing_off and whole.unresolved > 0,
    )
    if fact.where != "elsewhere":
        p = replace(p, step_tally=p.step_tally.moved(*change))
    if fact.where == "batch" and p.opened is not None:
        opened = replace(p.opened, unavailable=p.opened.unavailable + cheap)
        p = replace(p, batch_tally=p.batch_tally.moved(*change), opened=opened)
    return p


def _revives(fact: OperationsMoved) -> bool:
    return fact.was in (_S.FAILED, _S.UNRESOLVED) and fact.now is _S.PENDING


def _held(p: Progress, fact: Held, at: datetime) -> Progress:
    return replace(p, hold=fact, held_at=at)


def _resumed(p: Progress, _: Resumed, at: datetime) -> Progress:
    doubtful = p.back if p.intent is Intent.ROLL_BACK else p.whole
    return replace(
        p,
        hold=None,
        held_at=None,
        writing_off=doubtful.unresolved > 0,
        progress_by=p.deadline(at),
        overdue=False,
    )


def _time_passed(p: Progress, fact: TimePassed, at: datetime) -> Progress:
    if fact.timer == "progress":
        # It runs out once; progress winds it up again.
        return replace(p, overdue=True, progress_by=None)
    if fact.timer == "step":
        return _next_step(p, at)
    return replace(p, delay_until=None)


def _halted(p: Progress, fact: Halted, _: datetime) -> Progress:
    return replace(p, halt=fact, intent=max(p.intent, Intent.HALT))


def _abort_asked(p: Progress, _: AbortAsked, __: datetime) -> Progress:
    return replace(p, intent=max(p.intent, Intent.ABORT), hold=None, held_at=None)


def _roll_back_asked(p: Progress, _: RollBackAsked, at: datetime) -> Progress:
    return replace(
        p,
        intent=Intent.ROLL_BACK,
        hold=None,
        held_at=None,
        rest=None,
        reviving=p.rest is not None and bool(p.back.failed + p.back.unresolved),
        writing_off=p.return_planned and p.rest is None and p.back.unresolved > 0,
        overdue=False,
        progress_by=p.deadline(at),
    )


def _rollback_planned(p: Progress, fact: RollbackPlanned, at: datetime) -> Progress:
    return replace(
        p,
        return_planned=True,
        return_unavailable=fact.unavailable,
        back=Tally(pending=fact.count),
        progress_by=p.deadline(at),
    )


def _recounted(p: Progress, fact: Recounted, _: datetime) -> Progress:
    return replace(p, available=fact.available, return_unavailable=fact.unavailable)


def _rested(p: Progress, fact: Rested, _: datetime) -> Progress:
    return replace(p, rest=fact, delay_until=None, progress_by=None, overdue=False)


def _unchanged(p: Progress, _: TargetsDrifted, __: datetime) -> Progress:
    return p


_FOLDS: dict[type[Fact], Callable[[Progress, Any, datetime], Progress]] = {
    Started: _started,
    StepEntered: _step_entered,
    BatchOpened: _batch_opened,
    BatchClosed: _batch_closed,
    OperationsMoved: _operations_moved,
    TargetsDrifted: _unchanged,
    Held: _held,
    Resumed: _resumed,
    TimePassed: _time_passed,
    Halted: _halted,
    AbortAsked: _abort_asked,
    RollBackAsked: _roll_back_asked,
    RollbackPlanned: _rollback_planned,
    Recounted: _recounted,
    Rested: _rested,
}
