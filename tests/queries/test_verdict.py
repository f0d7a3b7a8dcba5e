"""The verdict of a stage: what succeeded, failed, is tolerated, and would halt."""

from __future__ import annotations

from typing import Any

import pytest

from deployctl import frames
from deployctl.models import Deployment
from deployctl.queries import room
from strategies.states import OperationState
from tests.services.slotted import started
from tests.support.fleet import Place, simulated
from tests.support.rooms import Hand

NBSP = "\u00a0"
S = OperationState


@pytest.fixture
def canary(db: None) -> Deployment:
    """Two stages of twenty; one in ten may fail."""
    options = {"stages": "50, 100", "stage_duration_seconds": 600}
    given = {"success_threshold": "90%", "on_failure": "halt", **options}
    return started(Place(simulated(40)), "canary", **given)


def verdict(deployment: Deployment) -> dict[str, Any]:
    """Return it as it is now."""
    told = room.summary(deployment.pk)["verdict"]
    assert told is not None
    return dict(told)


def test_failures_come_up_to_the_mark_and_no_further(canary: Deployment) -> None:
    hand = Hand(canary)
    claims = hand.claim()
    assert verdict(canary)["word"] == "Nothing judged yet"
    hand.report(claims[1:10], S.SUCCEEDED)
    hand.report(claims[:1], S.FAILED)
    told = verdict(canary)
    assert (told["word"], told["observed"]) == ("Holding", f"90{NBSP}%")
    assert (told["ok_width"], told["failed_x"], told["mark"]) == (450, 950, 900)
    assert told["says"].startswith("1 more failure stays within the rule")
    hand.report(claims[10:11], S.FAILED)
    assert verdict(canary)["failed_x"] == verdict(canary)["mark"]
    assert verdict(canary)["says"].startswith("No further failure")
    assert canary.halt is None
    hand.report(claims[11:12], S.FAILED)
    told = verdict(canary)
    assert (told["state"], told["word"], told["says"]) == ("failed", "Missed", "")
    assert told["failed_x"] < told["mark"]
    canary.refresh_from_db()
    assert canary.halt is not None


def test_failures_are_shown_against_what_is_tolerated(canary: Deployment) -> None:
    hand = Hand(canary)
    claims = hand.claim()
    hand.report(claims[:2], S.FAILED)
    hand.report(claims[2:], S.SUCCEEDED)
    assert "2 failed of 2 tolerated" in frames.full(canary.pk)["html"]["room-verdict"]


def test_a_sample_says_what_it_can_tell(canary: Deployment) -> None:
    Hand(canary).claim()
    finds = verdict(canary)["finds"]
    assert [row["fault"] for row in finds] == [50, 20, 12, 10, 8]
    assert (finds[0]["chance"], finds[-1]["chance"]) == ("1 %", "46 %")


def test_without_a_threshold_there_is_none(db: None) -> None:
    deployment = started(Place(simulated(4)), "rolling")
    assert room.summary(deployment.pk)["verdict"] is None
