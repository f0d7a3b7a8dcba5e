"""A router behind two commands: one says which slot serves, the other switches.

It runs argv lists, never a shell, in a process group of their own with few variables,
and kills the whole group at its deadline. It knows no load balancer.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

from deployctl.engine import clean
from deployctl.engine.effects import NotSent, OutcomeUnknown, ProbeFailed
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
#: What is kept of a command's output; the rest is read and thrown away.
_MOST_BYTES = 16_384


class CommandRouter(Router):
    """Asks and switches by argv; `{slot}` and `{expected}` stand for the slots.

    A command cannot check a fence, so an attempt whose end nobody saw must be over
    before another one begins: its process group is killed at the deadline.
    """

    kind = "command"
    abilities = RouterAbilities(checks_fence=False)

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
        argv = _words(router, "read", {})
        try:
            status, output = await _run(argv, _environment(router), seconds)
        except TimeoutError:
            raise ProbeFailed(f"gave no answer within {seconds:.3g} s") from None
        except OSError as error:
            raise ProbeFailed(f"could not run {argv[0]}: {error.strerror}") from None
        if status != 0:
            raise ProbeFailed(f"exit status {status}: {output}")
        said = output.strip()
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
        argv = _words(router, "switch", {"slot": slot, "expected": expected})
        left = until - asyncio.get_running_loop().time()
        try:
            status, output = await _run(argv, _environment(router), left)
        except TimeoutError:  # an OSError too, but one behind the effect
            raise OutcomeUnknown("it did not end in time and was killed") from None
        except OSError as error:
            raise NotSent(f"could not run {argv[0]}: {error.strerror}") from None
        if status < 0:
            raise OutcomeUnknown(f"it was ended by signal {-status}")
        if status:
            return Applied(ok=False, error=f"exit status {status}", output=output)
        return Applied(ok=True, output=output)


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


async def _run(
    argv: list[str], environment: dict[str, str], seconds: float
) -> tuple[int, str]:
    """Run a command to its end; kill its whole group when time is out.

    Returns:
        Its exit status, and what it printed: cleaned, and cut.

    Raises:
        OSError: it could not be started.
        TimeoutError: it was killed.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            output = await _head(process)
            return await process.wait(), clean.text(output)
    finally:
        # Also when it has ended by itself: what it left behind goes with it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.returncode is None:
            await process.wait()


async def _head(process: asyncio.subprocess.Process) -> str:
    """Read all output, keep its beginning."""
    assert process.stdout is not None
    kept = bytearray()
    while chunk := await process.stdout.read(65_536):
        kept += chunk[: max(0, _MOST_BYTES - len(kept))]
    return kept.decode(errors="replace")
