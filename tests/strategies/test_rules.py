"""The rules, as life stories of whole deployments over the in-memory ledger."""

from __future__ import annotations

import itertools

import pytest

from strategies.messages import Halted, Held, OperationsMoved, RollBackAsked, WakeAt
from strategies.rolling import RollingDeployment
from strategies.states import Intent, State
from tests.strategies.worlds import (
    FORWARD,
    RETURN,
    S,
    World,
    check_replay,
    due,
    fleet,
    plan_of,
)


def started(count, *, unhealthy=(), places=1000, **options):
    """Return a world that has begun, with its first claims in hand."""
    plan = plan_of(count, unhealthy=unhealthy, **options)
    return World(plan, unhealthy=unhealthy).start(places=places)


def failing(*positions, direction=FORWARD):
    """Return an outcome that fails at these positions in one direction."""

    def outcome(claim):
        bad = claim.direction is direction and claim.position in positions
        return S.FAILED if bad else S.SUCCEEDED

    return outcome


def ended(count, *bad, **options):
    """Run a deployment to its end, with these positions failing."""
    return started(count, **options).finish(failing(*bad))


# -- batches and delays -------------------------------------------------------------


def test_all_go_well():
    """A rolling deployment completes, each target changed once, in plan order."""
    world = ended(5, batch_size=2)
    assert world.rest == (State.COMPLETED, "", "clean")
    assert world.calls() == [0, 1, 2, 3, 4]
    check_replay(world.ledger)


def test_A19_delays_between_batches_only():
    """Five targets in twos with 10 s take two delays, and none after the last."""
    world = ended(5, batch_size=2, delay_seconds=10)
    assert world.seconds == 20
    assert world.rest == (State.COMPLETED, "", "clean")


def test_A20_no_delay_before_a_halt():
    """A halt in the first batch is immediate."""
    world = ended(5, 0, batch_size=2, delay_seconds=10)
    assert (world.seconds, world.rest[:2]) == (0, (State.FAILED, "max_failures"))


def test_strict_batches():
    """The next batch begins when the last of the one before has ended."""
    world = started(4, batch_size=2).report({0: S.SUCCEEDED})
    assert world.calls() == [0, 1]
    world.report({1: S.SUCCEEDED})
    assert world.calls() == [0, 1, 2, 3]


def test_places_bound_the_claims():
    """A worker with fewer places than the machine allows takes what it can."""
    world = started(6, batch_size=4, places=1)
    assert (world.calls(), world.starts) == ([0], 3)


def test_A29_broken_floor_at_the_start():
    """An unhealthy target goes first and costs no room; no other goes beside it."""
    world = started(10, unhealthy=[4], min_healthy=9, batch_size=5)
    assert world.plan.targets[0].id == "t4"
    assert [p for _, p in world.claimed] == [0]
    world.report({0: S.SUCCEEDED})
    assert world.calls() == [0, 1]
    assert world.finish().rest == (State.COMPLETED, "", "clean")


def test_A29_starting_value_is_the_floor():
    """Below the floor from the start, the starting value is kept instead."""
    world = World(plan_of(4, min_healthy=3, parallelism=3), unhealthy=[0, 1])
    world.start(places=9)
    assert (world.p.floor, world.p.room, world.calls()) == (2, 0, [0])


@pytest.mark.parametrize("healthy", range(5))
def test_A30_window_counts_the_healthy(healthy):
    """Of four placed, as many new ones start as became healthy."""
    world = started(10, batch_size=4, window=True)
    world.report(dict.fromkeys(range(healthy), S.SUCCEEDED), places=0)
    assert world.starts == healthy


def test_A31_window_stops_at_an_unhealthy_one():
    """One unhealthy in the window starts nothing, regardless of the others."""
    world = started(10, batch_size=4, window=True)
    world.report({0: S.SUCCEEDED, 1: S.FAILED, 2: S.SUCCEEDED}, places=9)
    assert (world.starts, world.calls()) == (0, [0, 1, 2, 3])


