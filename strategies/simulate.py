"""The virtual-time driver: any plan, run on the real machine with made-up outcomes.

It knows the ledger and a `World`; it knows no clock: time jumps from one happening to
the next, so that a rollout of hours takes as long as its folding. Nothing is decided
here that the machine decides.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from strategies.faults import MILLISECONDS, Fault, World, round_ms
from strategies.ledger import Ledger
from strategies.messages import Command, Promote
from strategies.plan import Plan
from strategies.progress import Progress
from strategies.rows import Claim, Report
from strategies.simulated import Sample, Simulated, how_it_ended, serving
from strategies.states import Direction, Kind, OperationState, State
from strategies.steps import Range, Weigh

#: Virtual time begins here.
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
#: Who starts and promotes in a simulation.
BY = "simulation"
_S = OperationState
_MS = timedelta(milliseconds=1)


def simulate(
    plan: Plan,
    world: World | None = None,
    *,
    promote_after_seconds: float | None = 0.0,
    commands: Iterable[tuple[float, Command]] = (),
    places: int = 1_000_000,
) -> Simulated:
    """Run a plan in virtual time and say how it went; the same inputs, the same run.

    A change takes the world's time and then the soonest that the plan's health rule
    can call a target healthy. What happens at one instant is reported in one flush;
    commands of that instant come after it. Regressions are seen the moment they occur,
    while anybody looks: what is stopping or goes back is not watched.

    Args:
        plan: of any strategy.
        world: durations and faults; without it everything succeeds at once.
        promote_after_seconds: how long each gate waits for a person; None: for ever.
        commands: what people ask, each at its seconds after the start.
        places: how many operations the workers hold at once, 1 at least.

    Raises:
        CommandRefused: if one of `commands` is not possible at its time.
    """
    run = _Run(plan, world or World(), promote_after_seconds, max(1, places))
    for seconds, command in commands:
        run.push(round_ms(seconds), command)
    return run.result()


@dataclass(frozen=True)
class _Seen:
    """An accepted target is seen unhealthy, or healthy again."""

    position: int
    healthy: bool


@dataclass(frozen=True)
class _Promotion:
    """Somebody comes to the gate that is this step."""

    step: int


_Happening = Report | _Seen | _Promotion | Command


class _Run:
    """One run: the ledger, what is still to come, and what was noted so far."""

    def __init__(
        self, plan: Plan, world: World, patience: float | None, places: int
    ) -> None:
        self._plan, self._world = plan, world
        self._patience = None if patience is None else round_ms(patience)
        self._places = places
        self._ledger = Ledger(plan, world.unavailable)
        self._now, self._at = 0, EPOCH
        #: Claims without an outcome.
        self._held = 0
        self._coming: list[tuple[int, int, _Happening]] = []
        self._pushed = 0
        self._late: dict[int, Fault] = {}
        self._gate: int | None = None
        self._states: list[tuple[float, State]] = []
        self._samples: list[Sample] = []
        self._sampled: Progress | None = None
        self._most_open = 0
        self._halted: tuple[float, int] | None = None
        limits = plan.course.limits
        self._healthy = round_ms(limits.health.soonest_seconds)
        self._stages = _numbered(plan)

    def push(self, at: int, happening: _Happening) -> None:
        """Let something happen at a time, in milliseconds; in order of their coming."""
        self._pushed += 1
        heapq.heappush(self._coming, (at, self._pushed, happening))

    def result(self) -> Simulated:
        """Run to the end, and say how it went."""
        self._ledger.start(self._at, BY)
        self._turn()
        while self._ledger.progress.rest is None:
            following = self._next()
            if following is None:
                break
            self._now = max(self._now, following)
            self._at = EPOCH + self._now * _MS
            self._turn()
        return self._summed_up()

    def _next(self) -> int | None:
        """Return when something will happen, in milliseconds; None for never."""
        due = self._ledger.due_at
        times = [self._coming[0][0]] if self._coming else []
        if due is not None:
            times.append(-((EPOCH - due) // _MS))
        return min(times, default=None)

    # -- one instant ------------------------------------------------------------------

    def _turn(self) -> None:
        reports, seen, asked = self._due()
        if seen and self._ledger.progress.watches:
            self._ledger.watch(seen, self._at)
            self._note()
        self._flush(reports)
        for command in asked:
            self._ledger.command(command, self._at)
            self._note()
        if asked:
            self._flush(())
        self._come_to_gate()
        self._sample()

    def _due(self) -> tuple[list[Report], dict[int, bool], list[Command]]:
        reports: list[Report] = []
        seen: dict[int, bool] = {}
        asked: list[Command] = []
        while self._coming and self._coming[0][0] <= self._now:
            happening = heapq.heappop(self._coming)[2]
            if isinstance(happening, Report):
                reports.append(happening)
            elif isinstance(happening, _Seen):
                seen[happening.position] = happening.healthy
            elif isinstance(happening, _Promotion):
                asked += self._promotion(happening)
            else:
                asked.append(happening)
        return reports, seen, asked

    def _flush(self, reports: Sequence[Report]) -> None:
        self._held -= sum(report.state is not _S.UNKNOWN for report in reports)
        claims = self._ledger.flush(reports, self._at, self._places - self._held)
        self._held += len(claims)
        for report in reports:
            if report.direction is Direction.FORWARD and report.state is _S.SUCCEEDED:
                self._regress(report.position)
        for claim in claims:
            self._begin(claim)
        self._note()

    def _begin(self, claim: Claim) -> None:
        """Decide what comes of a claim, and when."""
        target = claim.target.id if claim.target else ""
        fault = self._world.hit(target, claim.direction, claim.attempt)
        takes = self._takes(claim)
        if fault and fault.effect == "hangs":
            limits = self._plan.course.limits
            unknown = self._now + round_ms(limits.apply_seconds)
            settled = unknown + round_ms(limits.settle_seconds)
            self.push(unknown, _report(claim, _S.UNKNOWN))
            self.push(settled, _report(claim, _S.UNRESOLVED))
        elif fault and fault.effect == "fails":
            if fault.after_seconds is not None:
                takes = round_ms(fault.after_seconds)
            self.push(self._now + takes, _report(claim, _S.FAILED))
        else:
            if fault and claim.target and claim.direction is Direction.FORWARD:
                self._late[claim.position] = fault
            self.push(self._now + takes, _report(claim, _S.SUCCEEDED))

    def _takes(self, claim: Claim) -> int:
        if claim.shift is not None:
            there = claim.direction is Direction.FORWARD
            slot = claim.shift.to_slot if there else claim.shift.from_slot
            return self._world.shift_milliseconds(slot)
        if claim.kind is Kind.VERIFY or claim.target is None:
            return self._healthy
        return self._healthy + self._world.apply_milliseconds(claim.target.id)

    def _regress(self, position: int) -> None:
        fault = self._late.pop(position, None)
        if fault is None:
            return
        at = self._now + round_ms(fault.after_seconds or 0)
        if fault.at_seconds is not None:
            at = max(self._now, round_ms(fault.at_seconds))
        self.push(at, _Seen(position, healthy=False))
        if fault.for_seconds is not None:
            self.push(at + round_ms(fault.for_seconds), _Seen(position, healthy=True))

    # -- gates -------------------------------------------------------------------------

    def _come_to_gate(self) -> None:
        p = self._ledger.progress
        if p.gate is None or p.hold is not None or self._patience is None:
            return
        if self._gate != p.step and p.entered_at is not None:
            self._gate = p.step
            entered = (p.entered_at - EPOCH) // _MS
            at = max(self._now, entered + self._patience)
            self.push(at, _Promotion(p.step))

    def _promotion(self, promotion: _Promotion) -> list[Command]:
        """Return the promotion, unless there is nothing to promote any more."""
        self._gate = None
        p = self._ledger.progress
        waits = p.gate is not None and p.hold is None and p.step == promotion.step
        return [Promote(BY)] if waits else []

    # -- what is kept ------------------------------------------------------------------

    def _note(self) -> None:
        """Note the state after each event, also one that lasts no time."""
        p = self._ledger.progress
        state, at = p.state, self._now / MILLISECONDS
        if not self._states or self._states[-1][1] is not state:
            self._states.append((at, state))
        if p.halt is not None and self._halted is None:
            self._halted = at, len(self._touched())

    def _sample(self) -> None:
        p = self._ledger.progress
        if p is self._sampled:
            return
        self._sampled, opened = p, p.open
        self._most_open = max(self._most_open, opened)
        sample = Sample(
            self._now / MILLISECONDS,
            p.whole.succeeded,
            p.whole.failed,
            opened,
            p.back.succeeded + p.back.skipped,
            self._stages[p.step],
            self._states[-1][1],
        )
        self._samples.append(sample)

    def _touched(self) -> list[int]:
        rows = self._ledger.touched()
        return [row.position for row in rows if row.kind is not Kind.SHIFT]

    def _summed_up(self) -> Simulated:
        ledger, p = self._ledger, self._ledger.progress
        touched = len(self._touched())
        halted_at, touched_then = self._halted or (None, None)
        return Simulated(
            state=p.state,
            reason=how_it_ended(p),
            outcome=p.rest.outcome if p.rest else "",
            halt=p.halt,
            halted_at_seconds=halted_at,
            duration_seconds=self._now / MILLISECONDS,
            states=tuple(self._states),
            trajectory=tuple(self._samples),
            touched=touched,
            touched_when_halted=touched_then,
            left=touched - p.back.succeeded - p.back.skipped,
            most_open=self._most_open,
            serving=serving(self._plan, p),
            events=tuple((at, tuple(facts)) for at, facts in ledger.events),
            progress=p,
        )


def _report(claim: Claim, state: OperationState) -> Report:
    return Report(claim.direction, claim.position, claim.number, state)


def _numbered(plan: Plan) -> list[int]:
    """Return the stage number of each step, and of the end behind the last."""
    numbers, number = [], 0
    steps = plan.course.steps
    for before, step in zip((None, *steps), steps, strict=False):
        # Traffic is shared anew at the beginning of a stage.
        number += isinstance(step, Range) and not isinstance(before, Weigh)
        numbers.append(number)
    return [*numbers, number]
