"""The rules about unknown and unresolved outcomes, and about crashes."""

from __future__ import annotations

import pytest

from strategies.actions import WakeAt
from strategies.messages import Held
from strategies.states import State
from tests.strategies.stories import failing, started
from tests.strategies.worlds import FORWARD, RETURN, S, due

# -- doubts ----------------------------------------------------------------------------


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


# -- crashes ---------------------------------------------------------------------------


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
