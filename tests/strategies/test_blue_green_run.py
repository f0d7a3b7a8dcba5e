"""Blue-green, as life stories: the switch, its failures, and the way back."""

from __future__ import annotations

import pytest

from strategies.messages import Halted
from strategies.states import Kind, State
from tests.strategies.plans import plain_switch_of, switch_of
from tests.strategies.worlds import RETURN, S, World, check_replay


def ready(idle=2, standby=2, **options):
    """Return a world whose idle slot has been changed, all of it healthy."""
    world = World(switch_of(idle, standby, **options)).start().flush()
    while world.held and world.held[0].kind is not Kind.SHIFT:
        world.report({c.position: S.SUCCEEDED for c in world.held})
    return world


def switched(**options):
    """Return a world in which traffic was led over, and which bakes."""
    return ready(bake_seconds=600, **options).report({2: S.SUCCEEDED})


def kinds(world):
    """Return what is in hand."""
    return [claim.kind for claim in world.held]


def test_all_go_well():
    """The slot is changed, all of it, and then traffic is led over, once."""
    world = World(switch_of(3, 2)).start().flush()
    assert world.calls() == [0, 1, 2]
    world.report({0: S.SUCCEEDED, 1: S.SUCCEEDED})
    assert world.calls() == [0, 1, 2]
    world.report({2: S.SUCCEEDED})
    assert (world.calls(), kinds(world)) == ([0, 1, 2, 3], [Kind.SHIFT])
    assert world.finish().rest == (State.COMPLETED, "", "clean")
    check_replay(world.ledger)


def test_the_rest_of_the_slot_is_looked_at():
    """What is there already is verified before the switch, and is not touched."""
    world = World(switch_of(2, 2, done=1)).start().flush().report({0: S.SUCCEEDED})
    assert (world.calls(), kinds(world)) == ([0, 1], [Kind.VERIFY])
    world.report({1: S.SUCCEEDED})
    assert kinds(world) == [Kind.SHIFT]
    assert [row.position for row in world.ledger.touched()] == [0, 2]


def test_a_bad_look_stops_the_switch():
    """One that runs the version and is not healthy keeps traffic where it is."""
    world = World(switch_of(2, 2, done=2)).start().flush()
    world.report({0: S.SUCCEEDED, 1: S.FAILED})
    assert (world.rest[1], world.calls()) == ("max_failures", [0, 1])
    assert world.p.claims == 0


@pytest.mark.parametrize("made", [lambda: switch_of(3, 3), lambda: plain_switch_of(3)])
def test_H1_one_of_three_fails(made):
    """The switch is called 0 times, and blue serves."""
    world = World(made()).start().flush()
    world.report({0: S.SUCCEEDED, 1: S.FAILED, 2: S.SUCCEEDED})
    assert (world.calls(), world.rest[:2]) == (
        [0, 1, 2],
        (State.FAILED, "max_failures"),
    )


@pytest.mark.parametrize(
    ("options", "bad", "rule"),
    [
        ({"max_failures": None}, 1, "targets_failed"),
        ({"max_failures": None}, 3, "nothing_succeeded"),
        ({"max_failures": 3}, 3, "nothing_succeeded"),
        ({"max_failures": 2, "require_all": True}, 1, "targets_failed"),
        ({"max_failures": 1}, 1, None),
    ],
)
def test_H1_no_switch_to_what_would_fail(options, bad, rule):
    """Traffic is led only to a slot that would count as a success at the end."""
    world = World(switch_of(3, 3, **options)).start().flush()
    world.report({n: S.FAILED if n < bad else S.SUCCEEDED for n in range(3)})
    if rule is None:
        assert kinds(world) == [Kind.SHIFT]
        world.finish()
        assert world.rest == (State.COMPLETED, "", "completed_with_failures")
        return
    assert (world.calls(), world.rest) == ([0, 1, 2], (State.FAILED, rule, ""))
    assert world.halted.observed == world.halted.threshold + 1
    assert len(world.halted.positions) == world.halted.observed


