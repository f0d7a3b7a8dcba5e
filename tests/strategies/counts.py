"""That what the machine counts is what the rows say, after every event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from strategies.ledger import Ledger
from strategies.rows import Row
from strategies.states import OPEN, Direction, Kind, OperationState
from strategies.tally import Tally
from tests.strategies.verdicts import FORWARD, RETURN

S = OperationState


def rebuilt(rows: Iterable[Row]) -> Tally:
    """Return the tally of these rows."""
    return Tally(**Counter(row.state.value for row in rows))


def check_rows(ledger: Ledger) -> None:
    """Check that tallies equal a count of the rows."""
    p = ledger.progress
    ahead, shifts = _apart(ledger, FORWARD)
    back, back_shifts = _apart(ledger, RETURN)
    assert (p.whole, p.shifts) == (rebuilt(ahead), rebuilt(shifts))
    assert (p.back, p.back_shifts) == (rebuilt(back), rebuilt(back_shifts))
    if p.opened is not None:
        span = [r for r in ahead + shifts if p.opened.start <= r.position]
        span = [r for r in span if r.position < p.opened.stop]
        assert p.batch_tally == rebuilt(span)
        if not p.return_planned:  # after that nothing forward is claimed again
            assert p.opened.unavailable == _costs_nothing(ledger, span)
    _check_stage(ledger, ahead)
    if p.return_planned:
        assert p.return_unavailable == _costs_nothing(ledger, back)
    _check_availability(ledger)
    _check_touched(ledger, ahead, back + back_shifts)


def _apart(ledger: Ledger, direction: Direction) -> tuple[list[Row], list[Row]]:
    rows = [r for r in ledger.rows.values() if r.direction is direction]
    work = ledger.plan.course.work
    return [r for r in rows if r.position < work], [
        r for r in rows if r.position >= work
    ]


def _check_stage(ledger: Ledger, ahead: list[Row]) -> None:
    """A stage is counted until the next range of targets begins."""
    p = ledger.progress
    stage = p.stage
    if stage is None or p.return_planned:
        return
    begun = stage.stop
    if p.current is stage:
        begun = p.opened.stop if p.opened else stage.batch(p.batch)[0]
    assert p.step_tally == rebuilt(
        r for r in ahead if stage.start <= r.position < begun
    )


def _check_availability(ledger: Ledger) -> None:
    p, slots = ledger.progress, ledger.plan.course.standby
    busy = {r.position for r in ledger.rows.values() if r.state in OPEN}
    assert p.open == len(busy) <= p.course.limits.parallelism
    if ledger.events and not slots:
        free = [n for n, up in enumerate(ledger.available) if up and n not in busy]
        assert p.available == len(free) + len(ledger.plan.skipped)


def _costs_nothing(ledger: Ledger, rows: list[Row]) -> int:
    """Count the pending ones whose taking makes nobody unavailable."""
    return sum(
        row.state is S.PENDING
        and (
            row.kind is Kind.SHIFT
            or ledger.plan.course.standby > 0
            or not ledger.available[row.position]
        )
        for row in rows
    )


def _check_touched(ledger: Ledger, ahead: list[Row], back: list[Row]) -> None:
    p, touched = ledger.progress, ledger.touched()
    assert bool(p.claims) == bool(touched)
    assert {r.position for r in back} <= {r.position for r in touched}
    changed = [r for r in touched if r.kind is Kind.DEPLOY]
    if not p.course.limits.returns_targets:
        assert p.touched == 0
    elif p.whole.pending:  # one that waits for its retry is not told apart
        certain = sum(r.state is not S.PENDING for r in changed)
        assert p.touched == max(certain, bool(changed))
    else:
        assert p.touched == len(changed)
