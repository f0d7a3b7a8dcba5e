"""A small world for tests of the core: a ledger, a clock that is a number, two hands.

It knows how to make reports and to read rows; it checks the invariants that must hold
after every event, and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from strategies import folds, rules
from strategies.folds import replay
from strategies.ledger import Ledger
from strategies.messages import (
    Abort,
    AbortAsked,
    Command,
    Halted,
    Held,
    OperationsMoved,
    Pause,
    Rested,
    Resume,
    Resumed,
    RollBack,
    RollBackAsked,
    RollbackPlanned,
    Start,
    WakeAt,
)
from strategies.operations import REDOS
from strategies.plan import Candidate, Plan
from strategies.progress import Progress
from strategies.rolling import RollingDeployment
from strategies.rows import Claim, Report
from strategies.states import (
    OPEN,
    OPERATION_TRANSITIONS,
    TRANSITIONS,
    Direction,
    OperationState,
    State,
)
from strategies.tally import Tally

S = OperationState
FORWARD, RETURN = Direction.FORWARD, Direction.RETURN
T0 = datetime(2026, 1, 1, tzinfo=UTC)


def fleet(count: int, *, unhealthy: Collection[int] = ()) -> list[Candidate]:
    """Return t0, t1, .. at v1."""
    return [Candidate(f"t{n}", "v1", healthy=n not in unhealthy) for n in range(count)]


def plan_of(count: int, *, unhealthy: Collection[int] = (), **options: Any) -> Plan:
    """Return a rolling plan to v2 without delays, unless told otherwise."""
    strategy = RollingDeployment(**{"delay_seconds": 0, **options})
    return strategy.plan(fleet(count, unhealthy=unhealthy), "v2")


def rebuilt(tallied: Collection[OperationState]) -> Tally:
    """Return the tally of these states."""
    return Tally(**Counter(state.value for state in tallied))


class World:
    """A ledger with a clock in seconds; every event is checked as it is made."""

    def __init__(self, plan: Plan, *, unhealthy: Collection[int] = ()) -> None:
        self.plan = plan
        self.ledger = Ledger(plan, {f"t{n}" for n in unhealthy})
        self.seconds = 0.0
        self.held: list[Claim] = []
        self.claimed: list[tuple[Direction, int]] = []
        self.refolded = Progress.begin(plan.course)
        self._seen_events = 0
        # An oracle of its own, from the facts alone: what a person was told.
        self._grid: dict[tuple[Direction, int], OperationState] = {}
        self._attempts: Counter[tuple[Direction, int]] = Counter()
        self._is_held = self._is_stopped = self._is_returning = False
        up = plan.course.selected - len(set(unhealthy))
        self._floor = min(plan.course.limits.floor, up)

    # -- reading ------------------------------------------------------------------

    @property
    def p(self) -> Progress:
        """The progress."""
        return self.ledger.progress

    @property
    def at(self) -> datetime:
        """The time now."""
        return T0 + timedelta(seconds=self.seconds)

    @property
    def state(self) -> State:
        """The deployment's state."""
        return self.p.state

    @property
    def rest(self) -> tuple[State, str, str]:
        """How it ended: state, reason, outcome."""
        assert self.p.rest is not None, f"not at rest: {self.p}"
        return self.p.rest.state, self.p.rest.reason, self.p.rest.outcome

    @property
    def facts(self) -> list[Any]:
        """All facts so far, in order."""
        return [fact for _, facts in self.ledger.events for fact in facts]

    @property
    def halted(self) -> Halted:
        """The halt record."""
        assert self.p.halt is not None
        return self.p.halt

    @property
    def starts(self) -> int:
        """How many the machine would start now."""
        asked = [a.at_most for a in rules.actions(self.p) if isinstance(a, Start)]
        return sum(asked)

    def calls(self, direction: Direction = FORWARD) -> list[int]:
        """The positions claimed in one direction, in order, each time it was."""
        return [position for d, position in self.claimed if d is direction]

    def states(self, direction: Direction = FORWARD) -> list[OperationState]:
        """The states of one direction's rows, by position."""
        rows = self.ledger.in_state(direction, *S)
        return [row.state for row in sorted(rows, key=lambda row: row.position)]

    # -- doing ----------------------------------------------------------------------

    def start(self, *, places: int = 0) -> World:
        """Begin, and claim."""
        self.ledger.start(self.at, "alice")
        self.check()
        return self.flush(places=places) if places else self

    def flush(self, *reports: Report, places: int = 1000) -> World:
        """Flush, keeping the claims in hand."""
        taken = self.ledger.flush(reports, self.at, places)
        self.held += taken
        self.claimed += [(claim.direction, claim.position) for claim in taken]
        self.check()
        return self

    def report(
        self,
        states: dict[int, OperationState],
        *,
        places: int = 1000,
        available: bool | None = None,
    ) -> World:
        """Report on claims in hand by position, in one flush."""
        reports = [
            Report(c.direction, c.position, c.number, states[c.position], available)
            for c in self.held
            if c.position in states
        ]
        still = {S.VERIFYING, S.UNKNOWN}
        self.held = [
            c for c in self.held if states.get(c.position, S.VERIFYING) in still
        ]
        return self.flush(*reports, places=places)

    def finish(
        self,
        outcome: Callable[[Claim], OperationState] = lambda _: S.SUCCEEDED,
        *,
        grouped: bool = True,
        places: int = 1000,
    ) -> World:
        """Answer claims until nothing is in hand and no timer brings new ones."""
        self.flush(places=places)
        for _ in range(1000):
            if self.held:
                some = list(self.held) if grouped else [self.held[0]]
                self.report({c.position: outcome(c) for c in some}, places=places)
            elif self.p.rest is None and self.ledger.due_at is not None:
                self.wait_for_timer(places=places)
            else:
                return self
        raise AssertionError("it never came to rest")

    def wait(self, seconds: float, *, places: int = 1000) -> World:
        """Let time pass, and flush."""
        self.seconds += seconds
        return self.flush(places=places)

    def wait_for_timer(self, *, places: int = 1000) -> World:
        """Go to the time that the machine waits for, and flush."""
        assert self.ledger.due_at is not None
        self.seconds = max(self.seconds, (self.ledger.due_at - T0).total_seconds())
        return self.flush(places=places)

    def ask(self, command: Command) -> World:
        """Ask for a command; refusals come out."""
        self.ledger.command(command, self.at)
        self.check()
        return self

    def pause(self, by: str = "alice") -> World:
        """Pause."""
        return self.ask(Pause(by))

    def resume(self) -> World:
        """Resume."""
        return self.ask(Resume("alice"))

    def abort(self) -> World:
        """Abort."""
        return self.ask(Abort("alice"))

    def roll_back(self) -> World:
        """Roll back."""
        return self.ask(RollBack("alice"))

    def resolve(self, position: int, state: OperationState) -> World:
        """Say, as a person, what an unresolved operation came to."""
        for row in self.ledger.in_state(FORWARD, S.UNRESOLVED) + (
            self.ledger.in_state(RETURN, S.UNRESOLVED)
        ):
            if row.position == position:
                self.ledger.resolve(row, state, self.at)
        self.check()
        return self

    # -- checking -------------------------------------------------------------------

    def check(self) -> None:
        """Check all that must hold after every event."""
        for at, facts in self.ledger.events[self._seen_events :]:
            for fact in facts:
                self._check_fact(fact, at)
        self._seen_events = len(self.ledger.events)
        assert self.refolded == self.p, "replay(events) == progress"
        check_rows(self.ledger)
        assert rules.actions(self.p) == rules.actions(self.p)

    def _check_fact(self, fact: Any, at: datetime) -> None:
        was = self.refolded
        self.refolded = now = folds.apply(was, fact, at)
        if now.state is not was.state:
            assert now.state in TRANSITIONS[was.state], (was.state, now.state)
        assert now.rest is None or now.open == 0, "no rest while something is open"
        self._note(fact)
        if isinstance(fact, OperationsMoved):
            self._check_move(fact, was)
        elif isinstance(fact, Halted):
            self._check_halt(fact)
        elif isinstance(fact, RollbackPlanned):
            assert fact.count == len(self._touched()), "what was touched returns"
        elif isinstance(fact, Rested) and fact.state is State.ROLLED_BACK:
            back = {self._grid.get((RETURN, p)) for p in self._touched()}
            assert back <= {S.SUCCEEDED, S.SKIPPED}, "rolled back means restored"

    def _note(self, fact: Any) -> None:
        """Remember what was asked, as a person who watches would."""
        if isinstance(fact, Held):
            self._is_held = True
        elif isinstance(fact, Resumed | AbortAsked | RollBackAsked):
            self._is_held = False
        if isinstance(fact, Halted | AbortAsked | RollBackAsked):
            self._is_stopped = True
            self._is_returning = isinstance(fact, RollBackAsked)

    def _touched(self) -> set[int]:
        return {
            position
            for (direction, position), attempts in self._attempts.items()
            if direction is FORWARD and attempts > 0
            if self._grid[FORWARD, position] is not S.SKIPPED
        }

    def _check_halt(self, fact: Halted) -> None:
        if fact.rule == "max_failures":
            assert fact.threshold == self.plan.course.limits.max_failures
            assert len(self._failed()) > fact.threshold, "not before the budget"
            assert len(fact.positions) == fact.observed == fact.threshold + 1
        assert set(fact.positions) <= self._failed(), "evidence is what failed"

    def _failed(self) -> set[int]:
        return {p for (d, p), s in self._grid.items() if d is FORWARD and s is S.FAILED}

    def _check_move(self, fact: OperationsMoved, was: Progress) -> None:
        stored = S.PENDING if fact.now is S.RELEASED else fact.now
        assert fact.now in OPERATION_TRANSITIONS[fact.was], fact
        for position in fact.positions:
            before = self._grid.get((fact.direction, position), S.PENDING)
            assert before is fact.was, "the event stream rebuilds the grid"
            self._grid[fact.direction, position] = stored
            self._count_attempt(fact, (fact.direction, position), was)
        if fact.now is S.RUNNING:
            self._check_claims(fact, was)

    def _count_attempt(
        self, fact: OperationsMoved, key: tuple[Direction, int], was: Progress
    ) -> None:
        self._attempts[key] += (fact.now is S.RUNNING) - (fact.now is S.RELEASED)
        if fact.now is S.PENDING and fact.was in (S.FAILED, S.UNRESOLVED):
            self._attempts[key] *= fact.direction is FORWARD  # a return tried anew
        elif fact.now is S.PENDING:
            retries = self.plan.course.limits.retries
            allowed = retries if fact.direction is FORWARD else max(1, retries)
            if fact.was is S.UNKNOWN:
                allowed += REDOS
            again = was.may_retry(fact.direction)
            assert self._attempts[key] <= allowed or not again, "retries run out"

    def _check_claims(self, fact: OperationsMoved, was: Progress) -> None:
        assert was.may_claim, "the machine says that nothing may be claimed"
        assert not self._is_held, "no claim after a hold"
        returning = fact.direction is RETURN
        assert returning is self._is_returning, "claims go the way that was asked"
        count = len(fact.positions)
        assert was.open + count <= was.course.limits.parallelism
        if fact.was_available:
            assert was.available - count >= self._floor, "a claim keeps the floor"
        if returning:
            assert set(fact.positions) <= self._touched(), "only the touched return"
            return
        assert not self._is_stopped, "no claim after a halt or an abort"
        limit = was.course.limits.max_failures
        assert limit is None or len(self._failed()) <= limit, "no claim over budget"


