"""What people may ask of a live deployment, and when it is refused.

It answers with facts that have not happened yet; it changes nothing, and it does not
know who may ask: that is the affair of permissions.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from strategies.errors import CommandRefused
from strategies.messages import (
    Abort,
    AbortAsked,
    Command,
    Fact,
    GateDecided,
    Held,
    Pause,
    Promote,
    PromotedFully,
    PromoteFully,
    Resume,
    Resumed,
    RollBack,
    RollBackAsked,
    WaitCut,
)
from strategies.progress import Progress
from strategies.states import Intent, State
from strategies.steps import Bake, Delay, Gate

#: States from which one return is still possible, although they are at rest.
RETURNABLE = frozenset({State.FAILED, State.ROLLBACK_FAILED})


def decide(p: Progress, command: Command, at: datetime) -> tuple[Fact, ...]:
    """Return the facts that grant a command at `at`; none when it is so already.

    Raises:
        CommandRefused: if the present state does not allow it. Nothing has changed.
    """
    return _DECISIONS[type(command)](p, command, at)


def _pause(p: Progress, command: Pause, _: datetime) -> tuple[Fact, ...]:
    _refuse_at_rest(p, "pause")
    if p.hold is not None:
        return ()
    if p.intent in (Intent.HALT, Intent.ABORT):
        raise CommandRefused(
            "stopping",
            "It is stopping already: nothing more will start, what is open finishes.",
        )
    return (Held(by=command.by, reason=command.reason),)


def _resume(p: Progress, command: Resume, _: datetime) -> tuple[Fact, ...]:
    _refuse_at_rest(p, "resume")
    if p.hold is None:
        if p.gate is not None:
            raise CommandRefused(
                "at_gate",
                "It is not paused by anybody: it waits at a gate. Promote it to go on.",
            )
        return ()
    return (Resumed(by=command.by, reason=command.reason),)


def _abort(p: Progress, command: Abort, _: datetime) -> tuple[Fact, ...]:
    _refuse_at_rest(p, "abort")
    if p.intent is Intent.ROLL_BACK:
        raise CommandRefused(
            "returning",
            "It is rolling back, and stopping half-way would leave a mixed fleet. "
            "Pause it instead.",
        )
    if p.intent is Intent.ABORT or (p.intent is Intent.HALT and p.hold is None):
        return ()
    return (AbortAsked(by=command.by, reason=command.reason),)


def _roll_back(p: Progress, command: RollBack, _: datetime) -> tuple[Fact, ...]:
    if p.rest is not None and p.rest.state not in RETURNABLE:
        _refuse_at_rest(p, "roll back")
    if not p.claims:
        raise CommandRefused(
            "nothing_touched", "No target was touched, so there is nothing to return."
        )
    if p.intent is Intent.ROLL_BACK and p.rest is None and p.hold is None:
        return ()
    if p.is_frozen:
        raise CommandRefused(
            "frozen",
            "Its plan freezes on failure: what it has changed may not be taken back."
            " Deploy a version that mends it.",
        )
    return (RollBackAsked(by=command.by, reason=command.reason),)


def _promote(p: Progress, command: Promote, at: datetime) -> tuple[Fact, ...]:
    _refuse_to_go_on(p, "promote")
    step = p.current
    if p.entered_at is None or not isinstance(step, Gate | Bake | Delay):
        raise CommandRefused(
            "no_gate",
            "It is at work, not at a gate: there is nothing to promote now.",
        )
    if isinstance(step, Gate):
        return (GateDecided(p.step, command.by, command.reason),)
    left = max(0.0, (p.after(p.entered_at, step.seconds) - at).total_seconds())
    return (WaitCut(p.step, command.by, command.reason, round(left)),)


def _promote_fully(p: Progress, command: PromoteFully, _: datetime) -> tuple[Fact, ...]:
    _refuse_to_go_on(p, "promote")
    if p.promoted_fully:
        return ()
    if not any(isinstance(s, Gate | Bake) for s in p.course.steps[p.step :]):
        raise CommandRefused(
            "no_gate", "No gate and no bake is left, so there is nothing to skip."
        )
    return (PromotedFully(command.by, command.reason),)


def _refuse_to_go_on(p: Progress, verb: str) -> None:
    _refuse_at_rest(p, verb)
    if p.intent is not Intent.NONE:
        raise CommandRefused(
            "stopping", f"It is stopping or going back, so there is nothing to {verb}."
        )
    if p.hold is not None:
        raise CommandRefused(
            "held", f"It is paused by {p.hold.by}. Resume it first, then {verb} it."
        )


def _refuse_at_rest(p: Progress, verb: str) -> None:
    if p.rest is not None:
        state = p.rest.state.value.replace("_", " ")
        raise CommandRefused(
            "at_rest", f"It is over ({state}); there is nothing to {verb}."
        )


_DECISIONS: dict[
    type[Command], Callable[[Progress, Any, datetime], tuple[Fact, ...]]
] = {
    Pause: _pause,
    Resume: _resume,
    Abort: _abort,
    RollBack: _roll_back,
    Promote: _promote,
    PromoteFully: _promote_fully,
}
