"""Blue-green through the one door: what is looked at, switched, kept and led back."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployctl.models import Deployment, Router, Target
from deployctl.services import planning, versions
from deployctl.services.claims import Claim
from strategies import InvalidOptions
from strategies.states import Kind, OperationState
from tests.services.hands import Hands, said
from tests.services.slotted import prepare, router, slotted, started
from tests.support.fleet import Place

pytestmark = pytest.mark.django_db(transaction=True)
S = OperationState


def switched(place: Place, hands: Hands, deployment: Deployment) -> Claim:
    """Bring a deployment to its switch, and return the claim of it."""
    claims = hands.claims()
    while claims and claims[0].kind is not Kind.SHIFT:
        claims = hands.finish(claims).claims
    if not claims:
        assert place.press(deployment, "promote").status == "ok"
        claims = hands.claims()
    (claim,) = claims
    assert claim.kind is Kind.SHIFT
    return claim


def test_h2_the_idle_slot_first_then_a_person_then_the_switch(tmp_path: Path) -> None:
    """H2: promotion is awaited; on promote it switches, and the old slot is kept."""
    place = slotted(2, tmp_path)
    deployment = started(place, "blue_green")
    hands = Hands(deployment)
    claims = hands.claims()
    slots = Target.objects.filter(pk__in=[c.subject_id for c in claims])
    assert {target.slot for target in slots} == {"green"}
    assert hands.finish(claims).claims == []
    deployment.refresh_from_db()
    assert deployment.state == "paused"

    claim = switched(place, hands, deployment)
    assert (claim.from_version, claim.to_version) == ("blue", "green")
    hands.finish([claim])

    deployment.refresh_from_db()
    assert (deployment.state, deployment.outcome) == ("completed", "clean")
    found = router(place)
    assert (found.serving, found.retained_slot) == ("green", "blue")
    assert found.retain_until is not None


def test_what_runs_the_version_already_is_only_looked_at(tmp_path: Path) -> None:
    """The others of the slot are verified too, and are not touched."""
    place = slotted(2, tmp_path)
    green = Target.objects.filter(slot="green").first()
    assert green is not None
    Target.objects.filter(pk=green.pk).update(
        recorded_version="2.0", observed_version="2.0", health="healthy"
    )
    deployment = started(place, "blue_green")
    hands = Hands(deployment)
    (changed,) = hands.claims()
    assert changed.kind is Kind.DEPLOY
    (looked,) = hands.finish([changed]).claims
    assert (looked.kind, looked.subject_id) == (Kind.VERIFY, green.pk)


def test_h1_one_unhealthy_target_and_nothing_is_switched(tmp_path: Path) -> None:
    """H1: the switch is never claimed; traffic stays."""
    place = slotted(2, tmp_path)
    deployment = started(place, "blue_green", auto_promote=True)
    hands = Hands(deployment)
    one, other = hands.claims()
    assert hands.flush(said(one), said(other, S.FAILED)).claims == []
    deployment.refresh_from_db()
    assert deployment.state == "failed"
    assert deployment.operations.get(kind="shift").attempt == 0
    assert router(place).serving == "blue"


def test_h8_a_return_leads_traffic_back_and_deploys_nothing(tmp_path: Path) -> None:
    """H8: after the switch touched means the router, and only it goes back."""
    place = slotted(2, tmp_path)
    deployment = started(place, "blue_green", bake_seconds=600)
    hands = Hands(deployment)
    hands.finish([switched(place, hands, deployment)])
    assert place.press(deployment, "roll_back").status == "ok"

    (back,) = hands.claims()
    assert (back.kind, back.to_version) == (Kind.SHIFT, "blue")
    hands.finish([back])
    deployment.refresh_from_db()
    assert deployment.state == "rolled_back"
    assert router(place).serving == "blue"
    assert router(place).retained_slot is None
    assert not deployment.operations.filter(direction="return", kind="restore").exists()


def test_g15_traffic_does_not_return_to_what_cannot_carry_it(tmp_path: Path) -> None:
    """G15: the old slot is unhealthy itself; it may be tried again once it is well."""
    place = slotted(2, tmp_path)
    deployment = started(place, "blue_green", bake_seconds=600)
    hands = Hands(deployment)
    hands.finish([switched(place, hands, deployment)])
    Target.objects.filter(slot="blue").update(health="unhealthy")
    place.press(deployment, "roll_back")
    hands.flush()
    deployment.refresh_from_db()
    reason = deployment.reason
    assert (deployment.state, reason) == ("rollback_failed", "standby_unhealthy")
    assert router(place).serving == "green"

    Target.objects.filter(slot="blue").update(health="healthy")
    place.press(deployment, "roll_back")
    hands.finish(hands.claims())
    deployment.refresh_from_db()
    assert deployment.state == "rolled_back"


def test_h4_a_switch_that_fails_halts_with_traffic_where_it_was(tmp_path: Path) -> None:
    """H4: read back, it still serves the old slot."""
    place = slotted(2, tmp_path)
    deployment = started(place, "blue_green")
    hands = Hands(deployment)
    claim = switched(place, hands, deployment)
    hands.flush(said(claim, S.FAILED, observed="blue"))
    deployment.refresh_from_db()
    assert deployment.state == "failed"
    assert deployment.halt is not None
    assert deployment.halt["rule"] == "shift_failed"
    assert router(place).serving == "blue"


def test_h10_a_switch_whose_worker_died_is_read_and_not_sent_again(
    tmp_path: Path,
) -> None:
    """H10: another worker takes it over with the next fence, and settles it."""
    place = slotted(2, tmp_path)
    deployment = started(place, "blue_green")
    lost, other = Hands(deployment), Hands(deployment)
    claim = switched(place, lost, deployment)
    lost.die()
    (taken,) = other.flush(sweep=True).claims
    assert (taken.state, taken.kind) == (S.UNKNOWN, Kind.SHIFT)
    assert taken.fence > claim.fence
    assert not lost.flush(said(claim)).accepted, "it is somebody else's by now"
    other.finish([taken])
    deployment.refresh_from_db()
    assert deployment.state == "completed"


def test_a_router_that_was_moved_since_the_plan_is_refused(tmp_path: Path) -> None:
    place = slotted(1, tmp_path)
    deployment = prepare(place, "blue_green")
    Router.objects.update(serving="green")
    with pytest.raises(planning.Refused, match="Traffic goes to green now"):
        place.start(deployment)


def test_g12_the_kept_slot_gets_traffic_back_without_a_deploy(tmp_path: Path) -> None:
    """G12: taking a completed deployment back looks, switches, and changes nothing;
    a plan that would change the kept slot is refused unless it ends the retention."""
    place = slotted(1, tmp_path)
    deployment = started(place, "blue_green")
    hands = Hands(deployment)
    hands.finish([switched(place, hands, deployment)])
    with pytest.raises(InvalidOptions, match="slot blue is kept as it is"):
        prepare(place, "blue_green", version="3.0")
    prepare(place, "blue_green", version="3.0", end_retention=True)

    deployment.refresh_from_db()
    versions.register_version(place.application, "1.0", by=place.by)
    _, plan = planning.plan_way_back(deployment)
    steps = [type(step).__name__ for step in plan.course.steps]
    assert steps == ["Verify", "Shift"]
    assert plan.version == "1.0"


def test_a_worker_without_this_kind_of_router_leaves_it_to_others(
    tmp_path: Path,
) -> None:
    """It neither claims the switch nor takes it over; who has the kind does both."""
    place = slotted(1, tmp_path)
    deployment = started(place, "blue_green", auto_promote=True)
    lacking, other = Hands(deployment), Hands(deployment)
    claims = other.claims()
    done = [said(claim) for claim in claims]
    other.flush(*done, places=0)
    assert lacking.flush(router_kinds=["command"]).claims == []
    (claim,) = other.flush(router_kinds=["simulated"]).claims
    assert claim.kind is Kind.SHIFT
    other.die()
    assert lacking.flush(sweep=True, router_kinds=["command"]).claims == []
    (taken,) = lacking.flush(router_kinds=["simulated"]).claims
    assert taken.operation_id == claim.operation_id
