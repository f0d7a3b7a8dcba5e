"""The door's lock: the same schedule through the right door and through wrong ones.

One flush is stopped between what it has read and what it claims; meanwhile somebody
else comes. Each check must hold for the journal and find the fault in every imitation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from deployctl.models import Command, Deployment, Operation
from deployctl.services import claims, commands, journal, workers
from deployctl.services.journal import Ask
from deployctl.services.operations import Report
from deployctl.services.replies import Reply
from deployctl.services.turn import Turn
from tests.services.hands import Beside, Gate, Hands, said
from tests.support import truth
from tests.support.fleet import Place, person, simulated, states, until

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = 10
#: Long enough for whoever is not kept out to get in.
MOMENT = 0.4


def gated(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Put a gate between the journal's lock and its claims."""
    made, pick = Gate(), claims.pick

    def picked(*args: Any) -> Any:
        made.pass_through()
        return pick(*args)

    monkeypatch.setattr(claims, "pick", picked)
    return made


def forty() -> Deployment:
    """Return a deployment on forty targets, of which ten may be open."""
    return Place(simulated(40)).deploy(batch_size=LIMIT, window=True)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    return gated(monkeypatch)


@pytest.fixture
def deployment(transactional_db: None) -> Deployment:
    return forty()


# -- ways to claim -------------------------------------------------------------------


def through_the_door(deployment_id: int, gate: Gate) -> None:
    """Claim as a worker does; the gate stands in the journal."""
    worker = workers.arrive("a test", 1, "test")
    journal.flush(deployment_id, Ask(worker, (), 100, ["simulated"]))


def counting_with_the_lock(deployment_id: int, gate: Gate) -> None:
    """Lock and count in one statement: the count is as old as the wait."""
    _imitation(
        deployment_id,
        gate,
        """SELECT (SELECT count(*) FROM deployctl_operation o
                    WHERE o.deployment_id = d.id AND o.state = 'running')
             FROM deployctl_deployment d WHERE d.id = %s FOR NO KEY UPDATE""",
    )


def under_for_share(deployment_id: int, gate: Gate) -> None:
    """Lock so that others may too, and count in a statement of its own."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM deployctl_deployment WHERE id = %s FOR SHARE",
            [deployment_id],
        )
        _imitation(
            deployment_id,
            gate,
            """SELECT count(*) FROM deployctl_operation
                WHERE deployment_id = %s AND state = 'running'""",
        )


def _imitation(deployment_id: int, gate: Gate, count: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(count, [deployment_id])
        free = LIMIT - cursor.fetchone()[0]
        gate.pass_through()
        cursor.execute(
            """UPDATE deployctl_operation SET state = 'running' WHERE id IN (
                SELECT id FROM deployctl_operation
                 WHERE deployment_id = %s AND state = 'pending' ORDER BY position
                 LIMIT %s FOR UPDATE SKIP LOCKED)""",
            [deployment_id, free],
        )


def running_after_two(claim: Callable[[int, Gate], None], pk: int, gate: Gate) -> int:
    """Let a second worker claim while the first stands in the gate; count both."""
    first = Beside(lambda: claim(pk, gate))
    assert gate.reached.wait(10)
    second = Beside(lambda: claim(pk, gate))
    second.ended(MOMENT)
    gate.open.set()
    first.get()
    second.get()
    return running(pk)


def test_two_workers_at_once_stay_within_the_limit(
    deployment: Deployment, gate: Gate
) -> None:
    assert running_after_two(through_the_door, deployment.pk, gate) == LIMIT
    assert truth.check(deployment.pk).most_open == LIMIT


@pytest.mark.parametrize("claim", [counting_with_the_lock, under_for_share])
def test_control_a_wrong_lock_lets_more_run(
    deployment: Deployment, claim: Callable[[int, Gate], None]
) -> None:
    assert running_after_two(claim, deployment.pk, Gate()) > LIMIT


def test_two_that_share_a_batch_are_given_nothing_twice() -> None:
    deployment = Place(simulated(6)).deploy(batch_size=5)
    one, other = Hands(deployment), Hands(deployment)
    shares = [[claim.name for claim in each.claims(2)] for each in (one, other, one)]
    assert shares == [["t0", "t1"], ["t2", "t3"], ["t4"]]


# -- a pause that comes while a worker claims ------------------------------------------


def running(pk: int) -> int:
    """Count what has been claimed and not reported."""
    return Operation.objects.filter(deployment_id=pk, state="running").count()


def claimed_after_the_answer(
    deployment: Deployment, gate: Gate, claim: Callable[[int, Gate], None]
) -> int:
    """Press pause while a claim stands in the gate; count what follows the answer."""
    flush = Beside(lambda: claim(deployment.pk, gate))
    assert gate.reached.wait(10)
    pause = Beside(lambda: press_pause(deployment))
    answered_early = pause.ended(MOMENT)
    before = running(deployment.pk)
    gate.open.set()
    flush.get()
    assert pause.get().status == "ok"
    if not answered_early:
        before = running(deployment.pk)
    Beside(lambda: through_the_door(deployment.pk, gate)).get()
    return running(deployment.pk) - before


def press_pause(deployment: Deployment) -> Reply:
    """Press pause, as a person on another connection."""
    by = person("presser")
    return commands.press(deployment.pk, "pause", by=by, key="the pause")


def under_key_share(deployment_id: int, gate: Gate) -> None:
    """Claim under the lock that a foreign key takes: it keeps no pause out."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM deployctl_deployment WHERE id = %s AND hold IS NULL"
            " FOR KEY SHARE",
            [deployment_id],
        )
        _imitation(deployment_id, gate, "SELECT 0 WHERE %s > 0")