# -- budgets ------------------------------------------------------------------------


@pytest.mark.parametrize("grouped", [True, False])
def test_B1_batch_finishes_then_it_halts(grouped):
    """The first failure halts: the batch finishes, four stay untouched."""
    world = started(6, batch_size=2).finish(failing(0), grouped=grouped)
    assert world.calls() == [0, 1]
    assert world.rest == (State.FAILED, "max_failures", "")
    assert world.states() == [S.FAILED, S.SUCCEEDED] + [S.PENDING] * 4
    assert world.halted == Halted("max_failures", 1, 0, 6, (0,))


@pytest.mark.parametrize(
    ("size", "percent", "bad", "rule"),
    [
        pytest.param(10, 30, 3, None, id="B2-3-of-10-at-30"),
        pytest.param(10, 30, 4, "max_failure_percent", id="B2-4-of-10-at-30"),
        pytest.param(4, 50, 2, None, id="B3-2-of-4-at-50"),
        pytest.param(4, 49, 2, "max_failure_percent", id="B3-2-of-4-at-49"),
        pytest.param(10, 100, 9, None, id="B5-all-but-one"),
        pytest.param(10, 100, 10, "whole_batch_failed", id="B5-all-10-of-10"),
        pytest.param(5, 20, 1, None, id="B6-1-of-5"),
        pytest.param(5, 20, 2, "max_failure_percent", id="B6-2-of-5"),
    ],
)
def test_percentage_of_a_batch(size, percent, bad, rule):
    """A batch halts when its share of failures is exceeded, not when it is reached."""
    world = ended(
        2 * size,
        *range(bad),
        batch_size=size,
        max_failures=2 * size,
        max_failure_percent=percent,
    )
    if rule is None:
        assert world.rest == (State.COMPLETED, "", "completed_with_failures")
    else:
        assert world.rest == (State.FAILED, rule, "")
        assert len(world.calls()) == size
        assert world.halted.observed == world.halted.threshold + 1
        assert len(world.halted.positions) == world.halted.observed


def test_B6_unresolved_counts_once_it_is_written_off():
    """One unreachable and one failed of five exceed 20 percent."""
    world = started(10, batch_size=5, max_failures=9, max_failure_percent=20)
    world.report({0: S.FAILED, 1: S.UNKNOWN, 2: S.SUCCEEDED, 3: S.SUCCEEDED})
    world.report({1: S.UNRESOLVED, 4: S.SUCCEEDED})
    assert world.state is State.PAUSED
    world.resume()
    assert world.rest == (State.FAILED, "max_failure_percent", "")


def test_B17_the_last_target_has_no_exception():
    """Only the very last target fails: that is a failed deployment."""
    world = ended(6, 5, batch_size=2)
    assert world.rest == (State.FAILED, "max_failures", "")
    assert world.p.whole.succeeded == 5


@pytest.mark.parametrize(
    ("bad", "state"), [(2, State.COMPLETED), (3, State.FAILED)], ids=["B18-2", "B18-3"]
)
def test_B18_failures_tolerated(bad, state):
    """With two tolerated, the third halts."""
    assert ended(9, *range(bad), max_failures=2).rest[0] is state


def test_B18_record_of_the_third():
    """The record names the first count over the limit."""
    assert ended(9, 0, 2, 4, 6, max_failures=2).halted == Halted(
        "max_failures", 3, 2, 9, (0, 2, 4)
    )


def test_require_all():
    """Tolerated failures still fail a deployment that requires all."""
    world = ended(4, 1, max_failures=2, require_all=True)
    assert world.rest == (State.FAILED, "targets_failed", "")


def test_no_budget_never_stops():
    """Without a budget every target is tried, and any failure fails it at its end."""
    world = ended(4, 0, 1, max_failures=None)
    assert (world.calls(), world.rest) == (
        [0, 1, 2, 3],
        (State.FAILED, "targets_failed", ""),
    )


