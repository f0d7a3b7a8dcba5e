"""What the room shows equals the rows, and its sentences equal the facts."""

from __future__ import annotations

from collections import Counter

import pytest

from deployctl import frames
from deployctl.models import Deployment, Operation
from deployctl.queries import feed, grid, looks, room, sentences
from deployctl.queries.batches import MOST_ROWS
from deployctl.queries.plans import course_of
from strategies.messages import BatchClosed, Halted, Held, OperationsMoved, Rested
from strategies.states import Direction, OperationState, State
from tests.support.fleet import Place, simulated
from tests.support.rooms import Hand

_S = OperationState


@pytest.fixture
def place(db: None) -> Place:
    """Eight targets at 1.0."""
    return Place(simulated(8))


def letters(deployment: Deployment) -> str:
    """Return the grid as the room reads it."""
    deployment.refresh_from_db()
    return grid.letters(deployment, course_of(deployment.plan_id))


def from_rows(deployment: Deployment) -> str:
    """Return the grid as the rows say it, one by one: the slow and plain way."""
    found: dict[int, str] = {}
    for row in Operation.objects.filter(deployment=deployment).order_by("direction"):
        letter = looks.REGRESSED if row.regressed else looks.LETTERS[row.state]
        returns = row.direction == Direction.RETURN
        found[row.position] = letter.upper() if returns else letter
    return "".join(found[position] for position in sorted(found))


def test_letters_equal_the_rows_through_a_whole_life(place: Place) -> None:
    deployment = place.deploy(batch_size=4, max_failures=1, parallelism=3)
    hand, seen = Hand(deployment), []

    def look() -> None:
        seen.append(letters(deployment))
        assert seen[-1] == from_rows(deployment)

    look()
    claims = hand.claim()
    look()
    hand.report(claims[:1], _S.VERIFYING)
    look()
    hand.report(claims[:1], _S.SUCCEEDED)
    hand.report(claims[1:2], _S.FAILED, "boom")
    hand.report(claims[2:], _S.UNKNOWN)
    look()
    hand.report(hand.claim(1), _S.SUCCEEDED)
    place.press(deployment, "roll_back")
    look()
    hand.finish()
    look()
    assert seen[0] == "pppppppp"
    assert seen[1] == "rrrppppp"
    assert seen[2] == "vrrppppp"
    assert seen[3] == "sfuppppp"
    assert "P" in seen[4]
    assert set(seen[-1]) == {"S", "p"}


def test_a_frame_leads_from_any_seq_to_the_rows(place: Place) -> None:
    deployment = place.deploy(batch_size=4, max_failures=1)
    hand = Hand(deployment)
    grids = {deployment.seq: letters(deployment)}
    claims = hand.claim()
    for state in (_S.VERIFYING, _S.SUCCEEDED):
        for claim in claims:
            hand.report([claim], state)
            now = letters(deployment)
            grids[deployment.seq] = now
    place.press(deployment, "roll_back")
    hand.finish()
    last = letters(deployment)
    for seq, then in grids.items():
        cells = list(then)
        for position, letter in frames.since(deployment.pk, seq)["cells"]:
            cells[position] = letter
        assert "".join(cells) == last


def test_before_the_start_all_wait(place: Place) -> None:
    deployment = place.prepare()
    assert letters(deployment) == "p" * 8
    context = room.page(room.deployment(deployment.pk))
    assert len(context["grid"]["cells"]) == 8
    assert context["deployment"]["label"] == "Not started"


def test_a_large_grid_is_one_text(db: None) -> None:
    large = Place(simulated(grid.MOST_CELLS + 1))
    context = room.page(large.deploy(batch_size="10%"))
    assert len(context["grid"]["states"]) == grid.MOST_CELLS + 1
    sizes = [int(size) for size in context["grid"]["batch_sizes"].split(",")]
    assert sum(sizes) == grid.MOST_CELLS + 1
    assert "cells" not in context["grid"]


def test_of_many_batches_those_around_the_open_one_are_shown(db: None) -> None:
    deployment = Place(simulated(MOST_ROWS + 1)).deploy(batch_size=1)
    told = room.summary(deployment.pk)["batches"]
    assert [row["number"] for row in told["rows"]] == list(range(1, MOST_ROWS + 1))
    assert told["says"].endswith(f"under way, {MOST_ROWS} to come; 1 to 100 are shown")


