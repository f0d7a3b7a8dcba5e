"""Faults of stages: thresholds, bakes, gates, and what people promote."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strategies import commands, folds, rules, wire
from strategies.actions import Record
from strategies.ledger import Ledger
from strategies.messages import Held, Resumed
from strategies.progress import NOTHING
from strategies.steps import Bake
from tests.mutants.record import Mutant, case, walks_of
from tests.strategies import test_canary_run, test_gates, test_watch

real_stage, real_verdict, real_asking = (
    rules._stage_verdict,
    rules.verdict,
    rules._asking,
)
real_working, real_next = rules._working, folds._next_step


def _threshold_moved(patch: pytest.MonkeyPatch, failures: int) -> None:
    def verdict(p):
        fewer = p.step_tally.failed - failures, p.whole.failed - failures
        tally = replace(p.step_tally, failed=max(0, fewer[0]))
        whole = replace(p.whole, failed=max(0, fewer[1]))
        return real_stage(replace(p, step_tally=tally, whole=whole))

    patch.setattr(rules, "_stage_verdict", verdict)


def threshold_off_by_one(patch: pytest.MonkeyPatch) -> None:
    """A threshold tolerates one failure more than it says."""
    _threshold_moved(patch, 1)


def threshold_of_exactly_that_fails(patch: pytest.MonkeyPatch) -> None:
    """The last failure that a threshold tolerates halts."""

    def verdict(p):
        if not p.step_tally.failed:
            return None
        tally = replace(p.step_tally, failed=p.step_tally.failed + 1)
        return real_stage(replace(p, step_tally=tally))

    patch.setattr(rules, "_stage_verdict", verdict)


def only_the_stage_counts(patch: pytest.MonkeyPatch) -> None:
    """What earlier stages have lost since is forgotten."""

    def verdict(p):
        halted = real_stage(p)
        return halted if halted and p.step_tally.failed >= halted.observed else None

    patch.setattr(rules, "_stage_verdict", verdict)


def removed_targets_count(patch: pytest.MonkeyPatch) -> None:
    """A threshold counts targets that were removed as if they could succeed."""

    def verdict(p):
        tally = replace(p.step_tally, skipped=0)
        return real_stage(
            replace(p, step_tally=tally, whole=replace(p.whole, skipped=0))
        )

    patch.setattr(rules, "_stage_verdict", verdict)


def stage_tally_reset_too_early(patch: pytest.MonkeyPatch) -> None:
    """A stage is forgotten when its bake begins, and so is what regresses in it."""

    def following(p, at):
        return replace(real_next(p, at), step_tally=NOTHING)

    patch.setattr(folds, "_next_step", following)


def no_verdict_in_a_bake(patch: pytest.MonkeyPatch) -> None:
    """What regresses in a bake is counted, and judged only with the next stage."""

    def verdict(p):
        return None if isinstance(p.current, Bake) else real_verdict(p)

    patch.setattr(rules, "verdict", verdict)


def regressions_are_not_seen(patch: pytest.MonkeyPatch) -> None:
    """Watching says nothing."""
    patch.setattr(Ledger, "watch", lambda self, healthy, at: None)


def gate_counted_as_a_hold(patch: pytest.MonkeyPatch) -> None:
    """A gate holds, so that no rule goes on while it waits."""
    held = Record(Held("rule", "It waits at a gate.", "gate"))
    patch.setattr(rules, "_asking", lambda p, gate: (held,))


def gate_limit_goes_on(patch: pytest.MonkeyPatch) -> None:
    """A gate that nobody has answered in time goes on by itself."""

    def asking(p, gate):
        return real_asking(p, replace(gate, then="promote"))

    patch.setattr(rules, "_asking", asking)
    real = rules._time_verdict
    patch.setattr(rules, "_time_verdict", lambda p: real(replace(p, lapsed=False)))


def gate_limit_runs_while_held(patch: pytest.MonkeyPatch) -> None:
    """A gate's time runs out while nobody can go on, and resuming halts."""
    real = folds._FOLDS[Resumed]

    def resumed(p, fact, at):
        return replace(real(p, fact, at), entered_at=p.entered_at)

    patch.setitem(folds._FOLDS, Resumed, resumed)


def promoted_fully_without_verdicts(patch: pytest.MonkeyPatch) -> None:
    """Promoting fully skips the verdicts too."""

    def verdict(p):
        return None if p.promoted_fully else real_verdict(p)

    patch.setattr(rules, "verdict", verdict)


def promoted_while_held(patch: pytest.MonkeyPatch) -> None:
    """A gate can be promoted although somebody has paused."""
    real = commands._refuse_to_go_on

    def refuse(p, verb):
        real(replace(p, hold=None), verb)

    patch.setattr(commands, "_refuse_to_go_on", refuse)


def bake_begun_again_after_a_crash(patch: pytest.MonkeyPatch) -> None:
    """When a wait began is not stored: a restart begins it anew."""
    real = wire.dump_progress

    def dump(progress):
        return {k: v for k, v in real(progress).items() if k != "entered_at"}

    patch.setattr(wire, "dump_progress", dump)


def empty_stage_waits(patch: pytest.MonkeyPatch) -> None:
    """A stage that adds no target waits for its first report."""

    def working(p, step):
        return () if step.start == step.stop else real_working(p, step)

    patch.setattr(rules, "_working", working)


def delay_is_cut_by_promoting_fully(patch: pytest.MonkeyPatch) -> None:
    """Promoting fully skips the delays between batches, which were approved."""
    patch.setattr(
        rules,
        "_working",
        lambda p, step: real_working(
            replace(p, delay_until=None) if p.delay_until else p, step
        ),
    )


MUTANTS = [
    Mutant(fault.__name__, "core", fault, walks_of("canary"))
    for fault in (
        threshold_off_by_one,
        threshold_of_exactly_that_fails,
        stage_tally_reset_too_early,
        no_verdict_in_a_bake,
        regressions_are_not_seen,
        gate_counted_as_a_hold,
        gate_limit_goes_on,
        promoted_fully_without_verdicts,
        promoted_while_held,
        bake_begun_again_after_a_crash,
        empty_stage_waits,
    )
]
MUTANTS += [
    Mutant(
        "delays_are_skipped",
        "core",
        delay_is_cut_by_promoting_fully,
        walks_of("rolling"),
    ),
    Mutant(
        "gate_limit_runs_while_held",
        "core",
        gate_limit_runs_while_held,
        case(test_gates.test_E23_a_held_gate_has_its_whole_limit_again),
    ),
    Mutant(
        "only_the_stage_counts",
        "core",
        only_the_stage_counts,
        case(test_watch.test_a_regression_of_an_earlier_stage),
    ),
    Mutant(
        "removed_targets_count",
        "core",
        removed_targets_count,
        case(test_canary_run.test_C7_a_removed_target_is_in_no_rate),
    ),
]
