"""What the engine really does with the same outcomes is what the simulation said.

Random plans are simulated in random worlds, with people who press; then each is carried
out on real PostgreSQL. The world says what comes of each claim there too, the
simulation only when it ends, and the database's clock is set to that time. Everything
else must follow: every event with its time and facts, each change of state, the halt
record, and the machine at the end.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployctl.launch import Addresses
from deployctl.queries.plans import plan_of
from deployctl.services import operations, outcomes, turn
from strategies import rules
from strategies.actions import Action, WakeAt
from strategies.errors import CommandRefused
from strategies.faults import Between, Fault, World
from strategies.messages import (
    Abort,
    Command,
    Pause,
    Promote,
    PromoteFully,
    Resume,
    RollBack,
)
from strategies.plan import Plan
from strategies.progress import Progress
from strategies.simulate import BY, simulate
from strategies.simulated import Simulated
from strategies.states import Direction, OperationState
from tests.services.follower import Clock, Engine, in_front
from tests.services.slotted import prepare, sharing, slotted
from tests.support.fleet import HEALTH, Place, simulated

pytestmark = pytest.mark.django_db(transaction=True)
S = OperationState
#: So many plans in each of so many tests, which run beside each other.
PLANS, TESTS = 20, 10
#: One look is enough to call a target well or unwell, as in a simulation.
SEEN_AT_ONCE = {**HEALTH, "failure_threshold": 1, "success_threshold": 1}
OPTIONS: dict[str, dict[str, list[Any]]] = {
    "rolling": {
        "batch_size": [1, 2, "50%", [1, 2]],
        "delay_seconds": [0, 30],
        "max_failures": [0, 1, None],
        "min_healthy": [0, 1, 2],
        "retries": [0, 1],
        "on_failure": ["halt", "rollback", "freeze"],
        "max_failure_percent": [None, 50],
        "window": [False, True],
    },
    "canary": {
        "stages": ["25, 50, 100", "10, 100", "40, 60"],
        "stage_duration_seconds": [0, 3600],
        "success_threshold": ["100%", "50%"],
        "gates": [False, True],
        "gate_limit_seconds": [None, 600],
        "retries": [0, 1],
        "on_failure": ["halt", "rollback"],
    },
    "weighed": {
        "stages": ["25, 50, 100", "40, 60"],
        "stage_duration_seconds": [0, 3600],
        "success_threshold": ["100%", "50%"],
        "traffic_shares": ["0, 5", "10, 10"],
        "gates": [False, True],
        "gate_limit_seconds": [None, 600],
        "retries": [0, 1],
        "min_healthy": [0, 1],
        "on_failure": ["halt", "rollback"],
    },
    "blue_green": {
        "auto_promote": [False, True],
        "bake_seconds": [0, 3600],
        "max_failures": [0, 1],
        "retries": [0, 1],
        "on_failure": ["halt", "rollback"],
        "restore_idle": [False, True],
        "end_retention": [True],
    },
}
COMMANDS: list[type[Command]]
COMMANDS = [Pause, Resume, Resume, Abort, RollBack, Promote, PromoteFully]


@pytest.fixture
def clock(database: Addresses, transactional_db: None) -> Iterator[Clock]:
    """The database's clock, to be set."""
    with in_front(database.owner) as made:
        yield made


@pytest.mark.parametrize("nth", range(TESTS))
def test_the_engine_does_what_the_simulation_said(
    nth: int, tmp_path: Path, clock: Clock
) -> None:
    rng = random.Random(f"plans {nth}")
    ends = {compared(rng, tmp_path, clock).state for _ in range(PLANS)}
    assert len(ends) >= 3, "these plans say little"


def no_retry(patch: pytest.MonkeyPatch) -> None:
    """The engine takes every failure for the last."""
    patch.setattr(outcomes, "after_failure", lambda **_: S.FAILED)


def late(patch: pytest.MonkeyPatch) -> None:
    """The engine's waits last a second longer."""
    real = rules.actions

    def actions(p: Progress) -> tuple[Action, ...]:
        second = timedelta(seconds=1)
        return tuple(
            replace(a, at=a.at + second) if isinstance(a, WakeAt) else a
            for a in real(p)
        )

    patch.setattr(turn, "rules", SimpleNamespace(actions=actions))