@pytest.mark.parametrize("count", [8, 600])
def test_a_room_asks_as_often_however_large_the_fleet(
    count: int, db: None, django_assert_max_num_queries: object
) -> None:
    deployment = Place(simulated(count)).deploy(batch_size="25%")
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        room.page(room.deployment(deployment.pk))


def test_a_halt_is_explained_by_its_numbers(place: Place) -> None:
    deployment = place.deploy(batch_size=4)
    hand = Hand(deployment)
    claims = hand.claim()
    hand.report(claims[:2], _S.FAILED, "connection refused")
    hand.report(claims[2:], _S.SUCCEEDED)
    halt = room.summary(deployment.pk)["halt"]
    assert halt["observed"].startswith("1")
    assert halt["threshold"].startswith("0")
    assert "8" in halt["sample"]
    assert halt["at_rest"]
    assert halt["evidence_total"] == 2
    assert {each["error"] for each in halt["evidence"]} == {"connection refused"}
    proposed = {each["verb"]: each["proposed"] for each in halt["choices"]}
    assert proposed == {"roll_back": True, "retry": False}


def test_equal_errors_are_one_group(place: Place) -> None:
    deployment = place.deploy(batch_size=8, max_failures=8)
    hand = Hand(deployment)
    claims = hand.claim()
    hand.report(claims[:3], _S.FAILED, "refused")
    hand.report(claims[3:4], _S.FAILED, "timeout")
    groups = room.summary(deployment.pk)["failures"]["groups"]
    assert [(g["error"], g["count"]) for g in groups] == [
        ("refused", 3),
        ("timeout", 1),
    ]


def test_the_feed_tells_the_story_newest_first(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = place.deploy(batch_size=4)
    Hand(deployment).finish()
    deployment.refresh_from_db()
    told = feed.feed(deployment, course_of(deployment.plan_id))
    texts = [entry["text"] for entry in told["entries"]]
    assert texts[0] == "Over: completed"
    assert "Batch 1 of 2 finished: 4 ok" in texts
    assert texts[-2:] == ["Batch 1 of 2 began: 4 targets", "started it"]
    assert told["entries"][-1]["who"] == "ana"
    seqs = [entry["seq"] for entry in told["entries"]]
    assert seqs == sorted(seqs, reverse=True)
    monkeypatch.setattr(feed, "MOST_LINES", 2)
    fewer = feed.feed(deployment, course_of(deployment.plan_id))
    assert fewer == {"total": deployment.seq, "entries": told["entries"][:2]}


TOLD = sentences.Told({(0, n): n + 1 for n in range(10)}, {3: (1, "web-03")})


@pytest.mark.parametrize(
    ("fact", "sentence"),
    [
        (BatchClosed(0, 2, 120, 2), "Batch 3 of 10 finished: 120 ok, 2 failed"),
        (Halted("max_failures", 1, 0, 24), "Halted: 1 failed, 0 tolerated, of 24"),
        (Held("ana", "lunch"), "paused it: “lunch”"),
        (Held("rule", "why", "floor"), "Paused by rule floor: why"),
        (Rested(State.COMPLETED, "", "no_op"), "Over: no op"),
        (
            OperationsMoved(
                Direction.FORWARD, "batch", _S.RUNNING, _S.FAILED, False, False, (3,)
            ),
            "web-03 failed",
        ),
        (
            OperationsMoved(
                Direction.RETURN,
                "elsewhere",
                _S.RUNNING,
                _S.FAILED,
                False,
                False,
                tuple(range(2400)),
            ),
            "2,400 targets could not be restored",
        ),
    ],
)
def test_each_fact_is_a_sentence(fact: object, sentence: str) -> None:
    assert [line.text for line in sentences.lines([fact], TOLD)] == [sentence]  # type: ignore[list-item]


def test_bars_count_every_target_once() -> None:
    count = Counter("ssSfFgxXuUrvRVkKPp")
    parts = looks.parts_of(count)
    assert sum(part["count"] for part in parts) == count.total() - count["p"]


def test_nothing_waits_once_it_is_over(place: Place) -> None:
    deployment = place.deploy(batch_size=4)
    hand = Hand(deployment)
    hand.report(hand.claim(), _S.FAILED, "boom")
    context = room.summary(deployment.pk)
    assert context["batches"]["rows"][1]["says"] == "not reached"
    assert "not touched" in [entry["word"] for entry in context["legend"]]
    assert "waits" not in [entry["word"] for entry in context["legend"]]
