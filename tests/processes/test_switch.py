"""A switch whose worker dies at every named point, and routers that do not obey."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployctl.models import Deployment, Router
from deployctl.services import fleet, routers
from tests.engine.drivers.agents import Agents
from tests.services.slotted import SLOTS, prepare
from tests.support import truth
from tests.support.fleet import (
    Log,
    Place,
    Workers,
    agent_targets,
    person,
    rested,
    until,
)

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]
#: The second operation of each such deployment is its switch.
POINTS = ["after_claim", "after_probe", "after_apply", "before_result"]
CRASHED = 137


def routed(fleet_of: Agents, folder: Path, **more: Any) -> tuple[Place, Path]:
    """Return two agents in two slots behind a router that is a file; blue serves."""
    targets = [
        fleet.NewTarget(**{**new.__dict__, "slot": slot})
        for new, slot in zip(agent_targets(fleet_of, range(2)), SLOTS, strict=True)
    ]
    place, file = Place(targets), folder / "router.json"
    where = place.application, place.environment
    settings = {"file": str(file), "serving": "blue", **more}
    routers.add_router(*where, "simulated", SLOTS, settings, by=person())
    Router.objects.update(serving="blue", observed_at="2026-01-01T00:00:00Z")
    return place, file


def switch(place: Place, **options: Any) -> Deployment:
    """Start a deployment that switches without asking."""
    given = {"auto_promote": True, **options}
    return place.start(prepare(place, "blue_green", **given))


def serves(file: Path) -> str:
    """Return the slot that the router itself says."""
    return str(json.loads(file.read_text())["serving"])


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_around_the_switch(
    point: str, agents: Callable[..., Agents], workers: Workers, tmp_path: Path
) -> None:
    """H10, J2: it is read back and settled; the router was switched exactly once."""
    place, file = routed(agents(2, apply_seconds=0.02), tmp_path)
    (crashing,) = workers.start(DEPLOYCTL_CRASH_AT=f"{point}:2")
    deployment = switch(place)
    assert crashing.wait(10) == CRASHED
    workers.start(2)
    assert rested(deployment).state == "completed", workers.said()
    log = json.loads(file.read_text())["log"]
    assert [(entry["from"], entry["to"]) for entry in log] == [("blue", "green")]
    assert serves(file) == "green"
    assert Router.objects.get().retained_slot == "blue"
    truth.check(deployment.pk)


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_around_the_switch_back(
    point: str, agents: Callable[..., Agents], workers: Workers, tmp_path: Path
) -> None:
    """J2 on the way back: traffic returns once, and no target is changed for it."""
    fleet_of = agents(2, apply_seconds=0.02)
    place, file = routed(fleet_of, tmp_path)
    # The target, the switch, and then the switch back.
    (crashing,) = workers.start(DEPLOYCTL_CRASH_AT=f"{point}:3")
    deployment = switch(place, bake_seconds=600)
    until(lambda: Router.objects.get().retained_slot == "blue")
    assert place.press(deployment, "roll_back").status == "ok"
    assert crashing.wait(10) == CRASHED
    assert truth.check(deployment.pk).progress.back_shifts.open == 1
    workers.start(2)
    assert rested(deployment).state == "rolled_back", workers.said()
    log = json.loads(file.read_text())["log"]
    assert [entry["to"] for entry in log] == ["green", "blue"]
    assert serves(file) == "blue"
    assert Router.objects.get().retained_slot is None
    assert Log(fleet_of).changes() == {(1, "2.0"): 1}
    truth.check(deployment.pk)


def test_a_router_that_lies_is_found_out(
    agents: Callable[..., Agents], workers: Workers, tmp_path: Path
) -> None:
    """It says ok and serves what it served: the plan halts, traffic is where it was."""
    fleet_of = agents(2, apply_seconds=0.02)
    place, file = routed(fleet_of, tmp_path, fault="lying")
    workers.start()
    deployment = rested(switch(place), 40)
    assert (deployment.state, deployment.reason) == ("failed", "shift_failed")
    assert serves(file) == "blue"
    assert Log(fleet_of).changes() == {(1, "2.0"): 1}


def test_a_router_that_somebody_else_moves_is_left_alone(
    agents: Callable[..., Agents], workers: Workers, tmp_path: Path
) -> None:
    """Moved between the plan and the switch: not ours to move again."""
    place, file = routed(agents(2, apply_seconds=0.5), tmp_path)
    workers.start()
    deployment = switch(place)
    moved = {"serving": "green", "promised": 0, "log": []}
    file.write_text(json.dumps(moved))
    rested(deployment, 30)
    assert (deployment.state, deployment.reason) == ("failed", "shift_failed")
    shift = deployment.operations.get(kind="shift")
    assert "not blue as the plan says" in shift.error
    assert json.loads(file.read_text())["log"] == []


def test_an_accepted_agent_that_falls_ill_in_a_bake_is_seen(
    agents: Callable[..., Agents], workers: Workers
) -> None:
    """E19 over real agents: it is watched, and the bake ends there and then."""
    fleet_of = agents(2, apply_seconds=0.02)
    place = Place(agent_targets(fleet_of, range(2)))
    workers.start(2, DEPLOYCTL_WATCH_SECONDS="0.1")
    options: dict[str, Any] = {"stages": "50, 100", "stage_duration_seconds": 600}
    made = prepare(place, "canary", on_failure="halt", **options)
    deployment = place.start(made)
    until(lambda: deployment.operations.filter(state="succeeded").exists())
    fleet_of.kill()
    rested(deployment, 30)
    assert (deployment.state, deployment.reason) == ("failed", "success_threshold")
    assert deployment.operations.get(state="failed").regressed
    truth.check(deployment.pk)
