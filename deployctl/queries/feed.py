"""The events of a deployment as sentences; it changes none, and knows no page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from deployctl.models import Deployment, Event
from deployctl.queries import grid
from strategies import wire
from strategies.messages import (
    AbortAsked,
    BatchClosed,
    BatchOpened,
    Fact,
    Halted,
    Held,
    OperationsMoved,
    Rested,
    Resumed,
    RollBackAsked,
    RollbackPlanned,
    Started,
    StepEntered,
    TargetsDrifted,
)
from strategies.states import Direction, OperationState
from strategies.steps import Course

#: How many events are read for the feed.
MOST_EVENTS = 60
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


def feed(row: Deployment, course: Course) -> dict[str, Any]:
    """Return {total, entries}, newest first, for the room's feed."""
    told = [(seq, at, facts) for seq, at, facts in _events(row)]
    wanted = {p for _, _, facts in told for fact in facts for p in _few(fact)}
    context = Told(grid.batch_numbers(course), grid.names(row, sorted(wanted)))
    entries = [
        {"seq": seq, "at": at, **line._asdict()}
        for seq, at, facts in told
        for line in reversed(list(lines(facts, context)))
    ]
    return {"total": row.seq, "entries": entries}


def lines(facts: Iterable[Fact], told: Told) -> Iterator[Line]:
    """Yield the sentences of one event; facts that say nothing to people are left."""
    for fact in facts:
        line = _SAYS[type(fact)](fact, told) if type(fact) in _SAYS else None
        if line is not None:
            yield line


def _events(row: Deployment) -> list[tuple[int, datetime, list[Fact]]]:
    """Return (seq, at, facts) of the newest events that hold something to say."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT seq FROM deployctl_event
                WHERE deployment_id = %s AND seq <= %s
                  AND (kind NOT IN ('OperationsMoved', 'TimePassed')
                   OR payload @? '$.facts[*] ? (@.now == "failed"
                        || @.now == "unknown" || @.now == "unresolved")')
                ORDER BY seq DESC LIMIT %s""",
            [row.pk, row.seq, MOST_EVENTS],
        )
        seqs = [seq for (seq,) in cursor.fetchall()]
    events = Event.objects.filter(deployment_id=row.pk, seq__in=seqs).order_by("-seq")
    return [(e.seq, e.at, wire.load_facts(e.payload)) for e in events]


def _few(fact: Fact) -> tuple[int, ...]:
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


def _batch(fact: BatchOpened | BatchClosed, told: Told) -> str:
    number = told.numbers.get((fact.step, fact.batch), fact.batch + 1)
    return f"Batch {number} of {len(told.numbers)}"


def _started(fact: Started, _: Told) -> Line:
    return Line("player-play", "is-running", fact.by, "started it")


def _opened(fact: BatchOpened, told: Told) -> Line:
    skipped = f", {fact.skipped} skipped" if fact.skipped else ""
    text = f"{_batch(fact, told)} began: {counted(fact.pending)}{skipped}"
    return Line("player-play", "", "", text)


def _closed(fact: BatchClosed, told: Told) -> Line:
    bad = f", {fact.failed:,} failed" if fact.failed else ""
    text = f"{_batch(fact, told)} finished: {fact.succeeded:,} ok{bad}"
    css = "is-paused" if fact.failed else "is-ok"
    return Line("circle-check", css, "", text)


def _moved(fact: OperationsMoved, told: Told) -> Line | None:
    who = _who(fact.positions, told)
    back = fact.direction is Direction.RETURN
    if fact.now is _S.FAILED:
        text = f"{who} could not be restored" if back else f"{who} failed"
        return Line("alert-octagon", "is-failed", "", text)
    if fact.now is _S.UNKNOWN:
        return Line("help", "is-unknown", "", f"{who}: outcome unknown, probing")
    if fact.now is _S.UNRESOLVED:
        text = f"{who}: probing could not tell; a person must say"
        return Line("hand-stop", "is-awaiting", "", text)
    return None


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


def _halted(fact: Halted, _: Told) -> Line:
    return Line("alert-octagon", "is-failed", "", halt_words(fact))


def halt_words(halt: Halted) -> str:
    """Return a halt as one sentence: what was observed, tolerated, and of how many."""
    seen, limit, sample = halt.observed, halt.threshold, halt.sample
    if halt.rule == "progress_deadline":
        return f"Halted: no target became healthy for {limit:,} s"
    if halt.rule == "floor":
        return f"Halted: {seen:,} available, {limit:,} must stay so, of {sample:,}"
    return f"Halted: {seen:,} failed, {limit:,} tolerated, of {sample:,}"


def _roll_back(fact: RollBackAsked, _: Told) -> Line:
    if fact.rule:
        return Line("arrow-back-up", "is-rolled", "", "Rolls back, as its plan says")
    return Line("arrow-back-up", "is-rolled", fact.by, f"rolls it back{_because(fact)}")


def _planned(fact: RollbackPlanned, _: Told) -> Line:
    text = f"{counted(fact.count)} to restore, each to its own earlier version"
    return Line("list-details", "is-rolled", "", text)


def _rested(fact: Rested, _: Told) -> Line:
    icon, css = _ENDS.get(fact.state.value, ("alert-octagon", "is-failed"))
    words = (fact.outcome or fact.state.value).replace("_", " ")
    words = "completed" if words == "clean" else words
    return Line(icon, css, "", f"Over: {words}")


def _stepped(_: StepEntered, __: Told) -> Line:
    return Line("hourglass", "", "", "Waits before the next step")


def _because(fact: Held | Resumed | AbortAsked | RollBackAsked) -> str:
    return f": “{fact.reason}”" if fact.reason else ""


_ENDS = {
    "completed": ("circle-check", "is-ok"),
    "rolled_back": ("arrow-back-up", "is-rolled"),
    "cancelled": ("ban", "is-cancelled"),
}
_SAYS: dict[type[Fact], Callable[[Any, Told], Line | None]] = {
    Started: _started,
    StepEntered: _stepped,
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
