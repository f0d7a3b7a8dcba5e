"""Faults of what targets may use, and of what is kept when they say what they used."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployctl.engine import masking
from deployctl.engine.operate import Runner
from deployctl.engine.reach import Reach
from deployctl.engine.reaches import Reaches
from tests.engine import test_loop, test_masking, test_operate, test_reach
from tests.mutants.edits import edit
from tests.mutants.hunts import by_test
from tests.mutants.record import Hunt, Mutant


def lists_are_not_asked(patch: pytest.MonkeyPatch) -> None:
    """An environment's list of networks is kept, shown and asked by nobody."""
    edit(patch, Reach.check, ("allowed is not None", "False"))


def what_was_never_read_is_allowed(patch: pytest.MonkeyPatch) -> None:
    """While the database is away, what nobody knows to be forbidden is allowed."""
    edit(patch, Reaches.of, ("if rights is None:", "if False:"))
    edit(patch, Reach.having, ("= rights", "= rights or made._rights"))


def halves_are_kept(patch: pytest.MonkeyPatch) -> None:
    """The half of a secret that stands where a line was cut is kept."""
    edit(patch, masking.masked, ("if begun:", "if False:"))


def versions_are_believed(patch: pytest.MonkeyPatch) -> None:
    """What a target says is its version is no secret."""
    edit(patch, Runner._version, ("self._masked(seen)", "seen"))


HUNTED: dict[Callable[[pytest.MonkeyPatch], None], Hunt] = {
    lists_are_not_asked: by_test(test_reach.test_only_networks_of_the_list_are_allowed),
    what_was_never_read_is_allowed: by_test(
        test_loop.test_who_cannot_read_what_may_be_used_gives_back_untouched
    ),
    halves_are_kept: by_test(
        test_masking.test_its_half_is_masked_where_a_line_was_cut, 8
    ),
    versions_are_believed: by_test(
        test_operate.test_a_secret_that_a_target_says_is_no_version,
        "canary-5d1c",
        "[secret]",
    ),
}
MUTANTS = [
    Mutant(fault.__name__, "engine", fault, hunt) for fault, hunt in HUNTED.items()
]