def test_H2_the_switch_is_asked_for():
    """Without auto_promote it waits, shown as paused, and switches on promote."""
    world = ready(auto_promote=False)
    assert (world.state, world.calls()) == (State.PAUSED, [0, 1])
    assert world.wait(10_000).calls() == [0, 1]
    assert world.promote().flush().calls() == [0, 1, 2]
    assert world.finish().rest[0] is State.COMPLETED


def test_H3_the_switch_by_itself():
    """After 30 s at the gate, to the second, it switches by itself."""
    world = ready(auto_promote=False, auto_promote_seconds=30).wait(29)
    assert world.calls() == [0, 1]
    assert world.wait(1).calls() == [0, 1, 2]


def test_H4_a_switch_that_did_not_happen():
    """It fails; what was changed stays, and nothing else is tried."""
    world = ready().report({2: S.FAILED})
    assert world.rest == (State.FAILED, "shift_failed", "")
    assert world.halted == Halted("shift_failed", 1, 0, 1, (2,))
    assert world.states() == [S.SUCCEEDED, S.SUCCEEDED, S.FAILED]


def test_H4_the_return_after_it_only_asks_the_router():
    """Rolled back, the router is found serving blue, and nothing is redeployed."""
    world = ready().report({2: S.FAILED}).roll_back().flush()
    assert kinds(world) == [Kind.SHIFT]
    world.report({2: S.SKIPPED})
    assert (world.rest[0], world.calls(RETURN)) == (State.ROLLED_BACK, [2])


def test_a_switch_is_tried_again():
    """Retries hold for a switch too, one at a time."""
    world = ready(retries=1).report({2: S.FAILED})
    assert world.calls() == [0, 1, 2, 2]
    assert world.finish().rest == (State.COMPLETED, "", "clean")


def test_H10_a_crash_within_the_switch():
    """It is unknown until the router is read back; it is not sent again blindly."""
    world = ready()
    world.held = world.ledger.take_over(
        [world.ledger.rows[world.held[0].direction, 2]], world.at
    )
    world.check()
    assert (world.states()[2], world.flush().calls()) == (S.UNKNOWN, [0, 1, 2])
    world.report({2: S.SUCCEEDED})
    assert (world.rest[0], world.calls()) == (State.COMPLETED, [0, 1, 2])


def test_H10_a_switch_whose_outcome_nobody_finds():
    """It holds for a person; resumed over, it counts as failed."""
    world = ready().report({2: S.UNKNOWN}).report({2: S.UNRESOLVED})
    assert (world.state, world.p.hold.rule) == (State.PAUSED, "unknown_outcome")
    assert world.resume().rest == (State.FAILED, "shift_failed", "")


def test_H8_back_after_the_switch():
    """What regresses in the bake leads traffic back; no target is changed."""
    world = switched(on_failure="rollback").wait(60).watch({0: False})
    assert (world.state, world.halted.rule) == (State.ROLLING_BACK, "max_failures")
    world.flush()
    assert (world.calls(RETURN), kinds(world)) == ([2], [Kind.SHIFT])
    assert world.finish().rest == (State.ROLLED_BACK, "", "")
    assert world.p.touched == 0


def test_back_before_the_switch():
    """Nothing is led back, and the idle slot stays as it is."""
    world = ready(auto_promote=False).roll_back().flush()
    assert (world.rest, world.calls(RETURN)) == ((State.ROLLED_BACK, "", ""), [])


def test_back_before_the_switch_restoring():
    """Asked for, the idle slot is changed back too."""
    world = ready(auto_promote=False, restore_idle=True)
    assert world.p.touched == 2
    world.roll_back().finish()
    assert (world.rest[0], world.calls(RETURN)) == (State.ROLLED_BACK, [1, 0])


def test_traffic_goes_back_first():
    """Restoring changes targets only once they carry no traffic."""
    world = switched(restore_idle=True).roll_back().flush()
    assert world.calls(RETURN) == [2]
    world.report({2: S.SUCCEEDED})
    assert world.calls(RETURN) == [2, 1, 0]
    assert world.finish().rest[0] is State.ROLLED_BACK


