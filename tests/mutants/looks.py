"""Faults of watching: judging without the lock, and looks that say too much."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployctl.services import watching
from tests.mutants.edits import edit, reword
from tests.mutants.hunts import by_test
from tests.mutants.record import Hunt, Mutant
from tests.services import test_looks


def judged_before_the_lock(patch: pytest.MonkeyPatch) -> None:
    """What was seen is judged by what was read before the lock."""
    opened = "with journal.opened(deployment_id) as turn:"
    edit(
        patch,
        watching.regard,
        (opened, f"early = _looked_at(deployment_id)\n    {opened}"),
        ("row, looks in _looked_at(deployment_id)", "row, looks in early"),
    )


def looks_change_what_is_counted(patch: pytest.MonkeyPatch) -> None:
    """A look changes a target's health beside a live deployment that counts it."""
    reword(patch, watching, "_KEEP", "CASE WHEN free.live", "CASE WHEN false")


def looks_outlive_the_operation(patch: pytest.MonkeyPatch) -> None:
    """A look that began before a target was changed says how it is now."""
    reword(patch, watching, "_KEEP", " OR o.ended_at > c.at", "")


def looks_at_what_is_open(patch: pytest.MonkeyPatch) -> None:
    """A look at a target that is being changed says how it will be."""
    open_or_later = f"o.state IN {watching.OPEN_STATES} OR "
    reword(patch, watching, "_KEEP", open_or_later, "")


HUNTED: dict[Callable[[pytest.MonkeyPatch], None], Hunt] = {
    judged_before_the_lock: by_test(
        test_looks.test_two_that_judge_at_once_count_a_regression_once
    ),
    looks_change_what_is_counted: by_test(
        test_looks.test_looks_beside_a_live_deployment_change_no_health
    ),
    looks_outlive_the_operation: by_test(
        test_looks.test_a_look_from_before_an_operation_ended_says_nothing
    ),
    looks_at_what_is_open: by_test(test_looks.test_a_look_at_what_is_open_says_nothing),
}
MUTANTS = [
    Mutant(fault.__name__, "services", fault, hunt) for fault, hunt in HUNTED.items()
]
