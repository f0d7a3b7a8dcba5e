"""A check by a program on the worker; its exit status is the answer."""

from __future__ import annotations

from collections.abc import Mapping

from deployctl.engine.argv import (
    Command,
    Commands,
    argv_problem,
    how,
    passed_on_problem,
)
from deployctl.engine.checks.base import Check, Finding, TargetRef
from deployctl.engine.effects import ProbeFailed
from deployctl.engine.processes import Lost, NotRun, Overdue

_SETTINGS = frozenset({"argv", "env"})


class CommandCheck(Check):
    """Holds when the program ends with 0; with another status it does not."""

    kind = "command"

    def __init__(self) -> None:
        self._commands = Commands()

    @classmethod
    def problems(cls, settings: Mapping[str, object]) -> dict[str, str]:
        """Settings: `argv`, with places for target and address; `env`, variables."""
        found = dict.fromkeys(settings.keys() - _SETTINGS, "is not a setting of it")
        unknown = ("version", "fence")
        found["argv"] = argv_problem(settings.get("argv"), unknown=unknown)
        found["env"] = passed_on_problem(settings.get("env", []))
        return {name: problem for name, problem in found.items() if problem}

    async def ask(
        self, target: TargetRef, settings: Mapping[str, object], *, seconds: float
    ) -> Finding:
        """As `Check.ask`; a program that does not end or is killed says nothing."""
        values = {"target": target.name, "address": target.address}
        command = Command(settings["argv"], settings.get("env", []), values)
        try:
            ended = await self._commands.run(command, seconds=seconds)
        except Overdue:
            # As whoever asks says it, whose time ends at the same moment.
            raise ProbeFailed(f"no answer within {seconds:.3g} s") from None
        except (NotRun, Lost) as error:
            raise ProbeFailed(str(error)) from None
        if ended.status < 0:
            raise ProbeFailed(how(ended))
        said = ended.output.strip() or "it printed nothing"
        detail = f"{how(ended)}: {said}" if ended.status else said
        return Finding(ended.status == 0, detail)

    async def close(self) -> None:
        """Kill what still runs."""
        await self._commands.close()
