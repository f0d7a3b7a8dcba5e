"""Rolling and canary updates of targets behind HAProxy, with requests all the time.

Each target is one of four applications, whose restart is rude: whoever is being
answered, or comes while it is away, gets no answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.engine.drivers.agents import Agents
from tests.services.slotted import prepare
from tests.support import truth
from tests.support.behind import ALL_UP, Fleet, behind, errors
from tests.support.fleet import Log, Workers, rested, until
from tests.support.load import Load

__all__ = ["behind"]  # A fixture.

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]
CRASHED = 137


def test_a_rolling_update_with_drain_loses_no_request(
    behind: Fleet, workers: Workers
) -> None:
    place = behind.place()
    workers.start()
    with Load(behind.haproxy.port) as load:
        assert set(load.more()) == {f"{number} 1.0" for number in range(4)}
        deployment = rested(place.deploy(batch_size=1), 60)
        assert deployment.state == "completed", errors(deployment)
        load.more(20)
        assert set(load.more()) == {f"{number} 2.0" for number in range(4)}
    assert (load.lost, load.again) == ([], 0)
    assert behind.in_traffic() == ALL_UP
    truth.check(deployment.pk)


def test_the_same_without_drain_loses_some(behind: Fleet, workers: Workers) -> None:
    """The control: the load is such that a restart in traffic is noticed."""
    place = behind.place(drain=False)
    workers.start()
    with Load(behind.haproxy.port) as load:
        load.more()
        assert load.lost == []
        deployment = rested(place.deploy(batch_size=1), 60)
        assert deployment.state == "completed", errors(deployment)
        load.more()
    assert load.lost


def test_a_canary_with_drain_loses_no_request(behind: Fleet, workers: Workers) -> None:
    place = behind.place()
    workers.start(2)
    options: dict[str, Any] = {"stages": "25, 100", "stage_duration_seconds": 0}
    with Load(behind.haproxy.port) as load:
        load.more()
        made = prepare(place, "canary", on_failure="halt", **options)
        deployment = rested(place.start(made), 60)
        assert deployment.state == "completed", errors(deployment)
        load.more()
    assert (load.lost, load.again) == ([], 0)
    assert behind.in_traffic() == ALL_UP


def test_a_target_that_failed_stays_out_until_a_return_leads_it_back(
    behind: Fleet, workers: Workers
) -> None:
    place = behind.place(broken="two")
    workers.start()
    deployment = rested(place.deploy(batch_size=1), 60)
    assert deployment.state == "failed", errors(deployment)
    assert behind.in_traffic() == {**ALL_UP, "two": "DRAIN"}
    assert place.press(deployment, "roll_back").status == "ok"
    assert rested(deployment, 60).state == "rolled_back", errors(deployment)
    assert behind.in_traffic() == ALL_UP


@pytest.mark.parametrize("point", ["after_drain", "after_apply", "before_result"])
def test_a_target_whose_worker_died_is_led_back(
    point: str, behind: Fleet, agents: Callable[..., Agents], workers: Workers
) -> None:
    """The claim was committed before it was taken out: somebody settles it."""
    fleet_of = agents(4, apply_seconds=0.02)
    place = behind.place_of(fleet_of)
    (crashing,) = workers.start(DEPLOYCTL_CRASH_AT=f"{point}:2")
    deployment = place.deploy(batch_size=1)
    assert crashing.wait(20) == CRASHED
    if point != "before_result":
        assert behind.in_traffic() == {**ALL_UP, "two": "DRAIN"}
    workers.start()
    assert rested(deployment, 40).state == "completed", errors(deployment)
    assert behind.in_traffic() == ALL_UP
    assert Log(fleet_of).changes() == {(number, "2.0"): 1 for number in range(4)}
    truth.check(deployment.pk)


def test_a_target_whose_worker_died_is_led_back_though_nobody_goes_on(
    behind: Fleet, agents: Callable[..., Agents], workers: Workers
) -> None:
    """Aborted meanwhile: it is not changed any more, and not left out either."""
    fleet_of = agents(4, apply_seconds=0.02)
    place = behind.place_of(fleet_of)
    (crashing,) = workers.start(DEPLOYCTL_CRASH_AT="after_drain:2")
    deployment = place.deploy(batch_size=1)
    assert crashing.wait(20) == CRASHED
    assert place.press(deployment, "abort").status == "ok"
    workers.start()
    rested(deployment, 40)
    assert (deployment.state, deployment.reason) == ("failed", "aborted_by_user")
    until(lambda: behind.in_traffic() == ALL_UP)
    assert Log(fleet_of).changes() == {(0, "2.0"): 1}
