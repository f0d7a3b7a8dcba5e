"""What people may ask of a live deployment, and when it is refused.

It answers with facts that have not happened yet; it changes nothing, and it does not
know who may ask: that is the affair of permissions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from strategies.errors import CommandRefused
from strategies.messages import (
    Abort,
    AbortAsked,
    Command,
    Fact,
    Held,
    Pause,
    Resume,
    Resumed,
    RollBack,
    RollBackAsked,
)
from strategies.progress import Progress
from strategies.states import Intent, State

#: States from which one return is still possible, although they are at rest.
RETURNABLE = frozenset({State.FAILED, State.ROLLBACK_FAILED})


def decide(p: Progress, command: Command) -> tuple[Fact, ...]:
    """Return the facts that grant a command; none when it is so already.

    Raises:
        CommandRefused: if the present state does not allow it. Nothing has changed.
    """
    return _DECISIONS[type(command)](p, command)


def _pause(p: Progress, command: Pause) -> tuple[Fact, ...]:
    _refuse_at_rest(p, "pause")
    if p.hold is not None:
        return ()
    if p.intent in (Intent.HALT, Intent.ABORT):
        raise CommandRefused(
            "stopping",
            "It is stopping already: nothing more will start, what is open finishes.",
        )
    return (Held(by=command.by, reason=command.reason),)


def _resume(p: Progress, command: Resume) -> tuple[Fact, ...]:
    _refuse_at_rest(p, "resume")
    if p.hold is None:
        return ()
    return (Resumed(by=command.by, reason=command.reason),)


def _abort(p: Progress, command: Abort) -> tuple[Fact, ...]:
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


def _roll_back(p: Progress, command: RollBack) -> tuple[Fact, ...]:
    if p.rest is not None and p.rest.state not in RETURNABLE:
        _refuse_at_rest(p, "roll back")
    if not p.claims:
        raise CommandRefused(
            "nothing_touched", "No target was touched, so there is nothing to return."
        )
    if p.intent is Intent.ROLL_BACK and p.rest is None and p.hold is None:
        return ()
    return (RollBackAsked(by=command.by, reason=command.reason),)


def _refuse_at_rest(p: Progress, verb: str) -> None:
    if p.rest is not None:
        state = p.rest.state.value.replace("_", " ")
        raise CommandRefused(
            "at_rest", f"It is over ({state}); there is nothing to {verb}."
        )


_DECISIONS: dict[type[Command], Callable[[Progress, Any], tuple[Fact, ...]]] = {
    Pause: _pause,
    Resume: _resume,
    Abort: _abort,
    RollBack: _roll_back,
}
