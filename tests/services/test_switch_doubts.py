"""Switches that are doubted, lost, refused or led back, through the one door."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from deployctl.models import Deployment, Operation, Router, Target
from deployctl.services import deployments, planning, settling, versions, watching
from deployctl.services.claims import Claim
from strategies.states import Kind, OperationState
from tests.services.hands import Hands, said
from tests.services.slotted import prepare, router, slotted, started
from tests.services.test_switch import switched
from tests.support import truth
from tests.support.fleet import Place

pytestmark = pytest.mark.django_db(transaction=True)
S = OperationState


def at_the_switch(
    folder: Path, **options: Any
) -> tuple[Place, Deployment, Hands, Claim]:
    """Bring a blue-green deployment to its switch, and claim that."""
    place = slotted(2, folder)
    deployment = started(place, "blue_green", **options)
    hands = Hands(deployment)
    return place, deployment, hands, switched(place, hands, deployment)


def behind_the_switch(folder: Path, **options: Any) -> tuple[Place, Deployment, Hands]:
    """Switch, and stand in the bake behind it."""
    place, deployment, hands, claim = at_the_switch(folder, bake_seconds=600, **options)
    hands.finish([claim])
    assert router(place).serving == "green"
    return place, deployment, hands


def versions_in(place: Place, slot: str) -> set[str | None]:
    """Return what the targets of a slot are recorded at."""
    found = Target.objects.filter(application=place.application, slot=slot)
    return set(found.values_list("recorded_version", flat=True))


# -- back ------------------------------------------------------------------------------


@pytest.mark.parametrize("restore", [False, True])
def test_a_return_before_the_switch_leaves_the_router_alone(
    restore: bool, tmp_path: Path
) -> None:
    """Traffic never left; what was changed goes back only if that was asked for."""
    place = slotted(2, tmp_path)
    deployment = started(place, "blue_green", restore_idle=restore)
    hands = Hands(deployment)
    hands.finish(hands.claims())
    assert place.press(deployment, "roll_back").status == "ok"
    claims = hands.claims()
    assert [claim.kind for claim in claims] == [Kind.RESTORE] * 2 * restore
    hands.finish(claims)
    deployment.refresh_from_db()
    assert deployment.state == "rolled_back"
    assert not deployment.operations.filter(kind="shift", attempt__gt=0).exists()
    found = router(place)
    assert (found.serving, found.fence, found.retained_slot) == ("blue", 0, None)
    assert versions_in(place, "green") == {"1.0" if restore else "2.0"}


def test_traffic_goes_back_before_any_target_does(tmp_path: Path) -> None:
    place, deployment, hands = behind_the_switch(tmp_path, restore_idle=True)
    place.press(deployment, "roll_back")
    (back,) = hands.claims()
    assert back.kind is Kind.SHIFT
    claims = hands.finish([back]).claims
    assert [claim.kind for claim in claims] == [Kind.RESTORE] * 2
    hands.finish(claims)
    deployment.refresh_from_db()
    assert deployment.state == "rolled_back"
    assert versions_in(place, "green") == {"1.0"}


def test_a_return_that_cannot_switch_is_tried_again_and_then_says_so(
    tmp_path: Path,
) -> None:
    """G6: one further attempt at least; pressed again it begins anew."""
    place, deployment, hands = behind_the_switch(tmp_path)
    place.press(deployment, "roll_back")
    for _ in range(2):
        (back,) = hands.claims()
        hands.flush(said(back, S.FAILED, observed="green"), places=0)
    deployment.refresh_from_db()
    reason = deployment.reason
    assert (deployment.state, reason) == ("rollback_failed", "not_shifted_back")
    assert router(place).retained_slot == "blue", "one may still return to it"

    assert place.press(deployment, "roll_back").status == "ok"
    hands.finish(hands.claims())
    deployment.refresh_from_db()
    assert deployment.state == "rolled_back"
    assert (router(place).serving, router(place).retained_slot) == ("blue", None)


def test_a_return_whose_worker_died_is_taken_over(tmp_path: Path) -> None:
    place, deployment, lost = behind_the_switch(tmp_path)
    other = Hands(deployment)
    place.press(deployment, "roll_back")
    (back,) = lost.claims()
    lost.die()
    (taken,) = other.flush(sweep=True).claims
    assert (taken.state, taken.to_version) == (S.UNKNOWN, "blue")
    other.finish([taken])
    deployment.refresh_from_db()
    assert deployment.state == "rolled_back"
    assert not lost.flush(said(back, S.FAILED)).accepted


def test_looks_at_the_old_slot_decide_whether_traffic_may_return(
    tmp_path: Path,
) -> None:
    """What stands by fell ill in the bake; nobody recorded it as a failure."""
    place, deployment, hands = behind_the_switch(tmp_path)
    blue = Target.objects.filter(application=place.application, slot="blue")
    blue.update(looks=-9, looked_at=timezone.now())
    assert watching.doubtful() == [deployment.pk]
    watching.regard(deployment.pk, {})
    truth.check(deployment.pk)
    assert watching.doubtful() == [], "it was regarded, and nothing is new"
    place.press(deployment, "roll_back")
    hands.flush()
    deployment.refresh_from_db()
    assert deployment.reason == "standby_unhealthy"

    blue.update(looks=9, looked_at=timezone.now())
    place.press(deployment, "roll_back")
    hands.finish(hands.claims())
    deployment.refresh_from_db()
    assert deployment.state == "rolled_back"


# -- doubts ----------------------------------------------------------------------------


def test_a_lost_switch_that_was_not_done_is_made_again(tmp_path: Path) -> None:
    place, deployment, hands, claim = at_the_switch(tmp_path)
    lost = said(claim, S.UNKNOWN, available=None)
    (doubted,) = hands.flush(lost).claims
    assert (doubted.state, doubted.operation_id) == (S.UNKNOWN, claim.operation_id)
    found = said(doubted, S.PENDING, available=True, observed="blue")
    (again,) = hands.flush(found).claims
    assert (again.state, again.attempt) == (S.RUNNING, 2)
    assert claim.fence < doubted.fence < again.fence
    hands.finish([again])
    deployment.refresh_from_db()
    assert (deployment.state, router(place).serving) == ("completed", "green")


@pytest.mark.parametrize(
    ("outcome", "state", "serving"),
    [
        ("done", "completed", "green"),
        ("not_done", "in_progress", "blue"),
        ("written_off", "failed", "blue"),
    ],
)
def test_a_person_settles_a_switch_that_nobody_could_read(
    outcome: str, state: str, serving: str, tmp_path: Path
) -> None:
    place, deployment, hands, claim = at_the_switch(tmp_path)
    lost = said(claim, S.UNKNOWN, available=None)
    (doubted,) = hands.flush(lost).claims
    hands.flush(said(doubted, S.UNRESOLVED))
    deployment.refresh_from_db()
    assert deployment.state == "paused"
    assert deployment.hold is not None
    assert deployment.hold["rule"] == "unknown_outcome"
    reply = settling.settle(
        *(deployment.pk, claim.operation_id, outcome),
        by=place.by,
        key="k",
        reason="I looked at the router",
    )
    assert reply.status == "ok"
    truth.check(deployment.pk)
    place.press(deployment, "resume")
    assert bool(hands.claims()) is (outcome == "not_done")
    deployment.refresh_from_db()
    assert (deployment.state, router(place).serving) == (state, serving)
    kept = "blue" if outcome == "done" else None
    assert router(place).retained_slot == kept


# -- starting --------------------------------------------------------------------------


def test_g12_taking_it_back_looks_and_switches_and_deploys_nothing(
    tmp_path: Path,
) -> None:
    """G12: the slot that traffic left gets it back as it is, and the other is kept."""
    place, deployment, hands, claim = at_the_switch(tmp_path)
    hands.finish([claim])
    versions.register_version(place.application, "1.0", by=place.by)
    back = deployments.take_back(deployment.pk, by=place.by, key="back")
    assert back.parent_id == deployment.pk
    again = Hands(back)
    looks = again.claims()
    assert [look.kind for look in looks] == [Kind.VERIFY] * 2
    (switch,) = again.finish(looks).claims
    assert (switch.from_version, switch.to_version) == ("green", "blue")
    again.finish([switch])
    back.refresh_from_db()
    assert (back.state, back.outcome) == ("completed", "clean")
    kinds = Operation.objects.filter(deployment=back).values_list("kind", flat=True)
    assert set(kinds) == {"verify", "shift"}
    found = router(place)
    assert (found.serving, found.retained_slot) == ("blue", "green")


def test_a_slot_that_is_kept_since_the_plan_was_made_is_not_changed(
    tmp_path: Path,
) -> None:
    """Nobody moved traffic, yet from now on it may return there."""
    place = slotted(1, tmp_path)
    plain = prepare(place, "blue_green")
    until = timezone.now() + timedelta(hours=1)
    Router.objects.update(retained_slot="green", retain_until=until)
    with pytest.raises(planning.Refused, match="Slot green is kept as it is"):
        place.start(plain)
    ending = prepare(place, "blue_green", end_retention=True)
    place.start(ending)
    assert router(place).retained_slot is None


def test_a_retention_that_is_over_holds_up_nobody(tmp_path: Path) -> None:
    place = slotted(1, tmp_path)
    past = timezone.now() - timedelta(hours=1)
    Router.objects.update(retained_slot="green", retain_until=past)
    deployment = prepare(place, "blue_green")
    place.start(deployment)
    assert router(place).retained_slot is None