def test_what_was_only_looked_at_is_not_touched():
    """However often it was looked at, a return takes back what was changed."""
    world = World(switch_of(3, 2, done=1, restore_idle=True, retries=2)).start()
    world.flush().report({0: S.SUCCEEDED, 1: S.SUCCEEDED})
    world.report({2: S.FAILED}).report({2: S.FAILED})
    assert (world.p.touched, world.calls()) == (2, [0, 1, 2, 2, 2])


def test_a_switch_alone_touches_no_target():
    """With nothing to change, only the router is taken back."""
    world = ready(done=2, restore_idle=True).report({2: S.SUCCEEDED})
    assert (world.p.claims, world.p.touched) == (1, 0)


@pytest.mark.parametrize(("healthy", "least"), [(0, 0), (1, 2)])
def test_G15_H12_no_traffic_to_a_slot_that_cannot_carry_it(healthy, least):
    """Both sides are bad: nothing is switched, and it ends for a person to see."""
    world = switched(on_failure="rollback", min_healthy=least).standby(healthy)
    world.watch({0: False}).flush()
    assert world.rest == (State.ROLLBACK_FAILED, "standby_unhealthy", "")
    assert world.calls(RETURN) == []


def test_G15_tried_again_once_the_standby_is_well():
    """A return that was refused can be tried again, and asks anew."""
    world = switched().standby(0).roll_back().flush()
    assert world.rest[1] == "standby_unhealthy"
    world.roll_back().flush()
    assert (world.rest[1], world.calls(RETURN)) == ("standby_unhealthy", [])
    world.standby(1).roll_back().finish()
    assert (world.rest[0], world.calls(RETURN)) == (State.ROLLED_BACK, [2])


def test_G15_the_standby_is_asked_when_traffic_goes():
    """What it has lost since the return was planned counts too."""
    world = switched().roll_back().pause().standby(0).wait(3600).resume().flush()
    assert world.rest[:2] == (State.ROLLBACK_FAILED, "standby_unhealthy")


def test_G6_traffic_that_does_not_go_back():
    """The switch back fails twice: no target is changed, and it is no success."""
    world = switched(restore_idle=True).roll_back().flush()
    world.report({2: S.FAILED}).report({2: S.FAILED})
    assert world.rest == (State.ROLLBACK_FAILED, "not_shifted_back", "")
    assert world.calls(RETURN) == [2, 2]
    assert world.roll_back().finish().rest[0] is State.ROLLED_BACK


def test_abort_within_the_switch():
    """It ends when the router has answered; nothing is led back by itself."""
    world = ready().abort()
    assert world.p.rest is None
    world.report({2: S.SUCCEEDED})
    assert world.rest[:2] == (State.FAILED, "aborted_by_user")
    assert world.roll_back().finish().calls(RETURN) == [2]


def test_G1_without_a_router_all_touched_return():
    """The library without slots: switched back, then each to its own version."""
    world = World(plain_switch_of(2, bake_seconds=60)).start().finish()
    assert world.rest == (State.COMPLETED, "", "clean")
    world = World(plain_switch_of(2)).start().flush()
    world.report({0: S.SUCCEEDED, 1: S.SUCCEEDED}).report({2: S.FAILED})
    assert world.roll_back().finish().calls(RETURN) == [2, 1, 0]


def test_the_serving_slot_throttles_nothing():
    """A floor of the serving slot leaves the idle one free."""
    world = World(switch_of(3, 2, min_healthy="100%")).start().flush()
    assert world.calls() == [0, 1, 2]


def test_a_broken_idle_slot_is_no_broken_floor():
    """Unhealthy idle targets are changed; the standby alone is counted."""
    world = World(switch_of(2, 2, min_healthy=1), unhealthy=[0, 1]).start(places=9)
    assert (world.p.available, world.calls()) == (2, [0, 1])
    assert world.finish().rest[0] is State.COMPLETED


def test_a_serving_slot_without_targets():
    """Nobody can say whether it may have traffic back: a person's word is taken."""
    world = World(switch_of(2, 0, bake_seconds=60)).start().flush()
    world.report({0: S.SUCCEEDED, 1: S.SUCCEEDED}).report({2: S.SUCCEEDED})
    assert world.roll_back().finish().rest[0] is State.ROLLED_BACK
