"""The rules: what should happen now, given how far a deployment has come.

It reads a `Progress` and answers with actions; it knows no clock and no targets. A
rule about rollouts that stands anywhere else stands in the wrong place.
"""

from __future__ import annotations

from strategies.actions import (
    Action,
    OpenBatch,
    PlanReturn,
    Record,
    RecordHalt,
    ReviveReturn,
    Start,
    WakeAt,
    WriteOff,
)
from strategies.messages import (
    BatchClosed,
    GateDecided,
    Halted,
    Held,
    Rested,
    RollBackAsked,
    StepEntered,
    StepSkipped,
    WaitCut,
)
from strategies.progress import Progress
from strategies.shares import BASIS_POINTS
from strategies.states import Direction, Intent, State
from strategies.steps import Bake, Deploy, Gate, Range, Shift
from strategies.tally import Tally

#: Who acts when nobody did.
RULE = "rule"
#: Rules that count within the open batch: so does their evidence.
_BATCH_RULES = frozenset({"max_failure_percent", "whole_batch_failed", "shift_failed"})


def actions(p: Progress) -> tuple[Action, ...]:
    """Return what the driver should do now; nothing means wait for reports.

    Everything but `Start` and `WakeAt` must be done and answered by a fact before the
    machine is asked again.
    """
    if p.rest is not None or p.hold is not None:
        return ()
    if p.intent is Intent.ROLL_BACK:
        return _returning(p) if p.return_planned else _before_return(p)
    if p.intent is not Intent.NONE:
        return _stopping(p)
    return _going_forward(p)


def _before_return(p: Progress) -> tuple[Action, ...]:
    if p.open:
        return ()
    return (PlanReturn(p.course.limits.returns_targets, evens=p.course.weighs),)


def _stopping(p: Progress) -> tuple[Action, ...]:
    halted = p.intent is Intent.HALT and p.halt is not None
    if halted and p.course.limits.on_failure == "rollback" and p.claims:
        reason = f"halted by rule {p.halt.rule}" if p.halt else ""
        return (Record(RollBackAsked(by=RULE, reason=reason, rule="on_failure")),)
    if p.open:
        return ()
    if halted and p.halt is not None:
        return (Record(Rested(State.FAILED, p.halt.rule)),)
    if not p.claims:
        return (Record(Rested(State.CANCELLED, "aborted_by_user")),)
    return (Record(Rested(State.FAILED, "aborted_by_user")),)


def _going_forward(p: Progress) -> tuple[Action, ...]:
    doubt = _doubtful(p, Direction.FORWARD)
    if doubt:
        return doubt
    halted = verdict(p)
    if halted is not None:
        return (RecordHalt(halted),)
    step = p.current
    if step is None:
        return (Record(_completed(p)),)
    if isinstance(step, Range):
        return _working(p, step)
    if p.entered_at is None:
        return (Record(StepEntered(p.step)),)
    if isinstance(step, Gate):
        return _asking(p, step)
    if isinstance(step, Bake) and p.promoted_fully:
        return (Record(WaitCut(p.step, RULE, "", 0, rule="promoted_fully")),)
    return (WakeAt("step", p.after(p.entered_at, step.seconds)),)


def _asking(p: Progress, gate: Gate) -> tuple[Action, ...]:
    rule = "promoted_fully" if p.promoted_fully else "auto_promote"
    if p.promoted_fully or (p.lapsed and gate.then == "promote"):
        return (Record(GateDecided(p.step, RULE, "", rule=rule)),)
    if gate.limit_seconds is None or p.entered_at is None:
        return ()
    return (WakeAt("gate", p.after(p.entered_at, gate.limit_seconds)),)


def _working(p: Progress, step: Range) -> tuple[Action, ...]:
    if step.start == step.stop:
        return (Record(StepSkipped(p.step)),)
    if p.opened is None:
        if p.delay_until is not None:
            return (WakeAt("delay", p.delay_until),)
        return (OpenBatch(p.step, p.batch, *step.batch(p.batch)),)
    tally = p.batch_tally
    if not tally.pending and not tally.open:
        return (Record(BatchClosed(p.step, p.batch, tally.succeeded, tally.failed)),)
    at_most = min(tally.pending, min(step.parallelism, _parallelism(p)) - p.open)
    opened = p.opened
    return _claims(
        p, Direction.FORWARD, (opened.start, opened.stop), at_most, opened.unavailable
    )


