"""The stages of a deployment as its room shows them.

It reads progress; what a person may press is the web's affair.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from deployctl.queries import people
from deployctl.queries.sentences import counted
from deployctl.queries.traffic import percent, shared
from strategies.progress import Progress
from strategies.steps import Bake, Delay, Deploy, Gate, Shift, Step, Verify, Weigh


def rail(progress: Progress) -> list[dict[str, Any]]:
    """Return the steps in order as {name, text, state, says, until_at}.

    Only a plan that switches traffic has one: the stages of all others are the head of
    the board.
    """
    steps = progress.course.steps
    if not progress.course.switches:
        return []
    return [_stop(progress, number, step) for number, step in enumerate(steps)]


def _stop(p: Progress, number: int, step: Step) -> dict[str, Any]:
    name, text = _words(step)
    stands, says = state(p, number)
    is_now = number == p.step and p.rest is None
    until_at = until(p) if is_now else None
    stop = {"name": name, "text": text, "state": stands, "says": says}
    return {**stop, "is_now": is_now, "until_at": until_at}


def state(p: Progress, number: int) -> tuple[str, str]:
    """Return (state, words) of a step."""
    if number < p.step:
        step = p.course.steps[number]
        is_empty = isinstance(step, Deploy) and step.start == step.stop
        return ("skipped", "passed over") if is_empty else ("succeeded", "done")
    if number > p.step:
        return "pending", "not reached" if p.rest else "waits"
    if p.halt is not None:
        return "failed", "halted here"
    if p.rest is not None or p.intent:
        return "skipped", "stopped here"
    if p.hold is not None:
        return "paused", "paused"
    return ("unresolved", "asks a person") if p.gate else ("running", "now")


def _words(step: Step) -> tuple[str, str]:
    if isinstance(step, Deploy):
        size = counted(step.stop - step.start)
        share = step.share_bp
        return ("Deploy" if share is None else percent(share)), size
    if isinstance(step, Verify):
        return "Verify", counted(step.stop - step.start)
    if isinstance(step, Shift):
        return "Switch", f"{step.from_slot} to {step.to_slot}"
    if isinstance(step, Gate):
        return "Gate", "a person promotes"
    return ("Bake" if isinstance(step, Bake) else "Wait"), f"{step.seconds:g} s"


def until(p: Progress) -> datetime | None:
    """Return when the wait that is under way is over; None if none is."""
    step = p.current
    if p.entered_at is None or p.hold is not None or p.rest is not None:
        return None
    if isinstance(step, Bake | Delay):
        return p.after(p.entered_at, step.seconds)
    return None


def decision(p: Progress) -> dict[str, Any] | None:
    """Return {what, who, since_at, until_at, then, is_held} of the gate that waits.

    `who` may promote it. Held, nobody may, and its time does not run.
    """
    gate = p.gate
    if gate is None or p.entered_at is None:
        return None
    limit, is_held = gate.limit_seconds, p.hold is not None
    runs = limit is not None and not is_held
    return {
        "what": what_next(p),
        "who": people.those_who_may(),
        "since_at": p.entered_at,
        "until_at": p.after(p.entered_at, limit or 0) if runs else None,
        "then": "it goes on by itself" if gate.then == "promote" else "it halts",
        "is_held": is_held,
    }


def what_next(p: Progress) -> str:
    """Return what follows the wait or gate that is under way, in an imperative."""
    for step in p.course.steps[p.step + 1 :]:
        if isinstance(step, Shift) and not isinstance(step, Weigh):
            return f"Switch traffic to {step.to_slot}"
        if isinstance(step, Deploy) and step.stop > step.start:
            share = step.share_bp
            return "Go on" if share is None else f"Promote to {percent(share)}"
        if isinstance(step, Gate):
            return "Cut the wait short"
    return "Finish now"


def follows(p: Progress) -> str:
    """Return what follows the step that is under way, as a sentence."""
    following = p.course.steps[p.step + 1 : p.step + 2]
    said = [_FOLLOWS[type(step)](step) for step in following]
    return said[0] if said else "It is over."


_FOLLOWS: dict[type[Step], Callable[[Any], str]] = {
    Deploy: lambda _: "The next stage begins.",
    Verify: lambda _: "The rest of the slot is looked at.",
    Shift: lambda step: f"Traffic is led to {step.to_slot}.",
    Weigh: lambda step: f"{shared(step.weights)}, and the next stage begins.",
    Bake: lambda step: f"It bakes for {step.seconds:g} s.",
    Delay: lambda step: f"It waits for {step.seconds:g} s.",
    Gate: lambda _: "A person is asked at a gate.",
}
