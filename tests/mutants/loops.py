"""Faults of a worker's loop: what it believes, keeps, and gives back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployctl.engine.holding import Holding
from deployctl.engine.loop import Engine
from tests.engine import test_loop
from tests.mutants.edits import edit
from tests.mutants.hunts import by_test
from tests.mutants.record import Hunt, Mutant


def memory_is_believed(patch: pytest.MonkeyPatch) -> None:
    """After an error nobody asks the database what this worker holds."""
    edit(patch, Engine._failed, ("self._in_doubt = True", "self._in_doubt = False"))


def never_sent_is_lost(patch: pytest.MonkeyPatch) -> None:
    """A claim that was never begun is given back as one whose end nobody saw."""
    edit(patch, Holding._let_go, ("row.id not in self._held", "False"))


def reports_are_brought_once(patch: pytest.MonkeyPatch) -> None:
    """What could not be brought is forgotten."""
    edit(patch, Holding.put_back, ("{**reports, **newer}", "newer"))


def the_dead_claim(patch: pytest.MonkeyPatch) -> None:
    """A worker that others may hold for dead claims on."""
    edit(patch, Engine._places, (" or not self._beats.trusted", ""))


HUNTED: dict[Callable[[pytest.MonkeyPatch], None], Hunt] = {
    memory_is_believed: by_test(
        test_loop.test_a_claim_whose_commit_was_never_heard_is_given_back_untouched
    ),
    never_sent_is_lost: by_test(
        test_loop.test_a_claim_whose_commit_was_never_heard_is_given_back_untouched
    ),
    reports_are_brought_once: by_test(
        test_loop.test_reports_that_could_not_be_brought_are_brought_again
    ),
    the_dead_claim: by_test(test_loop.test_who_may_be_held_for_dead_claims_nothing),
}
MUTANTS = [
    Mutant(fault.__name__, "engine", fault, hunt) for fault, hunt in HUNTED.items()
]
