"""Targets that a program on the worker changes: kubectl, helm, ansible, nomad and such.

It knows which words to run and how to read a version from what was printed; it knows
none of these programs, and leaves to `argv` and `processes` how one is run and killed.
"""

from __future__ import annotations

from collections.abc import Mapping

from deployctl.engine.argv import Command, Commands, argv_problem, passed_on_problem
from deployctl.engine.drivers import answers
from deployctl.engine.drivers.base import (
    Abilities,
    Applied,
    Driver,
    Probe,
    TargetRef,
)

_SETTINGS = frozenset({"apply", "probe", "env"})


class CommandDriver(Driver):
    """Runs `apply` and `probe`, with places for version, target, address and fence.

    A command cannot check a fence, so an attempt whose end nobody saw must be over
    before another one begins: it is killed at the deadline, and with the worker. What
    it had others do, a cluster say, may go on; the probe tells.
    """

    kind = "command"
    abilities = Abilities(checks_fence=False, probes=True, atomic=False)

    def __init__(self) -> None:
        self._commands = Commands()

    @classmethod
    def problems(cls, address: str, settings: Mapping[str, object]) -> dict[str, str]:
        """Settings: `apply` and `probe`, argv lists; `env`, variables to pass on."""
        foreign = settings.keys() - _SETTINGS
        found = dict.fromkeys(foreign, "is not a setting of a command target")
        found["apply"] = argv_problem(settings.get("apply"))
        unknown = ("version", "fence")
        found["probe"] = argv_problem(settings.get("probe"), unknown=unknown)
        found["env"] = passed_on_problem(settings.get("env", []))
        return {name: problem for name, problem in found.items() if problem}

    async def probe(
        self, target: TargetRef, *, fence: int | None, seconds: float
    ) -> Probe:
        """Run `probe`; it prints the version alone, or an object as an agent does."""
        said = await self._commands.read(_command(target, "probe"), seconds=seconds)
        return answers.printed(said)

    async def apply(
        self, target: TargetRef, *, version: str, fence: int, seconds: float
    ) -> Applied:
        """As `Driver.apply`; killed at the deadline with all that it started."""
        command = _command(target, "apply", version=version, fence=str(fence))
        return await self._commands.change(command, seconds=seconds)

    async def close(self) -> None:
        """Kill what still runs."""
        await self._commands.close()


def _command(target: TargetRef, name: str, **more: str) -> Command:
    values = {"target": target.name, "address": target.address, **more}
    return Command(target.settings.get(name), target.settings.get("env", []), values)
