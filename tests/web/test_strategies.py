"""Canaries, switches, retries and ways back, as pages have them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from deployctl import frames
from deployctl.models import Deployment, Router, Target
from deployctl.queries import room, slots
from deployctl.queries.batches import batches
from deployctl.queries.staged import staged
from deployctl.services import commands, versions
from strategies import Candidate, create_strategy
from strategies.preview import preview
from strategies.states import OperationState
from tests.services.slotted import slotted, started
from tests.support.fleet import Place, person
from tests.support.rooms import Hand

S = OperationState


def page(client: Client, deployment: Deployment) -> str:
    """Return the room's page."""
    answer = client.get(f"/deployments/{deployment.pk}/")
    assert answer.status_code == 200
    return answer.content.decode()


def seen(deployment: Deployment) -> int:
    """Return the control version that a fresh page shows."""
    deployment.refresh_from_db()
    return deployment.control_version


def typed(place: Place, strategy: str, **more: str) -> dict[str, object]:
    """Return what a person typed into the builder."""
    version = versions.register_version(place.application, "2.0", by=place.by)
    return {
        "application": place.application.pk,
        "environment": place.environment.pk,
        "version": version.pk,
        "strategy": strategy,
        **more,
    }


def test_the_preview_of_a_canary_says_what_each_stage_finds(
    place: Place, alice: Client
) -> None:
    data = typed(place, "canary", stages="25, 100", success_threshold="95%")
    text = alice.post("/deployments/preview/", data).content.decode()
    assert 'id="plan-stages"' in text
    assert "<circle" in text
    assert "25 %" in text
    assert "style=" not in text, "the page's policy allows no inline style"


@pytest.mark.parametrize(
    ("strategy", "field", "value", "said"),
    [
        ("canary", "stages", "50, 10", "grow from stage to stage"),
        ("canary", "success_threshold", "2", "must be a part as 0.95"),
        ("blue_green", "retain_seconds", "soon", "must be a number of seconds"),
        ("blue_green", "bake_seconds", "0", "has no router"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(
    strategy: str, field: str, value: str, said: str, place: Place, alice: Client
) -> None:
    data = typed(place, strategy, **{field: value})
    assert said in alice.post("/deployments/preview/", data).content.decode()


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
    assert frames.full(deployment.pk)["html"]["room-rail"].count("<li") == 3


def test_a_bake_counts_the_batches_that_have_begun(place: Place, alice: Client) -> None:
    options = {"stages": "25, 50, 100", "stage_duration_seconds": 600}
    deployment = started(place, "canary", **options)
    hand = Hand(deployment)
    claims = hand.claim()
    assert next_lines(deployment)[:2] == ["Batch 1 of 3.", "It bakes for 600 s."]
    hand.report(claims, S.SUCCEEDED)
    assert counted(deployment) == "1 of 3 done, 2 to come"
    assert next_lines(deployment)[1] == "The next stage begins."
    assert "Cut the wait short" not in page(alice, deployment), "no gate follows"


def next_lines(deployment: Deployment) -> list[str]:
    """Return what the room says that will happen."""
    return [line["what"] for line in room.summary(deployment.pk)["next"]]


def counted(deployment: Deployment) -> str:
    """Return what stands over the table of batches."""
    row = room.deployment(deployment.pk)
    return str(batches(row, room.progress_of(row))["says"])


def test_batches_are_counted_as_they_open_and_close(place: Place) -> None:
    deployment = started(place, "rolling", batch_size=3, delay_seconds=600)
    hand = Hand(deployment)
    claims = hand.claim()
    assert counted(deployment) == "0 of 3 done, batch 1 under way, 2 to come"
    hand.report(claims, S.SUCCEEDED)
    assert counted(deployment) == "1 of 3 done, 2 to come", "it waits before the next"
    waits = ["It waits: no target is claimed.", "Batch 2 of 3."]
    assert next_lines(deployment)[:2] == waits
    place.press(deployment, "abort")
    assert counted(deployment) == "1 of 3 done, 2 not finished"


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
    told = slots.slots(row, room.progress_of(row))
    assert told is not None
    found: dict[str, Any] = next(c for c in told["cards"] if c["name"] == name)
    return found


def test_a_slot_says_how_well_it_is_and_since_when(tmp_path: Path, db: None) -> None:
    deployment = started(slotted(3, tmp_path), "blue_green")
    old = timezone.now() - timedelta(minutes=5)
    blue = Target.objects.filter(slot="blue").order_by("pk")
    blue.update(health="healthy", observed_at=timezone.now())
    blue.filter(pk=blue[0].pk).update(health="unhealthy", observed_at=old)
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


def test_a_long_stage_stops_in_any_of_its_parts(db: None) -> None:
    """The chances of the table's rows and of getting through make a whole."""
    fleet = [Candidate(str(n), "1.0") for n in range(200)]
    plan = create_strategy("canary", stages="50, 100", success_threshold="90%").plan(
        fleet, "2.0"
    )
    rows = staged(plan, preview(plan))["rows"]
    assert len(rows) == 2
    assert all(row["stops"] for row in rows)


def reread(deployment: Deployment) -> Deployment:
    """Return the row as it is stored now."""
    return Deployment.objects.get(pk=deployment.pk)


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


def test_what_failed_is_retried_in_a_linked_deployment(
    place: Place, alice: Client, charlie: Client
) -> None:
    deployment = started(place, "rolling", batch_size=8, delay_seconds=0)
    hand = Hand(deployment)
    claims = hand.claim(8)
    hand.report(claims[:7], S.SUCCEEDED)
    hand.report(claims[7:], S.FAILED)
    deployment.refresh_from_db()
    assert deployment.state == "failed"
    assert "Retry 1 target" in page(alice, deployment)

    path = f"/deployments/{deployment.pk}/follow/"
    data = {"command": "retry", "idempotency_key": "again", "reason": "try"}
    refused = charlie.post(path, data)
    assert refused["Location"] == f"/deployments/{deployment.pk}/"
    answer = alice.post(path, data)
    linked = Deployment.objects.get(parent=deployment)
    assert answer["Location"] == f"/deployments/{linked.pk}/"
    assert alice.post(path, data)["Location"] == answer["Location"], (
        "pressed twice, started once"
    )
    assert linked.operations.count() == 1
    Hand(linked).finish()
    assert alice.post(path, data)["Location"] == answer["Location"], "also when done"
    assert alice.post(path, {"command": "explode"}).status_code == 404
