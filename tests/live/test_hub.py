"""The hub: one read and one rendering for all, and nobody waits for anybody."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from django.db import OperationalError

from deployctl import frames
from deployctl.frames import BEATS
from deployctl.live import hub as hub_module
from deployctl.live.hub import RESYNC, Hub, Viewer
from deployctl.live.pace import Pace
from deployctl.models import Deployment
from deployctl.services import workers
from strategies.states import OperationState
from tests.live.pages import Hands, Page, apart, started

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]
S = OperationState
QUICK = Pace(tick_seconds=0.02, poll_seconds=30, heartbeat_seconds=30)
#: An address where nobody listens: the bell is never heard.
SILENT = "host=/nonexistent"


class Scene:
    """A deployment that has just started, and somebody to move it."""

    def __init__(self) -> None:
        self.place, self.deployment = started(30, batch_size=3)
        self.hands = Hands(self.deployment)
        self.id = int(self.deployment.pk)

    @property
    def seq(self) -> int:
        return Deployment.objects.get(pk=self.id).seq


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest_asyncio.fixture
async def hubs() -> AsyncIterator[Callable[..., Hub]]:
    made: list[Hub] = []

    def make(pace: Pace = QUICK, **more: Any) -> Hub:
        made.append(Hub(pace, **more))
        return made[-1]

    yield make
    for hub in made:
        await hub.close()


async def do(work: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(apart, work)


async def join(hub: Hub, scene: Scene, seq: int, user: int = 1) -> Viewer:
    viewer = hub.join(scene.id, user, seq)
    assert viewer is not None
    return viewer


async def told(viewer: Viewer, seconds: float = 5) -> dict[str, Any]:
    text = await asyncio.wait_for(viewer.take(), seconds)
    return dict(json.loads(text))


async def silent(viewer: Viewer, seconds: float = 0.2) -> bool:
    try:
        await told(viewer, seconds)
    except TimeoutError:
        return True
    return False


async def reaches(viewer: Viewer, page: Page, seq: int) -> None:
    while page.seq < seq:
        message = await told(viewer)
        await do(partial(page.hear, message))


async def test_a_flush_reaches_the_viewer_by_the_bell_at_once(
    hubs: Callable[..., Hub], scene: Scene
) -> None:
    hub, page = hubs(), await do(lambda: Page(scene.id))
    viewer = await join(hub, scene, page.seq)
    assert await silent(viewer), "a page that is up to date is told nothing"
    await do(lambda: scene.hands.flush(S.SUCCEEDED))
    await reaches(viewer, page, await do(lambda: scene.seq))
    await do(page.check)
    assert page.fetched == 0


async def test_the_whole_story_arrives_and_the_page_is_like_a_fresh_one(
    hubs: Callable[..., Hub], scene: Scene
) -> None:
    hub, page = hubs(), await do(lambda: Page(scene.id))
    viewer = await join(hub, scene, page.seq)
    for turn in range(30):
        await do(scene.hands.flush)
        if turn == 15:
            await do(lambda: scene.place.press(scene.deployment, "roll_back"))
    await reaches(viewer, page, await do(lambda: scene.seq))
    await do(page.check)
    assert page.fetched == 0, "a viewer that misses nothing never has to ask"


async def test_a_page_that_loses_frames_asks_and_ends_like_a_fresh_one(
    hubs: Callable[..., Hub], scene: Scene
) -> None:
    hub, page = hubs(), await do(lambda: Page(scene.id))
    viewer = await join(hub, scene, page.seq)
    for turn in range(9):
        await do(lambda: scene.hands.flush(S.SUCCEEDED))
        message = await told(viewer)
        if turn % 3:
            await do(partial(page.hear, message))
    await do(lambda: page.hear({"kind": "hb", "seq": scene.seq}))
    await do(page.check)
    assert page.fetched > 0


async def test_all_viewers_are_handed_one_text_that_is_rendered_once(
    hubs: Callable[..., Hub], scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    seqs: list[int] = []
    render = frames.room.summary

    def counting(deployment_id: int) -> dict[str, Any]:
        seqs.append(deployment_id)
        return render(deployment_id)

    hub, seq = hubs(), await do(lambda: scene.seq)
    viewers = [await join(hub, scene, seq, user) for user in range(50)]
    await do(lambda: scene.hands.flush(S.SUCCEEDED))
    for viewer in viewers:
        await told(viewer)
    monkeypatch.setattr(frames.room, "summary", counting)
    await do(lambda: scene.hands.flush(S.SUCCEEDED))
    texts = [await asyncio.wait_for(viewer.take(), 5) for viewer in viewers]
    assert len({id(text) for text in texts}) == 1, "the same text, not equal ones"
    assert len(seqs) == 1


async def test_a_late_viewer_shares_nothing_with_steady_ones_but_the_rendering(
    hubs: Callable[..., Hub], scene: Scene
) -> None:
    hub, late = hubs(), await do(lambda: Page(scene.id))
    steady = await join(hub, scene, late.seq)
    for _ in range(4):
        await do(lambda: scene.hands.flush(S.SUCCEEDED))
        await told(steady)
    viewer = await join(hub, scene, late.seq)
    message = await told(viewer)
    assert message["from"] == late.seq
    assert message["whole"]
    await do(lambda: late.hear(message))
    await do(late.check)
    assert await silent(steady)


async def test_what_flickers_while_a_page_is_loaded_does_not_stay_wrong(
    hubs: Callable[..., Hub], scene: Scene
) -> None:
    """A page loaded between two looks may hold what neither of them shows."""
    hub = hubs()
    steady = await join(hub, scene, await do(lambda: scene.seq))
    await do(lambda: scene.hands.flush(S.SUCCEEDED))
    await told(steady)
    page = await do(lambda: Page(scene.id))
    page.html["room-next"] = "what was true for a moment"
    viewer = await join(hub, scene, page.seq)
    await do(lambda: scene.hands.flush(S.SUCCEEDED))
    await reaches(viewer, page, await do(lambda: scene.seq))
    await do(page.check)


@pytest.mark.parametrize("seq", [-1, 10**9])
async def test_a_viewer_out_of_reach_is_told_to_begin_anew(
    hubs: Callable[..., Hub], scene: Scene, seq: int
) -> None:
    viewer = await join(hubs(), scene, seq)
    assert (await told(viewer))["kind"] == "resync"


async def test_a_slow_reader_is_resynced_and_delays_nobody(
    hubs: Callable[..., Hub], scene: Scene
) -> None:
    pace = Pace(tick_seconds=0.01, poll_seconds=30, waiting_frames=3)
    hub, page = hubs(pace), await do(lambda: Page(scene.id))
    seq = page.seq
    slow, quick = await join(hub, scene, seq), await join(hub, scene, seq)
    for _ in range(6):
        await do(lambda: scene.hands.flush(S.SUCCEEDED))
        await told(quick, 1)
    texts = [await slow.take() for _ in range(3)]
    assert texts[0] == RESYNC
    assert all(text != RESYNC for text in texts[1:])
    for text in texts:
        await do(partial(page.hear, json.loads(text)))
    await do(page.check)


async def test_with_a_silent_bell_reading_every_while_is_enough(
    hubs: Callable[..., Hub], scene: Scene
) -> None:
    pace = Pace(tick_seconds=0.02, poll_seconds=0.2, heartbeat_seconds=30)
    hub, page = hubs(pace, bell=SILENT), await do(lambda: Page(scene.id))
    viewer = await join(hub, scene, page.seq)
    await do(lambda: scene.hands.flush(S.SUCCEEDED))
    await reaches(viewer, page, await do(lambda: scene.seq))
    await do(page.check)


async def test_without_the_bell_and_the_polling_nothing_arrives(
    hubs: Callable[..., Hub], scene: Scene
) -> None:
    viewer = await join(hubs(bell=SILENT), scene, await do(lambda: scene.seq))
    await asyncio.sleep(0.1)
    await do(lambda: scene.hands.flush(S.SUCCEEDED))
    assert await silent(viewer, 0.5)


async def test_a_read_that_fails_is_tried_again(
    hubs: Callable[..., Hub], scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = frames.look
    failed: list[Any] = []

    def failing(*args: Any) -> Any:
        if len(failed) < 2:
            failed.append(args)
            raise ConnectionError("the database is away")
        return look(*args)

    monkeypatch.setattr(hub_module.frames, "look", failing)
    pace = Pace(tick_seconds=0.02, poll_seconds=0.1, heartbeat_seconds=30)
    hub, page = hubs(pace), await do(lambda: Page(scene.id))
    viewer = await join(hub, scene, page.seq)
    await do(lambda: scene.hands.flush(S.SUCCEEDED))
    await reaches(viewer, page, await do(lambda: scene.seq))
    assert len(failed) == 2


async def test_frames_come_at_most_once_a_tick(
    hubs: Callable[..., Hub], scene: Scene
) -> None:
    pace = Pace(tick_seconds=0.4, poll_seconds=30, heartbeat_seconds=30)
    hub, seq = hubs(pace), await do(lambda: scene.seq)
    viewer = await join(hub, scene, seq)
    began, came, last = time.monotonic(), 0, seq
    for _ in range(10):
        await do(lambda: scene.hands.flush(S.SUCCEEDED))
    while last < await do(lambda: scene.seq):
        last = (await told(viewer))["to"]
        came += 1
    assert came <= 2 + (time.monotonic() - began) / 0.4


@pytest.mark.parametrize(("viewers", "seconds"), [(50, 0.25), (500, 1), (501, 2)])
async def test_more_viewers_are_told_less_often(viewers: int, seconds: float) -> None:
    assert Pace().tick(viewers) == seconds


async def test_a_heartbeat_says_how_far_it_is(
    hubs: Callable[..., Hub], scene: Scene
) -> None:
    hub = hubs(Pace(heartbeat_seconds=0.3, poll_seconds=30))
    seq = await do(lambda: scene.seq)
    viewer = await join(hub, scene, seq)
    heard = await told(viewer)
    assert (heard["kind"], heard["seq"], set(heard["html"])) == ("hb", seq, set(BEATS))


async def test_beats_are_heard_while_nothing_happens_and_known_afterwards(
    hubs: Callable[..., Hub], scene: Scene
) -> None:
    hub, page = hubs(Pace(0.02, 30, 0.3)), await do(lambda: Page(scene.id))
    viewer = await join(hub, scene, page.seq)
    await do(lambda: scene.hands.flush(S.SUCCEEDED))
    await reaches(viewer, page, await do(lambda: scene.seq))
    await do(lambda: workers.beat(scene.hands.worker_id))
    while (heard := await told(viewer))["kind"] != "hb" or not heard["html"]:
        pass
    await do(lambda: page.hear(heard))
    await do(page.check)
    await do(lambda: scene.hands.flush(S.SUCCEEDED))
    frame = await told(viewer)
    while frame["kind"] == "hb":
        await do(partial(page.hear, frame))
        frame = await told(viewer)
    await do(lambda: page.hear(frame))
    await do(page.check)
    assert page.fetched == 0


async def test_a_database_that_is_away_silences_no_heart(
    hubs: Callable[..., Hub], scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: int) -> dict[str, str]:
        raise OperationalError("away")

    monkeypatch.setattr(frames, "pulse", away)
    seq = await do(lambda: scene.seq)
    hub = hubs(Pace(0.02, 30, 0.1))
    first = await join(hub, scene, seq)
    while (await told(first))["seq"] != seq:
        pass  # Before the hub has looked, a beat can say of no event.
    viewer = await join(hub, scene, seq)
    assert await told(viewer) == {"kind": "hb", "seq": seq, "html": {}}
    assert await told(viewer) == {"kind": "hb", "seq": seq, "html": {}}


async def test_the_hub_ends_with_its_last_viewer_and_may_start_again(
    hubs: Callable[..., Hub], scene: Scene
) -> None:
    hub, seq = hubs(), await do(lambda: scene.seq)
    running = len(asyncio.all_tasks())
    for _ in range(2):
        viewer = await join(hub, scene, seq)
        other = await join(hub, scene, seq)
        await do(lambda: scene.hands.flush(S.SUCCEEDED))
        await told(viewer)
        seq = await do(lambda: scene.seq)
        hub.leave(viewer)
        assert hub.viewers == 1
        hub.leave(other)
        await asyncio.sleep(0.05)
        assert hub.viewers == 0
        assert len(asyncio.all_tasks()) == running


async def test_one_person_has_so_many_sockets_and_no_more(
    hubs: Callable[..., Hub], scene: Scene
) -> None:
    hub = hubs(Pace(sockets_per_user=2, poll_seconds=30))
    first = await join(hub, scene, 1)
    await join(hub, scene, 1)
    assert hub.join(scene.id, 1, 1) is None
    assert hub.join(scene.id, 2, 1) is not None
    hub.leave(first)
    assert hub.join(scene.id, 1, 1) is not None
