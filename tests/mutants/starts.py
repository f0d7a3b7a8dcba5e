"""Faults of starting: stale plans, moved routers, slots that are kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployctl.services import perform, starting, work
from tests.mutants.edits import edit
from tests.mutants.hunts import by_test
from tests.mutants.record import Hunt, Mutant
from tests.services import test_fleet, test_second_look, test_switch, test_switch_doubts


def stale_plans_start(patch: pytest.MonkeyPatch) -> None:
    """A plan starts although its targets have changed since."""
    edit(patch, starting._differs, ("return now != ", "return () == "))


def targets_change_while_one_starts(patch: pytest.MonkeyPatch) -> None:
    """What the plan was compared with may change before the start is committed."""
    edit(patch, work.hold_targets, ("FOR KEY SHARE", ""))


def moved_routers_are_switched(patch: pytest.MonkeyPatch) -> None:
    """A plan starts although traffic goes elsewhere by now."""
    edit(patch, starting._check_router, ("if found != (", "if () == ("))


def kept_slots_are_taken(patch: pytest.MonkeyPatch) -> None:
    """A slot that is kept for a return is changed."""
    edit(patch, starting._check_router, ("if kept and not", "if not kept and not"))


def kept_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A slot is kept after its time is over."""
    edit(
        patch,
        starting._check_router,
        (" and row.retain_until > turn.now", ""),
    )


def nothing_is_kept(patch: pytest.MonkeyPatch) -> None:
    """The slot that traffic left may be changed at once."""
    edit(patch, perform.retain, ("change.state is not _S.SUCCEEDED", "change"))


HUNTED: dict[Callable[[pytest.MonkeyPatch], None], Hunt] = {
    stale_plans_start: by_test(
        test_second_look.test_a_return_is_refused_by_what_started_later_not_by_numbers
    ),
    targets_change_while_one_starts: by_test(
        test_fleet.test_who_moves_while_one_starts_waits_and_is_refused
    ),
    moved_routers_are_switched: by_test(
        test_switch.test_a_router_that_was_moved_since_the_plan_is_refused
    ),
    kept_slots_are_taken: by_test(
        test_switch_doubts.test_a_slot_that_is_kept_since_the_plan_was_made_is_not_changed
    ),
    kept_for_ever: by_test(
        test_switch_doubts.test_a_retention_that_is_over_holds_up_nobody
    ),
    nothing_is_kept: by_test(
        test_switch.test_h2_the_idle_slot_first_then_a_person_then_the_switch
    ),
}
MUTANTS = [
    Mutant(fault.__name__, "services", fault, hunt) for fault, hunt in HUNTED.items()
]
