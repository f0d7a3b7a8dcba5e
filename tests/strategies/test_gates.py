"""Gates and waits: who may go on, when time decides, and what a pause does to them."""

from __future__ import annotations

import pytest

from strategies.actions import WakeAt
from strategies.errors import CommandRefused
from strategies.messages import (
    GateDecided,
    Halted,
    Promote,
    PromotedFully,
    WaitCut,
)
from strategies.states import State
from tests.strategies.plans import canary_of, switch_of
from tests.strategies.worlds import S, World, check_replay, due


def asked(**options):
    """Return a canary of four, a quarter of it done, that waits at its gate."""
    plan = canary_of(4, **{"stages": [25, 50, 100], "gates": True, **options})
    return World(plan).start(places=9).report({0: S.SUCCEEDED})


def baking(seconds=600, **options):
    """Return a canary of four, a quarter of it done, in its bake."""
    options = {"stages": [25, 100], "stage_duration_seconds": seconds, **options}
    return World(canary_of(4, **options)).start(places=9).report({0: S.SUCCEEDED})


# -- gates ----------------------------------------------------------------------------


def test_E2_a_gate_asks_and_is_no_hold():
    """At a gate it shows as paused, claims nothing, and nobody holds it."""
    world = asked().wait(10_000)
    assert (world.state, world.p.hold, world.calls()) == (State.PAUSED, None, [0])
    assert due(world.ledger) == []


def test_E2_promote_goes_on_by_one_gate():
    """Promote is recorded with who and why, and opens the next stage alone."""
    world = asked().promote().flush()
    decided = GateDecided(1, "alice", "it looks good")
    assert (world.facts.count(decided), world.calls()) == (1, [0, 1])
    world.report({1: S.SUCCEEDED}, places=9)
    assert (world.state, world.calls()) == (State.PAUSED, [0, 1])
    world.promote().finish()
    assert world.rest == (State.COMPLETED, "", "clean")
    check_replay(world.ledger)


def test_E2_abort_at_a_gate():
    """Nothing more starts, and what was done stays."""
    world = asked().abort()
    assert (world.rest[:2], world.calls()) == ((State.FAILED, "aborted_by_user"), [0])


def test_E2_roll_back_at_a_gate():
    """It returns without asking anybody."""
    assert asked().roll_back().finish().rest == (State.ROLLED_BACK, "", "")


def test_E2_resume_at_a_gate_is_no_promotion():
    """Nobody holds it, so there is nothing to resume; the refusal says what to do."""
    with pytest.raises(CommandRefused, match="Promote it to go on") as refused:
        asked().resume()
    assert refused.value.code == "at_gate"


def test_F7_a_gate_can_be_held():
    """Paused at a gate, promoting needs a resume first."""
    world = asked().pause()
    with pytest.raises(CommandRefused) as refused:
        world.promote()
    assert refused.value.code == "held"
    assert world.resume().promote().flush().calls() == [0, 1]


def test_E23_a_gate_that_times_out_halts():
    """After its limit, to the second, it halts and does not go on."""
    world = asked(gate_limit_seconds=100).wait(99)
    assert (world.state, world.p.halt) == (State.PAUSED, None)
    world.wait(1)
    assert world.rest == (State.FAILED, "gate_limit", "")
    assert world.halted == Halted("gate_limit", 100, 100, 1)
    assert world.calls() == [0]


def test_E23_a_halt_at_a_gate_follows_the_policy():
    """With on_failure=rollback it returns what was touched."""
    world = asked(gate_limit_seconds=100, on_failure="rollback").wait(100).finish()
    assert world.rest == (State.ROLLED_BACK, "", "")


def test_E23_a_held_gate_has_its_whole_limit_again():
    """Nobody can go on while it is held, so resuming does not halt it."""
    world = asked(gate_limit_seconds=100).wait(60).pause().wait(7200).resume()
    assert world.p.halt is None
    assert due(world.ledger) == [WakeAt("gate", world.p.after(world.at, 100))]
    assert world.wait(99).p.halt is None
    assert world.wait(1).halted.rule == "gate_limit"


def test_E23_a_held_switch_does_not_go_by_itself():
    """Held past its time, a promotion by itself waits its time again."""
    plan = switch_of(1, 1, auto_promote=False, auto_promote_seconds=30)
    world = World(plan).start(places=9).report({0: S.SUCCEEDED})
    world.pause().wait(3600).resume().flush()
    assert world.calls() == [0]
    assert world.wait(30).calls() == [0, 1]


