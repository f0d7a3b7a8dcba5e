"""The rules about failures: budgets, verdicts, halts, retries."""

from __future__ import annotations

import pytest

from strategies.messages import Halted
from strategies.states import State
from tests.strategies.stories import ended, failing, started
from tests.strategies.worlds import FORWARD, S


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
