"""A room at rest: what may be done after a halt, each with a button of the head."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from strategies.states import OperationState
from tests.support.fleet import Place
from tests.support.rooms import Hand
from tests.web.pages import page

S = OperationState


@pytest.mark.parametrize(
    ("on_failure", "failed", "offered"),
    [
        ("halt", 2, ["roll_back", "retry"]),
        ("freeze", 2, ["retry"]),
        ("rollback", 2, []),
    ],
)
def test_what_may_be_done_has_its_button(
    place: Place, alice: Client, on_failure: str, failed: int, offered: list[str]
) -> None:
    deployment = place.deploy("2.0", batch_size=4, on_failure=on_failure)
    hand = Hand(deployment)
    claims = hand.claim()
    hand.report(claims[:failed], S.FAILED, "refused")
    hand.report(claims[failed:], S.SUCCEEDED)
    text = page(alice, deployment)
    assert re.findall(r'data-presses="do-(\w+)"', text) == offered
    for verb in offered:
        assert f'id="do-{verb}"' in text, verb


def test_what_went_well_is_not_tried_again(place: Place, alice: Client) -> None:
    deployment = place.deploy("2.0", batch_size=8)
    Hand(deployment).finish()
    text = page(alice, deployment)
    assert 'id="do-take_back"' in text
    assert 'id="do-retry"' not in text
