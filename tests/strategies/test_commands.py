"""Every command in every state: granted, already so, or refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from strategies.commands import decide
from strategies.errors import CommandRefused
from strategies.messages import (
    Abort,
    AbortAsked,
    Held,
    Pause,
    Resume,
    Resumed,
    RollBack,
    RollBackAsked,
)
from strategies.states import AT_REST, LIVE, State
from tests.strategies.worlds import RETURN, T0, S, World, plan_of


def untouched():
    return World(plan_of(4)).start()


def running():
    return World(plan_of(4)).start(places=1)


def pausing():
    return running().pause()


def paused():
    return running().pause().report({0: S.SUCCEEDED})


def doubtful():
    return running().report({0: S.UNKNOWN}).report({0: S.UNRESOLVED})


def aborting():
    return running().abort()


def halting():
    return World(plan_of(4, batch_size=2)).start(places=2).report({0: S.FAILED})


def failed():
    return running().report({0: S.FAILED})


def completed():
    return running().finish()


def cancelled():
    return untouched().abort()


def waiting_to_return():
    return running().roll_back()


def returning():
    return failed().roll_back().flush()


def held_return():
    return returning().pause()


def rolled_back():
    return returning().finish()


def rollback_failed():
    bad = {RETURN: S.FAILED}
    return returning().finish(lambda claim: bad.get(claim.direction, S.SUCCEEDED))


# What pause, resume, abort and roll back give: a fact, None for "it is so already",
# or the code of the refusal.
HOLD, GO, STOP, BACK = Held, Resumed, AbortAsked, RollBackAsked
TABLE = {
    untouched: (HOLD, None, STOP, "nothing_touched"),
    running: (HOLD, None, STOP, BACK),
    pausing: (None, GO, STOP, BACK),
    paused: (None, GO, STOP, BACK),
    doubtful: (None, GO, STOP, BACK),
    aborting: ("stopping", None, None, BACK),
    halting: ("stopping", None, None, BACK),
    failed: ("at_rest", "at_rest", "at_rest", BACK),
    completed: ("at_rest", "at_rest", "at_rest", "at_rest"),
    cancelled: ("at_rest", "at_rest", "at_rest", "at_rest"),
    waiting_to_return: (HOLD, None, "returning", None),
    returning: (HOLD, None, "returning", None),
    held_return: (None, GO, "returning", BACK),
    rolled_back: ("at_rest", "at_rest", "at_rest", "at_rest"),
    rollback_failed: ("at_rest", "at_rest", "at_rest", BACK),
}
COMMANDS = (Pause, Resume, Abort, RollBack)
PAIRS = [
    pytest.param(made, command, expected, id=f"{made.__name__}-{command.__name__}")
    for made, row in TABLE.items()
    for command, expected in zip(COMMANDS, row, strict=True)
]


@pytest.mark.parametrize(("made", "command", "expected"), PAIRS)
def test_every_command_in_every_state(made, command, expected):
    """A command is granted with one fact, is so already, or is refused by its code."""
    world = made()
    was = world.p
    if isinstance(expected, str):
        with pytest.raises(CommandRefused) as refused:
            world.ask(command("bob", "because"))
        assert (refused.value.code, world.p) == (expected, was)
        assert str(refused.value).endswith(".")
        return
    facts: tuple[Any, ...] = decide(was, command("bob", "because"), T0)
    assert [type(fact) for fact in facts] == ([expected] if expected else [])
    assert all((fact.by, fact.reason) == ("bob", "because") for fact in facts)
    world.ask(command("bob", "because"))
    assert (world.p == was) is (not facts)


def test_the_table_knows_every_state():
    """No state of a started deployment is missing from the table above."""
    seen = {made().state for made in TABLE}
    assert seen == (LIVE | AT_REST) - {State.SUPERSEDED}


def test_F5_the_first_pause_counts():
    """A second pause, by whomever, is granted without a fact: the first actor stays."""
    world = paused()
    assert world.pause("bob").p.hold.by == "alice"


def test_F9_nothing_is_touched_by_a_refused_abort():
    """An abort of what is over is refused, and no target is claimed for it."""
    world = completed()
    calls = list(world.claimed)
    with pytest.raises(CommandRefused, match=r"It is over \(completed\)"):
        world.abort()
    assert world.flush().claimed == calls


def test_a_control_key_stays_while_targets_go_on():
    """A go-type command outlives progress, but not a change of what may be asked."""
    world = World(plan_of(4, batch_size=4)).start(places=1)
    key = world.p.control_key
    assert world.report({0: S.SUCCEEDED}).p.control_key == key
    assert world.pause().p.control_key != key


def test_a_control_key_notes_the_first_touch():
    """From the first claim on a roll back is possible: that is a new button."""
    world = untouched()
    key = world.p.control_key
    assert world.flush().p.control_key != key