def _returning(p: Progress) -> tuple[Action, ...]:
    if p.reviving:
        return (ReviveReturn(),)
    doubt = _doubtful(p, Direction.RETURN)
    if doubt:
        return doubt
    # Traffic leaves a slot before its targets do. Weights were set before the targets
    # were changed and keep their traffic small: they go last.
    ways = (_shifting_back, _restoring)
    for way in reversed(ways) if p.course.weighs else ways:
        asked = way(p)
        if asked is not None:
            return asked
    return (Record(Rested(State.ROLLED_BACK, "")),)


def _restoring(p: Progress) -> tuple[Action, ...] | None:
    """Take targets back; None once that is done."""
    if not p.back.pending and not p.back.open:
        if p.back.failed:
            return (Record(Rested(State.ROLLBACK_FAILED, "not_restored")),)
        return None
    if p.overdue and not p.back.open and _starved(p, p.back, p.return_unavailable):
        # A return never halts, and is not stopped by slow targets or dead workers:
        # going on with it is the safer side. Only the floor makes it ask a person.
        sentence = "No target may be taken without breaking the floor."
        return (Record(Held(by=RULE, reason=sentence, rule="floor")),)
    at_most = min(p.back.pending, _parallelism(p) - p.open)
    whole = (0, p.course.work)
    return _claims(p, Direction.RETURN, whole, at_most, p.return_unavailable)


def _shifting_back(p: Progress) -> tuple[Action, ...] | None:
    """Lead traffic back; None once that is done."""
    shifts, work = p.back_shifts, p.course.work
    if shifts.failed and not shifts.open:
        return (Record(Rested(State.ROLLBACK_FAILED, "not_shifted_back")),)
    if shifts.open:
        return ()
    if not shifts.pending:
        return None
    if p.course.standby and p.available < max(1, p.floor):
        # Traffic never goes to a slot that cannot carry it.
        return (Record(Rested(State.ROLLBACK_FAILED, "standby_unhealthy")),)
    return (Start(Direction.RETURN, work, work + p.course.shifts, 1, 0),)


def _parallelism(p: Progress) -> int:
    return p.course.limits.parallelism


def _claims(
    p: Progress,
    direction: Direction,
    span: tuple[int, int],
    at_most: int,
    unavailable: int,
) -> tuple[Action, ...]:
    """Ask for as many claims as slots and room allow, and for the progress deadline."""
    waiting = (WakeAt("progress", p.progress_by),) if p.progress_by else ()
    available_at_most = min(p.room, at_most)
    if at_most <= 0 or not (available_at_most or unavailable):
        return waiting
    start = Start(direction, *span, at_most, available_at_most)
    # With nothing open it waits for a worker, which is no fault of the targets.
    return (start, *waiting) if p.open else (start,)


def _doubtful(p: Progress, direction: Direction) -> tuple[Action, ...]:
    count = p.unresolved(direction)
    if not count:
        return ()
    if p.writing_off:
        return (WriteOff(direction),)
    sentence = f"{count} operations have an outcome that nobody could find."
    return (Record(Held(by=RULE, reason=sentence, rule="unknown_outcome")),)


def verdict(p: Progress) -> Halted | None:
    """Return the halt that a rule asks for, or None to go on.

    The observed value is the first one over the limit, so that it does not depend on
    how many reports came together.
    """
    fleet, batch = _fleet_verdict(p), _batch_verdict(p)
    if fleet and batch and batch.rule != "shift_failed":
        # Both limits were passed together: one report at a time, the one with fewer
        # failures to go from the batch's first would have been passed first.
        before = p.whole.failed - p.batch_tally.failed
        return fleet if fleet.observed - before <= batch.observed else batch
    return fleet or batch or _stage_verdict(p) or _switch_verdict(p) or _time_verdict(p)


