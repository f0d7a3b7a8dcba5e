"""Targets, and the digest that says in a plan how each is reached."""

from __future__ import annotations

import pytest

from deployctl.models import Audit, Target
from deployctl.services import fleet
from deployctl.services.fleet import driver_digest
from deployctl.services.people import NotAllowed
from tests.support.fleet import Place, person, simulated


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
