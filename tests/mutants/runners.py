"""Faults of carrying one claim out: looking, changing, reading back, doubting."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployctl.engine.operate import Runner
from tests.engine import test_operate
from tests.mutants.edits import edit
from tests.mutants.hunts import by_test
from tests.mutants.record import Hunt, Mutant


def never_asked_again(patch: pytest.MonkeyPatch) -> None:
    """What may begin is changed, whatever was pressed while it was looked at."""
    change = ("if not self.desk.may_apply(self.claim)", "if False")
    edit(patch, Runner._change, change)


def no_answer_is_a_failure(patch: pytest.MonkeyPatch) -> None:
    """What was sent and not answered counts as failed."""
    edit(patch, Runner._apply, ("_S.UNKNOWN, str(error)", "_S.FAILED, str(error)"))


def doubts_without_a_fence(patch: pytest.MonkeyPatch) -> None:
    """A doubt is settled by a look that does not shut the lost attempt out."""
    edit(patch, Runner._probe, ("self.claim.fence if fenced else None", "None"))


def time_from_now_on(patch: pytest.MonkeyPatch) -> None:
    """Deadlines are counted from when they are looked at, and so never come."""
    edit(patch, Runner._left, ("self._loop.time() - self.asked_at", "0.0"))


def routers_are_believed(patch: pytest.MonkeyPatch) -> None:
    """A router that says it has switched is not read back."""
    success = "return self._said(_S.SUCCEEDED, observed=claim.to_version)"
    believed = f"if applied.ok and claim.kind is Kind.SHIFT:\n            {success}"
    edit(patch, Runner._apply, ('crash.point("after_apply")', believed))


HUNTED: dict[Callable[[pytest.MonkeyPatch], None], Hunt] = {
    never_asked_again: by_test(
        test_operate.test_what_is_held_after_the_first_look_is_given_back_untouched
    ),
    no_answer_is_a_failure: by_test(
        test_operate.test_an_answer_that_never_came_is_a_doubt_and_no_failure
    ),
    doubts_without_a_fence: by_test(
        test_operate.test_a_doubt_is_settled_with_a_fence_that_shuts_the_lost_attempt_out
    ),
    time_from_now_on: by_test(
        test_operate.test_the_time_to_apply_is_counted_from_the_claim_and_not_from_now
    ),
    routers_are_believed: by_test(
        test_operate.test_a_router_is_not_believed_but_read_back
    ),
}
MUTANTS = [
    Mutant(fault.__name__, "engine", fault, hunt) for fault, hunt in HUNTED.items()
]
