"""How a simulated run went: its end, its course, its reach; it runs nothing itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from strategies.messages import Fact, Halted
from strategies.plan import Plan
from strategies.progress import Progress
from strategies.states import State


class Sample(NamedTuple):
    """What stood when, `at_seconds` after the start.

    `succeeded`, `failed` and `open` count targets on the way to the version, except
    that `open` counts both ways; `restored` those that were taken back. `stage` is
    numbered as in a preview, and 0 before the first.
    """

    at_seconds: float
    succeeded: int
    failed: int
    open: int
    restored: int
    stage: int
    state: State


@dataclass(frozen=True)
class Simulated:
    """How a run went.

    Attributes:
        state: at its end; paused if it waits for somebody and nobody comes.
        reason: why it ended so: as at rest, or `waits_at_gate`, or the rule that holds
            it, or `held` by a person.
        outcome: of a completed one.
        halt: the halt record, if a rule stopped it.
        halted_at_seconds: when that was.
        duration_seconds: from the start to the last thing that happened.
        states: (at_seconds, state) for each change of state, the first at 0.
        trajectory: one sample for each instant at which something changed.
        touched: targets changed, or begun to be; the blast radius, since nothing is
            claimed once it has stopped.
        touched_when_halted: those touched when the rule stopped it, else None.
        left: touched targets that were not taken back.
        most_open: the most operations that were open at once.
        serving: the slot that has traffic at the end; None without slots.
        events: (at, facts) as they would be stored.
        progress: the machine at the end.
    """

    state: State
    reason: str
    outcome: str
    halt: Halted | None
    halted_at_seconds: float | None
    duration_seconds: float
    states: tuple[tuple[float, State], ...]
    trajectory: tuple[Sample, ...] = field(repr=False)
    touched: int
    touched_when_halted: int | None
    left: int
    most_open: int
    serving: str | None
    events: tuple[tuple[datetime, tuple[Fact, ...]], ...] = field(repr=False)
    progress: Progress = field(repr=False)


def how_it_ended(p: Progress) -> str:
    """Return the reason of a rest, or what is waited for in vain, in one word."""
    if p.rest is not None:
        return p.rest.reason
    if p.hold is not None:
        return p.hold.rule or "held"
    return "waits_at_gate" if p.gate is not None else "waits"


def serving(plan: Plan, p: Progress) -> str | None:
    """Return the slot that has traffic; None without slots."""
    router = plan.router
    if router is None or not router.idle:
        return None
    shifted = p.shifts.succeeded > 0 and not p.back_shifts.succeeded
    return router.idle if shifted else router.serving