def no_evidence(patch: pytest.MonkeyPatch) -> None:
    """The engine's halt records name no operation."""
    patch.setattr(operations, "failed_positions", lambda *_: [])


@pytest.mark.parametrize("seeded", [no_retry, late, no_evidence])
def test_one_that_does_otherwise_is_found(
    seeded: Callable[[pytest.MonkeyPatch], None],
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of these faults is on one side only, and does not pass."""
    seeded(monkeypatch)
    rng = random.Random("plans 0")
    with pytest.raises(AssertionError):
        _ = [compared(rng, tmp_path, clock) for _ in range(PLANS)]


def compared(rng: random.Random, folder: Path, clock: Clock) -> Simulated:
    """Simulate a random plan, carry it out, and compare; return what was said."""
    strategy = rng.choice(list(OPTIONS))
    place = Place(simulated(rng.randint(2, 6)))
    if strategy == "blue_green":
        place = slotted(rng.randint(1, 3), folder)
    if strategy == "weighed":
        place = sharing(rng.randint(2, 6), folder)
    options = {name: rng.choice(v) for name, v in OPTIONS[strategy].items()}
    options["health"] = SEEN_AT_ONCE
    try:
        by = {"weighed": "canary"}.get(strategy, strategy)
        deployment = prepare(place, by, **options)
    except ValueError:  # A floor that leaves none to change: no plan. Another one.
        return compared(rng, folder, clock)
    plan = plan_of(deployment)
    world = made_up(rng, [target.id for target in plan.targets])
    patience = rng.choice([0.0, 45.0, 900.0, None])
    run = pressed(rng, plan, world, patience)
    what = f"{strategy} {options} {world} {patience}"
    Engine(place, deployment, world, clock, what).follow(run)
    return run


def made_up(rng: random.Random, ids: Sequence[str]) -> World:
    """Return a world: often all is well at first, seldom nobody learns an outcome."""
    faults = [Fault(share=rng.choice([Fraction(0), Fraction(1, 3)]))]
    faults.append(Fault(share=Fraction(1, 4), attempts=1))
    for effect in ("regresses", "regresses", "hangs"):
        chosen = frozenset(rng.sample(ids, rng.randint(0, 1)))
        lasts = rng.choice([None, 200.0]) if effect == "regresses" else None
        after = rng.choice([1.0, 100.0, 2000.0]) if effect == "regresses" else None
        fault = Fault(ids=chosen, after_seconds=after, for_seconds=lasts)
        faults.append(replace(fault, effect=effect))
    back = Fault(share=Fraction(1, 4), direction=Direction.RETURN)
    faults.append(replace(back, attempts=rng.choice([1, None])))
    ahead = rng.choice([Direction.FORWARD, Direction.RETURN])
    switch = Fault(router=True, direction=ahead, attempts=rng.choice([1, None]))
    faults += [switch] * (rng.randrange(4) == 0)
    rng.shuffle(faults)
    least, most = rng.choice([(0, 0), (10, 10), (1, 60), (1, 60)])
    kept = tuple(faults[: rng.randint(0, len(faults))])
    seed, shift = rng.randrange(10**6), Between(1, 5)
    return World(seed=seed, apply=Between(least, most), shift=shift, faults=kept)


def pressed(
    rng: random.Random, plan: Plan, world: World, patience: float | None
) -> Simulated:
    """Simulate with people who press at random; who is refused had not pressed."""
    commands: list[tuple[float, Command]] = []
    run = simulate(plan, world, promote_after_seconds=patience)
    for _ in range(rng.choice([0, 0, 1, 2, 4])):
        at = rng.randrange(int(run.duration_seconds) + 60)
        tried = sorted([*commands, (at, rng.choice(COMMANDS)(BY))], key=when)
        try:
            run = simulate(plan, world, promote_after_seconds=patience, commands=tried)
        except CommandRefused:
            continue
        commands = tried
    return run


def when(command: tuple[float, Command]) -> float:
    return command[0]