def test_B19_a_retry_that_works_is_a_success():
    """A target that fails and then succeeds counts as success, with two attempts."""
    world = started(2, retries=1).report({0: S.FAILED}, places=0)
    assert world.states() == [S.PENDING, S.PENDING]
    world.finish()
    assert world.rest == (State.COMPLETED, "", "clean")
    assert world.calls() == [0, 0, 1]
    assert world.ledger.rows[FORWARD, 0].attempt == 2


def test_B19_retries_run_out():
    """The failure counts when no retry is left."""
    world = ended(2, 0, retries=2)
    assert world.calls() == [0, 0, 0]
    assert world.rest == (State.FAILED, "max_failures", "")


def test_B19_no_retry_while_stopping():
    """A failure after an abort is not tried again."""
    world = started(2, retries=5).abort().report({0: S.FAILED})
    assert world.rest == (State.FAILED, "aborted_by_user", "")
    assert world.states()[0] is S.FAILED


def test_B19_a_retry_waits_for_the_resume():
    """A pause does not eat a retry; nothing is claimed meanwhile."""
    world = started(1, retries=1).pause().report({0: S.FAILED})
    assert (world.state, world.calls()) == (State.PAUSED, [0])
    assert world.resume().finish().rest[0] is State.COMPLETED


def test_B21_nothing_succeeded():
    """Every target failed within the budget: that is no success."""
    world = ended(3, 0, 1, 2, max_failures=3)
    assert world.rest == (State.FAILED, "nothing_succeeded", "")


SPLITS: list[list[tuple[int, ...]]] = [
    [(0, 1, 2, 3)],
    [(0,), (1,), (2,), (3,)],
    [(3, 1), (0, 2)],
    [(2,), (0, 1, 3)],
]


@pytest.mark.parametrize("budget", range(5))
@pytest.mark.parametrize("percent", [None, 0, 25, 50, 100])
def test_a_halt_does_not_depend_on_grouping(budget, percent):
    """However four failures of a batch come together, the record is the same."""
    records = set()
    for split in SPLITS:
        world = started(
            8, batch_size=4, max_failures=budget, max_failure_percent=percent
        )
        for group in split:
            world.report(dict.fromkeys(group, S.FAILED))
        halt = world.p.halt
        records.add(halt and (halt.rule, halt.observed, halt.threshold, halt.sample))
    assert len(records) == 1


def test_an_earlier_batch_counts_for_the_fleet():
    """The limit that has fewer failures to go is the one that halts."""
    splits: list[list[tuple[int, ...]]] = [[(4, 5, 6)], [(4,), (5,), (6,)]]
    for split in splits:
        world = started(8, batch_size=4, max_failures=3, max_failure_percent=25)
        world.report({0: S.FAILED, 1: S.SUCCEEDED, 2: S.SUCCEEDED, 3: S.SUCCEEDED})
        for group in split:
            world.report(dict.fromkeys(group, S.FAILED))
        assert world.halted.rule == "max_failure_percent"


# -- nothing to do ------------------------------------------------------------------


def test_C2_no_op():
    """All at the version: completed at once, no call."""
    plan = RollingDeployment().plan(fleet(3), "v1")
    world = World(plan).start(places=9)
    assert (world.rest, world.calls()) == ((State.COMPLETED, "", "no_op"), [])


def test_C7_found_at_the_version():
    """A target that is there already when its turn comes is skipped, and untouched."""
    world = started(2).report({0: S.SKIPPED}).report({1: S.SUCCEEDED})
    assert world.rest == (State.COMPLETED, "", "clean")
    assert [row.position for row in world.ledger.touched()] == [1]


def test_C7_all_found_at_the_version():
    """A deployment that found everything done has done nothing."""
    world = started(2, batch_size=2).report({0: S.SKIPPED, 1: S.SKIPPED})
    assert (world.rest, world.p.claims) == ((State.COMPLETED, "", "no_op"), 0)


# -- pause, resume, abort -----------------------------------------------------------


