"""A router behind two commands: one says which slot serves, the other switches.

It runs argv lists, never a shell, with few variables. It knows no load balancer, and
leaves to `processes` how a program is run and killed.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping, Sequence

from deployctl.engine.effects import NotSent, OutcomeUnknown, ProbeFailed
from deployctl.engine.processes import Ended, Lost, NotRun, Overdue, Processes, Program
from deployctl.engine.routers.base import (
    Applied,
    Reading,
    Router,
    RouterAbilities,
    RouterRef,
)

_SETTINGS = frozenset({"read", "switch", "env"})
#: What a command finds in its environment besides what the settings name.
_PASSED_ON = ("PATH", "HOME", "LANG", "TZ")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
#: What is kept of a command's output.
_KEPT_BYTES = 16_384


class CommandRouter(Router):
    """Asks and switches by argv; `{slot}` and `{expected}` stand for the slots.

    A command cannot check a fence, so an attempt whose end nobody saw must be over
    before another one begins: it is killed at the deadline, and with the worker.
    """

    kind = "command"
    abilities = RouterAbilities(checks_fence=False)

    def __init__(self) -> None:
        self._processes = Processes()

    @classmethod
    def problems(cls, settings: Mapping[str, object]) -> dict[str, str]:
        """Settings: `read` and `switch`, argv lists; `env`, variables to pass on."""
        foreign = settings.keys() - _SETTINGS
        found = dict.fromkeys(foreign, "is not a setting of a command router")
        for name in ("read", "switch"):
            argv = settings.get(name)
            if not isinstance(argv, list) or not all(map(_is_word, argv)):
                found[name] = "must be a list of words"
            elif not argv or not argv[0].startswith("/"):
                found[name] = "must begin with an absolute path"
            elif name == "switch" and not any("{slot}" in word for word in argv):
                found[name] = "must say {slot} somewhere"
        names = settings.get("env", [])
        if not isinstance(names, list) or not all(
            isinstance(name, str) and _VARIABLE.fullmatch(name) for name in names
        ):
            found["env"] = "must be a list of variables' names"
        return found

    async def read(
        self, router: RouterRef, *, fence: int | None, seconds: float
    ) -> Reading:
        """Run `read`; the one line that it prints is the slot."""
        try:
            ended = await self._run(router, "read", {}, seconds)
        except Overdue:
            raise ProbeFailed(f"gave no answer within {seconds:.3g} s") from None
        except (NotRun, Lost) as error:
            raise ProbeFailed(str(error)) from None
        if ended.status != 0:
            raise ProbeFailed(f"exit status {ended.status}: {ended.output}")
        said = ended.output.strip()
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
        values = {"slot": slot, "expected": expected}
        left = until - asyncio.get_running_loop().time()
        try:
            ended = await self._run(router, "switch", values, left)
        except NotRun as error:
            raise NotSent(str(error)) from None
        except (Overdue, Lost) as error:
            raise OutcomeUnknown(str(error)) from None
        if ended.status < 0:
            raise OutcomeUnknown(f"it was ended by signal {-ended.status}")
        refusal = f"exit status {ended.status}" if ended.status else ""
        return Applied(ok=not refusal, error=refusal, output=ended.output)

    async def close(self) -> None:
        """Kill what still runs."""
        await self._processes.close()

    async def _run(
        self, router: RouterRef, name: str, values: Mapping[str, str], seconds: float
    ) -> Ended:
        argv = _words(router, name, values)
        program = Program(argv, _environment(router), kept_bytes=_KEPT_BYTES)
        return await self._processes.run(program, seconds=seconds)


def _is_word(word: object) -> bool:
    return isinstance(word, str) and 0 < len(word) <= 4096 and "\0" not in word


def _words(router: RouterRef, name: str, values: Mapping[str, str]) -> list[str]:
    given = router.settings[name]
    assert isinstance(given, Sequence)
    words = [str(word) for word in given]
    for key, value in values.items():
        words = [word.replace("{" + key + "}", value) for word in words]
    return words


def _environment(router: RouterRef) -> dict[str, str]:
    named = router.settings.get("env", ())
    assert isinstance(named, Sequence)
    wanted = (*_PASSED_ON, *(str(name) for name in named))
    return {name: os.environ[name] for name in wanted if name in os.environ}