def test_J5_a_gate_keeps_its_time_over_a_restart():
    """60 s into a limit of 100, a restart leaves 40."""
    world = asked(gate_limit_seconds=100).wait(60).restart().wait(39)
    assert world.p.halt is None
    assert world.wait(1).halted.rule == "gate_limit"


def test_F4_a_gate_survives_a_restart():
    """What waits for a person waits at the same place."""
    world = asked().restart()
    assert (world.state, world.p.step) == (State.PAUSED, 1)
    assert world.promote().flush().calls() == [0, 1]


def test_promote_where_nothing_waits():
    """At work there is nothing to promote, and the refusal says so."""
    world = World(canary_of(4, gates=True)).start(places=9)
    with pytest.raises(CommandRefused) as refused:
        world.promote()
    assert refused.value.code == "no_gate"


def test_F15_a_second_promotion_does_not_pass_the_next_gate():
    """Promoting twice in a hurry passes one gate: the second finds work, not a gate."""
    world = asked().promote()
    with pytest.raises(CommandRefused):
        world.promote()


# -- bakes --------------------------------------------------------------------------


def test_E20_promote_cuts_a_bake():
    """The next stage starts, and the record says that it was cut by 3 minutes."""
    world = baking().wait(420).promote().flush()
    assert WaitCut(1, "alice", "it looks good", 180) in world.facts
    assert world.calls() == [0, 1, 2, 3]
    assert world.finish().rest[0] is State.COMPLETED


def test_a_bake_takes_its_time():
    """The next stage starts when it is over, to the second."""
    world = baking().wait(599)
    assert (world.state, world.calls()) == (State.IN_PROGRESS, [0])
    assert world.wait(1).calls() == [0, 1, 2, 3]


def test_J5_a_bake_is_not_begun_again():
    """200 s into a bake of 600, a restart leaves 400."""
    world = baking().wait(200).restart()
    assert due(world.ledger) == [WakeAt("step", world.p.after(world.at, 400))]
    assert world.wait(400).calls() == [0, 1, 2, 3]


def test_D7_a_bake_goes_on_while_it_is_paused():
    """Targets are watched meanwhile, so its clock runs; nothing is claimed."""
    world = baking().wait(300).pause().wait(400)
    assert (world.state, world.calls()) == (State.PAUSED, [0])
    assert world.resume().flush().calls() == [0, 1, 2, 3]


def test_F3_no_deadline_in_a_bake_or_at_a_gate():
    """Waiting is no lack of progress: the deadline begins with the next stage."""
    world = baking(3600, progress_seconds=600).wait(3600)
    assert world.p.halt is None
    assert world.wait(599).p.halt is None
    assert world.wait(1).halted.rule == "progress_deadline"


# -- promoting fully ----------------------------------------------------------------


def test_promote_fully_asks_no_more():
    """Every gate and bake that is left is passed, each with its own record."""
    world = asked(stage_duration_seconds=600).promote_fully().finish()
    assert world.rest == (State.COMPLETED, "", "clean")
    assert world.seconds == 0
    passed = [f for f in world.facts if isinstance(f, GateDecided | WaitCut)]
    assert {(f.by, f.rule) for f in passed} == {("rule", "promoted_fully")}
    assert len(passed) == 4
    assert PromotedFully("alice", "it looks good") in world.facts


def test_promote_fully_keeps_the_verdicts():
    """A later stage that fails still halts: batches and verdicts were approved."""
    world = asked().promote_fully().flush().report({1: S.FAILED})
    assert world.rest == (State.FAILED, "success_threshold", "")


def test_promote_fully_while_it_works():
    """It may be asked before the first gate is reached; once is enough."""
    world = World(canary_of(4, gates=True)).start(places=9).promote_fully()
    count = len(world.ledger.events)
    assert len(world.promote_fully().ledger.events) == count
    assert world.finish().rest[0] is State.COMPLETED


def test_promote_fully_with_nothing_left():
    """After the last gate there is nothing to skip."""
    world = asked().promote().flush().report({1: S.SUCCEEDED}).promote().flush()
    with pytest.raises(CommandRefused) as refused:
        world.promote_fully()
    assert refused.value.code == "no_gate"


@pytest.mark.parametrize("end", ["abort", "roll_back"])
def test_E22_promote_fully_on_what_is_stopped(end):
    """What is stopping, going back or over cannot be promoted."""
    world = getattr(World(canary_of(4, gates=True)).start(places=9), end)()
    for command in (world.promote, world.promote_fully):
        with pytest.raises(CommandRefused) as refused:
            command()
        assert refused.value.code == "stopping"
    world.report({0: S.SUCCEEDED}).finish()
    with pytest.raises(CommandRefused) as refused:
        world.ask(Promote("bob"))
    assert refused.value.code == "at_rest"
