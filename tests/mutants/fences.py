"""Faults of fences: when a target or a router gets its next, and what that is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployctl.services import claims, shifts
from tests.mutants.edits import edit
from tests.mutants.hunts import by_test
from tests.mutants.record import Hunt, Mutant
from tests.services import test_reports, test_switch, test_switch_doubts

#: Claims count an attempt, takeovers do not.
ONLY_CLAIMS = "fence + {int('attempt' in assignments)}"


def takeover_keeps_the_fence(patch: pytest.MonkeyPatch) -> None:
    """Who takes an operation over does not shut the lost attempt out."""
    edit(patch, claims._taken, ("t.fence + 1", f"t.{ONLY_CLAIMS}"))


def fence_is_the_attempt(patch: pytest.MonkeyPatch) -> None:
    """A fence says which attempt of its operation it is, and begins anew with each."""
    edit(patch, claims._taken, ("fence = b.fence", "fence = o.attempt + 1"))


def takeover_keeps_the_routers_fence(patch: pytest.MonkeyPatch) -> None:
    """Who takes a shift over does not shut the lost switch out."""
    edit(patch, shifts._taken, ("r.fence + 1", f"r.{ONLY_CLAIMS}"))


def routers_fence_is_the_attempt(patch: pytest.MonkeyPatch) -> None:
    """A switch's fence says which attempt it is, and no more."""
    edit(patch, shifts._taken, ("fence = b.fence", "fence = o.attempt + 1"))


HUNTED: dict[Callable[[pytest.MonkeyPatch], None], Hunt] = {
    takeover_keeps_the_fence: by_test(
        test_reports.test_a_report_counts_only_while_claimant_and_fence_match
    ),
    fence_is_the_attempt: by_test(
        test_reports.test_a_fence_goes_on_from_one_deployment_to_the_next
    ),
    takeover_keeps_the_routers_fence: by_test(
        test_switch.test_h10_a_switch_whose_worker_died_is_read_and_not_sent_again
    ),
    routers_fence_is_the_attempt: by_test(
        test_switch_doubts.test_a_lost_switch_that_was_not_done_is_made_again
    ),
}
MUTANTS = [
    Mutant(fault.__name__, "services", fault, hunt) for fault, hunt in HUNTED.items()
]
