"""Faults of blue-green: what is switched when, and what a return may touch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strategies import commands, ledger, messages, rules
from strategies.actions import PlanReturn
from strategies.blue_green import BlueGreenDeployment
from strategies.rows import Row
from strategies.states import OperationState
from strategies.steps import Shift, Verify
from tests.mutants.record import Mutant, case, walks_of
from tests.strategies import test_blue_green, test_blue_green_run, test_weights

real_back, real_steps = rules._shifting_back, BlueGreenDeployment.steps


def shift_before_verify(patch: pytest.MonkeyPatch) -> None:
    """Traffic is led over before the rest of the slot was looked at."""

    def steps(self, chosen):
        order = {Shift: 1, Verify: 2}
        yield from sorted(real_steps(self, chosen), key=lambda s: order.get(type(s), 0))

    patch.setattr(BlueGreenDeployment, "steps", steps)


def switched_over_failures(patch: pytest.MonkeyPatch) -> None:
    """Without a budget traffic is led to targets that have failed."""
    patch.setattr(rules, "_switch_verdict", lambda p: None)


def failed_switch_goes_on(patch: pytest.MonkeyPatch) -> None:
    """A switch that did not happen halts nothing."""
    real = rules._batch_verdict
    patch.setattr(
        rules,
        "_batch_verdict",
        lambda p: None if isinstance(p.current, Shift) else real(p),
    )


def return_changes_the_idle_slot(patch: pytest.MonkeyPatch) -> None:
    """A return changes targets that only had to lose their traffic."""
    patch.setattr(rules, "_before_return", lambda p: () if p.open else (PlanReturn(),))


def standby_is_not_asked(patch: pytest.MonkeyPatch) -> None:
    """Traffic is led back to a slot that cannot carry it."""
    patch.setattr(
        rules,
        "_shifting_back",
        lambda p: real_back(replace(p, available=p.course.selected + p.floor)),
    )


def standby_is_not_counted_anew(patch: pytest.MonkeyPatch) -> None:
    """What the standby has lost since the return was planned is not noticed."""
    patch.setattr(ledger, "count_standby", lambda books, at: None)


def targets_return_before_traffic(patch: pytest.MonkeyPatch) -> None:
    """Targets that carry traffic are changed back first."""

    def shifting(p):
        return None if p.back.pending or p.back.open else real_back(p)

    patch.setattr(rules, "_shifting_back", shifting)


def looking_is_touching(patch: pytest.MonkeyPatch) -> None:
    """Targets that were only looked at are taken back too."""
    skipped = OperationState.SKIPPED
    touched = property(lambda row: row.attempt > 0 and row.state is not skipped)
    patch.setattr(Row, "touched", touched)


def frozen_returns(patch: pytest.MonkeyPatch) -> None:
    """What froze on failure can be rolled back all the same."""
    real = commands._roll_back

    def roll_back(p, command, at):
        limits = replace(p.course.limits, on_failure="halt")
        return real(replace(p, course=replace(p.course, limits=limits)), command, at)

    patch.setitem(commands._DECISIONS, messages.RollBack, roll_back)


def retention_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A slot that is kept for a return is changed."""

    real = BlueGreenDeployment.sort_out

    def sort_out(self, selected, version, router):
        return real(self, selected, version, router and replace(router, retained=None))

    patch.setattr(BlueGreenDeployment, "sort_out", sort_out)


def weights_return_before_targets(patch: pytest.MonkeyPatch) -> None:
    """The share of a faulty version grows before its targets are taken back."""
    real = rules._restoring

    def restoring(p):
        return None if p.back_shifts.pending or p.back_shifts.open else real(p)

    patch.setattr(rules, "_restoring", restoring)


def weights_return_over_failures(patch: pytest.MonkeyPatch) -> None:
    """The share grows although a target could not be taken back."""
    real = rules._restoring

    def restoring(p):
        asked = real(p)
        is_over = asked and not p.back.pending and not p.back.open
        return None if is_over and p.back_shifts.pending else asked

    patch.setattr(rules, "_restoring", restoring)


MUTANTS = [
    Mutant(
        "weights_return_before_targets",
        "core",
        weights_return_before_targets,
        walks_of("weighed"),
    ),
    Mutant(
        "weights_return_over_failures",
        "core",
        weights_return_over_failures,
        case(test_weights.test_weights_stay_while_a_target_is_not_restored),
    ),
]
MUTANTS += [
    Mutant(fault.__name__, "core", fault, walks_of("switch", "plain"))
    for fault in (
        shift_before_verify,
        switched_over_failures,
        failed_switch_goes_on,
        return_changes_the_idle_slot,
        standby_is_not_asked,
        targets_return_before_traffic,
        looking_is_touching,
        frozen_returns,
    )
]
MUTANTS += [
    Mutant(
        "standby_is_not_counted_anew",
        "core",
        standby_is_not_counted_anew,
        case(test_blue_green_run.test_G15_the_standby_is_asked_when_traffic_goes),
    ),
    Mutant(
        "retention_is_forgotten",
        "core",
        retention_is_forgotten,
        case(test_blue_green.test_a_retained_slot_is_refused),
    ),
]
