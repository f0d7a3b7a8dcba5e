"""A router that is nginx: an included file says which slot serves.

The file is replaced, tested by nginx, and loaded; what counts is what nginx answers
at its status address, never the file. It knows no deployment, and leaves to `argv`
and `processes` how a command is made of settings, run and killed.

A file that fails its test, or that nginx is not seen to serve, is put back. Every
reading brings it in line with what is served, so that no later reload moves traffic.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from deployctl.engine import clean, reach
from deployctl.engine.argv import Command, Commands, argv_problem
from deployctl.engine.effects import NotSent, ProbeFailed
from deployctl.engine.http import Http
from deployctl.engine.http import Lost as Unheard
from deployctl.engine.processes import Lost, NotRun, Overdue
from deployctl.engine.routers import start_file
from deployctl.engine.routers.base import (
    Applied,
    Reading,
    Router,
    RouterAbilities,
    RouterRef,
)

#: What a Debian machine runs; other machines say theirs.
_USUAL = {
    "test": ["/usr/sbin/nginx", "-q", "-t"],
    "reload": ["/usr/sbin/nginx", "-s", "reload"],
}
_SETTINGS = frozenset({"file", "variable", "status", *_USUAL})
#: What a file may hold between quotes, and a status page may say.
_SLOT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIABLE = re.compile(r"[a-z_][a-z0-9_]{0,63}")
_SAID = re.compile(r'default "([^"]*)";')
#: nginx starts new workers, and tells the old ones 100 ms later: meanwhile both answer.
#: An answer counts when no other one came for so long.
SETTLED_SECONDS = 0.4
#: How often it is asked meanwhile, and how long it may take to load.
ASK_SECONDS, LOAD_SECONDS = 0.05, 5.0
#: A name and a line's end; a page of errors is longer, and refused.
_MOST_BYTES = 4096


class NginxRouter(Router):
    """Writes `map "" $variable { default "slot"; }`, tests, reloads, asks.

    nginx cannot check a fence. A reload that was killed at the deadline may still be
    under way, and is settled by reading.
    """

    kind = "nginx"
    abilities = RouterAbilities(checks_fence=False)

    def __init__(self) -> None:
        self._commands = Commands()
        self._http: Http | None = None

    @classmethod
    def problems(cls, settings: Mapping[str, object]) -> dict[str, str]:
        """Settings: `file`, `variable`, `status` (a URL); argv `test` and `reload`."""
        foreign = settings.keys() - _SETTINGS
        found = dict.fromkeys(foreign, "is not a setting of an nginx router")
        file = settings.get("file")
        if not isinstance(file, str) or not file.startswith("/") or "\0" in file:
            found["file"] = "must be an absolute path on the worker's machine"
        variable = settings.get("variable")
        if not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
            found["variable"] = "must be a variable's name, without its $"
        found["status"] = reach.url_problem(settings.get("status"), path=True)
        for name, usual in _USUAL.items():
            found[name] = argv_problem(settings.get(name, usual))
        return {name: problem for name, problem in found.items() if problem}

    async def read(
        self, router: RouterRef, *, fence: int | None, seconds: float
    ) -> Reading:
        """Ask nginx; bring the file in line when it says something else."""
        until = _now() + seconds
        said = await self._served(router, until)
        detail, file = said, _file(router)
        try:
            if _slot_in(start_file.text_of(file)) != said:
                said = detail = await self._brought_in_line(router, file, until)
        except NotSent as error:
            detail = f"{said}; a reload may lead elsewhere: {error}"
        return Reading(said if said in router.slots else None, clean.line(detail))

    async def switch(
        self, router: RouterRef, *, expected: str, slot: str, fence: int, seconds: float
    ) -> Applied:
        """Ask, and load a file with the slot if what is expected is served."""
        until = _now() + seconds
        if not _SLOT.fullmatch(slot):
            raise NotSent(f"{clean.line(slot)!r} is no name that a file can hold")
        file = _file(router)
        async with start_file.alone(file, seconds=until - _now()):
            try:
                found = await self._served(router, until)
            except ProbeFailed as error:
                text = f"it could not be read before the switch: {error}"
                raise NotSent(text) from None
            if found not in (expected, slot):
                return Applied(ok=False, error=f"it serves {found}, not {expected}")
            before = start_file.text_of(file)
            _write(file, _text(router, slot))
            if found == slot:
                return Applied(ok=True)
            served = False
            try:
                applied = await self._loaded(router, until)
                if applied.ok:
                    served = await self._settled(router, until, wanted=slot) == slot
            finally:
                if not served:
                    # The reload's word is handed on, and read back by who asked.
                    # Should this fail too, the next reading mends it.
                    with suppress(NotSent):
                        _write(file, before)
        return applied

    async def close(self) -> None:
        """Kill what still runs, and close every connection."""
        await self._commands.close()
        if self._http is not None:
            self._http.close()
            self._http = None

    async def _loaded(self, router: RouterRef, until: float) -> Applied:
        """Let nginx test its configuration and load it."""
        try:
            tested = await self._commands.run(
                _command(router, "test"), seconds=until - _now()
            )
        except (NotRun, Overdue, Lost) as error:
            raise NotSent(f"the file could not be tested: {error}") from None
        if tested.status:
            text = "the file failed nginx's test and was put back"
            return Applied(ok=False, error=text, output=tested.output)
        return await self._commands.change(
            _command(router, "reload"), seconds=until - _now()
        )

    async def _settled(
        self, router: RouterRef, until: float, wanted: str | None = None
    ) -> str | None:
        """Ask until every answer is the same for a while, and the wanted one if any.

        None when that does not come in time.
        """
        said: str | None = None
        since = _now()
        until = min(until, since + LOAD_SECONDS)
        while _now() < until:
            try:
                now: str | None = await self._served(router, until)
            except ProbeFailed:
                now = None  # It is between two sets of workers; the next answer tells.
            if now != said or now is None:
                said, since = now, _now()
            elif wanted in (None, now) and _now() - since >= SETTLED_SECONDS:
                return now
            await asyncio.sleep(ASK_SECONDS)
        return None

    async def _brought_in_line(
        self, router: RouterRef, file: Path, until: float
    ) -> str:
        """Ask again while nobody else may switch, write that, and return it."""
        async with start_file.alone(file, seconds=0):
            said = await self._settled(router, until)
            if said is None:
                raise NotSent("its workers do not agree yet")
            if not _SLOT.fullmatch(said):
                raise NotSent(f"{clean.line(said)!r} is no name that a file can hold")
            _write(file, _text(router, said))
        return said

    async def _served(self, router: RouterRef, until: float) -> str:
        """Return what the status address says, over a connection of its own.

        A kept one might belong to a worker that serves what was before.
        """
        if self._http is None:
            self._http = Http()
        url, headers = str(router.settings["status"]), {"Connection": "close"}
        try:
            status, body = await self._http.request(
                "GET",
                url,
                reach=router.reach,
                seconds=until - _now(),
                most_bytes=_MOST_BYTES,
                headers=headers,
            )
        except Unheard as error:
            raise ProbeFailed(str(error)) from None
        if status != 200:
            raise ProbeFailed(f"its status address answers HTTP {status}")
        return clean.line(body)


def _text(router: RouterRef, slot: str) -> str:
    return (
        "# Written by deployctl at each switch, and when nginx serves another slot.\n"
        f'map "" ${router.settings["variable"]} {{ default "{slot}"; }}\n'
    )


def _write(file: Path, text: str) -> None:
    with start_file.prepared(file, text) as put:
        put()


def _slot_in(text: str) -> str | None:
    found = _SAID.search(text)
    return found[1] if found else None


def _command(router: RouterRef, name: str) -> Command:
    return Command(router.settings.get(name, _USUAL[name]))


def _file(router: RouterRef) -> Path:
    return Path(str(router.settings["file"]))


def _now() -> float:
    return asyncio.get_running_loop().time()
