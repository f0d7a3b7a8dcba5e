"""What a plan says of itself before anything moves."""

from __future__ import annotations

import pytest

from strategies.health import Health
from strategies.plan import Candidate
from strategies.preview import ordinal, preview
from strategies.rolling import RollingDeployment
from tests.strategies.worlds import fleet, plan_of


def test_L1_batches_and_minimum_time():
    """Three batches, two delays, and for each batch the soonest it can be healthy."""
    health = Health(initial_delay_seconds=5, min_healthy_seconds=10)
    shown = preview(plan_of(5, batch_size=2, delay_seconds=10, health=health))
    assert [(b.start, b.stop, b.size) for b in shown.batches] == [
        (0, 2, 2),
        (2, 4, 2),
        (4, 5, 1),
    ]
    assert shown.minimum_seconds == 2 * 10 + 3 * 15
    assert (shown.blast_radius, shown.blast_basis_points) == (2, 4000)


def test_L1_narrow_batches_take_rounds():
    """A batch of four with two at once takes two rounds."""
    assert preview(plan_of(4, batch_size=4, parallelism=2)).minimum_seconds == 20


def test_window_has_its_width_in_hand():
    """The blast radius of a window is its width, and it is no whole fleet."""
    shown = preview(plan_of(10, batch_size=3, window=True))
    assert (shown.blast_radius, shown.warnings) == (3, ())


@pytest.mark.parametrize(
    ("tolerated", "sentence"),
    [
        (0, "The 1st failure in the fleet halts."),
        (2, "The 3rd failure in the fleet halts."),
        (None, "No number of failures in the fleet halts; any fails it at its end."),
    ],
)
def test_D3_tolerance_is_said_in_words(tolerated, sentence):
    """Nobody has to know whether the limit is reached or exceeded."""
    assert preview(plan_of(5, max_failures=tolerated)).tolerances == (sentence,)


@pytest.mark.parametrize(("percent", "first"), [(30, "4th"), (100, "10th"), (0, "1st")])
def test_B5_tolerance_of_a_batch(percent, first):
    """The preview also says that a batch that fails as a whole halts."""
    shown = preview(plan_of(20, batch_size=10, max_failure_percent=percent))
    assert shown.batches[0].tolerance == f"the {first} failure of its 10 targets halts"
    assert "A batch that fails as a whole halts" in shown.tolerances[1]


@pytest.mark.parametrize(
    ("options", "warning"),
    [
        ({"batch_size": "100%"}, "The first batch is the whole work set"),
        ({"batch_size": 4, "min_healthy": 4}, "Only 1 of a batch of 4 may be open"),
        ({"max_failures": None}, "It goes on through the whole fleet"),
        ({"max_failures": 5}, "The budget tolerates the failure of every target"),
    ],
)
def test_warnings(options, warning):
    """What a careful person would ask about is said, and nothing else."""
    shown = preview(plan_of(5, **options)).warnings
    assert len(shown) == 1
    assert shown[0].startswith(warning)


def test_targets_of_no_known_version():
    """A target that nobody knows the version of is warned about."""
    plan = RollingDeployment().plan([Candidate("a", None), *fleet(2)], "v2")
    assert preview(plan).warnings[0].startswith("1 target with no known version")


def test_skipped_and_retried():
    """Skipped targets are grouped by reason; retries are counted as attempts."""
    plan = RollingDeployment(retries=1).plan([*fleet(2), Candidate("x", "v2")], "v2")
    assert preview(plan).skipped == {"already_at_version": ("x",)}
    assert preview(plan).tolerances[-1] == "A target counts as failed after 2 attempts."


def test_no_op():
    """A plan without work has no batch and takes no time."""
    shown = preview(RollingDeployment().plan(fleet(3), "v1"))
    assert (shown.batches, shown.minimum_seconds, shown.blast_radius) == ((), 0, 0)


def test_ordinals():
    """English counts oddly."""
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th")
    ]
