"""A canary's share of the traffic, behind HAProxy, with requests all the time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from deployctl.models import Deployment, Operation, Router
from deployctl.services import planning, routers
from strategies.errors import InvalidOptions
from tests.engine.drivers.agents import Agents
from tests.services.slotted import prepare
from tests.support import truth
from tests.support.behind import NAMES, Fleet, behind, errors
from tests.support.fleet import Log, Place, Workers, reached, rested, until
from tests.support.load import Load

__all__ = ["behind"]  # A fixture.

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]
CRASHED = 137
EVEN = dict.fromkeys(NAMES, 1)
#: One of four targets first, with a tenth of the traffic, until a person promotes it.
GATED: dict[str, Any] = {
    "stages": "25, 100",
    "stage_duration_seconds": 0,
    "traffic_shares": "10",
    "gates": True,
}


def weighed(place: Place, behind: Fleet) -> Place:
    """Return the place with a router that shares its traffic, which has been read."""
    settings = {"address": behind.haproxy.socket, "backend": "blue"}
    where = place.application, place.environment
    routers.add_router(*where, "haproxy-weights", (), settings, by=place.by)
    return place


def canary(place: Place, **options: Any) -> Deployment:
    """Start a canary once a worker has read how traffic is shared."""
    until(lambda: Router.objects.get().serving == "even", what="the router is read")
    given = {"on_failure": "rollback", **GATED, **options}
    return place.start(prepare(place, "canary", **given))


def weights(behind: Fleet) -> dict[str, int]:
    """Return the weights that HAProxy has."""
    lines = behind.haproxy.asked("show servers state blue").strip().split("\n")[1:]
    names = lines[0].removeprefix("# ").split()
    rows = [dict(zip(names, line.split(), strict=False)) for line in lines[1:]]
    return {row["srv_name"]: int(row["srv_uweight"]) for row in rows}


def ended(deployment: Deployment) -> tuple[str, str]:
    """Return its state, and the rule that halted it."""
    return deployment.state, (deployment.halt or {}).get("rule", "")


def share_of(answered: Counter[str], version: str) -> float:
    """Return the part of the answers that a version gave."""
    gave = sum(n for text, n in answered.items() if text.endswith(f" {version}"))
    return gave / answered.total()


def test_a_canary_gets_its_share_and_no_request_is_lost(
    behind: Fleet, workers: Workers
) -> None:
    place = weighed(behind.place(), behind)
    workers.start(2)
    with Load(behind.haproxy.port) as load:
        load.more()
        deployment = reached(canary(place), "paused", 60)
        load.more(50)
        assert share_of(load.more(600), "2.0") == pytest.approx(0.10, abs=0.03)
        assert place.press(deployment, "promote").status == "ok"
        assert rested(deployment, 60).state == "completed", errors(deployment)
        load.more(20)
        assert share_of(load.more(), "2.0") == 1.0
    assert (load.lost, load.again) == ([], 0)
    assert weights(behind) == EVEN
    truth.check(deployment.pk)


def test_the_same_without_a_share_gets_what_its_targets_get(
    behind: Fleet, workers: Workers
) -> None:
    """The control: a quarter of the targets is a quarter of the traffic."""
    place = weighed(behind.place(), behind)
    workers.start()
    with Load(behind.haproxy.port) as load:
        load.more()
        deployment = reached(canary(place, traffic_shares=""), "paused", 60)
        load.more(50)
        assert share_of(load.more(600), "2.0") == pytest.approx(0.25, abs=0.04)
        assert place.press(deployment, "promote").status == "ok"
        rested(deployment, 60)
    assert load.lost == []


def test_a_return_ends_with_what_the_configuration_says(
    behind: Fleet, workers: Workers
) -> None:
    """Until its targets are back, the share stays as small as it was."""
    place = weighed(behind.place(broken="three"), behind)
    workers.start()
    options = {"stages": "25, 75", "traffic_shares": "5, 30", "gates": False}
    deployment = rested(canary(place, **options), 60)
    assert ended(deployment) == ("rolled_back", "success_threshold"), errors(deployment)
    assert weights(behind) == EVEN
    back = Operation.objects.filter(deployment=deployment, direction="return")
    in_time = list(back.order_by("started_at").values_list("kind", flat=True))
    # One that was not claimed yet when it halted was not touched.
    assert in_time in (["restore"] * 2 + ["shift"], ["restore"] * 3 + ["shift"])
    truth.check(deployment.pk)


@pytest.mark.parametrize(
    "point", ["after_claim", "after_probe", "after_apply", "before_result"]
)
def test_a_crash_while_the_share_is_set(
    point: str, behind: Fleet, agents: Callable[..., Agents], workers: Workers
) -> None:
    """It is the first that is claimed; another worker reads, and goes on.

    HAProxy checks no fence, so nothing is tried again before the deadline of the first.
    """
    fleet_of = agents(4, apply_seconds=0.02)
    place = weighed(behind.place_of(fleet_of), behind)
    (crashing,) = workers.start(DEPLOYCTL_CRASH_AT=f"{point}:1")
    deployment = canary(place, gates=False, apply_seconds=4)
    assert crashing.wait(20) == CRASHED
    workers.start()
    assert rested(deployment, 40).state == "completed", errors(deployment)
    assert weights(behind) == EVEN
    assert Log(fleet_of).changes() == {(number, "2.0"): 1 for number in range(4)}
    truth.check(deployment.pk)


def test_a_balancer_that_has_forgotten_the_share_halts_it(
    behind: Fleet, workers: Workers
) -> None:
    """After a restart the canary has more than it may: it is not promoted further."""
    place = weighed(behind.place(), behind)
    workers.start()
    options = {"stages": "25, 50", "traffic_shares": "5, 30"}
    deployment = reached(canary(place, **options), "paused", 60)
    assert weights(behind) != EVEN
    behind.haproxy.restart()
    assert place.press(deployment, "promote").status == "ok"
    rested(deployment, 60)
    assert ended(deployment) == ("rolled_back", "shift_failed"), errors(deployment)
    assert "it serves even, not 5% to 1 as the plan says" in "".join(errors(deployment))
    assert weights(behind) == EVEN


def test_what_somebody_has_set_by_hand_is_not_planned_over(
    behind: Fleet, workers: Workers
) -> None:
    place = weighed(behind.place(), behind)
    behind.haproxy.asked("set server blue/two weight 7")
    workers.start()
    until(lambda: Router.objects.get().serving == "uneven", what="the router is read")
    with pytest.raises(InvalidOptions, match="traffic is not shared as"):
        prepare(place, "canary", **GATED)


def test_without_a_router_it_is_refused(behind: Fleet) -> None:
    with pytest.raises(planning.Refused, match=r"has no router in .*, so nobody can"):
        prepare(behind.place(), "canary", **GATED)
