"""The rules about pause, resume and abort, and plans with nothing to do."""

from __future__ import annotations

from strategies.actions import WakeAt
from strategies.rolling import RollingDeployment
from strategies.states import Intent, State
from tests.strategies.stories import started
from tests.strategies.worlds import FORWARD, S, World, due, fleet

# -- nothing to do ---------------------------------------------------------------------


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


# -- pause, resume, abort --------------------------------------------------------------


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


def test_D_11_deadline_counts_from_the_last_success():
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
