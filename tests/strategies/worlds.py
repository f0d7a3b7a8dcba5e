"""A small world for tests of the core: a ledger, a clock that is a number, two hands.

It makes reports and commands and reads rows; after every event it asks `oracles` and
`counts` whether all is as it must be.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from strategies import folds, rules, wire
from strategies.actions import Start, WakeAt
from strategies.folds import replay
from strategies.ledger import Ledger
from strategies.messages import (
    Abort,
    Command,
    Halted,
    OperationsMoved,
    Pause,
    Promote,
    PromoteFully,
    Resume,
    RollBack,
)
from strategies.plan import Plan
from strategies.progress import Progress
from strategies.rows import Claim, Report
from strategies.states import TRANSITIONS, Direction, OperationState, State
from tests.strategies.counts import check_rows
from tests.strategies.oracles import Oracle
from tests.strategies.plans import fleet, plan_of

__all__ = ["FORWARD", "RETURN", "T0", "S", "World", "due", "fleet", "plan_of"]

S = OperationState
FORWARD, RETURN = Direction.FORWARD, Direction.RETURN
T0 = datetime(2026, 1, 1, tzinfo=UTC)


def _down(plan: Plan, ids: set[str], standby: tuple[str, ...]) -> int:
    of_plan = [t.id for t in plan.targets] + [s.id for s in plan.skipped]
    return len(ids.intersection(standby or of_plan))


class World:
    """A ledger with a clock in seconds; every event is checked as it is made."""

    def __init__(self, plan: Plan, *, unhealthy: Collection[int | str] = ()) -> None:
        ids = {n if isinstance(n, str) else f"t{n}" for n in unhealthy}
        self.plan = plan
        self.ledger = Ledger(plan, ids)
        self.seconds = 0.0
        self.held: list[Claim] = []
        self.claimed: list[tuple[Direction, int]] = []
        self.refolded = Progress.begin(plan.course)
        standby = plan.router.standby if plan.router else ()
        self.oracle = Oracle(plan, plan.course.serving - _down(plan, ids, standby))
        self._seen_events = 0

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
        self.skip_to_timer()
        return self.flush(places=places)

    def skip_to_timer(self, late: float = 0) -> None:
        """Let it be the time that the machine waits for, or a little later."""
        assert self.ledger.due_at is not None
        due = (self.ledger.due_at - T0).total_seconds()
        self.seconds = max(self.seconds, due + late)

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

    def promote(self) -> World:
        """Go on at a gate, or cut a wait short."""
        return self.ask(Promote("alice", "it looks good"))

    def promote_fully(self) -> World:
        """Ask no more, and bake no more."""
        return self.ask(PromoteFully("alice", "it looks good"))

    def watch(self, healthy: dict[int, bool]) -> World:
        """Look at accepted targets, by position, and say what was seen."""
        self.ledger.watch(healthy, self.at)
        self.check()
        if not self.p.return_planned:
            good = self.oracle.grid.at(FORWARD, S.SUCCEEDED)
            bad = {p for p in good & healthy.keys() if not healthy[p]}
            assert bad <= {self.plan.course.work}, "what was seen unhealthy counts"
        return self

    def standby(self, healthy: int) -> World:
        """Let so many of the slot that serves be healthy."""
        self.ledger.standby_changed(healthy)
        self.oracle.standby = healthy
        return self

    def restart(self) -> World:
        """Forget everything but what is stored: the progress comes from its record."""
        stored = json.loads(json.dumps(wire.dump_progress(self.p)))
        self.ledger.progress = wire.load_progress(stored, self.plan.course)
        assert self.ledger.progress == self.refolded, "what is stored is all"
        return self

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
        if self._seen_events == len(self.ledger.events):
            assert self.refolded == self.p, "nothing changes without an event"
            return
        for at, facts in self.ledger.events[self._seen_events :]:
            for fact in facts:
                self._check_fact(fact, at)
            self.oracle.settled(at)
        self._seen_events = len(self.ledger.events)
        assert self.refolded == self.p, "replay(events) == progress"
        check_rows(self.ledger)
        assert rules.actions(self.p) == rules.actions(self.p)

    def _check_fact(self, fact: Any, at: datetime) -> None:
        was = self.refolded
        self.oracle.told(fact, at)
        self.refolded = now = folds.apply(was, fact, at)
        if now.state is not was.state:
            assert now.state in TRANSITIONS[was.state], (was.state, now.state)
        assert now.rest is None or now.open == 0, "no rest while something is open"
        if isinstance(fact, OperationsMoved) and fact.now is S.RUNNING:
            assert was.may_claim, "the machine says that nothing may be claimed"


def check_replay(ledger: Ledger) -> None:
    """Check that the stored history gives the progress, from nothing."""
    assert replay(ledger.plan.course, ledger.events) == ledger.progress


def due(ledger: Ledger) -> list[WakeAt]:
    """Return the timers that the machine asks for."""
    return [a for a in rules.actions(ledger.progress) if isinstance(a, WakeAt)]
