"""Unknown and unresolved outcomes, drift, the floor, and subjects held by others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError

from deployctl.models import Audit, Deployment, Operation, Target
from deployctl.services import claims, journal, planning, settling
from deployctl.services.journal import Ask
from deployctl.services.operations import Report
from deployctl.services.replies import Reply
from strategies.actions import Start
from strategies.states import OperationState
from tests.services.hands import Beside, Hands, said
from tests.support import truth
from tests.support.fleet import Place, person, recorded, simulated, states

pytestmark = pytest.mark.django_db(transaction=True)
S = OperationState


def unresolved(place: Place, count: int = 3) -> tuple[Deployment, Hands, Operation]:
    """Return a deployment of which one operation's outcome was never found."""
    deployment = place.deploy(batch_size=count)
    hands = Hands(deployment)
    first, *others = hands.claims()
    doubted = hands.flush(said(first, S.UNKNOWN), *map(said, others)).claims
    assert [claim.state for claim in doubted] == [S.UNKNOWN]
    assert doubted[0].fence > first.fence
    hands.flush(said(doubted[0], S.UNRESOLVED))
    deployment.refresh_from_db()
    return deployment, hands, Operation.objects.get(pk=first.operation_id)


def settle(
    deployment: Deployment, operation: Operation, outcome: str, reason: str = "I looked"
) -> Reply:
    return settling.settle(
        deployment.pk,
        operation.pk,
        outcome,
        by=person(),
        key=f"{outcome} {reason}",
        reason=reason,
    )


def test_an_unresolved_outcome_holds_before_any_verdict() -> None:
    deployment, _, _ = unresolved(Place(simulated(3)))
    assert deployment.state == "paused"
    assert deployment.hold is not None
    assert deployment.hold["rule"] == "unknown_outcome"
    assert states(deployment) == {"unresolved": 1, "succeeded": 2}


@pytest.mark.parametrize(
    ("outcome", "state", "end"),
    [
        ("done", "succeeded", ("completed", "")),
        ("not_done", "pending", ("completed", "")),
        ("written_off", "failed", ("failed", "max_failures")),
    ],
)
def test_a_person_settles_what_nobody_could_find(
    outcome: str, state: str, end: tuple[str, str]
) -> None:
    place = Place(simulated(3))
    deployment, hands, operation = unresolved(place)
    assert settle(deployment, operation, outcome).status == "ok"
    operation.refresh_from_db()
    assert operation.state == state
    assert "settled by ana: I looked" in operation.error
    entry = Audit.objects.get(action="operation.settled")
    assert (entry.actor, entry.reason) == ("ana", "I looked")
    assert entry.after is not None
    assert entry.after["operation"] == operation.pk
    truth.check(deployment.pk)
    assert place.press(deployment, "resume").status == "ok"
    hands.run()
    deployment.refresh_from_db()
    assert (deployment.state, deployment.reason) == end


def test_settling_needs_a_reason_and_happens_once() -> None:
    deployment, _, operation = unresolved(Place(simulated(3)))
    assert settle(deployment, operation, "done", " ").status == "refused"
    operation.refresh_from_db()
    assert operation.state == "unresolved"
    assert settle(deployment, operation, "done").status == "ok"
    assert settle(deployment, operation, "written_off").status == "refused"
    operation.refresh_from_db()
    assert operation.state == "succeeded"


def test_resuming_over_it_writes_it_off() -> None:
    place = Place(simulated(3))
    deployment, hands, operation = unresolved(place)
    assert place.press(deployment, "resume").status == "ok"
    operation.refresh_from_db()
    assert operation.state == "failed"
    assert hands.run().reason == "max_failures"
    truth.check(deployment.pk)


def test_other_plans_refuse_its_target_by_name() -> None:
    place = Place(simulated(3))
    waiting = place.prepare("3.0", only=[place.targets[0].pk])
    deployment, _, _ = unresolved(place)
    assert place.press(deployment, "abort").status == "ok"
    deployment.refresh_from_db()
    assert deployment.state == "failed"
    for refused in (lambda: place.prepare("4.0"), lambda: place.start(waiting)):
        with pytest.raises(planning.Refused, match="t0 still has an operation"):
            refused()
    assert place.press(deployment, "roll_back").status == "ok"  # Its own return may.


def test_a_return_asks_again_what_nobody_could_find() -> None:
    place = Place(simulated(3))
    deployment, hands, _ = unresolved(place)
    assert place.press(deployment, "roll_back").status == "ok"
    assert hands.run().state == "rolled_back"
    assert states(deployment, "return") == {"succeeded": 3}
    assert recorded(place) == {"1.0"}


def test_a_return_may_be_held_by_a_doubt_and_settled_too() -> None:
    place = Place(simulated(2))
    deployment = place.deploy(batch_size=2)
    hands = Hands(deployment)
    hands.run(failing=["t1"])
    place.press(deployment, "roll_back")
    first, second = hands.claims()
    doubted = hands.flush(said(first, S.UNKNOWN), said(second)).claims
    hands.flush(said(doubted[0], S.UNRESOLVED))
    deployment.refresh_from_db()
    assert (deployment.state, bool(deployment.hold)) == ("rolling_back", True)
    assert place.press(deployment, "abort").status == "refused"
    operation = Operation.objects.get(pk=first.operation_id)
    assert settle(deployment, operation, "not_done").status == "ok"
    assert place.press(deployment, "resume").status == "ok"
    assert hands.run().state == "rolled_back"


