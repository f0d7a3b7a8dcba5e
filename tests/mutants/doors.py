"""Faults of the door: its lock, what it claims, what it believes, what it stores."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from deployctl.models import Deployment
from deployctl.services import claims, journal, operations, outcomes, turn
from deployctl.services.turn import Turn
from tests.mutants.edits import edit, reword
from tests.mutants.hunts import by_test
from tests.mutants.record import Hunt, Mutant
from tests.services import (
    test_commands,
    test_door,
    test_doubt,
    test_kinds,
    test_reports,
    test_second_look,
)
from tests.services.hands import Gate


@cache
def at_the_gate(test: Callable[[Deployment, Gate], None]) -> Hunt:
    """Return a hunt by a test of the door's lock, with what its fixtures make."""

    def gated(monkeypatch: pytest.MonkeyPatch) -> None:
        test(test_door.forty(), test_door.gated(monkeypatch))

    gated.__name__ = test.__name__
    return by_test(gated)


# -- the lock ------------------------------------------------------------------------


def nobody_locks(patch: pytest.MonkeyPatch) -> None:
    """A deployment's row is read and not locked."""
    reword(patch, turn, "_LOCK", "FOR NO KEY UPDATE", "")


def lock_of_a_foreign_key(patch: pytest.MonkeyPatch) -> None:
    """The lock is the one that a foreign key takes, which keeps out nobody."""
    reword(patch, turn, "_LOCK", "FOR NO KEY UPDATE", "FOR KEY SHARE")


def lock_keeps_out_who_points(patch: pytest.MonkeyPatch) -> None:
    """The lock keeps out every row with a foreign key to the deployment."""
    reword(patch, turn, "_LOCK", "FOR NO KEY UPDATE", "FOR UPDATE")


def read_before_the_lock(patch: pytest.MonkeyPatch) -> None:
    """The row is read first and locked afterwards."""
    reword(patch, turn, "_LOCK", "FOR NO KEY UPDATE", "")
    edit(
        patch,
        Turn.locked,
        (
            'clock.execute("SELECT clock_timestamp()")',
            'clock.execute("SELECT clock_timestamp() FROM deployctl_deployment"'
            ' " WHERE id = %s FOR NO KEY UPDATE", [deployment_id])',
        ),
    )


# -- claims --------------------------------------------------------------------------


def claimed_in_any_state(patch: pytest.MonkeyPatch) -> None:
    """What runs already may be claimed again."""
    edit(patch, claims.pick, ("o.state = 'pending'", "o.state <> 'skipped'"))


def places_are_ignored(patch: pytest.MonkeyPatch) -> None:
    """A worker is given more than it has places for."""
    edit(patch, claims.pick, ("min(start.at_most, places)", "start.at_most"))


def return_in_the_order_of_the_way_there(patch: pytest.MonkeyPatch) -> None:
    """A return begins with what was changed first."""
    edit(patch, claims.pick, ('"DESC" if start', '"ASC" if start'))


def room_is_not_asked(patch: pytest.MonkeyPatch) -> None:
    """As many available targets are taken as there are slots."""
    edit(patch, claims.pick, ("min(start.available_at_most, at_most)", "at_most"))


def kinds_are_ignored(patch: pytest.MonkeyPatch) -> None:
    """A worker is given targets that it cannot reach."""
    any_kind = "AND (%s::text[] IS NULL OR t.driver = ANY(%s) OR true)"
    edit(
        patch,
        claims.pick,
        ("AND (%s::text[] IS NULL OR t.driver = ANY(%s))", any_kind),
    )


def doubts_of_any_kind(patch: pytest.MonkeyPatch) -> None:
    """A worker takes over what it cannot ask."""
    any_kind = "AND (%s::text[] IS NULL OR t.driver = ANY(%s) OR true)"
    edit(
        patch,
        claims.orphans,
        ("AND (%s::text[] IS NULL OR t.driver = ANY(%s))", any_kind),
    )


def subjects_of_others_take_up_places(patch: pytest.MonkeyPatch) -> None:
    """What another deployment holds is picked, and then cannot be claimed."""
    edit(patch, claims.pick, ("x.deployment_id <> %s", "x.deployment_id = -%s"))


def noise_where_it_must_be_quiet(patch: pytest.MonkeyPatch) -> None:
    """A target is changed again while its lost attempt may still arrive."""
    edit(patch, claims.pick, ("t.quiet_at <= %s", "t.quiet_at <> %s"))


# -- reports -------------------------------------------------------------------------


def anybody_may_report(patch: pytest.MonkeyPatch) -> None:
    """A report counts whoever holds the operation."""
    edit(
        patch,
        operations.reported,
        ("o.claimed_by_id = %s", "o.claimed_by_id IS NOT NULL AND %s > 0"),
    )


def reports_of_older_claims_count(patch: pytest.MonkeyPatch) -> None:
    """A report counts whichever claim it is of."""
    edit(patch, journal.settle, (" if row.fence == by_id[row.id].fence", ""))


def ended_and_still_held(patch: pytest.MonkeyPatch) -> None:
    """An operation that has ended is still its worker's, who may report it again."""
    edit(
        patch,
        operations.write,
        (
            "claimed_by_id = CASE WHEN c.state = 'verifying'",
            "claimed_by_id = CASE WHEN c.state <> 'unknown'",
        ),
    )


