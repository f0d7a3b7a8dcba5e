"""A share of the traffic as a person sees it: in the builder, and in the room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from deployctl import frames
from deployctl.models import Deployment
from deployctl.services import versions
from strategies.states import OperationState
from tests.services.slotted import sharing, started
from tests.support.fleet import Place
from tests.support.rooms import Hand
from tests.web.pages import page

S = OperationState
GATED: dict[str, Any] = {
    "stages": "25, 50, 100",
    "stage_duration_seconds": 0,
    "traffic_shares": "2.5, 20",
    "gates": True,
    "on_failure": "halt",
}


@pytest.fixture
def shared(db: None, tmp_path: Path) -> Place:
    """Eight targets whose router shares their traffic."""
    return sharing(8, tmp_path)


def previewed(client: Client, place: Place, **fields: str) -> str:
    """Return the answer to a preview of a canary."""
    version = versions.register_version(place.application, "2.0", by=place.by)
    data = {
        "application": place.application.pk,
        "environment": place.environment.pk,
        "version": version.pk,
        "strategy": "canary",
        "stages": "25, 50, 100",
        **fields,
    }
    return client.post("/deployments/preview/", data).content.decode()


def html_of(deployment: Deployment) -> dict[str, str]:
    """Return the parts of its room."""
    html: dict[str, str] = frames.full(deployment.pk)["html"]
    return html


def test_a_preview_says_the_share_of_each_stage(shared: Place, alice: Client) -> None:
    text = previewed(alice, shared, traffic_shares="2.5, 20")
    assert '<th class="end">Traffic</th>' in text
    for share in ("2.5 %", "20 %", "as it was"):
        assert f'<td class="end">{share}</td>' in text


def test_without_a_share_nothing_is_said_of_traffic(
    shared: Place, alice: Client
) -> None:
    text = previewed(alice, shared)
    assert "No plan can be made" not in text
    assert "Traffic</th>" not in text


@pytest.mark.parametrize(
    ("shares", "says"),
    [
        ("5", "must be 2, one for each stage but the last, not 1"),
        ("20, 5", "must be less than 100% and not fall from stage to stage"),
        ("<b>", "must be a whole number or a percentage"),
        ("5, 1e3", "must be a whole number or a percentage"),
        ("9" * 300, "at most 200 characters"),
    ],
)
def test_what_is_wrong_with_it_is_said(
    shares: str, says: str, shared: Place, alice: Client
) -> None:
    text = previewed(alice, shared, traffic_shares=shares)
    assert "No plan can be made" in text
    assert says in text
    assert "<b>%" not in text


def test_a_place_without_a_router_says_what_is_missing(
    place: Place, alice: Client
) -> None:
    text = previewed(alice, place, traffic_shares="5, 20")
    assert "has no router in" in text
    assert "Add one, or choose what needs none" in text


def test_a_room_says_what_each_stage_gets_and_what_is_being_set(
    shared: Place, alice: Client
) -> None:
    deployment = started(shared, "canary", **GATED)
    hand = Hand(deployment)
    claims = hand.claim()
    units = html_of(deployment)
    assert "its traffic is set" in units["room-stages"]
    assert "The first 2 targets get 2.5 % of the traffic" in units["room-next"]
    hand.report(claims, S.SUCCEEDED)
    hand.report(hand.claim(), S.SUCCEEDED)
    units = html_of(deployment)
    for said in ("traffic: 2.5 %", "traffic: 20 %", "traffic: all as it was"):
        assert said in units["room-stages"]
    feed = units["room-feed"]
    assert "The first 2 targets get 2.5 % of the traffic, read back" in feed
    assert "Promote to 50 %" in page(alice, deployment)
    assert "Traffic goes to" not in page(alice, deployment)


def test_a_stage_that_only_adds_traffic_is_told_with_the_one_before_it(
    shared: Place, alice: Client
) -> None:
    options = {**GATED, "stages": "10, 12, 50", "traffic_shares": "1, 2, 3"}
    deployment = started(shared, "canary", **options)
    hand = Hand(deployment)
    for _ in range(3):
        hand.report(hand.claim(), S.SUCCEEDED)
    shared.press(deployment, "promote")
    hand.report(hand.claim(), S.SUCCEEDED)
    units = html_of(deployment)
    assert "traffic: 1 %, then 2 %" in units["room-stages"]
    assert units["room-stages"].count("asks a person") == 1


def test_a_share_that_could_not_be_set_is_why_it_halted(
    shared: Place, alice: Client
) -> None:
    deployment = started(shared, "canary", **GATED)
    hand = Hand(deployment)
    hand.report(hand.claim(), S.FAILED, "it is uneven (one has weight 7), not even")
    text = page(alice, deployment)
    assert "Halted by rule shift failed" in text
    assert "halted in its share of traffic" in text
    assert "could not be shared as the plan says" in text
    assert "one has weight 7" in text


def test_whoever_rolls_back_is_told_that_weights_go_back_too(
    shared: Place, alice: Client
) -> None:
    deployment = started(shared, "canary", **GATED)
    hand = Hand(deployment)
    for _ in range(2):
        hand.report(hand.claim(), S.SUCCEEDED)
    assert "After that traffic is shared as it was before." in page(alice, deployment)
    shared.press(deployment, "roll_back", reason="enough")
    hand.finish()
    feed = html_of(deployment)["room-feed"]
    assert "Traffic is shared as the load balancer has it, read back" in feed
