"""Facts as sentences for people; it reads no row, and knows no page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from deployctl.queries import traffic
from deployctl.templatetags.deployctl import percent
from strategies.messages import (
    AbortAsked,
    BatchClosed,
    BatchOpened,
    Fact,
    GateDecided,
    Halted,
    Held,
    OperationsMoved,
    PromotedFully,
    Rested,
    Resumed,
    RollBackAsked,
    RollbackPlanned,
    Started,
    StepEntered,
    StepSkipped,
    TargetsDrifted,
    WaitCut,
)
from strategies.shares import BASIS_POINTS
from strategies.states import Direction, Kind, OperationState
from strategies.steps import Bake, Deploy, Gate, Shift, Step

#: So many targets are named; of more, only their number is said.
MOST_NAMED = 3

_S = OperationState


class Line(NamedTuple):
    """One sentence: an icon, its colour, who acted (or ""), what happened."""

    icon: str
    css: str
    who: str
    text: str


class Told(NamedTuple):
    """What sentences need besides the fact: batch numbers and a few names."""

    numbers: Mapping[tuple[int, int], int]
    names: Mapping[int, tuple[int, str]]
    steps: tuple[Step, ...] = ()

    def step(self, number: int) -> Step | None:
        """Return a step, if the plan has it."""
        return self.steps[number] if number < len(self.steps) else None


def lines(facts: Iterable[Fact], told: Told) -> Iterator[Line]:
    """Yield the sentences of one event; facts that say nothing to people are left."""
    for fact in facts:
        line = _SAYS[type(fact)](fact, told) if type(fact) in _SAYS else None
        if line is not None:
            yield line


def few(fact: Fact) -> tuple[int, ...]:
    """Return the positions whose targets a sentence names; () if they are too many."""
    positions: tuple[int, ...] = getattr(fact, "positions", ())
    return positions if len(positions) <= MOST_NAMED else ()


def _who(positions: tuple[int, ...], told: Told) -> str:
    """Name a few targets, or say how many."""
    named = [told.names[p][1] for p in positions if p in told.names]
    if 0 < len(positions) <= MOST_NAMED and len(named) == len(positions):
        return ", ".join(named)
    return counted(len(positions))


def counted(count: int, noun: str = "target") -> str:
    """Return a count with its noun: "1 target", "2,400 targets"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def doing(count: int, one: str, many: str) -> str:
    """Return a count of targets with its verb: "1 target was", "2,400 targets were"."""
    return f"{counted(count)} {one if count == 1 else many}"


def _batch(fact: BatchOpened | BatchClosed, told: Told) -> str:
    number = told.numbers.get((fact.step, fact.batch), fact.batch + 1)
    return f"Batch {number} of {len(told.numbers)}"


def _started(fact: Started, _: Told) -> Line:
    return Line("player-play", "is-running", fact.by, "started it")


def _opened(fact: BatchOpened, told: Told) -> Line | None:
    if isinstance(told.step(fact.step), Shift):
        return None
    skipped = f", {fact.skipped} skipped" if fact.skipped else ""
    text = f"{_batch(fact, told)} began: {counted(fact.pending)}{skipped}"
    return Line("player-play", "", "", text)


def _closed(fact: BatchClosed, told: Told) -> Line | None:
    if isinstance(told.step(fact.step), Shift):
        return None
    bad = f", {fact.failed:,} failed" if fact.failed else ""
    text = f"{_batch(fact, told)} finished: {fact.succeeded:,} ok{bad}"
    css = "is-paused" if fact.failed else "is-ok"
    return Line("circle-check", css, "", text)


def _moved(fact: OperationsMoved, told: Told) -> Line | None:
    if fact.effect is Kind.SHIFT:
        return _shifted(fact, told)
    who = _who(fact.positions, told)
    back = fact.direction is Direction.RETURN
    if fact.was is _S.SUCCEEDED and fact.now is _S.FAILED:
        return Line("alert-octagon", "is-failed", "", f"{who}: not well any more")
    if fact.was is _S.FAILED and fact.now is _S.SUCCEEDED:
        return Line("circle-check", "is-ok", "", f"{who}: well again")
    if fact.now is _S.FAILED:
        text = f"{who} could not be restored" if back else f"{who} failed"
        return Line("alert-octagon", "is-failed", "", text)
    if fact.now is _S.UNKNOWN:
        return Line("help", "is-unknown", "", f"{who}: outcome unknown, probing")
    if fact.now is _S.UNRESOLVED:
        text = f"{who}: probing could not tell; a person must say"
        return Line("hand-stop", "is-awaiting", "", text)
    return None


def _shifted(fact: OperationsMoved, told: Told) -> Line | None:
    said = traffic.moved(fact, told.steps)
    return Line(said[0], said[1], "", said[2]) if said else None


def _decided(fact: GateDecided, _: Told) -> Line:
    if fact.rule:
        text = f"Promoted by rule {fact.rule.replace('_', ' ')}"
        return Line("player-play", "is-running", "", text)
    return Line("player-play", "is-running", fact.by, f"promoted it{_because(fact)}")


def _cut(fact: WaitCut, _: Told) -> Line:
    if fact.rule:
        return Line("player-play", "is-running", "", "Passed the bake: promoted fully")
    text = f"cut the wait short by {fact.left_seconds:,} s{_because(fact)}"
    return Line("player-play", "is-running", fact.by, text)


