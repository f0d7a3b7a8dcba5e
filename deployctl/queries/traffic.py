"""Traffic in words: how it is shared, and how it was led; it reads steps and facts."""

from __future__ import annotations

from collections.abc import Sequence

from strategies.messages import OperationsMoved
from strategies.shares import BASIS_POINTS, Share
from strategies.states import Direction, OperationState
from strategies.steps import Shift, Step, Weigh
from strategies.weights import Weights

_S = OperationState
_LOST = "{}; a person must say"


def percent(basis_points: int) -> str:
    """Return a share as people write it: "12.5 %"."""
    if basis_points == BASIS_POINTS:
        return "100 %"
    return str(Share(basis_points=basis_points).written()).replace("%", " %")


def shared(weights: Weights) -> str:
    """Return how traffic is shared, as a sentence without its end."""
    if not weights.count:
        return "Traffic is shared as the load balancer has it"
    share = f"{percent(weights.basis_points)} of the traffic"
    if weights.count == 1:
        return f"The first target gets {share}"
    return f"The first {weights.count:,} targets get {share}"


def not_led(steps: Sequence[Step]) -> str:
    """Return what a plan's traffic could not be brought to."""
    if any(isinstance(step, Weigh) for step in steps):
        return "traffic could not be shared as the plan says"
    return "traffic could not be led to the other slot"


def moved(fact: OperationsMoved, steps: Sequence[Step]) -> tuple[str, str, str] | None:
    """Return (icon, class, text) for a fact about a shift; None if it says nothing."""
    found = [step for step in steps if isinstance(step, Shift)]
    shift = next((step for step in found if step.start in fact.positions), None)
    if shift is None:
        return None
    forward = fact.direction is Direction.FORWARD
    slots = shift.from_slot, shift.to_slot
    came, to = slots if forward else slots[::-1]
    if isinstance(shift, Weigh):
        return _weighed(fact, shared(Weights.read(to)))
    return {
        _S.RUNNING: ("arrow-right", "is-running", f"Leads traffic from {came} to {to}"),
        _S.SUCCEEDED: ("circle-check", "is-ok", f"Traffic goes to {to}, read back"),
        _S.SKIPPED: ("circle-check", "is-ok", f"Traffic went to {to} already"),
        _S.FAILED: ("alert-octagon", "is-failed", f"Traffic was not led to {to}"),
        _S.UNKNOWN: ("help", "is-unknown", "The router's answer was lost; reading it"),
        _S.UNRESOLVED: (
            "hand-stop",
            "is-awaiting",
            _LOST.format("Nobody could read where traffic goes"),
        ),
    }.get(fact.now)


def _weighed(fact: OperationsMoved, said: str) -> tuple[str, str, str] | None:
    return {
        _S.SUCCEEDED: ("circle-check", "is-ok", f"{said}, read back"),
        _S.SKIPPED: ("circle-check", "is-ok", f"{said} already"),
        _S.FAILED: ("alert-octagon", "is-failed", f"Could not be set: {said}"),
        _S.UNKNOWN: ("help", "is-unknown", "The router's answer was lost; reading it"),
        _S.UNRESOLVED: (
            "hand-stop",
            "is-awaiting",
            _LOST.format("Nobody could read how traffic is shared"),
        ),
    }.get(fact.now)
