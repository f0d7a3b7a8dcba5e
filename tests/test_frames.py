"""Frames: whatever is dropped, doubled or late, the page ends like a fresh one."""

from __future__ import annotations

import json
import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deployctl import frames
from deployctl.frames import BEATS
from deployctl.models import Deployment, Event
from deployctl.services import workers
from deployctl.settings import BASE_DIR
from strategies import wire
from strategies.states import OperationState
from tests.live.pages import Hands, Page, rows_grid, started

pytestmark = pytest.mark.django_db(transaction=True)
S = OperationState


#: What a person presses before which flush.
PRESSES = {4: "pause", 6: "resume", 12: "roll_back", 18: "pause", 21: "resume"}


@pytest.mark.parametrize("seed", range(4))
def test_any_page_that_follows_frames_ends_like_a_fresh_one(seed: int) -> None:
    place, deployment = started(retries=1)
    hands, follower = Hands(deployment, seed), Page(deployment.pk)
    careless = [Careless(deployment.pk, random.Random(n + seed)) for n in range(3)]
    letters: set[str] = set()
    for turn in range(35):
        if turn in PRESSES:
            place.press(deployment, PRESSES[turn], reason="so")
        hands.flush(quiet=turn % 2 == 0)
        follower.catch_up(follower.seq)
        follower.check()
        assert "".join(follower.grid) == rows_grid(deployment)
        letters |= set(follower.grid)
        for page in careless:
            page.turn()
    for page in careless:
        page.catch_up(page.seq)
        page.check()
    assert {"p", "r", "s", "S", "R"} <= letters


class Careless(Page):
    """A page that drops frames, hears others twice, and some much too late."""

    def __init__(self, deployment_id: int, chance: random.Random) -> None:
        super().__init__(deployment_id)
        self.chance = chance
        self.heard: list[frames.Frame] = []

    def turn(self) -> None:
        """Hear of what has happened, or not."""
        since = self.chance.randint(0, self.seq)
        self.heard.append(frames.since(self.deployment_id, since))
        if self.chance.random() < 0.6:
            self.hear(self.heard[-1])
        if self.chance.random() < 0.3:
            self.hear(self.chance.choice(self.heard))


@pytest.mark.parametrize("on_failure", ["freeze", "rollback"])
def test_a_page_that_slept_through_all_of_it_ends_like_a_fresh_one(
    on_failure: str,
) -> None:
    _, deployment = started(20, max_failures=0, on_failure=on_failure)
    asleep = Page(deployment.pk)
    hands = Hands(deployment)
    hands.flush(S.SUCCEEDED)
    hands.flush(S.SUCCEEDED, S.FAILED)
    hands.run()
    deployment.refresh_from_db()
    assert deployment.state == ("failed" if on_failure == "freeze" else "rolled_back")
    asleep.catch_up(asleep.seq)
    asleep.check()
    assert "".join(asleep.grid) == rows_grid(deployment)


def test_a_frame_of_differences_holds_only_what_changed() -> None:
    _, deployment = started(20)
    hands = Hands(deployment)
    hands.flush(S.SUCCEEDED)
    before = frames.look(deployment.pk, [0])
    hands.flush(S.SUCCEEDED)
    after = frames.look(deployment.pk, [before.seq])
    frame = after.frame(before.seq, before.html)
    assert not frame["whole"]
    assert "room-counters" in frame["html"]
    assert "room-meta" not in frame["html"]
    assert {letter for _, letter in frame["cells"]} <= {"s", "r"}


def test_a_page_that_is_up_to_date_costs_hardly_anything() -> None:
    _, deployment = started(20)
    seq = Deployment.objects.get(pk=deployment.pk).seq
    with CaptureQueriesContext(connection) as asked:
        frame = frames.since(deployment.pk, seq)
    assert (frame["from"], frame["to"], set(frame["html"])) == (seq, seq, set(BEATS))
    assert len([q for q in asked if "deployctl_operation" in q["sql"]]) == 1


def test_a_page_that_has_everything_hears_the_workers_beat() -> None:
    _, deployment = started(20)
    hands, page = Hands(deployment), Page(deployment.pk)
    workers.beat(hands.worker_id)
    unit = "room-workers"
    assert page.html[unit] != Page(deployment.pk).html[unit], "it beats unheard"
    page.catch_up(page.seq)
    page.check()


def test_a_page_too_far_behind_is_given_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frames, "FARTHEST", 3)
    _, deployment = started(20, batch_size=2, parallelism=2)
    page = Page(deployment.pk)
    Hands(deployment).run()
    frame = frames.since(deployment.pk, page.seq)
    assert frame["from"] == 0
    assert len(frame["grid"]) == 20
    page.apply(frame)
    page.check()


@pytest.mark.parametrize("seq", [0, -1, 10**9])
def test_a_page_with_no_history_of_ours_is_given_everything(seq: int) -> None:
    _, deployment = started(20)
    assert "grid" in frames.since(deployment.pk, seq)


def test_a_frame_names_the_picture_of_the_tab() -> None:
    place, deployment = started(2)
    icons = [frames.full(deployment.pk)["icon"]]
    place.press(deployment, "pause")
    icons.append(frames.full(deployment.pk)["icon"])
    place.press(deployment, "resume")
    Hands(deployment).run()
    icons.append(frames.full(deployment.pk)["icon"])
    names = ("running", "paused", "done")
    assert icons == [f"/static/favicon-{name}.svg" for name in names]
    assert all((BASE_DIR / icon.lstrip("/")).is_file() for icon in icons)


def test_a_draft_has_a_frame_too() -> None:
    place, _ = started(5)
    deployment = place.prepare("3.0")
    frame = frames.since(deployment.pk, 0)
    assert (frame["to"], frame["grid"], frame["at"]) == (0, "ppppp", None)


def test_frames_are_json_and_hold_nothing_personal() -> None:
    _, deployment = started(20, max_failures=0)
    hands = Hands(deployment)
    hands.flush(S.SUCCEEDED)
    hands.flush(S.FAILED)
    text = json.dumps(frames.full(deployment.pk))
    for personal in ("<form", "csrf", "idempotency", "data-command"):
        assert personal not in text


def test_an_event_of_another_format_is_not_guessed_at() -> None:
    _, deployment = started(5)
    seq = Deployment.objects.get(pk=deployment.pk).seq
    later = {"format": 99, "facts": []}
    event = Event(deployment_id=deployment.pk, seq=seq + 1, kind="x", payload=later)
    event.at = Event.objects.filter(deployment_id=deployment.pk).earliest("seq").at
    event.save(force_insert=True)
    Deployment.objects.filter(pk=deployment.pk).update(seq=seq + 1)
    with pytest.raises(wire.UnknownFormat):
        frames.since(deployment.pk, seq)