def test_F1_pause_lets_the_open_ones_finish():
    """Two of three in flight finish, the third does not start; then it is paused."""
    world = started(3, batch_size=3, places=2).pause()
    assert world.state is State.IN_PROGRESS
    world.report({0: S.VERIFYING}).report({0: S.SUCCEEDED})
    assert world.state is State.IN_PROGRESS
    world.report({1: S.SUCCEEDED})
    assert (world.state, world.calls(), world.p.hold.by) == (
        State.PAUSED,
        [0, 1],
        "alice",
    )
    assert world.resume().finish().calls() == [0, 1, 2]


def test_resume_after_the_last_one_ends_it():
    """Paused while the last is in flight, it ends on resume, and does not run on."""
    world = started(1).pause().report({0: S.SUCCEEDED})
    assert world.state is State.PAUSED
    assert world.resume().rest == (State.COMPLETED, "", "clean")


def test_a_late_report_is_folded_not_refused():
    """What is in flight when a rule halts still reports, and is recorded."""
    world = started(6, batch_size=3).report({0: S.FAILED})
    assert (world.state, world.p.intent) == (State.IN_PROGRESS, Intent.HALT)
    world.report({1: S.SUCCEEDED}).report({2: S.FAILED})
    assert world.rest == (State.FAILED, "max_failures", "")
    assert world.p.whole.failed == 2
    assert world.halted.observed == 1


def test_a_report_after_the_rest_is_stale_or_folded():
    """After the rest a stale report is ignored, and a person's word still counts."""
    world = started(3, batch_size=2)
    world.report({0: S.UNKNOWN, 1: S.SUCCEEDED}).report({0: S.UNRESOLVED})
    world.abort()
    assert world.rest == (State.FAILED, "aborted_by_user", "")
    seq = len(world.ledger.events)
    world.report({0: S.SUCCEEDED, 1: S.FAILED})
    assert len(world.ledger.events) == seq
    world.resolve(0, S.SUCCEEDED)
    assert world.p.whole.succeeded == 2
    assert world.rest == (State.FAILED, "aborted_by_user", "")


def test_F3_no_deadline_while_paused():
    """Two hours of pause break no progress deadline; resume gives all of it again."""
    world = started(2, progress_seconds=600).pause().report({0: S.SUCCEEDED})
    world.wait(7200).resume().flush()
    assert due(world.ledger) == [WakeAt("progress", world.p.after(world.at, 600))]
    world.wait(599)
    assert world.p.rest is None
    world.wait(1)
    assert world.halted.rule == "progress_deadline"


def test_F3_deadline_counts_from_the_last_success():
    """Healthy at 100 s and nothing since: the deadline is at 700 s, not at 600."""
    world = started(3, batch_size=2, progress_seconds=600).wait(100)
    world.report({0: S.SUCCEEDED}).wait(599.9)
    assert world.p.halt is None
    world.wait(0.1)
    assert world.halted.rule == "progress_deadline"
    assert world.state is State.IN_PROGRESS
    assert world.report({1: S.SUCCEEDED}).rest == (
        State.FAILED,
        "progress_deadline",
        "",
    )


def test_F7_abort_and_roll_back_while_paused():
    """Both are possible without a resume before."""
    world = started(3).report({0: S.SUCCEEDED}).pause().report({1: S.SUCCEEDED})
    assert world.state is State.PAUSED
    assert world.abort().rest == (State.FAILED, "aborted_by_user", "")
    world = started(3).report({0: S.SUCCEEDED}).pause().report({1: S.SUCCEEDED})
    assert world.roll_back().state is State.ROLLING_BACK
    assert world.finish().rest == (State.ROLLED_BACK, "", "")


def test_F10_abort_waits_for_the_open_ones():
    """Nothing new starts; it is over when the last open one has answered."""
    world = started(4, batch_size=2).abort()
    assert (world.state, world.starts) == (State.IN_PROGRESS, 0)
    world.report({0: S.SUCCEEDED})
    assert world.p.rest is None
    assert world.report({1: S.SUCCEEDED}).rest == (State.FAILED, "aborted_by_user", "")
    assert world.calls() == [0, 1]