def _fully(fact: PromotedFully, _: Told) -> Line:
    text = f"promoted it fully{_because(fact)}"
    return Line("player-play", "is-running", fact.by, text)


def _passed_over(_: StepSkipped, __: Told) -> Line:
    return Line("minus", "is-skipped", "", "A stage adds no target: passed over")


def _drifted(fact: TargetsDrifted, told: Told) -> Line:
    text = f"{_who(fact.positions, told)} ran a version that the plan did not expect"
    return Line("alert-triangle", "is-paused", "", text)


def _held(fact: Held, _: Told) -> Line:
    if fact.rule:
        text = f"Paused by rule {fact.rule}: {fact.reason}"
        return Line("player-pause", "is-paused", "", text)
    return Line("player-pause", "is-paused", fact.by, f"paused it{_because(fact)}")


def _resumed(fact: Resumed, _: Told) -> Line:
    return Line("player-play", "is-running", fact.by, f"resumed it{_because(fact)}")


def _aborted(fact: AbortAsked, _: Told) -> Line:
    return Line("ban", "is-cancelled", fact.by, f"aborted it{_because(fact)}")


def _halted(fact: Halted, told: Told) -> Line:
    return Line("alert-octagon", "is-failed", "", halt_words(fact, told.steps))


def halt_words(halt: Halted, steps: Sequence[Step]) -> str:
    """Return a halt as one sentence: what was observed, tolerated, and of how many.

    `steps` are the plan's: they say which part of the targets had to succeed.
    """
    seen, limit, sample = halt.observed, halt.threshold, halt.sample
    required = required_bp(steps)
    if halt.rule == "success_threshold" and required is not None and sample:
        most = percent(share_left(halt))
        return (
            f"Halted: {most} at most could succeed, {percent(required)} had to;"
            f" {seen:,} failed of {sample:,}"
        )
    if halt.rule == "progress_deadline":
        return f"Halted: no target became healthy for {limit:,} s"
    if halt.rule == "floor":
        return f"Halted: {seen:,} available, {limit:,} must stay so, of {sample:,}"
    if halt.rule == "gate_limit":
        return f"Halted: nobody decided at the gate within {limit:,} s"
    if halt.rule == "shift_failed":
        return f"Halted: {traffic.not_led(steps)}"
    return f"Halted: {seen:,} failed, {limit:,} tolerated, of {sample:,}"


def required_bp(steps: Sequence[Step]) -> int | None:
    """Return which part of a stage must succeed, in basis points, if a plan says so."""
    given = (step.min_success_bp for step in steps if isinstance(step, Deploy))
    return next((bp for bp in given if bp is not None), None)


def share_left(halt: Halted) -> int:
    """Return which part of a halt's sample could still succeed, in basis points, cut.

    Never rounded up: it stays under the threshold that it missed.
    """
    return BASIS_POINTS * max(0, halt.sample - halt.observed) // max(1, halt.sample)


def _roll_back(fact: RollBackAsked, _: Told) -> Line:
    if fact.rule:
        return Line("arrow-back-up", "is-rolled", "", "Rolls back, as its plan says")
    return Line("arrow-back-up", "is-rolled", fact.by, f"rolls it back{_because(fact)}")


def _planned(fact: RollbackPlanned, _: Told) -> Line:
    if fact.shifts and not fact.count:
        text = "Traffic goes back to where it was; no target is changed"
        return Line("list-details", "is-rolled", "", text)
    text = f"{counted(fact.count)} to restore, each to its own earlier version"
    return Line("list-details", "is-rolled", "", text)


def _rested(fact: Rested, _: Told) -> Line:
    icon, css = _ENDS.get(fact.state.value, ("alert-octagon", "is-failed"))
    words = (fact.outcome or fact.state.value).replace("_", " ")
    words = "completed" if words == "clean" else words
    return Line(icon, css, "", f"Over: {words}")


def _stepped(fact: StepEntered, told: Told) -> Line:
    step = told.step(fact.step)
    if isinstance(step, Gate):
        return Line("hand-stop", "is-awaiting", "", "Waits at a gate for a person")
    if isinstance(step, Bake):
        text = f"Bakes for {step.seconds:g} s: accepted targets are watched"
        return Line("hourglass", "", "", text)
    return Line("hourglass", "", "", "Waits before the next step")


def _because(
    fact: Held
    | Resumed
    | AbortAsked
    | RollBackAsked
    | GateDecided
    | WaitCut
    | PromotedFully,
) -> str:
    return f": “{fact.reason}”" if fact.reason else ""


_ENDS = {
    "completed": ("circle-check", "is-ok"),
    "rolled_back": ("arrow-back-up", "is-rolled"),
    "cancelled": ("ban", "is-cancelled"),
}
_SAYS: dict[type[Fact], Callable[[Any, Told], Line | None]] = {
    Started: _started,
    StepEntered: _stepped,
    StepSkipped: _passed_over,
    GateDecided: _decided,
    WaitCut: _cut,
    PromotedFully: _fully,
    BatchOpened: _opened,
    BatchClosed: _closed,
    OperationsMoved: _moved,
    TargetsDrifted: _drifted,
    Held: _held,
    Resumed: _resumed,
    AbortAsked: _aborted,
    Halted: _halted,
    RollBackAsked: _roll_back,
    RollbackPlanned: _planned,
    Rested: _rested,
}
