"""An accepted target that fell ill: a cell of its own, in rows, frames and words."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from deployctl import frames
from deployctl.models import Deployment, Target
from deployctl.queries import fleet, grid, room
from deployctl.queries.batches import batches
from deployctl.queries.plans import course_of, progress_of
from deployctl.services import watching
from deployctl.templatetags.deployctl import CELLS
from strategies.states import OperationState
from tests.services.slotted import started
from tests.support.fleet import Place, simulated
from tests.support.rooms import Hand

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def place(db: None) -> Place:
    """Eight targets at 1.0."""
    return Place(simulated(8))


def baking(place: Place) -> tuple[Deployment, Hand]:
    """A canary whose first half is accepted, and baking."""
    options = {"stages": "50, 100", "stage_duration_seconds": 600}
    deployment = started(place, "canary", success_threshold="50%", **options)
    hand = Hand(deployment)
    hand.report(hand.claim(), OperationState.SUCCEEDED)
    return deployment, hand


def seen(deployment: Deployment, position: int, looks: int) -> None:
    """Let so many looks in a row count; below 0 they were bad."""
    targets = Target.objects.filter(
        operations__deployment=deployment, operations__position=position
    )
    at = timezone.now() + timedelta(seconds=1)
    targets.update(looks=looks, looked_at=at)
    watching.regard(deployment.pk, {})
    deployment.refresh_from_db()


def letters(deployment: Deployment) -> str:
    """Return the grid as a fresh page has it."""
    deployment.refresh_from_db()
    return grid.letters(deployment, course_of(deployment.plan_id))


def followed(deployment: Deployment, seq: int, then: str) -> str:
    """Return the grid of a page that was at `seq`, after the frame for it."""
    cells = list(then)
    for position, letter in frames.since(deployment.pk, seq)["cells"]:
        cells[position] = letter
    return "".join(cells)


def test_frames_rebuild_a_grid_with_a_regression_from_anywhere(place: Place) -> None:
    deployment, hand = baking(place)
    grids = {1: "p" * 8}

    def look() -> str:
        now = letters(deployment)
        grids[deployment.seq] = now
        for seq, then in grids.items():
            assert followed(deployment, seq, then) == now
        assert frames.full(deployment.pk)["grid"] == now
        return now

    assert look() == "sssspppp"
    seen(deployment, 1, -3)
    assert look() == "sgsspppp"
    seen(deployment, 1, 1)
    assert look() == "sssspppp", "it recovered"
    seen(deployment, 2, -3)
    place.press(deployment, "roll_back")
    assert look() == "PPPPpppp", "a return lies over it"
    hand.finish()
    assert look() == "SSSSpppp"


def test_a_regression_is_counted_and_worded_apart(place: Place) -> None:
    deployment, _ = baking(place)
    seen(deployment, 1, -3)
    context = room.summary(deployment.pk)
    words = {entry["letter"]: entry["count"] for entry in context["legend"]}
    assert words == {"s": 3, "g": 1, "p": 4}
    row = room.deployment(deployment.pk)
    said = batches(row, progress_of(row), grid.letters(row, course_of(row.plan_id)))
    assert (said["rows"][0]["says"], said["rows"][0]["failed"]) == ("1 regressed", 1)
    assert [zone["bad"] for zone in context["zones"]] == [1]
    target = deployment.operations.get(position=1).target
    assert target is not None
    where = fleet.operations_in(deployment.pk, [target.pk])[target.pk]
    assert (where["state"], where["label"]) == ("failed", "regressed")


def test_the_script_has_the_same_cells_as_the_templates() -> None:
    script = (ROOT / "static/js/live.js").read_text()
    table = script.split("const CELLS = {")[1].split("};")[0]
    found = re.findall(r'(\w): \["([^"]+)", "([^"]+)"\]', table)
    assert {letter: (css, word) for letter, css, word in found} == CELLS
    drawn = (ROOT / "static/js/heatmap.js").read_text()
    looks = drawn.split("const LOOK = {")[1].split("};")[0]
    assert set(re.findall(r"(\w): \[", looks)) == set(CELLS)
