"""Faults of the machine that every strategy would show: claims, budgets, holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strategies import folds, messages, operations, rows, rules
from strategies.actions import Start
from strategies.ledger import Ledger
from strategies.messages import TimePassed
from strategies.states import Direction, Intent, OperationState
from strategies.tally import Tally
from tests.mutants.record import Mutant, walks_of

real_actions, real_apply = rules.actions, folds.apply


def widened(p, extra):
    """Return a progress whose budget is so much larger."""
    limits = p.course.limits
    if limits.max_failures is None:
        return p
    limits = replace(limits, max_failures=limits.max_failures + extra)
    return replace(p, course=replace(p.course, limits=limits))


def budget_one_too_large(patch: pytest.MonkeyPatch) -> None:
    """The failure over the budget does not halt (`>=` for `>`, the wrong way)."""
    real = rules._fleet_verdict
    patch.setattr(rules, "_fleet_verdict", lambda p: real(widened(p, 1)))


def budget_one_too_small(patch: pytest.MonkeyPatch) -> None:
    """The last tolerated failure halts already."""
    real = rules._fleet_verdict

    def verdict(p):
        halted = p.course.limits.max_failures and real(widened(p, -1))
        return halted or real(p)

    patch.setattr(rules, "_fleet_verdict", verdict)


def hold_ignored(patch: pytest.MonkeyPatch) -> None:
    """A pause shows, but claims go on."""
    patch.setattr(rules, "actions", lambda p: real_actions(replace(p, hold=None)))


def abort_ignored(patch: pytest.MonkeyPatch) -> None:
    """An abort is noted, but claims go on."""

    def actions(p):
        aborted = p.intent is Intent.ABORT and p.rest is None
        return real_actions(replace(p, intent=Intent.NONE) if aborted else p)

    patch.setattr(rules, "actions", actions)


def unknown_counted_as_closed(patch: pytest.MonkeyPatch) -> None:
    """An unknown operation gives up its slot."""
    closed = property(lambda tally: tally.running + tally.verifying)
    patch.setattr(Tally, "open", closed)


def room_without_the_unavailable(patch: pytest.MonkeyPatch) -> None:
    """Claims look at the slots alone, not at the floor."""

    def actions(p):
        return tuple(
            replace(a, available_at_most=a.at_most) if isinstance(a, Start) else a
            for a in real_actions(p)
        )

    patch.setattr(rules, "actions", actions)


def one_slot_too_many(patch: pytest.MonkeyPatch) -> None:
    """Parallelism is exceeded by one."""
    patch.setattr(rules, "_parallelism", lambda p: p.course.limits.parallelism + 1)
    batch = rules._working

    def working(p, step):
        return batch(p, replace(step, parallelism=step.parallelism + 1))

    patch.setattr(rules, "_working", working)


def release_keeps_the_claim(patch: pytest.MonkeyPatch) -> None:
    """What was given back still counts as touched."""

    def apply(p, fact, at):
        now = real_apply(p, fact, at)
        is_release = getattr(fact, "now", None) is OperationState.RELEASED
        forward = is_release and fact.direction is Direction.FORWARD
        return replace(now, claims=p.claims) if forward else now

    patch.setattr(folds, "apply", apply)


def return_only_of_the_succeeded(patch: pytest.MonkeyPatch) -> None:
    """Failed and unsettled targets are left out of the return."""
    done = OperationState.SUCCEEDED
    patch.setattr(rows.Row, "touched", property(lambda row: row.state is done))


def rest_with_open_ones(patch: pytest.MonkeyPatch) -> None:
    """An abort ends at once, whatever is still in flight."""

    def actions(p):
        aborted = p.intent is Intent.ABORT and p.rest is None
        return (
            rules._stopping(replace(p, whole=Tally())) if aborted else (real_actions(p))
        )

    patch.setattr(rules, "actions", actions)


def timer_that_never_runs_out(patch: pytest.MonkeyPatch) -> None:
    """The progress deadline asks for itself again when it has passed."""

    def apply(p, fact, at):
        now = real_apply(p, fact, at)
        again = isinstance(fact, TimePassed) and fact.timer == "progress"
        return replace(now, progress_by=p.progress_by) if again else now

    patch.setattr(folds, "apply", apply)


def stale_reports_count(patch: pytest.MonkeyPatch) -> None:
    """A worker that was declared dead still has a say."""
    real = Ledger.flush

    def flush(self, reports, at, places):
        keys = [(r.direction, r.position) for r in reports]
        rows = [self.rows[key] for key in keys if key in self.rows]
        fresh = [
            replace(report, number=row.number)
            for report, row in zip(reports, rows, strict=True)
        ]
        return real(self, fresh, at, places)

    patch.setattr(Ledger, "flush", flush)


def doubts_are_passed_over(patch: pytest.MonkeyPatch) -> None:
    """An unresolved operation is neither waited for nor written off."""
    patch.setattr(rules, "_doubtful", lambda p, direction: ())


def hold_is_not_remembered(patch: pytest.MonkeyPatch) -> None:
    """A pause is recorded and not remembered."""
    changed = {**folds._FOLDS}
    changed[messages.Held] = lambda p, fact, at: p
    patch.setattr(folds, "_FOLDS", changed)


def retry_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A failure is always tried again."""
    again = OperationState.PENDING
    patch.setattr(operations, "after_failure", lambda **_: again)


def abort_only_lifts_the_hold(patch: pytest.MonkeyPatch) -> None:
    """An abort is recorded and not remembered."""
    changed = {**folds._FOLDS}
    changed[messages.AbortAsked] = lambda p, fact, at: replace(p, hold=None)
    patch.setattr(folds, "_FOLDS", changed)


MUTANTS = [
    Mutant(fault.__name__, "core", fault, walks_of("rolling"))
    for fault in (
        budget_one_too_large,
        budget_one_too_small,
        hold_ignored,
        abort_ignored,
        unknown_counted_as_closed,
        room_without_the_unavailable,
        one_slot_too_many,
        release_keeps_the_claim,
        return_only_of_the_succeeded,
        rest_with_open_ones,
        timer_that_never_runs_out,
        stale_reports_count,
        doubts_are_passed_over,
        hold_is_not_remembered,
        retry_for_ever,
        abort_only_lifts_the_hold,
    )
]
