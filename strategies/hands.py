"""Two pairs of hands for callbacks: in line, or as tasks of the caller's loop.

An operation is a coroutine that calls plain callbacks itself and hands what has to be
awaited to `settle`. Both pairs have the same methods, so that what uses them is written
once. They know neither plans nor targets, and no clock but the one they are given.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Generator,
    Iterable,
)
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol

Operation = Coroutine[Any, Any, Any]


class Clock(Protocol):
    """Where time comes from, and how it passes; tests hand in one that does not wait.

    Only differences of `now` count.
    """

    def now(self) -> float:
        """Return the time in seconds."""

    def sleep(self, seconds: float) -> None:
        """Let time pass in line."""

    async def asleep(self, seconds: float) -> None:
        """Let time pass in a loop."""


class Hands(Protocol):
    """What an operation and whoever begins it may ask for."""

    @property
    def busy(self) -> int:
        """How many operations are begun and not over."""

    def begin(self, operation: Operation) -> list[Any]:
        """Begin one, and return what is over already: its result, or nothing."""

    async def first(self) -> list[Any]:
        """Wait until at least one is over, and return the results, in order begun."""

    def settle(self, awaitable: Awaitable[Any]) -> Awaitable[Any]:
        """Return what an awaitable gives, from within an operation."""

    async def sleep(self, seconds: float) -> None:
        """Let time pass, while nothing is under way."""


async def each(
    hands: Hands, operations: Iterable[Operation], at_once: int
) -> list[Any]:
    """Return the results of operations of which `at_once` may be under way."""
    results: list[Any] = []
    for operation in operations:
        while hands.busy >= at_once:
            results += await hands.first()
        results += hands.begin(operation)
    while hands.busy:
        results += await hands.first()
    return results


class InLine:
    """Hands that block: no loop runs while a callback is called.

    So a plain callback may start a loop of its own. Awaitables run on a private loop,
    made when the first one comes; several run there at once.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._runner: asyncio.Runner | None = None
        self._out: dict[asyncio.Task[Any], Operation] = {}

    @property
    def busy(self) -> int:
        return len(self._out)

    def begin(self, operation: Operation) -> list[Any]:
        return self._go_on(operation, partial(operation.send, None))

    async def first(self) -> list[Any]:
        assert self._runner is not None, "something was begun"
        done = self._runner.run(_first_of(self._out.keys()))
        results = []
        for task in [task for task in self._out if task in done]:
            operation = self._out.pop(task)
            results += self._go_on(operation, partial(_tell, operation, task))
        return results

    @types.coroutine
    def settle(self, awaitable: Awaitable[Any]) -> Generator[Any, Any, Any]:
        return (yield awaitable)

    async def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def close(self) -> None:
        """Give up what is under way, and the private loop."""
        for operation in self._out.values():
            operation.close()
        if self._runner is not None:
            self._runner.close()

    def _go_on(self, operation: Operation, step: Callable[[], Any]) -> list[Any]:
        try:
            awaitable = step()
        except StopIteration as end:
            return [end.value]
        if self._runner is None:
            # With a factory the caller's own current loop stays what it is.
            self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        task = self._runner.get_loop().create_task(_given(awaitable))
        self._out[task] = operation
        return []


def run_in_line(main: Operation) -> Any:
    """Return what a coroutine gives that waits for nothing but `InLine` hands."""
    try:
        main.send(None)
    except StopIteration as end:
        return end.value
    main.close()
    raise RuntimeError("it waited for a loop that does not run")


class Tasks:
    """Hands in a running loop: each operation is a task."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._out: dict[asyncio.Task[Any], None] = {}

    @property
    def busy(self) -> int:
        return len(self._out)

    def begin(self, operation: Operation) -> list[Any]:
        self._out[asyncio.create_task(operation)] = None
        return []

    async def first(self) -> list[Any]:
        done = await _first_of(self._out.keys())
        over = [task for task in self._out if task in done]
        for task in over:
            del self._out[task]
        return [task.result() for task in over]

    async def settle(self, awaitable: Awaitable[Any]) -> Any:
        return await awaitable

    async def sleep(self, seconds: float) -> None:
        await self._clock.asleep(seconds)

    @classmethod
    @asynccontextmanager
    async def open(cls, clock: Clock) -> AsyncIterator[Tasks]:
        """Hand out tasks, and leave none behind, whatever ends it."""
        hands = cls(clock)
        try:
            yield hands
        finally:
            for task in hands._out:
                task.cancel()
            await asyncio.gather(*hands._out, return_exceptions=True)


async def _first_of(tasks: Collection[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return done


async def _given(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _tell(operation: Operation, task: asyncio.Task[Any]) -> Any:
    """Go on with an operation whose awaitable is over."""
    try:
        value = task.result()
    except (Exception, asyncio.CancelledError) as error:
        return operation.throw(error)
    return operation.send(value)