def test_F11_cancelled_when_nothing_was_touched():
    """Stopped before the first claim, or all given back: cancelled."""
    assert started(2, places=0).abort().rest[0] is State.CANCELLED
    world = started(2, batch_size=2).abort()
    world.report({0: S.RELEASED, 1: S.SKIPPED})
    assert world.rest == (State.CANCELLED, "aborted_by_user", "")


def test_release_is_no_attempt():
    """What is given back is pending again, and not touched."""
    world = started(2).report({0: S.RELEASED}, places=0)
    assert (world.p.claims, world.ledger.rows[FORWARD, 0].attempt) == (0, 0)
    assert world.states() == [S.PENDING, S.PENDING]
    assert world.finish().calls() == [0, 0, 1]


# -- the return ---------------------------------------------------------------------


def test_G1_only_what_was_touched_returns():
    """Of ten, four touched and one of these failed: exactly these four, in reverse."""
    world = started(10).finish(failing(3))
    assert world.calls() == [0, 1, 2, 3]
    world.roll_back().finish()
    assert world.calls(RETURN) == [3, 2, 1, 0]
    assert world.rest == (State.ROLLED_BACK, "", "")


def test_G3_the_return_is_throttled():
    """It runs as parallel as the deployment did, latest first."""
    world = started(4, batch_size=2).finish(failing(3)).roll_back().flush()
    assert (world.calls(RETURN), world.p.open) == ([3, 2], 2)


def test_G5_no_delays_on_the_way_back():
    """A return takes no time of its own."""
    world = started(4, delay_seconds=100).finish(failing(3))
    before = world.seconds
    assert world.roll_back().finish().seconds == before


def test_G6_failed_return():
    """One of four cannot be restored: rollback_failed, and nothing more by itself."""
    world = started(8).finish(failing(3)).roll_back()
    world.finish(failing(1, direction=RETURN))
    assert world.rest == (State.ROLLBACK_FAILED, "not_restored", "")
    assert world.calls(RETURN) == [3, 2, 1, 1, 0]
    assert (world.p.back.succeeded, world.p.back.failed) == (3, 1)
    assert world.wait(10_000).calls(RETURN) == [3, 2, 1, 1, 0]


def test_G6_the_return_is_tried_again():
    """Asked for again, only what is not restored is tried, with new attempts."""
    world = started(8).finish(failing(3)).roll_back()
    world.finish(failing(1, 2, direction=RETURN)).roll_back()
    assert world.state is State.ROLLING_BACK
    world.finish()
    assert world.calls(RETURN)[-2:] == [2, 1]
    assert world.rest == (State.ROLLED_BACK, "", "")


def test_G7_a_failing_return_does_not_return():
    """A return by policy that fails ends; it never rolls itself back."""
    world = started(4, on_failure="rollback")
    world.finish(lambda claim: S.FAILED)
    assert world.rest == (State.ROLLBACK_FAILED, "not_restored", "")
    assert sum(isinstance(f, RollBackAsked) for f in world.facts) == 1


@pytest.mark.parametrize("policy", ["halt", "freeze"])
def test_G11_no_return_by_policy(policy):
    """Halted by a rule, it stays as it is until a person asks."""
    world = ended(4, 1, on_failure=policy)
    assert (world.rest[0], world.calls(RETURN)) == (State.FAILED, [])


def test_rollback_by_policy():
    """The policy asks for the return when the rule halts; what is open finishes."""
    world = started(6, batch_size=3, on_failure="rollback").report({0: S.FAILED})
    assert (world.state, world.calls(RETURN)) == (State.ROLLING_BACK, [])
    world.report({1: S.SUCCEEDED, 2: S.FAILED}).finish()
    assert world.rest == (State.ROLLED_BACK, "", "")
    assert world.calls(RETURN) == [2, 1, 0]
    assert world.halted.rule == "max_failures"