def evidence_span(p: Progress, halted: Halted) -> tuple[int, int]:
    """Return the positions, from and to, among which a halt's evidence stands."""
    if p.opened is not None and halted.rule in _BATCH_RULES:
        return p.opened.start, p.opened.stop
    stage = p.stage
    if stage is not None and halted.rule == "success_threshold":
        own = p.step_tally.failed >= halted.observed
        return (stage.start if own else 0), stage.stop
    return 0, p.course.work


def _fleet_verdict(p: Progress) -> Halted | None:
    limit = p.course.limits.max_failures
    if limit is None or p.whole.failed <= limit:
        return None
    return Halted("max_failures", limit + 1, limit, p.course.work)


def _batch_verdict(p: Progress) -> Halted | None:
    step = p.current
    if isinstance(step, Shift) and p.batch_tally.failed:
        return Halted("shift_failed", 1, 0, 1)
    if p.opened is None or not isinstance(step, Deploy) or step.max_failure_bp is None:
        return None
    size, tally = p.opened.size, p.batch_tally
    tolerated = step.max_failure_bp * size // BASIS_POINTS
    if tally.failed > tolerated:
        return Halted("max_failure_percent", tolerated + 1, tolerated, size)
    over = not tally.pending and not tally.open
    if over and tally.failed and tally.failed == tally.attempted:
        return Halted("whole_batch_failed", tally.failed, tally.failed - 1, size)
    return None


def _stage_verdict(p: Progress) -> Halted | None:
    """Count a canary's successes against its threshold, in its stage and so far.

    Pass iff successes x 10,000 >= threshold x attempted. It halts as soon as that can
    no longer be reached, so that the verdict does not wait for the last report.
    """
    stage = p.stage
    if not isinstance(stage, Deploy) or stage.min_success_bp is None:
        return None
    tolerated_bp = BASIS_POINTS - stage.min_success_bp
    size = stage.stop - stage.start
    # What earlier stages have lost since counts too: out of all that has begun.
    for failed, sample in (
        (p.step_tally.failed, size - p.step_tally.skipped),
        (p.whole.failed, stage.stop - p.whole.skipped),
    ):
        tolerated = tolerated_bp * max(sample, 0) // BASIS_POINTS
        if failed > tolerated:
            return Halted("success_threshold", tolerated + 1, tolerated, sample)
    return None


def _switch_verdict(p: Progress) -> Halted | None:
    """Refuse traffic to targets whose failures would fail the deployment at its end."""
    if not isinstance(p.current, Shift) or not p.shifts.pending:
        return None
    ended, failed = _completed(p), p.whole.failed
    if ended.state is not State.FAILED:
        return None
    tolerated = failed - 1 if ended.reason == "nothing_succeeded" else 0
    return Halted(ended.reason, tolerated + 1, tolerated, p.course.work)


def _time_verdict(p: Progress) -> Halted | None:
    gate = p.gate
    if gate and p.lapsed and gate.then == "halt":
        seconds = round(gate.limit_seconds or 0)
        return Halted("gate_limit", seconds, seconds, 1)
    if not p.overdue:
        return None
    if not p.open and p.opened and _starved(p, p.batch_tally, p.opened.unavailable):
        return Halted("floor", p.available, p.floor, p.course.serving)
    seconds = round(p.course.limits.progress_seconds)
    return Halted("progress_deadline", seconds, seconds, p.course.selected)


def _starved(p: Progress, tally: Tally, unavailable: int) -> bool:
    """Whether something is pending and the floor alone keeps it from being claimed."""
    return bool(tally.pending) and not p.room and not unavailable


def _completed(p: Progress) -> Rested:
    whole, limits = p.whole, p.course.limits
    if whole.attempted and not whole.succeeded:
        return Rested(State.FAILED, "nothing_succeeded")
    accepted = limits.accepts_failures or limits.max_failures is not None
    if whole.failed and (limits.require_all or not accepted):
        return Rested(State.FAILED, "targets_failed")
    if whole.failed:
        return Rested(State.COMPLETED, "", "completed_with_failures")
    anything = whole.attempted or p.shifts.attempted
    return Rested(State.COMPLETED, "", "clean" if anything else "no_op")