# -- drift -----------------------------------------------------------------------------


def test_a_third_version_is_recorded_before_it_is_changed_and_returned_to() -> None:
    place = Place(simulated(2))
    deployment = place.deploy(batch_size=2)
    hands = Hands(deployment)
    odd, plain = hands.claims()
    drifted = said(odd, S.RUNNING, observed="0.7", drift=True)
    assert odd.operation_id in hands.flush(drifted).accepted
    operation = Operation.objects.get(pk=odd.operation_id)
    assert (operation.state, operation.from_version) == ("running", "0.7")
    assert deployment.events.filter(kind="TargetsDrifted").count() == 1
    hands.flush(said(odd, S.FAILED), said(plain))
    place.press(deployment, "roll_back")
    returns = {claim.name: claim.to_version for claim in hands.claims()}
    assert returns == {"t0": "0.7", "t1": "1.0"}


# -- the floor -------------------------------------------------------------------------


def test_a_floor_of_nine_in_ten_lets_a_return_mend_the_one_bad_target() -> None:
    place = Place(simulated(10))
    deployment = place.deploy(min_healthy=9, batch_size=5, on_failure="rollback")
    hands = Hands(deployment)
    (good,) = hands.claims()
    (bad,) = hands.finish([good]).claims
    (back,) = hands.flush(said(bad, S.FAILED)).claims
    # There is no room: only the target that is broken anyway may be taken.
    assert (back.subject_id, back.to_version) == (bad.subject_id, "1.0")
    assert hands.claims() == []
    (last,) = hands.finish([back]).claims
    hands.finish([last])
    deployment.refresh_from_db()
    assert deployment.state == "rolled_back"
    assert recorded(place) == {"1.0"}


def test_where_room_is_short_only_what_is_broken_anyway_goes_beyond_it() -> None:
    """Of three to take back one may go down, and the one that is broken may too."""
    place = Place(simulated(5))
    deployment = place.deploy(min_healthy=3, batch_size=5, max_failures=0)
    hands = Hands(deployment)
    bad, good = hands.claims()
    (last,) = hands.flush(said(good), places=1).claims
    hands.flush(said(last), said(bad, S.FAILED))
    assert place.press(deployment, "roll_back").status == "ok"
    assert [claim.name for claim in hands.claims()] == ["t0", "t2"]


def test_control_the_check_sees_a_broken_floor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A picker that forgets what is available must be found out by the same check."""
    pick = claims.pick

    def careless(pk: int, start: Start, *more: Any) -> Any:
        greedy = replace(start, at_most=5, available_at_most=5)
        return pick(pk, greedy, *more)

    hands = Hands(Place(simulated(10)).deploy(min_healthy=9, batch_size=5))
    monkeypatch.setattr(claims, "pick", careless)
    with pytest.raises(AssertionError, match="floor"):
        hands.claims()


# -- subjects that others hold ---------------------------------------------------------


def hold(target: Target, elsewhere: Deployment) -> None:
    """Make a row that holds a target open, as another deployment would."""
    Operation.objects.create(
        deployment=elsewhere,
        kind="deploy",
        target=target,
        direction="forward",
        position=100 + target.pk,
        step=0,
        batch=0,
        state="running",
    )


def test_a_subject_that_is_open_elsewhere_is_left_out() -> None:
    place = Place(simulated(3))
    deployment = place.deploy(batch_size=3)
    hold(place.targets[1], Place(simulated(1)).prepare())
    assert [claim.name for claim in Hands(deployment).claims()] == ["t0", "t2"]


def test_a_subject_that_is_open_elsewhere_takes_up_no_place() -> None:
    place = Place(simulated(3))
    deployment = place.deploy(batch_size=1, window=True)
    hold(place.targets[0], Place(simulated(1)).prepare())
    assert [claim.name for claim in Hands(deployment).claims()] == ["t1"]


@pytest.fixture
def robbed(monkeypatch: pytest.MonkeyPatch) -> tuple[Deployment, Hands, Report]:
    """A flush with one report, in the middle of which somebody takes its next target.

    Returns the deployment, the worker, and the report that must not be lost.
    """
    place, elsewhere = Place(simulated(4)), Place(simulated(1)).prepare()
    deployment = place.deploy(batch_size=2, window=True)
    hands = Hands(deployment)
    done, _ = hands.claims()
    pick = claims.pick
    taken: list[bool] = []

    def late(*args: Any) -> Any:
        picked = pick(*args)
        if picked and not taken:
            taken.append(True)
            Beside(lambda: hold(place.targets[2], elsewhere)).get()
        return picked

    monkeypatch.setattr(claims, "pick", late)
    return deployment, hands, said(done)


def test_a_flush_that_meets_a_taken_subject_loses_no_result(
    robbed: tuple[Deployment, Hands, Report],
) -> None:
    deployment, hands, report = robbed
    answer = hands.flush(report)
    assert answer.accepted == {report.operation_id}
    assert [claim.name for claim in answer.claims] == ["t3"]
    assert states(deployment) == {"succeeded": 1, "running": 2, "pending": 1}


def test_control_without_the_second_try_the_result_is_lost(
    robbed: tuple[Deployment, Hands, Report],
) -> None:
    deployment, hands, report = robbed
    with pytest.raises(IntegrityError, match="one_open_operation"):
        journal._flush(
            deployment.pk,
            Ask(hands.id, (report,), 9, hands.fenced),
            one_by_one=False,
        )
    assert states(deployment) == {"running": 2, "pending": 2}