def test_G10_a_target_that_was_never_changed_is_skipped():
    """Found at its old version, it counts as restored."""
    world = ended(4, 1).roll_back().flush()
    world.report({1: S.SKIPPED}).report({0: S.SUCCEEDED})
    assert world.rest == (State.ROLLED_BACK, "", "")
    assert world.p.back.skipped == 1


def test_G10_unknown_is_settled_before_the_return():
    """The return is written when nothing is open, with the unresolved ones."""
    world = started(4, batch_size=2).report({0: S.UNKNOWN, 1: S.SUCCEEDED}).roll_back()
    assert world.flush().calls(RETURN) == []
    world.report({0: S.UNRESOLVED})
    assert world.calls(RETURN) == [1, 0]
    assert world.states()[0] is S.FAILED
    assert world.finish().rest == (State.ROLLED_BACK, "", "")


def test_G14_asked_twice():
    """The second request changes nothing."""
    world = started(2).finish(failing(1)).roll_back()
    seq = len(world.ledger.events)
    assert len(world.roll_back().ledger.events) == seq
    assert world.finish().calls(RETURN) == [1, 0]


def test_roll_back_while_running():
    """Asked for in the middle: nothing new, what is open finishes, then it returns."""
    world = started(6, batch_size=3, places=2).roll_back()
    assert (world.state, world.flush().calls()) == (State.ROLLING_BACK, [0, 1])
    world.report({0: S.SUCCEEDED, 1: S.SUCCEEDED})
    assert world.calls(RETURN) == [1, 0]


def test_a_held_return():
    """A return can be paused; it stays rolling_back, claims nothing, and goes on."""
    world = started(4).finish(failing(3)).roll_back().flush().pause()
    world.report({3: S.SUCCEEDED})
    assert (world.state, world.calls(RETURN)) == (State.ROLLING_BACK, [3])
    assert world.resume().finish().rest == (State.ROLLED_BACK, "", "")


def test_roll_back_of_an_aborted_one():
    """FAILED is at rest; one return is possible."""
    world = started(3).report({0: S.SUCCEEDED}).abort().report({1: S.SUCCEEDED})
    assert world.rest[0] is State.FAILED
    assert world.roll_back().finish().rest == (State.ROLLED_BACK, "", "")
    assert world.calls(RETURN) == [1, 0]


# -- doubts -------------------------------------------------------------------------


def doubtful(**options):
    """Return a world whose first operation could not be settled."""
    world = started(4, batch_size=2, **options).report({0: S.UNKNOWN})
    assert world.p.hold is None
    return world.report({0: S.UNRESOLVED})


def test_unknown_keeps_its_slot_and_is_no_failure():
    """A question is no outcome: it holds its slot, costs room, and halts nothing."""
    world = started(4, batch_size=2).report({0: S.UNKNOWN, 1: S.SUCCEEDED})
    assert (world.p.open, world.p.whole.failed, world.starts) == (1, 0, 0)
    assert world.p.halt is None


def test_unresolved_holds_before_any_verdict():
    """It holds, and even a failure beside it is not judged before a person spoke."""
    world = doubtful()
    assert world.p.hold == Held(
        "rule",
        "1 operations have an outcome that nobody could find.",
        "unknown_outcome",
    )
    world.report({1: S.FAILED})
    assert (world.state, world.p.halt) == (State.PAUSED, None)


def test_resumed_over_it_is_failed():
    """Resume over it writes it off, and then the budget speaks."""
    world = doubtful().report({1: S.SUCCEEDED}).resume()
    assert world.states()[:2] == [S.FAILED, S.SUCCEEDED]
    assert world.rest == (State.FAILED, "max_failures", "")
    assert world.halted.positions == (0,)


def test_resumed_over_within_the_budget():
    """Written off within the budget, the deployment goes on."""
    world = doubtful(max_failures=1).report({1: S.SUCCEEDED}).resume().finish()
    assert world.rest == (State.COMPLETED, "", "completed_with_failures")


