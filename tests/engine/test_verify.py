"""The verify loop, on a clock that moves only when somebody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import pytest

from deployctl.engine.drivers.base import Probe, ProbeFailed
from deployctl.engine.verify import verify
from strategies.health import Health, Healthy, Reason, Unhealthy

pytestmark = pytest.mark.asyncio

GOOD = Probe("2.0", True)
BAD = Probe("2.0", False, "503 \x1b[31mstarting")


class Story:
    """A clock, and what the target says at each time it is asked; the last repeats."""

    def __init__(self, answers: Iterable[Probe | Exception | float]) -> None:
        self.answers = list(answers)
        self.now = 1000.0
        self.asked: list[float] = []
        self.allowed: list[float] = []

    async def ask(self, seconds: float) -> Probe:
        self.asked.append(self.now - 1000)
        self.allowed.append(seconds)
        answer = self.answers[0]
        if len(self.answers) > 1:
            self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            self.now += answer
            raise TimeoutError
        return answer

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def verified(
        self, health: Health, seconds: float = 1000
    ) -> Healthy | Unhealthy:
        return await verify(
            self.ask,
            version="2.0",
            health=health,
            seconds=seconds,
            clock=lambda: self.now,
            sleep=self.sleep,
        )


async def test_one_good_answer_is_enough_without_a_minimum() -> None:
    story = Story([GOOD])
    assert await story.verified(Health(min_healthy_seconds=0)) == Healthy(0)
    assert story.asked == [0]


async def test_it_keeps_asking_for_the_minimum_time() -> None:
    story = Story([GOOD])
    assert await story.verified(Health(initial_delay_seconds=5)) == Healthy(15)
    assert story.asked == [5, 10, 15]


async def test_never_healthy_ends_at_the_deadline_and_not_later() -> None:
    story = Story([BAD])
    end = await story.verified(Health(deadline_seconds=60))
    assert end == Unhealthy(Reason.DEADLINE, "503 starting", 60)
    assert story.asked == [5.0 * n for n in range(12)]


async def test_the_absolute_deadline_outranks_the_rule() -> None:
    story = Story([BAD])
    end = await story.verified(Health(), seconds=7)
    assert end == Unhealthy(Reason.DEADLINE, "503 starting", 7)
    assert story.allowed == [5, 2]


@pytest.mark.parametrize("seconds", [0, -3])
async def test_without_time_nothing_is_asked(seconds: float) -> None:
    story = Story([GOOD])
    end = await story.verified(Health(min_healthy_seconds=0), seconds=seconds)
    assert isinstance(end, Unhealthy)
    assert story.asked == []


async def test_a_liar_is_caught() -> None:
    story = Story([Probe("1.0", True)])
    end = await story.verified(Health(min_healthy_seconds=0), seconds=3)
    assert isinstance(end, Unhealthy)
    assert end.detail == "is at 1.0, not at 2.0."


@pytest.mark.parametrize(
    "answer", [ProbeFailed("connection refused"), ValueError("a bug"), 5.0]
)
async def test_five_errors_in_a_row_end_it(answer: Exception | float) -> None:
    story = Story([answer])
    end = await story.verified(Health())
    assert isinstance(end, Unhealthy)
    assert end.reason is Reason.CHECK_ERROR
    assert len(story.asked) == 5


async def test_a_hanging_check_is_cut_off() -> None:
    async def hang(seconds: float) -> Probe:
        await asyncio.sleep(60)
        return GOOD

    rule = Health(timeout_seconds=0.02, interval_seconds=0.01)
    end = await verify(hang, version="2.0", health=rule, seconds=5)
    assert isinstance(end, Unhealthy)
    assert end.detail == "no answer within 0.02 s"


async def test_the_deadline_does_not_hide_what_was_said_before_it() -> None:
    """The last question has what is left, and that may be next to nothing."""
    story = Story([BAD, 0.25])
    end = await story.verified(Health(), seconds=5.25)
    assert story.allowed == [5, 0.25]
    assert end == Unhealthy(Reason.DEADLINE, "503 starting", 5.25)
    silent = await Story([0.25]).verified(Health(), seconds=0.25)
    assert isinstance(silent, Unhealthy)
    assert silent.detail == "no answer within 0.25 s"


async def test_being_cancelled_is_not_an_answer() -> None:
    asked = asyncio.Event()

    async def hang(seconds: float) -> Probe:
        asked.set()
        await asyncio.sleep(60)
        return GOOD

    running = asyncio.create_task(
        verify(hang, version="2.0", health=Health(), seconds=60)
    )
    await asked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_an_early_wake_up_asks_no_extra_question() -> None:
    story = Story([GOOD])
    whole: Callable[[float], object] = story.sleep

    async def early(seconds: float) -> None:
        await whole(seconds if seconds < 0.01 else seconds - 0.005)  # type: ignore[misc]

    end = await verify(
        story.ask,
        version=None,
        health=Health(),
        seconds=60,
        clock=lambda: story.now,
        sleep=early,
    )
    assert isinstance(end, Healthy)
    assert len(story.asked) == 3
