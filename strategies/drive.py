"""The in-memory driver: runs a plan to its rest with the caller's own callbacks.

The one module of this library with a clock. It does what the machine asks for and says
what came of it; it decides nothing about the rollout, and knows no strategy.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from strategies import hands, outcome
from strategies.errors import InsideLoop
from strategies.hands import Clock, Hands
from strategies.jobs import GateFn, Job
from strategies.ledger import Ledger
from strategies.messages import Abort, Promote, RollBack
from strategies.rows import Claim, Report, Row
from strategies.states import Direction, Kind, OperationState
from strategies.steps import Bake, Gate, Weigh
from strategies.types import DeploymentResult, DeploymentTarget
from strategies.weights import Weights

_S = OperationState
#: As many claims as the machine allows: what limits them is the plan.
EVERY_PLACE = 1_000_000_000
#: The machine wants datetimes, and only compares them.
_BEGIN = datetime(2000, 1, 1, tzinfo=UTC)
#: Who asks, where nobody is there.
LIBRARY = "library"


class SystemClock:
    """Time as it passes."""

    def now(self) -> float:
        """Return seconds that no change of the host's clock disturbs."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait in line, as a caller without a loop has asked for."""
        threading.Event().wait(seconds)

    async def asleep(self, seconds: float) -> None:
        """Wait, and let the loop go on."""
        await asyncio.sleep(seconds)


