"""The rule-based machine: a small deployment, two workers, and a world that misbehaves.

Small on purpose (three targets, limits of one and two): seeded faults hide in larger
ones. It makes moves; `worlds` says what must hold after each.
"""

from __future__ import annotations

import os
from itertools import cycle
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from strategies.errors import CommandRefused
from strategies.messages import (
    Abort,
    Pause,
    Promote,
    PromoteFully,
    Resume,
    RollBack,
)
from strategies.rows import Claim, Report
from strategies.states import OPEN, OPERATION_TRANSITIONS, OperationState
from strategies.steps import Bake, Gate
from tests.strategies.kinds import KINDS
from tests.strategies.worlds import FORWARD, RETURN, S, World, check_replay

#: How many runs; more by the environment, as `HYPOTHESIS_RUNS=5000`.
RUNS = int(os.environ.get("HYPOTHESIS_RUNS", "60"))
SETTINGS = settings(
    max_examples=RUNS,
    stateful_step_count=30,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

UNHEALTHY: list[set[int]] = [set(), set(), {0}, {2}]
STANDBY = [0, 1, 2, 2]
PLACES = [0, 1, 2, 3]
PEOPLE = ["alice", "bob"]
SECONDS = [1, 5, 60, 400, 7200]
#: What is hoped to be reported; see `answers` for what is not possible.
WISHES = [S.SUCCEEDED, S.FAILED, S.UNKNOWN, S.UNRESOLVED, S.VERIFYING, S.RELEASED]
WISHES += [S.PENDING, S.SKIPPED, S.FAILED, S.SUCCEEDED]
LATE = [S.SUCCEEDED, S.FAILED, S.RELEASED]
SAID = [S.SUCCEEDED, S.PENDING, S.FAILED]


def some(values: list[Any]) -> st.SearchStrategy[Any]:
    """Draw one of these."""
    return st.sampled_from(values)


def wishes() -> st.SearchStrategy[list[OperationState]]:
    """Draw one wish for each claim in turn."""
    return st.lists(some(WISHES), min_size=1, max_size=3)


def plans() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """Draw a kind of plan, and its options."""
    return st.one_of(
        [
            st.tuples(
                st.just(kind),
                st.fixed_dictionaries({k: some(v) for k, v in drawn.items()}),
            )
            for kind, (drawn, _) in KINDS.items()
        ]
    )


class Deployment(RuleBasedStateMachine):
    """One deployment of three targets, from its start to wherever it gets."""

    @initialize(made=plans(), unhealthy=some(UNHEALTHY))
    def begin(self, made, unhealthy):
        kind, options = made
        if kind in ("rolling", "canary", "weighed"):
            options = {**options, "unhealthy": unhealthy}
        plan = KINDS[kind][1](**options)
        self.world = World(plan, unhealthy=unhealthy).start()
        self.hands: list[list[Claim]] = [[], []]
        self.lost: list[Claim] = []

    def flush(self, worker, reports, places):
        self.hands[worker] += self.world.ledger.flush(reports, self.world.at, places)
        self.world.check()

    @rule(worker=some([0, 1]), places=some(PLACES))
    def look(self, worker, places):
        """Ask for claims."""
        self.flush(worker, [], places)

    @precondition(lambda self: self.busy)
    @rule(wishes=wishes(), places=some(PLACES))
    def report_one(self, wishes, places):
        """Answer one claim."""
        worker = self.busy[-1]
        claim = self.hands[worker].pop(0)
        self.flush(worker, self.answers(worker, [claim], wishes), places)

    @precondition(lambda self: self.busy)
    @rule(wishes=wishes(), places=some(PLACES))
    def report_all(self, wishes, places):
        """Answer all claims of a worker in one flush."""
        worker = self.busy[0]
        claims, self.hands[worker] = self.hands[worker], []
        self.flush(worker, self.answers(worker, claims, wishes), places)

    @precondition(lambda self: self.busy)
    @rule(wishes=wishes())
    def report_twice(self, wishes):
        """Send the same answers again, in the same flush and in the next."""
        worker = self.busy[0]
        claims, self.hands[worker] = self.hands[worker], []
        reports = self.answers(worker, claims, wishes)
        self.flush(worker, [*reports, *reports], 0)
        self.unchanged(r for r in reports if r.state not in OPEN)

    @precondition(lambda self: self.busy)
    @rule(keeps=st.booleans())
    def lose(self, keeps):
        """Lose a worker; the other one settles what it held."""
        worker = self.busy[0]
        claims, self.hands[worker] = self.hands[worker], []
        self.lost += claims
        rows = [self.world.ledger.rows[c.direction, c.position] for c in claims]
        taken = self.world.ledger.take_over(rows, self.world.at)
        self.hands[worker if keeps else 1 - worker] += taken
        self.world.check()

    @precondition(lambda self: self.lost)
    @rule(state=some(LATE))
    def report_late(self, state):
        """Hear from a worker that was lost."""
        self.unchanged(
            Report(c.direction, c.position, c.number, state) for c in self.lost
        )

    @rule(command=some([Pause, Resume]), by=some(PEOPLE))
    def hold(self, command, by):
        """Pause and resume at any time."""
        self.ask(command(by))

    @precondition(lambda self: self.world.p.claims)
    @rule(command=some([Abort, RollBack]), by=some(PEOPLE))
    def stop(self, command, by):
        """Abort or roll back at any time."""
        self.ask(command(by))

    @precondition(lambda self: self.waits)
    @rule(command=some([Promote, Promote, PromoteFully]), by=some(PEOPLE))
    def promote(self, command, by):
        """Say go on, where something waits."""
        self.ask(command(by))

    def ask(self, command):
        was = self.world.p
        try:
            self.world.ask(command)
        except CommandRefused:
            assert self.world.p == was

    @precondition(lambda self: self.doubtful)
    @rule(said=some(SAID))
    def settle(self, said):
        """Say, as a person, what an unresolved operation came to."""
        self.world.ledger.resolve(self.doubtful[0], said, self.world.at)
        self.world.check()

    @rule(healthy=st.lists(st.booleans(), min_size=3, max_size=3))
    def watch(self, healthy):
        """Look at what was accepted: some have regressed, some recovered."""
        self.world.watch(dict(enumerate(healthy)))

    @precondition(lambda self: self.world.plan.course.standby)
    @rule(healthy=some(STANDBY))
    def standby(self, healthy):
        """Let the slot that serves lose or regain targets."""
        self.world.standby(healthy)

    @rule()
    def restart(self):
        """Restart everything: what is stored is all that is known."""
        self.world.restart()

    @rule(position=some([1, 2]))
    def remove(self, position):
        """Remove a target of a batch that has not begun."""
        if position < self.world.plan.course.work:
            self.world.ledger.removed.add(position)

    @precondition(lambda self: self.world.ledger.due_at)
    @rule(late=some([0, 0, 1]))
    def wait(self, late):
        """Wait until a timer runs out."""
        self.world.skip_to_timer(late)

    @rule(seconds=some(SECONDS))
    def jump(self, seconds):
        """Let the clock jump."""
        self.world.seconds += seconds

    @invariant()
    def nothing_is_asked_twice(self):
        """A flush without news changes nothing."""
        ledger = self.world.ledger
        ledger.flush([], self.world.at, 0)
        self.world.check()
        self.unchanged(())

    def teardown(self):
        """Once reports stop being lost, it comes to rest, to a hold or to a gate."""
        if not hasattr(self, "world"):
            return
        for _ in range(60):
            if self.world.p.hold is not None and not self.world.p.open:
                break
            if self.world.p.rest is not None or self._asks_for_ever:
                break
            claims, self.hands[0] = self.hands[0] + self.hands[1], []
            self.hands[1] = []
            self.flush(0, self.answers(0, claims, [S.SUCCEEDED]), 3)
            if not self.hands[0] and self.world.ledger.due_at is not None:
                self.world.skip_to_timer()
        else:
            raise AssertionError(f"it never comes to rest: {self.world.p}")
        check_replay(self.world.ledger)

    @property
    def _asks_for_ever(self):
        gate = self.world.p.gate
        return gate is not None and gate.limit_seconds is None

    @property
    def waits(self):
        """Whether it stands at a gate or in a wait."""
        return isinstance(self.world.p.current, Gate | Bake)

    # -- helpers ------------------------------------------------------------------

    @property
    def busy(self):
        """The workers that hold claims."""
        return [worker for worker in (0, 1) if self.hands[worker]]

    @property
    def doubtful(self):
        """The unresolved operations."""
        ledger = self.world.ledger
        ahead = ledger.in_state(FORWARD, S.UNRESOLVED)
        return ahead + ledger.in_state(RETURN, S.UNRESOLVED)

    def unchanged(self, reports):
        """Flush reports that must not matter."""
        was = self.world.p, len(self.world.ledger.events)
        self.world.ledger.flush(list(reports), self.world.at, 0)
        assert (self.world.p, len(self.world.ledger.events)) == was

    def answers(self, worker, claims, wishes):
        """Answer claims by what is possible; what stays open stays in the hand."""
        reports = []
        for claim, wish in zip(claims, cycle(wishes), strict=False):
            row = self.world.ledger.rows[claim.direction, claim.position]
            possible = _possible(row.state, row.attempt)
            state = wish if wish in possible else S.SUCCEEDED
            reports.append(Report(claim.direction, claim.position, claim.number, state))
            if state in OPEN:
                self.hands[worker].append(claim)
        return reports


def _possible(was: OperationState, attempt: int) -> frozenset[OperationState]:
    """Return what a worker may report next."""
    may = OPERATION_TRANSITIONS[was]
    # A worker says failed, or not done; whether that is tried again is decided.
    may -= {S.FAILED} if was is S.UNKNOWN else {S.PENDING}
    # What is found done in a second attempt is ours: it counts as succeeded.
    return may - {S.SKIPPED} if attempt > 1 else may
