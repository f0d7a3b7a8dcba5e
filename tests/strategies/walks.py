"""Random walks of the machine by fixed seeds: long, fast, and the same everywhere."""

from __future__ import annotations

import random

from strategies.messages import Abort, Pause, Promote, PromoteFully, Resume, RollBack
from tests.strategies.kinds import KINDS
from tests.strategies.machine import (
    LATE,
    PLACES,
    SAID,
    SECONDS,
    STANDBY,
    UNHEALTHY,
    WISHES,
    Deployment,
)
from tests.strategies.worlds import World

#: How far fixed walks go, for each kind of plan: the same on every machine.
SEEDS = 140


def walk(seed: int, steps: int = 40, kind: str = "") -> World:
    """Make random moves, as many as a long day has, and return where they led.

    Hypothesis looks for the shortest run; this one goes deep, and far faster. Without
    a kind, each seed has its own.
    """
    rng = random.Random(seed)
    machine = Deployment()
    kind = kind or list(KINDS)[seed % len(KINDS)]
    drawn = {name: rng.choice(values) for name, values in KINDS[kind][0].items()}
    machine.begin(made=(kind, drawn), unhealthy=rng.choice(UNHEALTHY))
    for _ in range(steps):
        _move(machine, rng)
        machine.nothing_is_asked_twice()
    machine.teardown()
    return machine.world


def walks(count: int, kind: str = "") -> list[World]:
    """Return where so many walks led."""
    return [walk(seed, kind=kind) for seed in range(count)]


def _move(machine: Deployment, rng: random.Random) -> None:
    wished = rng.choices(WISHES, k=3)
    dice = rng.randrange(100)
    if dice < 20:
        machine.look(worker=rng.choice([0, 1]), places=rng.choice(PLACES))
    elif machine.busy and dice < 70:
        answer = machine.report_one if dice < 45 else machine.report_all
        answer(wishes=wished, places=rng.choice(PLACES))
    elif machine.busy and dice < 74:
        machine.report_twice(wishes=wished)
    elif machine.busy and dice < 78:
        machine.lose(keeps=rng.choice([False, True]))
    elif machine.waits and dice < 60:
        _move_of_time(machine, rng, dice)
    else:
        _other_move(machine, rng)


def _move_of_time(machine: Deployment, rng: random.Random, dice: int) -> None:
    if dice < 45:
        command = rng.choice([Promote, Promote, PromoteFully])
        machine.promote(command=command, by="carol")
    elif machine.world.ledger.due_at is not None:
        machine.wait(late=rng.choice([0, 0, 1]))


def _other_move(machine: Deployment, rng: random.Random) -> None:
    dice = rng.randrange(100)
    if machine.lost and dice < 10:
        machine.report_late(state=rng.choice(LATE))
    elif machine.doubtful and dice < 25:
        machine.settle(said=rng.choice(SAID))
    elif dice < 50:
        machine.hold(command=rng.choice([Pause, Resume, Resume]), by="alice")
    elif dice < (58 if machine.world.p.claims else 51):
        machine.stop(command=rng.choice([Abort, RollBack]), by="bob")
    elif dice < 70:
        machine.watch(healthy=rng.choices([True, True, False], k=3))
    else:
        _move_of_the_world(machine, rng, dice)


def _move_of_the_world(machine: Deployment, rng: random.Random, dice: int) -> None:
    if dice < 77 and machine.world.plan.course.standby:
        machine.standby(healthy=rng.choice(STANDBY))
    elif dice < 82:
        machine.remove(position=rng.choice([1, 2]))
    elif dice < 88:
        machine.restart()
    else:
        machine.jump(seconds=rng.choice(SECONDS))