def refuse_inside_loop(instead: str) -> None:
    """Raise if a loop runs in this thread.

    Raises:
        InsideLoop: it names `instead`, the method that can be awaited.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise InsideLoop(instead)


def run(job: Job, clock: Clock | None = None) -> DeploymentResult:
    """Run a job to its end, in line."""
    clock = clock or SystemClock()
    with closing(hands.InLine(clock)) as own:
        result: DeploymentResult = hands.run_in_line(_Run(job, own, clock).to_rest())
        return result


async def arun(job: Job, clock: Clock | None = None) -> DeploymentResult:
    """Run a job to its end, in the loop that runs."""
    clock = clock or SystemClock()
    async with hands.Tasks.open(clock) as own:
        return await _Run(job, own, clock).to_rest()


class _Run:
    """One job under way."""

    def __init__(self, job: Job, own: Hands, clock: Clock) -> None:
        self._plan, self._calls, self._memory = job.plan, job.callbacks, job.memory
        self._is_return, self._switches = job.is_return, job.switches
        self._hands, self._clock = own, clock
        #: A target may have been given as more than one object: all are told.
        self._objects: dict[str, list[DeploymentTarget]] = {}
        for target in job.targets:
            self._objects.setdefault(target.id, []).append(target)
        unhealthy = {t.id for t in job.targets if not t.healthy}
        self._ledger = Ledger(job.plan, unhealthy)
        self._errors: dict[object, str] = {}

    async def to_rest(self) -> DeploymentResult:
        """Go on until nothing is open and nothing more will start."""
        began = self._clock.now()
        self._ledger.start(self._at(), LIBRARY)
        if self._is_return:
            self._ledger.adopt(self._at())
            self._ledger.command(RollBack(LIBRARY), self._at())
        await self._work()
        if self._ledger.progress.halt and not self._is_return:
            self._memory.is_frozen = self._plan.course.limits.on_failure == "freeze"
        return outcome.result_of(
            self._ledger,
            errors=list(self._errors.values()),
            slot=self._memory.slot if self._switches else None,
            seconds=self._clock.now() - began,
            is_return=self._is_return,
        )

    def _at(self) -> datetime:
        return _BEGIN + timedelta(seconds=self._clock.now())

    async def _work(self) -> None:
        claimed: deque[Claim] = deque()
        reports: list[Report] = []
        while True:
            claimed += self._ledger.flush(reports, self._at(), EVERY_PLACE)
            progress, reports = self._ledger.progress, []
            if claimed:
                reports = self._hands.begin(self._operation(claimed.popleft()))
            elif self._hands.busy:
                reports = await self._hands.first()
            elif progress.rest or progress.hold:
                # A hold asks a person, and nobody is there: it ends where it stands.
                return
            else:
                await self._pass_time()

    # -- operations -----------------------------------------------------------------

    async def _operation(self, claim: Claim) -> Report:
        key = claim.direction, claim.position
        if claim.kind is Kind.SHIFT:
            error = await self._shift(claim)
        else:
            error = await self._change(claim)
        if error:
            self._errors[key] = error
        else:
            self._errors.pop(key, None)
        state = _S.FAILED if error else _S.SUCCEEDED
        return Report(*key, claim.number, state)

    async def _change(self, claim: Claim) -> str:
        """Change one target, or only look at it; return what went wrong."""
        assert claim.target is not None, "only shifts have none"
        target = self._objects[claim.target.id][0]
        returning = claim.direction is Direction.RETURN
        version = claim.target.from_version if returning else self._plan.version
        error = ""
        if version is None:
            error = "nobody knows which version it ran before"
        elif claim.kind is not Kind.VERIFY:
            if not returning:
                before = claim.target.from_version
                self._memory.touch(target.id, before, version)
            error = await self._ask("deploy_fn", self._calls.deploy_fn, target, version)
            if not error:
                self._write(target.id, version=version)
        error = error or await self._check(target)
        if returning and not error:
            self._memory.restore(target.id)
        elif not returning:
            self._memory.settle(target.id, is_done=not error)
        going = "rolling back: " if returning else ""
        return f"{target.id}: {going}{error}" if error else ""

    async def _check(self, target: DeploymentTarget) -> str:
        if self._calls.health_check is None:
            return ""
        error = await self._ask("health_check", self._calls.health_check, target)
        self._write(target.id, healthy=not error)
        return error

    async def _shift(self, claim: Claim) -> str:
        """Lead traffic over, or back; return what went wrong."""
        shift, memory = claim.shift, self._memory
        assert shift is not None, "a shift says where to"
        returning = claim.direction is Direction.RETURN
        slot = shift.from_slot if returning else shift.to_slot
        if isinstance(shift, Weigh):
            return await self._weigh(Weights.read(slot))
        if not returning:
            # An answer that is false does not prove that nothing was switched.
            memory.switched_for = self._plan.version
        if self._calls.switch_fn is not None:
            error = await self._ask("switch_fn", self._calls.switch_fn, slot)
            if error:
                return f"switching to {slot}: {error}"
        memory.slot = slot
        if returning:
            memory.switched_for = None
        return ""

    async def _weigh(self, weights: Weights) -> str:
        """Share traffic so; return what went wrong."""
        plan = self._plan
        ids = [*(s.id for s in plan.skipped), *(t.id for t in plan.targets)]
        first = [self._objects[each][0] for each in ids[: weights.count]]
        # An answer that is false does not prove that nothing was set.
        self._memory.weights = weights
        assert self._calls.traffic_fn is not None, "refused before anything is touched"
        whole, rest = divmod(weights.basis_points, 100)
        percent = whole + rest / 100 if rest else whole
        error = await self._ask("traffic_fn", self._calls.traffic_fn, percent, first)
        return error and f"sharing traffic {weights.written()}: {error}"

    async def _ask(self, name: str, callback: Callable[..., Any], *args: object) -> str:
        """Call a callback, and return what is wrong with its answer."""
        try:
            answer = callback(*args)
            if inspect.isawaitable(answer):
                answer = await self._hands.settle(answer)
            return "" if answer else f"{name} returned {answer!r}"
        # Cancelled from within is a failure like any other; nobody reads the answer
        # of an operation that is cancelled from without.
        except (Exception, asyncio.CancelledError) as error:
            said = str(error)
            return f"{name} raised {type(error).__name__}" + (said and f": {said}")

    def _write(self, target_id: str, **values: object) -> None:
        for target in self._objects[target_id]:
            for name, value in values.items():
                setattr(target, name, value)

    # -- waiting --------------------------------------------------------------------

    async def _pass_time(self) -> None:
        """Wait for the machine's timer, ask at a gate, or watch what was accepted."""
        gate = self._ledger.progress.gate
        if gate is not None and self._calls.gate_fn is not None:
            await self._decide(gate, self._calls.gate_fn)
            return
        due_at = self._ledger.due_at
        if due_at is None:
            raise RuntimeError(f"it waits for nothing: {self._ledger.progress}")
        seconds = (due_at - self._at()).total_seconds()
        watched = self._watched()
        if watched:
            seconds = min(seconds, self._plan.course.limits.health.interval_seconds)
        await self._hands.sleep(max(0.0, seconds))
        if watched:
            await self._watch(watched)

    async def _decide(self, gate: Gate, gate_fn: GateFn) -> None:
        question = self._ask("gate_fn", gate_fn, gate.name)
        (error,) = await hands.each(self._hands, [question], 1)
        if error:
            self._errors[gate] = f"gate {gate.name}: {error}"
        command = Abort("gate_fn", error) if error else Promote("gate_fn")
        self._ledger.command(command, self._at())

    def _watched(self) -> list[Row]:
        """Return what a bake or a gate watches: the accepted, and what fell since."""
        progress = self._ledger.progress
        waits = isinstance(progress.current, Bake | Gate)
        if self._calls.health_check is None or not waits or not progress.watches:
            return []
        rows = self._ledger.in_state(Direction.FORWARD, _S.SUCCEEDED, _S.FAILED)
        return [
            row
            for row in rows
            if row.kind is not Kind.SHIFT
            and (row.state is _S.SUCCEEDED or row.regressed)
        ]

    async def _watch(self, rows: list[Row]) -> None:
        at_once = self._plan.course.limits.parallelism
        looks = (self._look(row.position) for row in rows)
        healthy = dict(await hands.each(self._hands, looks, at_once))
        self._ledger.watch(healthy, self._at())

    async def _look(self, position: int) -> tuple[int, bool]:
        target = self._objects[self._plan.targets[position].id][0]
        error = await self._check(target)
        key = Direction.FORWARD, position
        self._errors.pop(key, None)
        if error:
            self._errors[key] = f"{target.id}: after it was accepted: {error}"
        self._memory.settle(target.id, is_done=not error)
        return position, not error
