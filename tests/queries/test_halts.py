"""What a halt says: in the unit of its rule, and never rounded to what it missed."""

from __future__ import annotations

import pytest

from deployctl.models import Deployment
from deployctl.queries import history, room
from deployctl.queries.sentences import halt_words, share_left
from strategies.messages import Halted
from strategies.states import OperationState
from strategies.steps import Deploy
from tests.services.slotted import started
from tests.support.fleet import Place, simulated
from tests.support.rooms import Hand

NBSP = "\u00a0"
STAGES = (Deploy(0, 60, (60,), 60, min_success_bp=9_500),)


@pytest.fixture
def halted(db: None) -> Deployment:
    """A canary of 95 % whose stage of ten has lost two."""
    options = {"stages": "50, 100", "stage_duration_seconds": 0}
    place = Place(simulated(20))
    deployment = started(place, "canary", on_failure="halt", **options)
    hand = Hand(deployment)
    claims = hand.claim()
    hand.report(claims[2:], OperationState.SUCCEEDED)
    hand.report(claims[:2], OperationState.FAILED, "boom")
    deployment.refresh_from_db()
    return deployment


def test_a_threshold_is_told_in_percent_observed_and_required(
    halted: Deployment,
) -> None:
    told = room.summary(halted.pk)["halt"]
    assert told["observed"] == f"90{NBSP}% at most: 1 failed"
    assert told["threshold"] == f"95{NBSP}%: 0 may fail"
    assert told["sample"] == "of 10 targets"
    assert "95" in told["rule"]


@pytest.mark.parametrize(
    ("well", "says"), [(0, "None had"), (1, "1 had"), (2, "2 had")]
)
def test_the_lede_counts_as_one_speaks(db: None, well: int, says: str) -> None:
    place = Place(simulated(6))
    deployment = started(place, "canary", on_failure="halt", stages="50, 100")
    hand = Hand(deployment)
    claims = hand.claim()
    hand.report(claims[:well], OperationState.SUCCEEDED)
    hand.report(claims[well : well + 1], OperationState.FAILED, "boom")
    told = room.summary(deployment.pk)["halt"]["lede"]
    were = "were" if well > 1 else "was"
    assert told.endswith(f" {says} taken it and {were} healthy.")


def test_feed_and_history_say_the_same(halted: Deployment) -> None:
    sentence = (
        f"Halted: 90{NBSP}% at most could succeed, 95{NBSP}% had to; 1 failed of 10"
    )
    entries = room.summary(halted.pk)["feed"]["entries"]
    assert sentence in [entry["text"] for entry in entries]
    assert history.why(halted) == sentence


@pytest.mark.parametrize(
    ("failed", "sample", "share"),
    [(4, 60, "93.3"), (50_001, 1_000_000, "94.9"), (1, 1, "0")],
)
def test_what_was_observed_is_cut_and_not_rounded(
    failed: int, sample: int, share: str
) -> None:
    halt = Halted("success_threshold", failed, failed - 1, sample)
    assert share_left(halt) < 9_500
    assert f"{share}{NBSP}%" in halt_words(halt, STAGES)
