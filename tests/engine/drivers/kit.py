"""The conformance kit: what every kind of target must do, whatever it is made of.

A case gets a `Subject`. A new kind is added to `test_conformance.py`, nothing else:
`CASES` for every kind, `FENCED` for those that say that they check the fence.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from deployctl.engine.drivers.base import (
    Applied,
    Driver,
    NotSent,
    OutcomeUnknown,
    Probe,
    ProbeFailed,
    StaleFence,
    TargetRef,
)


class Subject(ABC):
    """A driver, fresh targets at version 1.0, and their own record of effects.

    Attributes:
        slow_seconds: how long an apply takes on a slow target.
    """

    driver: Driver
    slow_seconds = 0.4

    @abstractmethod
    def target(self, *, slow: bool = False) -> TargetRef:
        """Return a target that no case has used; a slow one takes `slow_seconds`."""

    @abstractmethod
    def effects(self, target: TargetRef) -> list[str]:
        """Return "started N" and "ended N" by fence, as the target itself wrote it."""

    def started(self, target: TargetRef) -> list[str]:
        """Return the effects that began."""
        return [each for each in self.effects(target) if each.startswith("started")]

    async def apply(
        self, target: TargetRef, version: str, fence: int, seconds: float = 5
    ) -> Applied:
        """Apply, in five seconds unless told otherwise."""
        return await self.driver.apply(
            target, version=version, fence=fence, seconds=seconds
        )

    async def probe(
        self, target: TargetRef, fence: int | None = None, seconds: float = 5
    ) -> Probe:
        """Probe, in five seconds unless told otherwise."""
        return await self.driver.probe(target, fence=fence, seconds=seconds)

    async def until_started(self, target: TargetRef, count: int = 1) -> None:
        """Wait until so many effects have begun."""
        async with asyncio.timeout(5):
            # The witness is a file, which nobody can wait on.
            while len(self.started(target)) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def its_settings_have_no_problems(subject: Subject) -> None:
    target = subject.target()
    assert subject.driver.problems(target.address, target.settings) == {}


async def a_foreign_setting_is_a_problem(subject: Subject) -> None:
    target = subject.target()
    settings = {**target.settings, "colour": "red"}
    assert list(subject.driver.problems(target.address, settings)) == ["colour"]


async def what_any_target_may_have_is_not_its_affair(subject: Subject) -> None:
    plain = subject.target()
    common = {"checks": [{"kind": "tcp", "address": "127.0.0.1:1"}], "traffic": []}
    target = replace(plain, settings={**plain.settings, **common})
    assert (await subject.probe(target)).version == "1.0"
    assert (await subject.apply(target, "2.0", 1)).ok


async def each_target_is_its_own(subject: Subject) -> None:
    one, other = subject.target(), subject.target()
    assert (await subject.apply(one, "2.0", 1)).ok
    assert (await subject.probe(other)).version == "1.0"
    assert subject.effects(other) == []


async def it_goes_back_as_it_came(subject: Subject) -> None:
    target = subject.target()
    assert (await subject.apply(target, "2.0", 1)).ok
    assert (await subject.apply(target, "1.0", 2)).ok
    assert (await subject.probe(target)).version == "1.0"


async def probe_says_version_and_health(subject: Subject) -> None:
    probe = await subject.probe(subject.target())
    assert (probe.version, probe.healthy) == ("1.0", True)


async def apply_brings_the_version(subject: Subject) -> None:
    target = subject.target()
    assert (await subject.apply(target, "2.0", 1)).ok
    assert (await subject.probe(target)).version == "2.0"
    assert subject.effects(target) == ["started 1", "ended 1"]


async def apply_refuses_a_lower_fence(subject: Subject) -> None:
    target = subject.target()
    await subject.apply(target, "2.0", 8)
    with pytest.raises(StaleFence) as refused:
        await subject.apply(target, "1.0", 7)
    assert refused.value.heard == 8
    assert (await subject.probe(target)).version == "2.0"


async def a_probe_with_a_fence_is_a_promise(subject: Subject) -> None:
    target = subject.target()
    await subject.probe(target, fence=8)
    with pytest.raises(StaleFence):
        await subject.apply(target, "2.0", 7)
    assert subject.effects(target) == []
    assert (await subject.apply(target, "2.0", 8)).ok


async def a_probe_with_a_lower_fence_is_refused(subject: Subject) -> None:
    target = subject.target()
    await subject.probe(target, fence=8)
    with pytest.raises(StaleFence):
        await subject.probe(target, fence=7)


async def a_probe_without_a_fence_promises_nothing(subject: Subject) -> None:
    target = subject.target()
    await subject.apply(target, "2.0", 8)
    assert (await subject.probe(target)).version == "2.0"
    assert (await subject.apply(target, "3.0", 9)).ok


async def the_same_fence_gets_the_stored_answer(subject: Subject) -> None:
    target = subject.target()
    first = await subject.apply(target, "2.0", 3)
    assert await subject.apply(target, "2.0", 3) == first
    assert subject.started(target) == ["started 3"]


async def the_same_fence_joins_a_running_apply(subject: Subject) -> None:
    target = subject.target(slow=True)
    answers = await asyncio.gather(
        subject.apply(target, "2.0", 3), subject.apply(target, "2.0", 3)
    )
    assert [each.ok for each in answers] == [True, True]
    assert subject.started(target) == ["started 3"]


async def one_fence_is_never_two_versions(subject: Subject) -> None:
    target = subject.target()
    await subject.apply(target, "2.0", 3)
    assert not (await subject.apply(target, "9.9", 3)).ok
    assert (await subject.probe(target)).version == "2.0"
    assert subject.started(target) == ["started 3"]


async def a_probe_with_a_fence_waits_for_a_running_effect(subject: Subject) -> None:
    # Else settling would read "not done" a moment before it is done.
    target = subject.target(slow=True)
    running = asyncio.create_task(subject.apply(target, "2.0", 5))
    await subject.until_started(target)
    assert (await subject.probe(target, fence=6)).version == "2.0"
    assert (await running).ok


async def a_probe_with_a_fence_fails_while_an_effect_runs(subject: Subject) -> None:
    target = subject.target(slow=True)
    running = asyncio.create_task(subject.apply(target, "2.0", 5))
    await subject.until_started(target)
    with pytest.raises(ProbeFailed):
        await subject.probe(target, fence=6, seconds=subject.slow_seconds / 4)
    assert (await running).ok


async def a_probe_without_a_fence_does_not_wait(subject: Subject) -> None:
    target = subject.target(slow=True)
    running = asyncio.create_task(subject.apply(target, "2.0", 5))
    await subject.until_started(target)
    await subject.probe(target, seconds=subject.slow_seconds / 2)
    assert not running.done()
    await running


async def who_waited_and_was_overtaken_is_refused(subject: Subject) -> None:
    target = subject.target(slow=True)
    first = asyncio.create_task(subject.apply(target, "2.0", 5))
    await subject.until_started(target)
    waiting = asyncio.create_task(subject.apply(target, "3.0", 6))
    await asyncio.sleep(subject.slow_seconds / 4)
    await subject.probe(target, fence=7)
    with pytest.raises(StaleFence):
        await waiting
    assert (await first).ok
    assert subject.started(target) == ["started 5"]


async def effects_never_overlap(subject: Subject) -> None:
    target = subject.target(slow=True)
    await asyncio.gather(
        *(subject.apply(target, f"2.{fence}", fence) for fence in (1, 2, 3)),
        return_exceptions=True,
    )
    effects = subject.effects(target)
    starts, ends = effects[::2], effects[1::2]
    assert starts
    assert [s.split()[1] for s in starts] == [e.split()[1] for e in ends]
    assert all(start.startswith("started") for start in starts)


async def an_apply_that_takes_too_long_is_not_done(subject: Subject) -> None:
    target = subject.target(slow=True)
    # It may say that it does not know, or never began; not that it is done.
    with contextlib.suppress(OutcomeUnknown, NotSent):
        assert not (await subject.apply(target, "2.0", 1, subject.slow_seconds / 2)).ok
    assert (await subject.probe(target, fence=2)).version != "2.0"


async def nothing_goes_on_after_the_deadline(subject: Subject) -> None:
    target = subject.target(slow=True)
    with contextlib.suppress(OutcomeUnknown, NotSent):
        await subject.apply(target, "2.0", 1, subject.slow_seconds / 2)
    await asyncio.sleep(subject.slow_seconds)
    assert (await subject.probe(target)).version != "2.0"


Case = Callable[[Subject], Awaitable[None]]

CASES: tuple[Case, ...] = (
    its_settings_have_no_problems,
    a_foreign_setting_is_a_problem,
    what_any_target_may_have_is_not_its_affair,
    probe_says_version_and_health,
    each_target_is_its_own,
    apply_brings_the_version,
    it_goes_back_as_it_came,
    a_probe_without_a_fence_promises_nothing,
    a_probe_without_a_fence_does_not_wait,
    an_apply_that_takes_too_long_is_not_done,
    nothing_goes_on_after_the_deadline,
)

FENCED: tuple[Case, ...] = (
    apply_refuses_a_lower_fence,
    a_probe_with_a_fence_is_a_promise,
    a_probe_with_a_lower_fence_is_refused,
    the_same_fence_gets_the_stored_answer,
    the_same_fence_joins_a_running_apply,
    one_fence_is_never_two_versions,
    a_probe_with_a_fence_waits_for_a_running_effect,
    a_probe_with_a_fence_fails_while_an_effect_runs,
    who_waited_and_was_overtaken_is_refused,
    effects_never_overlap,
)


def cases_of(driver: type[Driver]) -> tuple[Case, ...]:
    """Return what a kind must do, by what it says that it can."""
    return CASES + FENCED if driver.abilities.checks_fence else CASES
