"""A router behind two commands: one says which slot serves, the other switches.

It knows no load balancer, and leaves to `argv` and `processes` how a command is made of
settings, run and killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from deployctl.engine.argv import Command, Commands, argv_problem, passed_on_problem
from deployctl.engine.effects import NotSent, ProbeFailed
from deployctl.engine.routers.base import (
    Applied,
    Reading,
    Router,
    RouterAbilities,
    RouterRef,
)

_SETTINGS = frozenset({"read", "switch", "env"})


class CommandRouter(Router):
    """Asks and switches by argv; `{slot}` and `{expected}` stand for the slots.

    A command cannot check a fence, so an attempt whose end nobody saw must be over
    before another one begins: it is killed at the deadline, and with the worker.
    """

    kind = "command"
    abilities = RouterAbilities(checks_fence=False)

    def __init__(self) -> None:
        self._commands = Commands()

    @classmethod
    def problems(cls, settings: Mapping[str, object]) -> dict[str, str]:
        """Settings: `read` and `switch`, argv lists; `env`, variables to pass on."""
        foreign = settings.keys() - _SETTINGS
        found = dict.fromkeys(foreign, "is not a setting of a command router")
        unknown = ("slot", "expected")
        found["read"] = argv_problem(settings.get("read"), unknown=unknown)
        found["switch"] = argv_problem(settings.get("switch"), needed="slot")
        found["env"] = passed_on_problem(settings.get("env", []))
        return {name: problem for name, problem in found.items() if problem}

    async def read(
        self, router: RouterRef, *, fence: int | None, seconds: float
    ) -> Reading:
        """Run `read`; the one line that it prints is the slot."""
        said = await self._commands.read(_command(router, "read"), seconds=seconds)
        return Reading(said if said in router.slots else None, said)

    async def switch(
        self, router: RouterRef, *, expected: str, slot: str, fence: int, seconds: float
    ) -> Applied:
        """Read, and run `switch` if it serves what is expected."""
        until = asyncio.get_running_loop().time() + seconds
        try:
            found = (await self.read(router, fence=None, seconds=seconds)).serving
        except ProbeFailed as error:
            raise NotSent(f"it could not be read before the switch: {error}") from None
        if found == slot:
            return Applied(ok=True)
        if found != expected:
            return Applied(ok=False, error=f"it serves {found}, not {expected}")
        command = _command(router, "switch", slot=slot, expected=expected)
        left = until - asyncio.get_running_loop().time()
        return await self._commands.change(command, seconds=left)

    async def close(self) -> None:
        """Kill what still runs."""
        await self._commands.close()


def _command(router: RouterRef, name: str, **values: str) -> Command:
    return Command(router.settings.get(name), router.settings.get("env", []), values)