@pytest.mark.parametrize(
    ("said", "calls"), [(S.SUCCEEDED, [0, 1, 2, 3]), (S.PENDING, [0, 1, 0, 2, 3])]
)
def test_a_person_settles_it(said, calls):
    """Done is succeeded, not done is pending; it goes on after a resume."""
    world = doubtful().report({1: S.SUCCEEDED}).resolve(0, said)
    assert world.state is State.PAUSED
    world.resume().finish()
    assert (world.rest[0], world.calls()) == (State.COMPLETED, calls)


def test_abort_rests_with_unresolved_ones():
    """An abort does not wait for a person to settle them."""
    world = doubtful().report({1: S.SUCCEEDED}).abort()
    assert world.rest == (State.FAILED, "aborted_by_user", "")
    assert world.p.whole.unresolved == 1


def test_settled_as_pending_it_is_claimed_again():
    """A question that is answered with "not there" is an ordinary claim again."""
    world = started(2).report({0: S.UNKNOWN}).report({0: S.PENDING})
    assert world.calls() == [0, 0]
    assert world.ledger.rows[FORWARD, 0].attempt == 2


def test_a_return_with_a_doubt():
    """A return holds for it too, and cannot end as rolled_back over it."""
    world = started(3).finish(failing(1)).roll_back().flush()
    world.report({1: S.UNKNOWN}).report({1: S.UNRESOLVED})
    assert (world.state, world.p.hold.rule) == (State.ROLLING_BACK, "unknown_outcome")
    world.resume().finish()
    assert world.rest == (State.ROLLBACK_FAILED, "not_restored", "")


# -- the floor ----------------------------------------------------------------------


def test_floor_of_nine_with_one_bad_target():
    """Nine of ten must stay: the one that broke costs no room, so the return runs."""
    world = started(10, min_healthy=9, batch_size=5, on_failure="rollback")
    world.report({0: S.FAILED})
    assert (world.p.room, world.calls(RETURN)) == (0, [0])
    assert world.report({0: S.SUCCEEDED}).rest == (State.ROLLED_BACK, "", "")


def test_starved_by_the_floor_it_halts_at_the_deadline():
    """Without room it waits until the progress deadline, then halts by rule floor."""
    world = started(10, min_healthy=9, max_failures=3).report({0: S.FAILED})
    assert (world.starts, world.p.halt) == (0, None)
    world.wait(599)
    assert world.p.halt is None
    world.wait(1)
    assert world.halted == Halted("floor", 9, 9, 10, (0,))
    assert world.rest == (State.FAILED, "floor", "")


def test_an_unavailable_one_is_no_starvation():
    """If something may be claimed, it is workers that are missing, not room."""
    world = started(4, unhealthy=[0], min_healthy=3, places=0)
    world.wait(6000, places=0)
    assert world.p.halt is None


def test_a_fleet_that_waited_for_a_worker_is_not_late():
    """Hours without any worker halt nothing; the deadline counts from the claim."""
    world = started(2, places=0).wait(7200, places=0).flush()
    assert world.p.halt is None
    assert world.wait(599).p.halt is None
    assert world.wait(1).halted.rule == "progress_deadline"


def starved_return():
    """Return a world whose return has no room: one is bad, the other must wait."""
    world = started(3, min_healthy=2, max_failures=0)
    world.report({0: S.SUCCEEDED}).report({1: S.FAILED}).roll_back().flush()
    return world.report({1: S.FAILED}).report({1: S.FAILED})


def test_a_starved_return_takes_a_hold():
    """A return never halts: without room it asks a person, at the deadline."""
    world = starved_return()
    assert (world.calls(RETURN), world.p.hold) == ([1, 1], None)
    world.wait(600)
    assert (world.state, world.p.hold.rule) == (State.ROLLING_BACK, "floor")
    world.resume()
    assert due(world.ledger) == [WakeAt("progress", world.p.after(world.at, 600))]


