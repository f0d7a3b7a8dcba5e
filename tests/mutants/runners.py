"""Faults of carrying one claim out: looking, draining, changing, doubting."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployctl.engine.drain import Drain
from deployctl.engine.operate import Runner
from tests.engine import test_drain, test_operate
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


def changed_in_traffic(patch: pytest.MonkeyPatch) -> None:
    """A target is changed while requests are sent to it."""
    edit(patch, Runner._change, ("await self._drained(probe) or ", ""))


def settled_and_left_out(patch: pytest.MonkeyPatch) -> None:
    """Who settles a doubt leads traffic back only if they took the target out."""
    edit(patch, Drain.__init__, ("claim.state is not _S.RUNNING", "False"))


def the_dead_lead_traffic(patch: pytest.MonkeyPatch) -> None:
    """A worker leads traffic to a target that somebody else may hold by now."""
    edit(patch, Drain.ended, ("if not self._desk.is_trusted()", "if False"))


def failed_ones_get_traffic(patch: pytest.MonkeyPatch) -> None:
    """Traffic is led back however the operation ended."""
    edit(patch, Drain.ended, ("or report.available", "or True"))


def back_is_not_seen(patch: pytest.MonkeyPatch) -> None:
    """A changed target counts as serving before it gets requests."""
    edit(patch, Drain.ended, ("wait=serves", "wait=False"))


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
    changed_in_traffic: by_test(
        test_drain.test_it_is_out_while_it_is_changed_and_back_before_it_is_said
    ),
    settled_and_left_out: by_test(test_drain.test_who_settles_a_doubt_leads_it_back),
    the_dead_lead_traffic: by_test(
        test_drain.test_a_worker_that_may_be_dead_touches_no_traffic
    ),
    failed_ones_get_traffic: by_test(test_drain.test_a_target_that_failed_stays_out),
    back_is_not_seen: by_test(
        test_drain.test_it_is_out_while_it_is_changed_and_back_before_it_is_said
    ),
}
MUTANTS = [
    Mutant(fault.__name__, "engine", fault, hunt) for fault, hunt in HUNTED.items()
]
