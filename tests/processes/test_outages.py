"""The doorbell silent, PostgreSQL away, answers lost, workers told to leave."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from deployctl import environment
from deployctl.models import Audit, Operation, Worker
from deployctl.services import settling
from deployctl.services.fleet import NewTarget
from strategies.operations import REDOS
from strategies.states import OperationState
from tests.engine.drivers.agents import Agents
from tests.processes.test_crash import moved_to
from tests.support import truth
from tests.support.fleet import (
    HEALTH,
    Log,
    Place,
    Workers,
    agent_targets,
    kill,
    person,
    reached,
    recorded,
    rested,
    simulated,
    states,
    until,
)
from tests.support.servers import Server, make_database

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]
S = OperationState


def changed_once(fleet: Agents, version: str = "2.0") -> None:
    """Fail unless each agent was changed exactly once, to this version."""
    log = Log(fleet)
    assert log.changes() == {(n, version): 1 for n in range(len(fleet.ports))}
    log.check_fences()


# -- notifications ---------------------------------------------------------------------


@pytest.mark.parametrize("deaf", [False, True])
def test_the_end_is_the_same_when_nobody_hears_the_bell(
    deaf: bool, agents: Callable[..., Agents], workers: Workers
) -> None:
    """Polling finds the start, the resumption and the abort; only later."""
    more = {"DATABASE_LISTEN_URL": "host=/nowhere"} if deaf else {}
    fleet = agents(12, apply_seconds=0.02)
    place = Place(agent_targets(fleet, range(12)))
    workers.start(2, **{"DEPLOYCTL_POLL_SECONDS": "1.5", **more})
    until(lambda: Worker.objects.count() == 2)
    deployment = place.deploy(batch_size=4, delay_seconds=0.2)
    until(lambda: states(deployment).get("succeeded", 0) >= 4)
    assert place.press(deployment, "pause").status == "ok"
    reached(deployment, "paused")
    time.sleep(0.5)
    resumed_at = time.monotonic()
    assert place.press(deployment, "resume").status == "ok"
    assert rested(deployment).state == "completed"
    slow = time.monotonic() - resumed_at
    changed_once(fleet)
    truth.check(deployment.pk)
    assert slow < 10


def test_control_without_bell_and_polling_nothing_begins(
    agents: Callable[..., Agents], workers: Workers
) -> None:
    """So the deaf workers above were deaf indeed."""
    fleet = agents(2)
    place = Place(agent_targets(fleet, range(2)))
    workers.start(DATABASE_LISTEN_URL="host=/nowhere", DEPLOYCTL_POLL_SECONDS="1000")
    until(lambda: Worker.objects.count() == 1)
    time.sleep(1)  # Its first and only poll is over.
    deployment = place.deploy(batch_size=2)
    time.sleep(1.5)
    assert states(deployment) == {"pending": 2}
    workers.start()
    assert rested(deployment).state == "completed"


# -- PostgreSQL ------------------------------------------------------------------------


@pytest.fixture
def own_database(
    own_server: Callable[..., Server], transactional_db: None
) -> Iterator[Server]:
    """Point Django at a server that this test may stop."""
    server = own_server(forgetful=False)
    connection.close()
    url = make_database(server.superuser_url).app
    before = dict(connection.settings_dict)
    connection.settings_dict.update(environment.database(url))
    yield server
    connection.close()
    connection.settings_dict.clear()
    connection.settings_dict.update(before)


def address() -> str:
    """Return the address of the database that this test works on."""
    given = connection.settings_dict
    return f"host={given['HOST']} user={given['USER']} dbname={given['NAME']}"


def test_a_restart_of_postgresql_in_the_middle_changes_nothing(
    own_database: Server, agents: Callable[..., Agents], workers: Workers
) -> None:
    fleet = agents(60, apply_seconds=0.1)
    place = Place(agent_targets(fleet, range(60)))
    url = {"DATABASE_URL": address(), "DATABASE_LISTEN_URL": address()}
    workers.start(2, DEPLOYCTL_PLACES="6", **url)
    until(lambda: Worker.objects.count() == 2)
    deployment = place.deploy(batch_size=10)
    until(lambda: len(Log(fleet).of("ended")) >= 15)
    own_database.stop()
    time.sleep(1.5)
    heard = len(Log(fleet).of("heard"))
    time.sleep(0.5)
    assert len(Log(fleet).of("heard")) == heard, "an effect began without a database"
    own_database.start()
    connection.close()
    assert rested(deployment).state == "completed"
    assert states(deployment) == {"succeeded": 60}
    changed_once(fleet)
    truth.check(deployment.pk)
    workers.check_alive()


def test_connections_that_are_killed_again_and_again_cost_nothing(
    agents: Callable[..., Agents], workers: Workers, superuser_url: str
) -> None:
    fleet = agents(40, apply_seconds=0.05)
    place = Place(agent_targets(fleet, range(40)))
    workers.start(2, DEPLOYCTL_PLACES="3")
    until(lambda: Worker.objects.count() == 2)
    deployment = place.deploy(batch_size=5)
    killed = 0
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        while killed < 12:
            time.sleep(0.1)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                mine = cursor.fetchone()[0]
            found = admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND pid <> %s",
                [settings.DATABASES["default"]["NAME"], mine],
            )
            killed += found.rowcount
    assert rested(deployment).state == "completed"
    assert states(deployment) == {"succeeded": 40}
    changed_once(fleet)
    truth.check(deployment.pk)
    workers.check_alive()


def test_a_commit_whose_answer_was_lost_is_reconciled(
    agents: Callable[..., Agents], workers: Workers
) -> None:
    fleet = agents(20, apply_seconds=0.02)
    place = Place(agent_targets(fleet, range(20)))
    workers.start(fault="lose_answers")
    deployment = place.deploy(batch_size=4)
    assert rested(deployment).state == "completed"
    assert moved_to(deployment, S.RELEASED) > 0, "no answer was lost"
    assert moved_to(deployment, S.UNKNOWN) == 0
    assert set(deployment.operations.values_list("attempt", flat=True)) == {1}
    changed_once(fleet)
    truth.check(deployment.pk)


def test_control_without_reconciling_a_lost_answer_is_waited_for(
    agents: Callable[..., Agents], workers: Workers
) -> None:
    fleet = agents(20, apply_seconds=0.02)
    place = Place(agent_targets(fleet, range(20)))
    workers.start(fault="lose_answers,never_reconcile")
    deployment = place.deploy(batch_size=4)
    until(lambda: deployment.operations.filter(state="running").exists())
    time.sleep(4)
    deployment.refresh_from_db()
    assert (deployment.state, deployment.open_count) == ("in_progress", 4)


# -- leaving ---------------------------------------------------------------------------


def test_a_worker_told_to_leave_hands_over_and_leaves_no_doubt(
    agents: Callable[..., Agents], workers: Workers
) -> None:
    fleet = agents(40, apply_seconds=0.2)
    place = Place(agent_targets(fleet, range(40)))
    leaving, _ = workers.start(2, DEPLOYCTL_PLACES="5")
    until(lambda: Worker.objects.count() == 2)
    deployment = place.deploy(batch_size=10)
    until(lambda: len(Log(fleet).of("ended")) >= 10)
    asked_at = time.monotonic()
    assert kill(leaving, signal.SIGTERM) == 0
    assert time.monotonic() - asked_at < 5
    assert Worker.objects.exclude(left_at=None).count() == 1
    assert not Operation.objects.filter(
        claimed_by__in=Worker.objects.exclude(left_at=None)
    ).exists()
    assert rested(deployment).state == "completed"
    assert moved_to(deployment, S.UNKNOWN) == moved_to(deployment, S.FAILED) == 0
    changed_once(fleet)
    truth.check(deployment.pk)


# -- targets that misbehave ------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "reason", "error"),
    [
        ("lying", "max_failures", "is at 1.0, not at 2.0"),
        ("failing", "max_failures", "does not install here"),
        ("hanging", "progress_deadline", ""),
        ("unreachable", "max_failures", "does not answer"),
    ],
)
def test_a_target_that_misbehaves_halts_with_its_reason(
    fault: str, reason: str, error: str, workers: Workers
) -> None:
    place = Place([*simulated(3), *odd(fault)])
    workers.start()
    health = {**HEALTH, "deadline_seconds": 1}
    # Lost attempts run out after four times the apply: well after the deadline.
    limits: dict[str, Any] = {"apply_seconds": 1, "progress_seconds": 2}
    deployment = rested(place.deploy(batch_size=4, health=health, **limits))
    assert (deployment.state, deployment.reason) == ("failed", reason)
    assert states(deployment)["succeeded"] == 3
    operation = deployment.operations.get(target__name="odd")
    assert error in operation.error
    assert deployment.halt is not None
    if reason == "max_failures":
        assert deployment.halt["positions"] == [operation.position]
    assert Audit.objects.filter(actor=f"rule {reason}").count() == 1
    truth.check(deployment.pk)


def test_a_target_that_hangs_each_time_has_failed_before_a_late_deadline(
    workers: Workers,
) -> None:
    """The other rule of the two: four lost attempts are a failure (ADR 0010)."""
    place = Place([*simulated(1), *odd("hanging")])
    workers.start()
    limits: dict[str, Any] = {"apply_seconds": 0.3, "progress_seconds": 60}
    deployment = rested(place.deploy(batch_size=2, **limits))
    assert (deployment.state, deployment.reason) == ("failed", "max_failures")
    assert deployment.operations.get(target__name="odd").attempt == 1 + REDOS
    truth.check(deployment.pk)


def odd(fault: str) -> list[NewTarget]:
    """Return one simulated target that always has a fault."""
    given = {"version": "1.0", fault: 1}
    return [NewTarget("odd", "", "simulated", given, recorded_version="1.0")]


def test_a_flapping_target_is_believed_only_after_a_while(workers: Workers) -> None:
    place = Place([*simulated(2), *odd("flapping")])
    workers.start()
    health = {**HEALTH, "success_threshold": 2}
    deployment = rested(place.deploy(batch_size=3, health=health))
    assert (deployment.state, deployment.reason) == ("failed", "max_failures")
    error = deployment.operations.get(target__name="odd").error
    # What its last answer was is a matter of the moment.
    assert error in ("deadline", "deadline: simulated: it flaps")


def test_a_target_that_is_lost_in_the_middle_waits_for_a_person(
    agents: Callable[..., Agents], workers: Workers
) -> None:
    """Applied, gone, unresolved, held; settled by a person; then it all goes on."""
    fleet = agents(3, apply_seconds=0.02)
    lost = agents(1, apply_seconds=1.0)
    targets = agent_targets(fleet, range(3))
    targets += [replace(agent_targets(lost, range(1))[0], name="lost")]
    place = Place(targets)
    workers.start()
    deployment = place.deploy(batch_size=4, settle_seconds=1, apply_seconds=2)
    until(lambda: Log(lost).of("started"))
    lost.kill()
    reached(deployment, "paused")
    operation = deployment.operations.get(state="unresolved")
    assert operation.target is not None
    assert operation.target.name == "lost"
    assert states(deployment) == {"succeeded": 3, "unresolved": 1}
    lost.start()  # It says by itself that this attempt was interrupted.
    reply = settling.settle(
        deployment.pk,
        operation.pk,
        "not_done",
        by=person(),
        key="k",
        reason="its log says interrupted",
    )
    assert reply.status == "ok"
    assert place.press(deployment, "resume").status == "ok"
    assert rested(deployment).state == "completed"
    assert Log(lost).versions() == {0: "2.0"}
    truth.check(deployment.pk)


def test_drift_is_committed_before_it_is_changed_and_returned_to(
    agents: Callable[..., Agents], workers: Workers
) -> None:
    fleet = agents(4, {"version": "0.7"}, {}, {}, {"failing_versions": ["2.0"]})
    place = Place(agent_targets(fleet, range(4)))
    workers.start()
    deployment = place.deploy(batch_size=1, on_failure="rollback")
    assert rested(deployment).state == "rolled_back"
    drift = deployment.events.get(kind="TargetsDrifted")
    started = Log(fleet, range(1)).of("started")
    assert [line["version"] for line in started] == ["2.0", "0.7"]
    assert drift.at.timestamp() < started[0]["at"]
    assert recorded(place) == {"0.7", "1.0"}
    truth.check(deployment.pk)
