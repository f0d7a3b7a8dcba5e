"""What each fact changes: one pure fold for each kind, and nothing is refused.

It knows how counts and positions move; what should happen next is the rules' affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

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
    Recounted,
    Rested,
    Resumed,
    RollBackAsked,
    RollbackPlanned,
    Started,
    StepEntered,
    StepSkipped,
    TargetsDrifted,
    TimePassed,
    WaitCut,
)
from strategies.progress import NOTHING, OpenBatchAt, Progress
from strategies.states import Direction, Intent, Kind, OperationState
from strategies.steps import Course, Range, Shift
from strategies.tally import Tally
from strategies.values import replace

_S = OperationState
#: What counts as progress: one more subject is known to be where it should be.
_MADE_PROGRESS = frozenset({_S.SUCCEEDED, _S.SKIPPED})
#: Not claimed, as far as a tally can tell.
_UNTRIED = frozenset({_S.PENDING, _S.RELEASED, _S.SKIPPED})


def apply(progress: Progress, fact: Fact, at: datetime) -> Progress:
    """Return the progress after a fact that happened at `at`."""
    return _FOLDS[type(fact)](progress, fact, at)


def replay(
    course: Course, events: Iterable[tuple[datetime, Iterable[Fact]]]
) -> Progress:
    """Fold a stored history: (at, facts) for each event, in order."""
    progress = Progress.begin(course)
    for at, facts in events:
        for fact in facts:
            progress = apply(progress, fact, at)
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
        entered_at=None,
        delay_until=None,
        lapsed=False,
        progress_by=p.deadline(at),
    )


def _step_left(
    p: Progress, _: StepSkipped | GateDecided | WaitCut, at: datetime
) -> Progress:
    return _next_step(p, at)


def _promoted_fully(p: Progress, _: PromotedFully, __: datetime) -> Progress:
    return replace(p, promoted_fully=True)


def _batch_opened(p: Progress, fact: BatchOpened, at: datetime) -> Progress:
    counted = Tally(pending=fact.pending, skipped=fact.skipped)
    opened = replace(
        p,
        opened=OpenBatchAt(fact.start, fact.stop, fact.pending, fact.unavailable),
        batch_tally=counted,
        entered_at=p.entered_at or at,
        delay_until=None,
        progress_by=p.deadline(at),
    )
    if isinstance(p.current, Shift):  # traffic moves within the stage before it
        return opened
    stage = p.step_tally if p.batch else NOTHING
    return replace(
        opened,
        step_tally=replace(
            stage,
            pending=stage.pending + fact.pending,
            skipped=stage.skipped + fact.skipped,
        ),
    )


def _batch_closed(p: Progress, _: BatchClosed, at: datetime) -> Progress:
    step = p.current
    closed = replace(p, opened=None, batch=p.batch + 1, batch_tally=NOTHING)
    if not isinstance(step, Range) or p.batch + 1 >= len(step.starts):
        return _next_step(closed, at)
    wait = timedelta(seconds=step.delay_seconds)
    return replace(closed, delay_until=at + wait if wait else None)


def _operations_moved(p: Progress, fact: OperationsMoved, at: datetime) -> Progress:
    count = len(fact.positions)
    freed = count * (int(fact.is_available) - int(fact.was_available))
    new: dict[str, Any] = {"available": p.available + freed}
    if _winds_up(p, fact, at):
        new |= {"progress_by": p.deadline(at), "overdue": False}
    change = fact.was, fact.now, count
    if fact.effect is Kind.SHIFT:
        new |= _router_moved(p, fact, change)
    elif fact.direction is Direction.RETURN:
        unavailable = p.return_unavailable + _cheap(fact, count)
        new |= {"back": p.back.moved(*change), "return_unavailable": unavailable}
    else:
        new |= _moved_forward(p, fact, change)
    return _settled_doubts(replace(p, **new))


_Change = tuple[OperationState, OperationState, int]


def _winds_up(p: Progress, fact: OperationsMoved, at: datetime) -> bool:
    """Whether the progress deadline is counted anew from here."""
    if fact.now is _S.RUNNING:
        # Nobody was at work: a fleet that waited for a worker is not late.
        return p.progress_by is not None and at >= p.progress_by and not p.open
    return fact.now in _MADE_PROGRESS and p.rest is None


def _cheap(fact: OperationsMoved, count: int) -> int:
    """Count pending ones on unavailable targets: they cost no room."""
    if fact.was is _S.PENDING and not fact.was_available:
        return -count
    comes = fact.now is _S.PENDING or fact.now is _S.RELEASED
    return count if comes and not fact.is_available else 0


def _moved_forward(
    p: Progress, fact: OperationsMoved, change: _Change
) -> dict[str, Any]:
    new = _claimed(p, fact)
    new["whole"] = p.whole.moved(*change)
    if fact.where != "elsewhere":
        new["step_tally"] = p.step_tally.moved(*change)
    if fact.where == "batch" and p.opened is not None:
        new["batch_tally"] = p.batch_tally.moved(*change)
        cheap = _cheap(fact, change[2])
        if cheap:
            unavailable = p.opened.unavailable + cheap
            new["opened"] = replace(p.opened, unavailable=unavailable)
    return new


def _router_moved(
    p: Progress, fact: OperationsMoved, change: _Change
) -> dict[str, Any]:
    if fact.direction is Direction.RETURN:
        return {"back_shifts": p.back_shifts.moved(*change)}
    new = _claimed(p, fact)
    new["shifts"] = p.shifts.moved(*change)
    if fact.where == "batch":
        tally = new["batch_tally"] = p.batch_tally.moved(*change)
        # A router costs no room: pending, it may always be taken.
        new["opened"] = p.opened and replace(p.opened, unavailable=tally.pending)
    return new


def _claimed(p: Progress, fact: OperationsMoved) -> dict[str, Any]:
    count = len(fact.positions)
    if fact.effect is Kind.VERIFY:
        begun = int(fact.now not in _UNTRIED) - int(fact.was not in _UNTRIED)
        return {"looks": p.looks + count * begun}
    # A subject found where it should be was claimed, but not touched.
    found = fact.now is _S.SKIPPED and fact.was is _S.RUNNING
    more = count if fact.now is _S.RUNNING else 0
    more -= count if found or fact.now is _S.RELEASED else 0
    if not more:
        return {}
    led = fact.effect is Kind.SHIFT and p.course.weighs
    weighings = {"weighings": p.weighings + more} if led else {}
    return {"claims": p.claims + more, **weighings}


def _settled_doubts(p: Progress) -> Progress:
    """Stop writing off once nothing is unresolved any more."""
    if not p.writing_off:
        return p
    return replace(p, writing_off=p.unresolved(_direction(p)) > 0)


def _direction(p: Progress) -> Direction:
    returning = p.intent is Intent.ROLL_BACK and p.return_planned
    return Direction.RETURN if returning else Direction.FORWARD


def _held(p: Progress, fact: Held, at: datetime) -> Progress:
    return replace(p, hold=fact, held_at=at)


def _resumed(p: Progress, _: Resumed, at: datetime) -> Progress:
    # Nobody can go on at a gate that is held: its limit is counted anew, as the
    # progress deadline is. A bake goes on, since targets are watched meanwhile.
    return replace(
        p,
        hold=None,
        held_at=None,
        entered_at=at if p.gate else p.entered_at,
        writing_off=p.unresolved(_direction(p)) > 0,
        progress_by=p.deadline(at),
        overdue=False,
    )


def _time_passed(p: Progress, fact: TimePassed, at: datetime) -> Progress:
    if fact.timer == "progress":
        # It runs out once; progress winds it up again.
        return replace(p, overdue=True, progress_by=None)
    if fact.timer == "step":
        return _next_step(p, at)
    if fact.timer == "gate":
        return replace(p, lapsed=True)
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
        reviving=p.rest is not None and p.return_planned,
        writing_off=p.return_planned
        and p.rest is None
        and p.unresolved(Direction.RETURN) > 0,
        overdue=False,
        progress_by=p.deadline(at),
    )


def _rollback_planned(p: Progress, fact: RollbackPlanned, at: datetime) -> Progress:
    return replace(
        p,
        return_planned=True,
        return_unavailable=fact.unavailable,
        back=Tally(pending=fact.count),
        back_shifts=Tally(pending=fact.shifts),
        progress_by=p.deadline(at),
    )


def _recounted(p: Progress, fact: Recounted, _: datetime) -> Progress:
    # A return tried anew ends its revival with a count.
    return replace(
        p,
        available=fact.available,
        return_unavailable=fact.unavailable,
        reviving=False,
    )


def _rested(p: Progress, fact: Rested, _: datetime) -> Progress:
    return replace(p, rest=fact, delay_until=None, progress_by=None, overdue=False)


def _unchanged(p: Progress, _: TargetsDrifted, __: datetime) -> Progress:
    return p


_FOLDS: dict[type[Fact], Callable[[Progress, Any, datetime], Progress]] = {
    Started: _started,
    StepEntered: _step_entered,
    StepSkipped: _step_left,
    GateDecided: _step_left,
    WaitCut: _step_left,
    PromotedFully: _promoted_fully,
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
