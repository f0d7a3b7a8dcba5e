"""Rolling: what is planned, for whom, in which order, and what is refused."""

from __future__ import annotations

import pytest

from strategies.errors import InvalidOptions
from strategies.plan import Candidate
from strategies.registry import create_strategy
from strategies.rolling import RollingDeployment
from strategies.steps import Deploy
from tests.strategies.worlds import fleet, plan_of


def batches(count, **options):
    """Return the batch sizes of a plan."""
    step = plan_of(count, **options).course.steps[0]
    assert isinstance(step, Deploy)
    spans = [step.batch(number) for number in range(len(step.starts))]
    assert [a for a, _ in spans] + [count] == [0, *(b for _, b in spans)]
    return [stop - start for start, stop in spans]


@pytest.mark.parametrize(
    ("count", "size", "sizes"),
    [
        pytest.param(20, "30%", [6, 6, 6, 2], id="A14"),
        pytest.param(3, "10%", [1, 1, 1], id="A15"),
        pytest.param(5, 2, [2, 2, 1], id="A16-count"),
        pytest.param(5, 50, [5], id="A16-more-than-all"),
        pytest.param(4, "50%", [2, 2], id="A17-half"),
        pytest.param(4, "1%", [1, 1, 1, 1], id="A17-least"),
        pytest.param(100, "29%", [29, 29, 29, 13], id="A9"),
        pytest.param(12, [1, 3, "50%"], [1, 3, 6, 2], id="growing"),
        pytest.param(12, "1, 3, 50%", [1, 3, 6, 2], id="growing-typed"),
        pytest.param(2, [1, 5], [1, 1], id="growing-cut-off"),
    ],
)
def test_batches(count, size, sizes):
    """Percentages are rounded down to at least one; a list's last size is repeated."""
    assert batches(count, batch_size=size) == sizes


@pytest.mark.parametrize(
    "size",
    [
        0,
        -1,
        "0%",
        "101%",
        2.5,
        "2.5",
        "",
        None,
        [],
        [2, 1],
        ["50%", "10%"],
        [1, 0],
        True,
        "many",
    ],
)
def test_A18_impossible_batch_sizes(size):
    """An impossible batch size is a field error when the strategy is made."""
    with pytest.raises(InvalidOptions) as refused:
        RollingDeployment(batch_size=size)
    assert refused.value.errors.keys() == {"batch_size"}


@pytest.mark.parametrize(
    ("count", "options", "floor", "parallelism"),
    [
        pytest.param(10, {"min_healthy": "85%", "batch_size": 5}, 9, 1, id="A21"),
        pytest.param(
            9, {"min_healthy": "50%", "batch_size": "50%"}, 5, 4, id="A24-half"
        ),
        pytest.param(
            2, {"max_unavailable": "1%", "batch_size": 2}, 1, 1, id="A27-at-least-1"
        ),
        pytest.param(3, {"max_unavailable": 1, "batch_size": 3}, 2, 1, id="A23-hint"),
        pytest.param(10, {"max_unavailable": "25%", "batch_size": 9}, 8, 2, id="A26"),
        pytest.param(4, {"max_unavailable": 9, "batch_size": 4}, 0, 4, id="all-of-4"),
        pytest.param(10, {"batch_size": 4}, 0, 4, id="whole-batch"),
        pytest.param(10, {"batch_size": 4, "parallelism": 2}, 0, 2, id="narrower"),
    ],
)
def test_floor_and_parallelism(count, options, floor, parallelism):
    """The floor is rounded up, and no more run at once than it leaves."""
    limits = plan_of(count, **options).course.limits
    assert (limits.floor, limits.parallelism) == (floor, parallelism)


@pytest.mark.parametrize("count", [1, 3])
def test_A23_floor_that_leaves_none(count):
    """A floor that leaves nothing to change is refused, and says what would work."""
    with pytest.raises(InvalidOptions, match="say that 1 may be unavailable"):
        plan_of(count, min_healthy="99%")


def test_A23_floor_above_the_fleet():
    """A floor of more targets than there are is refused."""
    with pytest.raises(InvalidOptions, match="only 3 targets are selected"):
        plan_of(3, min_healthy=4)


def test_A29_unhealthy_targets_come_first():
    """They are changed first, the others keep their order."""
    plan = plan_of(5, unhealthy=[3, 1])
    assert [t.id for t in plan.targets] == ["t1", "t3", "t0", "t2", "t4"]


def test_window_is_one_batch():
    """A window keeps as many open as a batch has, over the whole work set."""
    step = plan_of(10, batch_size=4, window=True).course.steps[0]
    assert isinstance(step, Deploy)
    assert (batches(10, batch_size=4, window=True), step.parallelism) == ([10], 4)