def check_rows(ledger: Ledger) -> None:
    """Check that what is counted is what the rows say."""
    p, rows = ledger.progress, list(ledger.rows.values())
    ahead = [row for row in rows if row.direction is FORWARD]
    back = [row for row in rows if row.direction is RETURN]
    assert p.whole == rebuilt([row.state for row in ahead])
    assert p.back == rebuilt([row.state for row in back])
    if p.opened is not None:
        span = [r for r in ahead if p.opened.start <= r.position < p.opened.stop]
        assert p.batch_tally == rebuilt([row.state for row in span])
        if not p.return_planned:  # after that nothing forward is claimed again
            assert p.opened.unavailable == _pending_unavailable(ledger, span)
    if p.return_planned:
        assert p.return_unavailable == _pending_unavailable(ledger, back)
    busy = {row.position for row in rows if row.state in OPEN}
    spare = p.course.selected - p.course.work
    free = [n for n, up in enumerate(ledger.available) if up and n not in busy]
    if ledger.events:
        assert p.available == len(free) + spare
    assert p.open == len(busy) <= p.course.limits.parallelism
    assert {r.position for r in back} <= {r.position for r in ledger.touched()}
    assert bool(p.claims) == bool(ledger.touched())


def _pending_unavailable(ledger: Ledger, rows: list[Any]) -> int:
    return sum(
        row.state is S.PENDING and not ledger.available[row.position] for row in rows
    )


def check_replay(ledger: Ledger) -> None:
    """Check that the stored history gives the progress, from nothing."""
    assert replay(ledger.plan.course, ledger.events) == ledger.progress


def due(ledger: Ledger) -> list[WakeAt]:
    """Return the timers that the machine asks for."""
    return [a for a in rules.actions(ledger.progress) if isinstance(a, WakeAt)]
