"""The head of the board: stages with their shares, waits and gates; or batches."""

from __future__ import annotations

from typing import Any

import pytest

from deployctl import frames
from deployctl.models import Deployment
from deployctl.queries import room
from deployctl.queries.plans import progress_of
from strategies.states import OperationState
from tests.services.slotted import started
from tests.support.fleet import Place, simulated
from tests.support.rooms import Hand

NBSP = "\u00a0"
S = OperationState


@pytest.fixture
def place(db: None) -> Place:
    """Eight targets at 1.0."""
    return Place(simulated(8))


def canary(place: Place, **more: Any) -> tuple[Deployment, Hand]:
    """Start a canary of a quarter, half and all, that bakes for ten minutes."""
    options = {"stages": "25, 50, 100", "stage_duration_seconds": 600, **more}
    deployment = started(place, "canary", on_failure="halt", **options)
    return deployment, Hand(deployment)


def heads(deployment: Deployment) -> list[dict[str, Any]]:
    """Return the board's head as it is now."""
    found: list[dict[str, Any]] = room.summary(deployment.pk)["heads"]
    return found


def test_stages_are_the_columns_with_share_sizes_and_what_follows(
    place: Place,
) -> None:
    deployment, _ = canary(place, gates=True, batch_size=1)
    first, second, last = heads(deployment)
    assert [head["share"] for head in (first, second, last)] == [
        "25 %",
        "50 %",
        "100 %",
    ]
    assert first["lines"] == ["2 targets", "under way", f"then bake 10{NBSP}min, gate"]
    assert second["lines"][:2] == ["+2, then 4", "waits"]
    assert last["lines"] == ["+4, then 8", "waits", ""]
    cells = room.page(room.deployment(deployment.pk))["grid"]["cells"]
    assert [cell["column"] for cell in cells] == [1, 1, 2, 2, 3, 3, 3, 3]


def test_a_bake_counts_down_in_its_stage_and_a_gate_asks_there(place: Place) -> None:
    deployment, hand = canary(place, gates=True)
    hand.report(hand.claim(), S.SUCCEEDED)
    first = heads(deployment)[0]
    assert (first["state"], first["lines"][1]) == ("running", "bakes")
    progress = progress_of(room.deployment(deployment.pk))
    assert progress.entered_at is not None
    assert (first["until_at"] - progress.entered_at).total_seconds() == 600
    assert " left" in frames.full(deployment.pk)["html"]["room-stages"]
    place.press(deployment, "promote")
    first, second, _ = heads(deployment)
    assert (first["state"], first["lines"][1]) == ("unresolved", "asks a person")
    assert second["state"] == "pending"
    place.press(deployment, "promote")
    first, second, _ = heads(deployment)
    assert (first["lines"][1], second["lines"][1]) == ("passed", "under way")


def test_what_was_tolerated_halted_and_restored_is_said_there(place: Place) -> None:
    deployment, hand = canary(place, success_threshold="50%", stage_duration_seconds=0)
    claims = hand.claim()
    hand.report(claims[:1], S.FAILED)
    hand.report(claims[1:], S.SUCCEEDED)
    hand.report(hand.claim(), S.FAILED)
    first, second, last = heads(deployment)
    assert first["lines"][1] == "passed, 1 tolerated"
    assert (second["state"], second["lines"][1]) == ("failed", "halted here")
    assert last["lines"][1] == "not reached"
    place.press(deployment, "roll_back")
    assert heads(deployment)[0]["lines"][1] == "returning"
    hand.finish()
    assert heads(deployment)[0]["lines"][1] == "restored"


def test_a_plan_of_one_stage_has_its_batches_there(place: Place) -> None:
    deployment = started(place, "rolling", batch_size=4)
    first, second = heads(deployment)
    assert (first["name"], first["lines"]) == ("Batch 1", ["4 targets", "under way"])
    assert second["lines"][1] == "waits"
    assert room.summary(deployment.pk)["rail"] == []