def test_C1_nothing_selected():
    """A plan for nothing is refused."""
    with pytest.raises(InvalidOptions) as refused:
        RollingDeployment().plan([], "v2")
    assert refused.value.errors.keys() == {"targets"}


def test_C2_all_there_already():
    """Targets at the version are skipped with the reason, and no step is left."""
    plan = RollingDeployment().plan(fleet(3), "v1")
    assert (plan.targets, plan.course.steps) == ((), ())
    assert [(s.id, s.why) for s in plan.skipped] == [
        (f"t{n}", "already_at_version") for n in range(3)
    ]


def test_C2_force_plans_them_all():
    """Force also changes targets that run the version already."""
    assert len(RollingDeployment(force=True).plan(fleet(3), "v1").targets) == 3


def test_C3_a_target_named_twice():
    """A target that is named twice is taken once, and the plan says so."""
    plan = RollingDeployment().plan([*fleet(2), *fleet(1)], "v2")
    assert [t.id for t in plan.targets] == ["t0", "t1"]
    assert plan.notices == ("1 targets were named twice and are taken once",)


def test_C4_each_keeps_its_own_version():
    """Each target of a mixed fleet carries the version it goes back to."""
    mixed = [Candidate("a", "v1"), Candidate("b", "v2"), Candidate("c", None)]
    plan = RollingDeployment().plan(mixed, "v2")
    assert [(t.id, t.from_version) for t in plan.targets] == [("a", "v1"), ("c", None)]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"max_failures": -1}, "max_failures"),
        ({"max_failures": "some"}, "max_failures"),
        ({"min_healthy": "-1"}, "min_healthy"),
        ({"max_unavailable": 0}, "max_unavailable"),
        ({"max_unavailable": 1, "min_healthy": 1}, "max_unavailable"),
        ({"parallelism": 0}, "parallelism"),
        ({"retries": 11}, "retries"),
        ({"retries": 1.5}, "retries"),
        ({"delay_seconds": -1}, "delay_seconds"),
        ({"apply_seconds": 0}, "apply_seconds"),
        ({"settle_seconds": "soon"}, "settle_seconds"),
        ({"progress_seconds": 300}, "progress_seconds"),
        ({"on_failure": "shrug"}, "on_failure"),
        ({"max_failure_percent": 101}, "max_failure_percent"),
        ({"health": {"interval_seconds": 0}}, "health_interval_seconds"),
        ({"health": {"beauty": 1}}, "health_beauty"),
        ({"health": "good"}, "health"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_impossible_options(options, field):
    """Each impossible option is named with a sentence."""
    with pytest.raises(InvalidOptions) as refused:
        create_strategy("rolling", **options)
    assert list(refused.value.errors) == [field]
    assert refused.value.errors[field]


@pytest.mark.parametrize(
    ("typed", "window"),
    [("yes", True), (" TRUE", True), ("no", False), ("false", False), (False, False)],
)
def test_yes_and_no_as_typed(typed, window):
    made = create_strategy("rolling", window=typed)
    assert made.written_options()["window"] is window


@pytest.mark.parametrize("typed", ["0", "1", "maybe", "", 1, None])
def test_what_is_neither_yes_nor_no(typed):
    """Any text is true to Python, "no" too: the plan would differ from its words."""
    with pytest.raises(InvalidOptions, match="window: must be yes or no"):
        create_strategy("rolling", window=typed)
    with pytest.raises(InvalidOptions, match="window: must be true or false"):
        RollingDeployment(window=typed)


def test_unknown_strategy():
    """A strategy that nobody registered is refused with the names there are."""
    with pytest.raises(InvalidOptions, match="'hope' is not one of rolling"):
        create_strategy("hope")


def test_options_as_a_form_sends_them():
    """Texts make the same plan as numbers, empty ones mean unset."""
    typed = create_strategy(
        "rolling",
        batch_size="2",
        delay_seconds="10",
        max_failures="1",
        min_healthy="50%",
        max_unavailable="",
        parallelism="",
        retries="1",
        progress_seconds="900",
        health={"interval_seconds": "2", "success_threshold": "2"},
    ).plan(fleet(6), "v2")
    given = create_strategy(
        "rolling",
        batch_size=2,
        delay_seconds=10.0,
        max_failures=1,
        min_healthy="50%",
        retries=1,
        progress_seconds=900,
        health={"interval_seconds": 2.0, "success_threshold": 2},
    ).plan(fleet(6), "v2")
    assert typed.course == given.course