def test_no_claim_commits_after_the_answer_of_a_pause(
    deployment: Deployment, gate: Gate
) -> None:
    assert claimed_after_the_answer(deployment, gate, through_the_door) == 0
    assert truth.check(deployment.pk).progress.hold is not None


def test_control_a_state_read_before_the_lock_lets_claims_follow_a_pause(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, real = Gate(), Turn.locked

    def locked(pk: int) -> Turn:
        early = Deployment.objects.get(pk=pk).progress
        gate.pass_through()
        turn = real(pk)
        turn.row.progress = early
        return Turn(turn.row, turn.now)

    monkeypatch.setattr(Turn, "locked", staticmethod(locked))
    assert claimed_after_the_answer(deployment, gate, through_the_door) > 0
    assert truth.story(deployment.pk).claims_while_held > 0


def test_control_a_claim_under_key_share_follows_a_pause(
    deployment: Deployment,
) -> None:
    assert claimed_after_the_answer(deployment, Gate(), under_key_share) > 0


def claimed_while_a_pause_waits(
    deployment: Deployment, gate: Gate, claim: Callable[[int, Gate], None]
) -> int:
    """Let a second worker come after a pause that waits; count what it claims."""
    first = Beside(lambda: claim(deployment.pk, gate))
    assert gate.reached.wait(10)
    pause = Beside(lambda: press_pause(deployment))
    assert not pause.ended(MOMENT)
    second = Beside(lambda: claim(deployment.pk, gate))
    second.ended(MOMENT)
    overtaken = running(deployment.pk)  # The first has not committed yet.
    gate.open.set()
    first.get()
    pause.get()
    second.get()
    return overtaken


def test_nobody_overtakes_a_pause_that_waits(
    deployment: Deployment, gate: Gate
) -> None:
    assert claimed_while_a_pause_waits(deployment, gate, through_the_door) == 0
    assert running(deployment.pk) == LIMIT
    assert truth.check(deployment.pk).claims_while_held == 0


def test_control_claims_under_for_share_overtake_a_pause_that_waits(
    deployment: Deployment,
) -> None:
    assert claimed_while_a_pause_waits(deployment, Gate(), under_for_share) > 0


def test_control_a_journal_under_for_share_loses_flushes(
    deployment: Deployment, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that share the lock both want to write: one is killed as a deadlock."""

    def shared(pk: int) -> Turn:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT clock_timestamp() FROM deployctl_deployment"
                " WHERE id = %s FOR SHARE",
                [pk],
            )
            now = cursor.fetchone()[0]
        return Turn(Deployment.objects.get(pk=pk), now)

    monkeypatch.setattr(Turn, "locked", staticmethod(shared))
    with pytest.raises(OperationalError, match="deadlock"):
        running_after_two(through_the_door, deployment.pk, gate)


def test_nothing_is_left_locked_for_those_who_only_point_at_a_deployment(
    deployment: Deployment, gate: Gate
) -> None:
    """FOR UPDATE would keep out every row with a foreign key to it."""
    flush = Beside(lambda: through_the_door(deployment.pk, gate))
    assert gate.reached.wait(10)
    points = {"actor_id": person("pointer").user_id, "deployment": deployment}
    pointing = Beside(
        lambda: Command.objects.create(key="k", body_hash="", answer={}, **points)
    )
    pointing.get(2)
    gate.open.set()
    flush.get()


def test_many_at_many_doors_never_lock_each_other_out() -> None:
    """Locks are taken in one order, so nobody is ever killed as a deadlock."""
    places = [Place(simulated(60)) for _ in range(2)]
    started = [place.deploy(batch_size=6, window=True) for place in places]
    hands = [Hands(deployment) for deployment in started for _ in range(3)]

    def work(one: Hands) -> int:
        accepted = 0
        reports: list[Report] = []
        while True:
            answer = one.flush(*reports, places=4, check=False)
            accepted += len(answer.accepted)
            if not answer.live:
                return accepted
            reports = [said(claim) for claim in reversed(answer.claims)]

    def press(place: Place, deployment: Deployment) -> None:
        for number in range(30):
            place.press(deployment, ("pause", "resume")[number % 2])
        until(lambda: place.press(deployment, "resume").status != "stale")

    working = [Beside(partial(work, one)) for one in hands]
    pressing = [
        Beside(partial(press, place, deployment))
        for place, deployment in zip(places, started, strict=True)
    ]
    for each in pressing:
        each.get(30)
    assert sum(each.get(30) for each in working) == 120
    for deployment in started:
        truth.check(deployment.pk)
        assert states(deployment) == {"succeeded": 60}
