"""A router that is HAProxy: an entry of a map says which slot serves.

`set map` is one step in HAProxy, and each new request reads the map, so that no
connection is cut. It knows the runtime API's words, and no deployment.

A map lives in memory, and HAProxy reads a file again when it starts. With `map_file`,
every reading and every switch bring that file in line with what is served.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from deployctl.engine import clean
from deployctl.engine.effects import NotSent, OutcomeUnknown, ProbeFailed
from deployctl.engine.routers import runtime_api, start_file
from deployctl.engine.routers.base import (
    Applied,
    Reading,
    Router,
    RouterAbilities,
    RouterRef,
)

_SETTINGS = frozenset({"address", "map", "key", "map_file"})
#: What is put into a command: no blank, and nothing that ends one.
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_MAP = re.compile(r"[A-Za-z0-9./_-]{1,255}")
_VALUE = re.compile(r'value="([^"]*)"')


class HaproxyRouter(Router):
    """Reads and sets one entry of a map over the runtime API.

    HAProxy cannot compare and switch in one step, nor check a fence: what was sent and
    not answered may still be done by one that was stopped, and is settled by reading.
    """

    kind = "haproxy"
    abilities = RouterAbilities(checks_fence=False)

    @classmethod
    def problems(cls, settings: Mapping[str, object]) -> dict[str, str]:
        """Settings: `address` of the API, `map`, `key` in it, `map_file` if local."""
        foreign = settings.keys() - _SETTINGS
        found = dict.fromkeys(foreign, "is not a setting of a haproxy router")
        found["address"] = runtime_api.address_problem(settings.get("address"))
        if not _is(_MAP, settings.get("map")):
            found["map"] = "must be the map's name, as the configuration has it"
        if not _is(_WORD, settings.get("key")):
            found["key"] = "must be the entry's key: letters, digits and . _ : -"
        file = settings.get("map_file", "/")
        if not isinstance(file, str) or not file.startswith("/") or "\0" in file:
            found["map_file"] = "must be an absolute path on the worker's machine"
        return {name: problem for name, problem in found.items() if problem}

    async def read(
        self, router: RouterRef, *, fence: int | None, seconds: float
    ) -> Reading:
        """Look the key up; bring the file in line when it says something else."""
        until = _now() + seconds
        said = await self._lookup(router, until)
        detail = said
        file = _file(router)
        if file is not None:
            try:
                if _entry(start_file.text_of(file), router) != said:
                    said = detail = await self._brought_in_line(router, file, until)
            except NotSent as error:
                detail = f"{said}; a restart may lead elsewhere: {error}"
        return Reading(said if said in router.slots else None, clean.line(detail))

    async def switch(
        self, router: RouterRef, *, expected: str, slot: str, fence: int, seconds: float
    ) -> Applied:
        """Read, and set the entry if it is what is expected."""
        until = _now() + seconds
        if not _is(_WORD, slot):
            raise NotSent(f"{clean.line(slot)!r} is no name that a map can hold")
        async with _kept(router, slot, until) as keep:
            try:
                found = await self._lookup(router, until)
            except ProbeFailed as error:
                text = f"it could not be read before the switch: {error}"
                raise NotSent(text) from None
            if found not in (expected, slot):
                return Applied(ok=False, error=f"it serves {found}, not {expected}")
            if found != slot:
                command = f"set map {_map(router)} {_key(router)} {slot}"
                said = await self._asked(router, command, until)
                if said:
                    return Applied(ok=False, error=clean.line(said))
            try:
                keep()
            except NotSent as error:  # It serves the slot all the same: read it back.
                raise OutcomeUnknown(f"it was switched, but {error}") from None
        return Applied(ok=True)

    async def _brought_in_line(
        self, router: RouterRef, file: Path, until: float
    ) -> str:
        """Read again while nobody else may switch, write that, and return it."""
        async with start_file.alone(file, seconds=0):
            said = await self._lookup(router, until)
            if not _is(_WORD, said):
                raise NotSent(f"{clean.line(said)!r} is no name that a map can hold")
            text = _with_entry(start_file.text_of(file), router, said)
            with start_file.prepared(file, text) as put:
                put()
        return said

    async def _lookup(self, router: RouterRef, until: float) -> str:
        command = f"get map {_map(router)} {_key(router)}"
        try:
            said = await self._asked(router, command, until)
        except (NotSent, OutcomeUnknown) as error:
            raise ProbeFailed(str(error)) from None
        values = set(_VALUE.findall(said))
        if len(values) == 1:
            return str(values.pop())
        if "found=no" in said:
            entry = f"Add a line '{_key(router)} <slot>' to the map"
            raise ProbeFailed(f"{_map(router)} has no such key. {entry}")
        raise ProbeFailed(f"the answer makes no sense: {clean.line(said)}")

    async def _asked(self, router: RouterRef, command: str, until: float) -> str:
        address = str(router.settings["address"])
        return await runtime_api.asked(
            address, command, reach=router.reach, seconds=until - _now()
        )


@asynccontextmanager
async def _kept(
    router: RouterRef, slot: str, until: float
) -> AsyncIterator[start_file.Put]:
    """Give what writes a slot into the file, if there is one: prepared before it."""
    file = _file(router)
    if file is None:
        yield lambda: None
        return
    async with start_file.alone(file, seconds=until - _now()):
        text = _with_entry(start_file.text_of(file), router, slot)
        with start_file.prepared(file, text) as put:
            yield put


def _entry(text: str, router: RouterRef) -> str | None:
    """Return what a map file leads the key to; the first line of a key counts."""
    for line in text.split("\n"):
        words = line.split(None, 1)
        if words and words[0] == _key(router):
            return words[1].strip() if len(words) == 2 else ""
    return None


def _with_entry(text: str, router: RouterRef, slot: str) -> str:
    """Return a map file's text with the key's lines as one, where the first was."""
    wanted, lines = f"{_key(router)} {slot}", []
    for line in text.removesuffix("\n").split("\n"):
        if line.split(None, 1)[:1] != [_key(router)]:
            lines.append(line)
        elif wanted not in lines:
            lines.append(wanted)
    if wanted not in lines:
        lines.append(wanted)
    return "\n".join(lines) + "\n"


def _is(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _map(router: RouterRef) -> str:
    return str(router.settings["map"])


def _key(router: RouterRef) -> str:
    return str(router.settings["key"])


def _file(router: RouterRef) -> Path | None:
    given = router.settings.get("map_file")
    return Path(str(given)) if given else None


def _now() -> float:
    return asyncio.get_running_loop().time()