@pytest.mark.parametrize("places", [0, 9])
def test_a_slow_return_goes_on(places):
    """Past its deadline a return is neither halted, nor held, nor asked for ever."""
    world = started(3, batch_size=3).finish(failing(2)).roll_back()
    world.flush(places=places)
    world.wait(5000, places=places)
    assert world.p.hold is None
    assert world.finish().rest == (State.ROLLED_BACK, "", "")


def test_a_slow_return_that_made_progress_is_not_overdue():
    """Each restored target winds the deadline up again."""
    world = started(3).finish(failing(2)).roll_back().flush().wait(700)
    world.report({2: S.SUCCEEDED})
    assert (world.p.overdue, world.p.hold, world.calls(RETURN)) == (False, None, [2, 1])


# -- crashes ------------------------------------------------------------------------


def test_J5_the_delay_is_not_begun_again():
    """20 s into a delay of 60, a restart leaves 40."""
    world = started(2, delay_seconds=60).report({0: S.SUCCEEDED})
    world.wait(20)
    assert due(world.ledger) == [WakeAt("delay", world.p.after(world.at, 40))]
    assert world.wait(39.9).calls() == [0]
    assert world.wait(0.1).calls() == [0, 1]


def test_J6_the_verdict_is_what_the_rows_say():
    """The same rows give the same verdict, wherever a crash lay between."""
    one = started(4, batch_size=2).report({0: S.SUCCEEDED, 1: S.FAILED})
    two = started(4, batch_size=2).report({0: S.SUCCEEDED}).report({1: S.FAILED})
    assert one.p.halt == two.p.halt
    assert one.p.rest == two.p.rest


def test_J7_the_return_starts_once():
    """However often it is flushed after the halt, one return is written."""
    world = started(3, on_failure="rollback").report({0: S.FAILED}, places=0)
    for _ in range(3):
        world.flush(places=0)
    assert world.finish().calls(RETURN) == [0]


def test_J8_a_crash_in_the_return():
    """A lost worker's restore is settled, and only the others go on."""
    world = started(4, batch_size=2).finish(failing(3)).roll_back().flush()
    lost = world.ledger.in_state(RETURN, S.RUNNING)
    world.held = world.ledger.take_over(lost, world.at)
    world.check()
    assert world.states(RETURN)[2:] == [S.UNKNOWN, S.UNKNOWN]
    world.report({3: S.SUCCEEDED, 2: S.PENDING})
    world.finish()
    assert world.calls(RETURN) == [3, 2, 2, 1, 0]
    assert world.rest == (State.ROLLED_BACK, "", "")


def test_stale_reports_are_ignored():
    """A report with an old claim number, a doubled or a late one, changes nothing."""
    world = started(2, retries=1)
    first = list(world.held)
    world.report({0: S.FAILED})
    assert world.calls() == [0, 0]
    seq, second = len(world.ledger.events), list(world.held)
    world.held = first
    world.report({0: S.SUCCEEDED})
    assert len(world.ledger.events) == seq
    world.held = [*second, *second]
    world.report({0: S.SUCCEEDED})
    assert world.p.whole.succeeded == 1


# -- order does not matter ----------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_the_order_of_reports_does_not_matter(order):
    """Whatever order a batch answers in, the tallies and the end are the same."""
    world = started(6, batch_size=3, max_failures=1)
    for position in order:
        world.report({position: S.FAILED if position == 1 else S.SUCCEEDED})
    world.finish()
    assert world.rest == (State.COMPLETED, "", "completed_with_failures")
    moved = [f for f in world.facts if isinstance(f, OperationsMoved)]
    assert {f.where for f in moved} == {"batch"}


def test_a_retry_touches_no_further_target():
    """What a return would take back is counted by targets, not by attempts."""
    world = started(3, retries=2, max_failures=3)
    world.report({0: S.FAILED}).report({0: S.FAILED})
    assert (world.p.claims, world.p.touched) == (3, 1)
