"""Gates: who may promote them, since when and until when they wait."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from deployctl import frames
from deployctl.queries import people, room
from deployctl.services.people import NotAllowed, actor_of
from strategies.states import OperationState
from tests.services.slotted import started
from tests.support.fleet import Place
from tests.support.rooms import Hand
from tests.web.pages import page

S = OperationState


def test_a_gate_is_promoted_by_whoever_may(
    place: Place, alice: Client, charlie: Client
) -> None:
    options = {"stages": "50, 100", "stage_duration_seconds": 0, "gates": True}
    deployment = started(place, "canary", **options)
    hand = Hand(deployment)
    hand.report(hand.claim(4), S.SUCCEEDED)
    shown = page(alice, deployment)
    assert "Waits at a gate" in shown
    assert "Promote to 100 %" in shown
    assert "do-promote" not in page(charlie, deployment)
    assert "Staff (alice, ana) may promote it." in shown
    assert "has no time limit" in shown
    units = frames.full(deployment.pk)["html"]
    assert "Promote to 100 %?" in units["room-rail"]
    assert "asks a person" in units["room-stages"]


def test_a_gate_says_until_when_it_waits_and_that_a_pause_stops_it(
    place: Place, alice: Client
) -> None:
    options = {"stages": "50, 100", "stage_duration_seconds": 0, "gates": True}
    deployment = started(place, "canary", gate_limit_seconds=600, **options)
    hand = Hand(deployment)
    hand.report(hand.claim(4), S.SUCCEEDED)
    decision = room.summary(deployment.pk)["gate"]
    assert decision["until_at"] - decision["since_at"] == timedelta(minutes=10)
    assert "it halts." in page(alice, deployment)
    place.press(deployment, "pause")
    shown = page(alice, deployment)
    assert "may promote it, once it is resumed" in shown
    assert "its time does not run" in shown
    assert room.summary(deployment.pk)["gate"]["until_at"] is None


@pytest.mark.parametrize(
    ("who", "may"),
    [
        ({"is_staff": True}, True),
        ({"is_staff": False}, False),
        ({"is_staff": False, "is_superuser": True}, False),
        ({"is_staff": True, "is_active": False}, False),
    ],
)
def test_those_who_are_named_are_those_who_may(
    who: dict[str, bool], may: bool, db: None
) -> None:
    user = User.objects.create(username="zoe", **who)
    named = "zoe" in people.those_who_may()
    try:
        allowed = actor_of(user).may_act
    except NotAllowed:
        allowed = False
    assert (named, allowed) == (may, may)


def test_of_many_who_may_a_few_are_named(db: None) -> None:
    assert people.those_who_may() == "Nobody is staff: no one"
    for number in range(5):
        User.objects.create_user(f"p{number}", is_staff=True)
    assert people.those_who_may() == "Staff (p0, p1, p2 and 2 more)"
