"""What a careful watcher knows: an oracle that reads the facts alone, and objects.

It never asks the machine: where the course stands, what is open, failed or touched,
and what was asked, it rebuilds from the plan and the events.
"""

from __future__ import annotations

from datetime import datetime, timedelta

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
    StepEntered,
    StepSkipped,
    TimePassed,
    WaitCut,
)
from strategies.plan import Plan
from strategies.states import Direction, Kind, OperationState, State
from strategies.steps import (
    Bake,
    Delay,
    Deploy,
    Gate,
    Range,
    Shift,
    Step,
    Verify,
    Weigh,
)
from tests.strategies.grids import Grid
from tests.strategies.verdicts import check_halt, check_rest, over_the_limit

S = OperationState
FORWARD, RETURN = Direction.FORWARD, Direction.RETURN
KINDS = {Deploy: Kind.DEPLOY, Verify: Kind.VERIFY}
KINDS |= {Shift: Kind.SHIFT, Weigh: Kind.SHIFT}


class Oracle:
    """One deployment as its events tell it; every fact is checked as it comes."""

    def __init__(self, plan: Plan, available: int) -> None:
        self.plan, self.course = plan, plan.course
        self.grid = Grid(plan)
        self.floor = min(plan.course.limits.floor, available)
        self.available = available
        #: How many of the serving slot are healthy, as the world around says.
        self.standby = available
        self.step = self.batch = 0
        self.opened: tuple[int, int] | None = None
        self.size = 0  # how many of the batch were pending when it began
        self.since: datetime | None = None  # when its wait, or its delay, began
        self.entered = False
        self.held = self.stopped = self.returning = self.planned = False
        self.promoted = False
        self.rest: Rested | None = None
        self.halt: Halted | None = None

    @property
    def current(self) -> Step | None:
        """The step that is under way or next."""
        steps = self.course.steps
        return steps[self.step] if self.step < len(steps) else None

    @property
    def _is_under_way(self) -> bool:
        return not self.held and not self.stopped and self.rest is None

    def told(self, fact: Fact, at: datetime) -> None:
        """Check one fact, and remember it."""
        handler = getattr(self, f"_{type(fact).__name__}", None)
        if handler is not None:
            handler(fact, at)

    def settled(self, at: datetime) -> None:
        """Check, at the end of an event, that nothing was left undone."""
        if not self._is_under_way:
            return
        assert not self.grid.at(FORWARD, S.UNRESOLVED), "a doubt holds"
        assert over_the_limit(self) is None, "what is over the limit halts"
        step = self.current
        if not isinstance(step, Gate | Bake | Delay):
            return
        assert self.entered, "a wait begins at once"
        assert not self.promoted or isinstance(step, Delay), "promoted means go on"
        seconds = step.limit_seconds if isinstance(step, Gate) else step.seconds
        assert seconds is None or at < self.after(seconds), "no wait after its time"

    def after(self, seconds: float) -> datetime:
        """Return when a wait that began with this step would be over."""
        assert self.since is not None
        return self.since + timedelta(seconds=seconds)

    # -- where the course stands ----------------------------------------------------

    def _next(self) -> None:
        self.step, self.batch = self.step + 1, 0
        self.opened = self.since = None
        self.entered = False

    def _StepEntered(self, fact: StepEntered, at: datetime) -> None:
        assert fact.step == self.step
        assert isinstance(self.current, Gate | Bake | Delay)
        assert not self.entered, "a wait is not begun again"
        self._goes_on()
        self.entered, self.since = True, at

    def _StepSkipped(self, fact: StepSkipped, at: datetime) -> None:
        step = self.current
        assert isinstance(step, Range)
        assert (fact.step, step.start) == (self.step, step.stop), "only what is empty"
        self._goes_on()
        self._next()

    def _GateDecided(self, fact: GateDecided, at: datetime) -> None:
        gate = self.current
        assert isinstance(gate, Gate)
        assert (fact.step, self.entered) == (self.step, True), "only the gate it is at"
        self._goes_on()
        if fact.rule == "promoted_fully":
            assert self.promoted
        elif fact.rule is not None:
            assert (fact.rule, gate.then) == ("auto_promote", "promote")
            assert at >= self.after(gate.limit_seconds or 0), "not before its time"
        self._next()

    def _WaitCut(self, fact: WaitCut, at: datetime) -> None:
        step = self.current
        assert isinstance(step, Bake | Delay)
        assert (fact.step, self.entered) == (self.step, True)
        self._goes_on()
        if fact.rule is None:
            left = (self.after(step.seconds) - at).total_seconds()
            assert fact.left_seconds == round(max(0, left)), "it says what was cut"
        else:
            assert (fact.rule, self.promoted) == ("promoted_fully", True)
            assert isinstance(step, Bake), "delays stay as planned"
        self._next()

    def _PromotedFully(self, fact: PromotedFully, at: datetime) -> None:
        self._goes_on()
        self.promoted = True

    def _TimePassed(self, fact: TimePassed, at: datetime) -> None:
        step = self.current
        if fact.timer == "step":
            assert isinstance(step, Bake | Delay)
            assert at >= self.after(step.seconds), "a wait takes its time"
            self._next()
        elif fact.timer == "gate":
            assert isinstance(step, Gate)
            assert step.limit_seconds is not None
            assert at >= self.after(step.limit_seconds)
        elif fact.timer == "delay":
            self._over(at)

    def _over(self, at: datetime) -> None:
        assert isinstance(self.current, Range)
        if self.batch:
            assert at >= self.after(self.current.delay_seconds), "a delay is waited"

    def _BatchOpened(self, fact: BatchOpened, at: datetime) -> None:
        step = self.current
        assert isinstance(step, Range)
        assert (fact.step, fact.batch) == (self.step, self.batch), "in order"
        assert self.opened is None, "one batch at a time"
        # What was removed may break a threshold only now: then nothing is claimed.
        assert self._is_under_way
        self._over(at)
        start = step.start + sum(self._size(step, n) for n in range(self.batch))
        stop = min(start + self._size(step, self.batch), step.stop)
        assert start < stop
        assert (fact.start, fact.stop) == (start, stop)
        earlier = [s for s in self.course.steps[: self.step] if isinstance(s, Range)]
        spans = [*((s.start, s.stop) for s in earlier), (step.start, start)]
        before = {self.grid.now(FORWARD, p) for span in spans for p in range(*span)}
        assert before <= {S.SUCCEEDED, S.FAILED, S.SKIPPED}, "what is before is over"
        states = [self.grid.now(FORWARD, p) for p in range(start, stop)]
        assert states.count(S.PENDING) == fact.pending
        assert len(states) - fact.pending == fact.skipped == states.count(S.SKIPPED)
        self.opened, self.size = (start, stop), fact.pending

    @staticmethod
    def _size(step: Range, batch: int) -> int:
        return step.sizes[min(batch, len(step.sizes) - 1)]

    def _BatchClosed(self, fact: BatchClosed, at: datetime) -> None:
        assert isinstance(self.current, Range)
        assert self.opened is not None
        states = [self.grid.now(FORWARD, p) for p in range(*self.opened)]
        assert fact.succeeded == states.count(S.SUCCEEDED)
        assert fact.failed == states.count(S.FAILED)
        assert fact.succeeded + fact.failed + states.count(S.SKIPPED) == len(states)
        self._goes_on()
        last = self.opened[1] == self.current.stop
        self.batch, self.opened, self.since = self.batch + 1, None, at
        if last:
            self._next()

    def _goes_on(self) -> None:
        """Check that going forward is what everybody wants."""
        assert self._is_under_way
        assert over_the_limit(self) is None, "over the limit nothing goes on"

    def _Recounted(self, fact: Recounted, at: datetime) -> None:
        counted = self.standby if self.course.standby else self.available
        assert fact.available == counted, "it is counted right"
        self.available = counted

    # -- what was asked ---------------------------------------------------------------

    def _Held(self, fact: Held, at: datetime) -> None:
        assert not self.held, "the first hold counts"
        assert not self.rest
        assert fact.rule in (None, "unknown_outcome", "floor"), "a gate is no hold"
        if fact.rule == "floor":
            assert self.returning, "forward it halts"
        self.held = True

    def _Resumed(self, fact: Resumed, at: datetime) -> None:
        assert self.held
        self.held = False
        if isinstance(self.current, Gate) and self.entered:
            self.since = at  # nobody could go on while it was held

    def _AbortAsked(self, fact: AbortAsked, at: datetime) -> None:
        assert not self.returning
        assert not self.rest
        self.held, self.stopped = False, True

    def _Halted(self, fact: Halted, at: datetime) -> None:
        assert self._is_under_way, "one halt, and no later"
        check_halt(self, fact, at)
        self.halt, self.stopped = fact, True

    def _RollBackAsked(self, fact: RollBackAsked, at: datetime) -> None:
        assert self.grid.touched(), "nothing touched, nothing to return"
        ends = (None, State.FAILED, State.ROLLBACK_FAILED)
        assert (self.rest and self.rest.state) in ends
        frozen = self.course.limits.on_failure == "freeze" and self.halt
        assert not frozen, "frozen means frozen"
        self.held, self.stopped, self.returning, self.rest = False, True, True, None

    def _RollbackPlanned(self, fact: RollbackPlanned, at: datetime) -> None:
        assert self.returning
        assert not self.planned, "written once"
        assert not self.grid.open, "written in quiet"
        targets, shifts = self.to_return()
        assert (fact.count, fact.shifts) == (len(targets), len(shifts))
        self.planned = True

    def to_return(self) -> tuple[set[int], set[int]]:
        """What was touched: targets, if a return changes them, and routers."""
        touched, work = self.grid.touched(), self.course.work
        targets = {p for p in touched if p < work}
        keeps = not self.course.limits.returns_targets
        shifts = touched - targets
        shifts = {min(shifts)} if shifts and self.course.weighs else shifts
        return (set() if keeps else targets), shifts

    def _Rested(self, fact: Rested, at: datetime) -> None:
        assert not self.rest, "at rest is at rest"
        assert not self.held
        check_rest(self, fact)
        self.rest = fact

    # -- operations -----------------------------------------------------------------

    def _OperationsMoved(self, fact: OperationsMoved, at: datetime) -> None:
        if fact.now is S.RUNNING:
            self._check_claims(fact)
        stopped = not self.returning if fact.direction is RETURN else self.stopped
        self.grid.moved(fact, again=self.rest is None and not stopped)
        freed = int(fact.is_available) - int(fact.was_available)
        self.available += len(fact.positions) * freed

    def _check_claims(self, fact: OperationsMoved) -> None:
        count = len(fact.positions)
        assert not self.held, "no claim after a hold"
        assert not self.rest, "no claim at rest"
        returning = fact.direction is RETURN
        assert returning is self.returning, "claims go the way that was asked"
        assert len(self.grid.open) + count <= self.course.limits.parallelism
        if fact.was_available:
            assert self.available - count >= self.floor, "a claim keeps the floor"
        if returning:
            self._check_return(fact)
        else:
            self._check_forward(fact, count)

    def _check_forward(self, fact: OperationsMoved, count: int) -> None:
        step = self.current
        assert not self.stopped, "no claim after a halt or an abort"
        assert isinstance(step, Range), "nothing is claimed at a gate or in a bake"
        assert fact.effect is KINDS[type(step)]
        assert self.opened is not None
        assert set(fact.positions) <= set(range(*self.opened)), "in the open batch"
        assert len(self.grid.open) + count <= step.parallelism
        assert over_the_limit(self) is None, "no claim over a limit"
        if isinstance(step, Shift):
            assert not self.grid.open, "nothing else moves meanwhile"
        if isinstance(step, Shift) and not isinstance(step, Weigh):
            failed = len(self.grid.failed(self.course.work))
            assert failed <= (self.course.limits.max_failures or 0), "all is healthy"

    def _check_return(self, fact: OperationsMoved) -> None:
        targets, shifts = self.to_return()
        assert self.planned
        assert set(fact.positions) <= targets | shifts, "only the touched return"
        if fact.effect is Kind.SHIFT:
            enough = self.standby >= max(1, self.floor)
            assert enough or not self.course.standby, "only to what can carry it"
            assert not self.grid.open
            if self.course.weighs:
                back = {self.grid.now(RETURN, p) for p in targets}
                assert back <= {S.SUCCEEDED, S.SKIPPED}, "weights go back last"
        elif not self.course.weighs:
            back = {self.grid.now(RETURN, p) for p in shifts}
            assert back <= {S.SUCCEEDED, S.SKIPPED}, "traffic goes back first"
