"""Slots: how well they are, where traffic goes, what is kept and until when."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.test import Client
from django.utils import timezone

from deployctl import frames
from deployctl.models import Deployment, Router, Target
from deployctl.queries import slots
from deployctl.queries.plans import progress_of
from deployctl.services import commands
from strategies.states import OperationState
from tests.services.slotted import slotted, started
from tests.support.fleet import person
from tests.support.rooms import Hand
from tests.web.pages import page, reread, seen


def test_a_slot_is_kept_only_while_it_is(
    tmp_path: Path, alice: Client, db: None
) -> None:
    deployment = started(slotted(1, tmp_path), "blue_green")
    for hours, kept in ((1, True), (-1, False)):
        until = timezone.now() + timedelta(hours=hours)
        Router.objects.update(retained_slot="blue", retain_until=until)
        assert bool(card(deployment, "blue")["retained_until"]) is kept
        assert ("Slots that are kept" in alice.get("/").content.decode()) is kept


def card(deployment: Deployment, name: str) -> dict[str, Any]:
    """Return what the room says of one slot now."""
    row = reread(deployment)
    told = slots.slots(row, progress_of(row))
    assert told is not None
    found: dict[str, Any] = next(c for c in told["cards"] if c["name"] == name)
    return found


def test_a_slot_says_how_well_it_is_and_since_when(tmp_path: Path, db: None) -> None:
    deployment = started(slotted(3, tmp_path), "blue_green")
    old = timezone.now() - timedelta(minutes=5)
    blue = Target.objects.filter(slot="blue").order_by("pk")
    blue.update(health="healthy", observed_at=timezone.now())
    ill = {"health": "unhealthy", "observed_at": old, "recorded_version": "0.9"}
    blue.filter(pk=blue[0].pk).update(**ill)
    told = card(deployment, "blue")
    assert (told["healthy"], told["unhealthy"], told["count"]) == (2, 1, 3)
    assert told["seen_at"] == old, "as old as the oldest look"
    text = frames.pulse(deployment.pk)["room-slots"]
    assert "2 of 3 healthy" in text
    assert "Traffic goes to <b>blue</b>" in text
    assert old.isoformat() in text
    Router.objects.update(serving=None)
    assert "Nobody could read" in frames.pulse(deployment.pk)["room-slots"]


def test_a_slot_awaits_its_promotion_and_no_longer(tmp_path: Path, db: None) -> None:
    deployment = started(slotted(1, tmp_path), "blue_green", bake_seconds=600)
    assert not card(deployment, "green")["awaits"]
    hand = Hand(deployment)
    hand.finish()
    assert card(deployment, "green")["awaits"]
    assert not card(deployment, "blue")["awaits"]
    assert "awaits promotion" in frames.full(deployment.pk)["html"]["room-slots"]
    key, by = "k", person()
    commands.press(deployment.pk, "promote", by=by, key=key, expected=seen(deployment))
    hand.finish()
    assert not card(deployment, "green")["awaits"]


def test_a_slot_that_is_switched_without_asking_awaits_nobody(
    tmp_path: Path, db: None
) -> None:
    deployment = started(slotted(1, tmp_path), "blue_green", auto_promote=True)
    assert not card(deployment, "green")["awaits"]


def test_slots_say_where_traffic_goes(tmp_path: Path, alice: Client, db: None) -> None:
    deployment = started(slotted(2, tmp_path), "blue_green")
    shown = page(alice, deployment)
    assert shown.count("gets all traffic") == 1
    assert "this deployment changes it" in shown
    hand = Hand(deployment)
    hand.finish()
    commands.press(
        deployment.pk, "promote", by=person(), key="k", expected=seen(deployment)
    )
    hand.finish()
    look = frames.look(deployment.pk, [1])
    cells = {position for move in look.moves for position in move}
    assert cells == {0, 1}, "a switch is no cell"
    assert "Traffic goes to green, read back" in look.html["room-feed"]


def test_the_room_of_a_switch_that_failed_is_shown(
    tmp_path: Path, alice: Client, db: None
) -> None:
    """The evidence of this halt is the router, which has no page of its own."""
    deployment = started(slotted(1, tmp_path), "blue_green")
    hand, by = Hand(deployment), person()
    hand.finish()
    commands.press(deployment.pk, "promote", by=by, key="k", expected=seen(deployment))
    hand.report(hand.claim(), OperationState.FAILED, "no answer")
    shown = page(alice, deployment)
    assert "Halted by rule shift failed" in shown
    assert "the router" in shown
