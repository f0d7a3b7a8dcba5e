"""The conformance kit: what every kind of router must do, whatever it is made of.

A case gets a `Subject`. A new kind is added to `test_conformance.py`, nothing else.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

import pytest

from deployctl.engine.effects import (
    DriverError,
    OutcomeUnknown,
    ProbeFailed,
    StaleFence,
)
from deployctl.engine.routers.base import Applied, Reading, Router, RouterRef

SLOTS = ("blue", "green")
#: Where a plan never leads traffic.
ELSEWHERE = "canary"


class Subject(ABC):
    """A driver, fresh routers at the first slot, and their own record of switches."""

    driver: Router
    #: How long a switch takes on a slow router: half of it is time enough to begin one.
    slow_seconds: float = 1.0
    #: What it serves at first, and what it is switched to.
    slots: tuple[str, str] = SLOTS
    #: Whether a restart of it makes it serve again what it did at first.
    forgets: bool = False

    @abstractmethod
    def router(self, fault: str = "") -> RouterRef:
        """Return a router that no case has used, with a fault by name.

        Every kind knows `refusing`, `lying`, `unreachable` and `slow`.
        """

    @abstractmethod
    def switches(self, router: RouterRef) -> list[str]:
        """Return the slots to which it was really led, as the router wrote it."""

    @abstractmethod
    def lead(self, router: RouterRef, slot: str) -> None:
        """Lead traffic to a slot, or to `ELSEWHERE`, as somebody else would."""

    @abstractmethod
    def restart(self, router: RouterRef) -> None:
        """End what leads the traffic, and start it again from what it had kept."""

    async def close(self) -> None:
        """Close the driver, and end what the routers are made of."""
        await self.driver.close()

    async def read(
        self, router: RouterRef, fence: int | None = None, seconds: float = 5
    ) -> Reading:
        """Read, in five seconds unless told otherwise."""
        return await self.driver.read(router, fence=fence, seconds=seconds)

    async def switch(
        self, router: RouterRef, slot: str = "", fence: int = 1, seconds: float = 5
    ) -> Applied:
        """Switch to the second slot, in five seconds, unless told otherwise."""
        slot = slot or self.slots[1]
        (expected,) = set(self.slots) - {slot}
        return await self.driver.switch(
            router, expected=expected, slot=slot, fence=fence, seconds=seconds
        )


async def its_settings_have_no_problems(subject: Subject) -> None:
    assert subject.driver.problems(subject.router().settings) == {}


async def a_foreign_setting_is_a_problem(subject: Subject) -> None:
    settings = {**subject.router().settings, "colour": "red"}
    assert list(subject.driver.problems(settings)) == ["colour"]


async def no_settings_are_a_problem(subject: Subject) -> None:
    assert subject.driver.problems({})


async def reading_says_what_serves(subject: Subject) -> None:
    assert (await subject.read(subject.router())).serving == subject.slots[0]


async def reading_changes_nothing(subject: Subject) -> None:
    router = subject.router()
    for _ in range(3):
        await subject.read(router)
    assert subject.switches(router) == []
    assert (await subject.read(router)).serving == subject.slots[0]


async def a_switch_leads_there_and_back(subject: Subject) -> None:
    router = subject.router()
    assert (await subject.switch(router, subject.slots[1], 1)).ok
    assert (await subject.read(router)).serving == subject.slots[1]
    assert (await subject.switch(router, subject.slots[0], 2)).ok
    assert (await subject.read(router)).serving == subject.slots[0]
    assert subject.switches(router) == [subject.slots[1], subject.slots[0]]


async def a_switch_to_what_serves_is_done_already(subject: Subject) -> None:
    router = subject.router()
    assert (await subject.switch(router, subject.slots[1], 1)).ok
    assert (await subject.switch(router, subject.slots[1], 2)).ok
    assert subject.switches(router) == [subject.slots[1]]


async def what_serves_something_else_is_left_alone(subject: Subject) -> None:
    router = subject.router()
    subject.lead(router, ELSEWHERE)
    applied = await subject.switch(router)
    assert not applied.ok
    assert f"not {subject.slots[0]}" in applied.error
    assert subject.switches(router) == []


async def a_slot_that_is_neither_is_read_as_none(subject: Subject) -> None:
    router = subject.router()
    subject.lead(router, ELSEWHERE)
    reading = await subject.read(router)
    assert reading.serving is None
    assert reading.detail


async def a_restart_before_a_switch_changes_nothing(subject: Subject) -> None:
    router = subject.router()
    assert (await subject.read(router)).serving == subject.slots[0]
    subject.restart(router)
    assert (await subject.read(router)).serving == subject.slots[0]
    assert (await subject.switch(router)).ok
    assert (await subject.read(router)).serving == subject.slots[1]


async def a_switch_outlives_a_restart_or_is_read_as_forgotten(
    subject: Subject,
) -> None:
    router = subject.router()
    assert (await subject.switch(router)).ok
    subject.restart(router)
    serves = subject.slots[0 if subject.forgets else 1]
    assert (await subject.read(router)).serving == serves
    assert subject.switches(router) == [subject.slots[1]]


async def each_router_is_its_own(subject: Subject) -> None:
    one, other = subject.router(), subject.router()
    await subject.switch(one)
    assert (await subject.read(other)).serving == subject.slots[0]


async def a_refusal_is_said_and_nothing_is_done(subject: Subject) -> None:
    router = subject.router("refusing")
    applied = await subject.switch(router)
    assert not applied.ok
    assert applied.error
    assert (await subject.read(router)).serving == subject.slots[0]


async def reading_back_shows_a_lie(subject: Subject) -> None:
    router = subject.router("lying")
    assert (await subject.switch(router)).ok
    assert (await subject.read(router)).serving == subject.slots[0]
    assert subject.switches(router) == []


async def one_that_cannot_be_asked_says_so(subject: Subject) -> None:
    with pytest.raises(ProbeFailed):
        await subject.read(subject.router("unreachable"))


async def a_switch_that_takes_too_long_is_in_doubt_and_ended(subject: Subject) -> None:
    router = subject.router("slow")
    with pytest.raises(OutcomeUnknown):
        await subject.switch(router, seconds=subject.slow_seconds / 2)
    await asyncio.sleep(subject.slow_seconds)
    assert subject.switches(router) == []
    assert (await subject.read(router)).serving == subject.slots[0]


async def a_lower_fence_is_refused_by_who_checks_it(subject: Subject) -> None:
    if not subject.driver.abilities.checks_fence:
        return
    router = subject.router()
    await subject.read(router, fence=8)
    with pytest.raises(StaleFence) as refused:
        await subject.switch(router, fence=7)
    assert refused.value.heard == 8
    with pytest.raises(StaleFence):
        await subject.read(router, fence=7)
    assert subject.switches(router) == []
    assert (await subject.switch(router, fence=8)).ok


async def a_reading_without_a_fence_promises_nothing(subject: Subject) -> None:
    router = subject.router()
    await subject.switch(router, subject.slots[1], 8)
    assert (await subject.read(router)).serving == subject.slots[1]
    assert (await subject.switch(router, subject.slots[0], 9)).ok


async def many_that_ask_together_switch_once(subject: Subject) -> None:
    if not subject.driver.abilities.checks_fence:
        return
    router = subject.router()
    asked = [subject.switch(router, subject.slots[1], fence) for fence in range(1, 9)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(each, Applied | DriverError) for each in answers)
    assert subject.switches(router) == [subject.slots[1]]


Case = Callable[[Subject], Awaitable[None]]

CASES: tuple[Case, ...] = (
    its_settings_have_no_problems,
    a_foreign_setting_is_a_problem,
    no_settings_are_a_problem,
    reading_says_what_serves,
    reading_changes_nothing,
    a_switch_leads_there_and_back,
    a_switch_to_what_serves_is_done_already,
    what_serves_something_else_is_left_alone,
    a_slot_that_is_neither_is_read_as_none,
    a_restart_before_a_switch_changes_nothing,
    a_switch_outlives_a_restart_or_is_read_as_forgotten,
    each_router_is_its_own,
    a_refusal_is_said_and_nothing_is_done,
    reading_back_shows_a_lie,
    one_that_cannot_be_asked_says_so,
    a_switch_that_takes_too_long_is_in_doubt_and_ended,
    a_lower_fence_is_refused_by_who_checks_it,
    a_reading_without_a_fence_promises_nothing,
    many_that_ask_together_switch_once,
)