def release_is_an_attempt(patch: pytest.MonkeyPatch) -> None:
    """What was given back untouched counts as tried."""
    edit(patch, outcomes.change_of, ("row.attempt - released", "row.attempt"))


# -- storing -------------------------------------------------------------------------


def results_without_their_event(patch: pytest.MonkeyPatch) -> None:
    """Only what changes a button is entered as an event."""
    edit(
        patch,
        Turn.store,
        (
            "events.record(row, self._facts, self.now)",
            "changed and events.record(row, self._facts, self.now)",
        ),
    )


def results_without_a_fact(patch: pytest.MonkeyPatch) -> None:
    """What was given back is stored in its row, and told to nobody."""
    edit(
        patch,
        Turn.move,
        ("self.fold(_moved(key, found))", "released or self.fold(_moved(key, found))"),
    )


# -- the dead ------------------------------------------------------------------------


def lost_is_failed(patch: pytest.MonkeyPatch) -> None:
    """What a dead worker had begun counts as failed, although nobody has looked."""
    edit(patch, Turn.abandoned, ("_S.UNKNOWN", "_S.FAILED"))


def seen_applied_is_doubted(patch: pytest.MonkeyPatch) -> None:
    """What a dead worker had seen applied is in doubt like all else."""
    edit(
        patch,
        Turn.abandoned,
        ("for row in lost if row.state is not _S.VERIFYING]", "for row in lost]"),
    )


def no_time_left_to_verify(patch: pytest.MonkeyPatch) -> None:
    """Who goes on verifying has only what the dead worker had left."""
    edit(
        patch,
        Turn.abandoned,
        ("timedelta(seconds=deadline)", "timedelta(seconds=-deadline)"),
    )


def those_who_left_are_waited_for(patch: pytest.MonkeyPatch) -> None:
    """What a worker that has left still held is nobody's to take."""
    reword(patch, operations, "ABANDONED", "w.left_at IS NOT NULL", "false")


HUNTED: dict[Callable[[pytest.MonkeyPatch], None], Hunt] = {
    nobody_locks: at_the_gate(test_door.test_nobody_overtakes_a_pause_that_waits),
    lock_of_a_foreign_key: at_the_gate(
        test_door.test_nobody_overtakes_a_pause_that_waits
    ),
    lock_keeps_out_who_points: at_the_gate(
        test_door.test_nothing_is_left_locked_for_those_who_only_point_at_a_deployment
    ),
    read_before_the_lock: at_the_gate(
        test_door.test_no_claim_commits_after_the_answer_of_a_pause
    ),
    claimed_in_any_state: by_test(
        test_door.test_two_that_share_a_batch_are_given_nothing_twice
    ),
    places_are_ignored: by_test(
        test_door.test_two_that_share_a_batch_are_given_nothing_twice
    ),
    return_in_the_order_of_the_way_there: by_test(
        test_commands.test_a_return_begins_with_what_was_changed_last
    ),
    room_is_not_asked: by_test(
        test_doubt.test_where_room_is_short_only_what_is_broken_anyway_goes_beyond_it
    ),
    kinds_are_ignored: by_test(
        test_kinds.test_each_worker_claims_what_it_can_reach_and_nothing_fails
    ),
    doubts_of_any_kind: by_test(
        test_kinds.test_an_operation_in_doubt_is_settled_by_who_can_ask_its_target
    ),
    subjects_of_others_take_up_places: by_test(
        test_doubt.test_a_subject_that_is_open_elsewhere_takes_up_no_place
    ),
    noise_where_it_must_be_quiet: by_test(
        test_reports.test_a_target_is_left_alone_until_its_lost_attempt_is_over
    ),
    anybody_may_report: by_test(
        test_reports.test_a_report_counts_only_while_claimant_and_fence_match
    ),
    reports_of_older_claims_count: by_test(
        test_reports.test_a_report_of_an_older_claim_is_not_the_same_workers_word_either
    ),
    ended_and_still_held: by_test(
        test_reports.test_a_report_that_comes_twice_counts_once
    ),
    release_is_an_attempt: by_test(
        test_reports.test_a_release_does_not_count_as_an_attempt
    ),
    results_without_their_event: by_test(
        test_reports.test_a_report_that_comes_twice_counts_once
    ),
    results_without_a_fact: by_test(
        test_reports.test_a_release_does_not_count_as_an_attempt
    ),
    lost_is_failed: by_test(
        test_commands.test_an_abort_with_every_worker_dead_ends_when_one_comes_back
    ),
    seen_applied_is_doubted: by_test(
        test_reports.test_what_was_seen_applied_goes_on_verifying_with_somebody_else
    ),
    no_time_left_to_verify: by_test(
        test_second_look.test_a_verification_that_is_taken_over_gets_its_time_again
    ),
    those_who_left_are_waited_for: by_test(
        test_reports.test_a_worker_that_has_left_is_not_waited_for
    ),
}
MUTANTS = [
    Mutant(fault.__name__, "services", fault, hunt) for fault, hunt in HUNTED.items()
]
