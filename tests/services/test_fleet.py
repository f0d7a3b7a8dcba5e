"""Targets, and the digest that says in a plan how each is reached."""

from __future__ import annotations

from typing import Any

import pytest

from deployctl.models import Audit, Deployment, Target
from deployctl.services import claims, fleet, starting
from deployctl.services.fleet import InUse, driver_digest
from deployctl.services.people import NotAllowed
from deployctl.services.planning import Refused
from strategies.states import OperationState
from tests.services.hands import Beside, Gate, Hands, said
from tests.support.fleet import Place, person, simulated, states

S = OperationState


def test_the_digest_changes_with_what_would_be_done() -> None:
    base = driver_digest("agent", "http://a", {"x": 1, "y": 2})
    assert base == driver_digest("agent", "http://a", {"y": 2, "x": 1})
    others = {
        driver_digest("simulated", "http://a", {"x": 1, "y": 2}),
        driver_digest("agent", "http://b", {"x": 1, "y": 2}),
        driver_digest("agent", "http://a", {"x": 2, "y": 2}),
        driver_digest("agent", "http://a", {}),
    }
    assert len({base, *others}) == 5
    assert base == "54b749c511cc49b7af523f81dc54599e8d05229df97cad80594ee2f8f0273e23"


def test_the_digest_refuses_what_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="JSON"):
        driver_digest("agent", "", {"x": float("nan")})


@pytest.mark.django_db(transaction=True)
def test_moved_targets_are_entered_and_have_another_digest() -> None:
    place = Place(simulated(2))
    old = {t.name: t.driver_digest for t in place.targets}
    where = place.application, place.environment
    assert fleet.move_targets(*where, {"t0": "there", "t1": ""}, by=place.by) == 1
    moved = Target.objects.get(application=place.application, name="t0")
    assert moved.address == "there"
    assert moved.driver_digest != old["t0"]
    assert Audit.objects.filter(action="targets.moved").count() == 1


@pytest.mark.django_db(transaction=True)
def test_somebody_who_may_only_look_adds_nothing() -> None:
    place = Place(simulated(1))
    where = place.application, place.environment
    with pytest.raises(NotAllowed):
        fleet.add_targets(*where, simulated(3), by=person("charlie", staff=False))
    assert Target.objects.filter(application=place.application).count() == 1


# -- targets that a live deployment has still to act on --------------------------------

#: Long enough for whoever is not kept out to get in.
MOMENT = 0.4


def move(place: Place, *names: str) -> int:
    """Give these targets another address."""
    where = place.application, place.environment
    return fleet.move_targets(*where, dict.fromkeys(names, "there"), by=person("bob"))


def addresses(place: Place) -> dict[str, str]:
    """Return where each target is."""
    found = Target.objects.filter(application=place.application)
    return dict(found.values_list("name", "address"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("state", [None, "verifying", "unresolved"])
def test_an_open_or_doubtful_target_is_not_moved(state: str | None) -> None:
    place = Place(simulated(2))
    deployment = place.deploy(batch_size=2)
    hands = Hands(deployment)
    first, second = hands.claims()
    if state:
        doubted = hands.flush(said(first, S.UNKNOWN), said(second)).claims
        hands.flush(said(doubted[0], OperationState(state)), places=0)
    with pytest.raises(InUse, match=rf"Deployment {deployment.pk} .* act on t0,"):
        move(place, "t0")
    assert addresses(place) == {"t0": "", "t1": ""}
    assert not Audit.objects.filter(action="targets.moved").exists()


@pytest.mark.django_db(transaction=True)
def test_a_waiting_target_is_not_moved_and_nothing_else_is_either() -> None:
    place = Place(simulated(3))
    deployment = place.deploy(batch_size=1, max_failures=0)
    hands = Hands(deployment)
    claims_ = hands.claims()
    hands.flush(said(claims_[0]), places=0)
    with pytest.raises(InUse, match="act on t1, as its plan says"):
        move(place, "t0", "t1")
    assert move(place, "t0") == 1  # This one it is done with.
    place.press(deployment, "abort")
    assert move(place, "t1", "t2") == 2
    assert place.press(deployment, "roll_back").status == "ok"
    assert hands.claims()[0].address == "there"
    with pytest.raises(InUse):
        fleet.move_targets(
            place.application, place.environment, {"t0": "elsewhere"}, by=place.by
        )


@pytest.mark.django_db(transaction=True)
def test_an_unchanged_address_is_no_move() -> None:
    place = Place(simulated(2))
    place.deploy()
    where = place.application, place.environment
    assert fleet.move_targets(*where, addresses(place), by=place.by) == 0


@pytest.mark.django_db(transaction=True)
def test_who_moves_while_one_starts_waits_and_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate, place = Gate(), Place(simulated(2))
    deployment = place.prepare()
    write = starting.write_operations

    def written(*args: Any) -> None:
        gate.pass_through()
        write(*args)

    monkeypatch.setattr(starting, "write_operations", written)
    start = Beside(lambda: place.start(deployment))
    assert gate.reached.wait(10)
    moving = Beside(lambda: move(place, "t1"))
    assert not moving.ended(MOMENT)
    gate.open.set()
    start.get()
    with pytest.raises(InUse, match=f"Deployment {deployment.pk}"):
        moving.get()


@pytest.mark.django_db(transaction=True)
def test_who_starts_while_one_moves_waits_and_sees_the_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate, place = Gate(), Place(simulated(2))
    deployment = place.prepare()
    look = fleet.refuse_in_use

    def looked(target_ids: list[int]) -> None:
        look(target_ids)
        gate.pass_through()

    monkeypatch.setattr(fleet, "refuse_in_use", looked)
    moving = Beside(lambda: move(place, "t1"))
    assert gate.reached.wait(10)
    start = Beside(lambda: place.start(deployment))
    start.ended(MOMENT)
    gate.open.set()
    assert moving.get() == 1
    with pytest.raises(Refused, match="t1 changed since the plan was made"):
        start.get()
    assert states(deployment) == {}


@pytest.mark.django_db(transaction=True)
def test_who_moves_while_a_worker_claims_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, place = Gate(), Place(simulated(2))
    deployment = place.deploy()
    pick = claims.pick

    def picked(*args: Any) -> Any:
        gate.pass_through()
        return pick(*args)

    monkeypatch.setattr(claims, "pick", picked)
    flush = Beside(lambda: Hands(deployment).flush(check=False))
    assert gate.reached.wait(10)
    moving = Beside(lambda: move(place, "t0"))
    assert not moving.ended(MOMENT)
    gate.open.set()
    flush.get()
    with pytest.raises(InUse):
        moving.get()
    assert Deployment.objects.get(pk=deployment.pk).state == "in_progress"


@pytest.mark.django_db(transaction=True)
def test_the_longest_names_are_deployed_and_audited() -> None:
    """Together they are longer than what the audit has room for."""
    place = Place(simulated(1))
    for row in (place.application, place.environment):
        type(row).objects.filter(pk=row.pk).update(name="n" * 128)
        row.refresh_from_db()
    deployment = place.deploy("v" * 128)
    label = Audit.objects.filter(action="deployment.started").get().object_label
    assert str(deployment).startswith(label)
    assert len(label) == 300
