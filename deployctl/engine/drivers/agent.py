"""Targets with the reference agent on them, spoken to over HTTP; see `deployctl.agent`.

It knows the agent's API and how a request can be lost, and nothing of deployments.
The agent keeps the promises of the fence; this side must only never claim to know
what it does not: a request that was written and not answered is `OutcomeUnknown`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import aiohttp

from deployctl.engine import clean
from deployctl.engine.drivers import reach
from deployctl.engine.drivers.base import (
    Abilities,
    Applied,
    Driver,
    NotSent,
    OutcomeUnknown,
    Probe,
    ProbeFailed,
    StaleFence,
    TargetRef,
)

#: 64 KiB from the front, 64 from the back, each byte six characters of JSON at worst.
MAX_ANSWER_BYTES = 1024 * 1024
#: Below the agent's 75 s, so that it is this side that closes an idle connection.
KEEPALIVE_SECONDS = 30.0
#: Part of the time that is kept for the answer's way back, and its most.
_MARGIN, _MAX_MARGIN_SECONDS = 0.2, 3.0
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "deployctl"}
#: Refusals by which an agent says that this attempt has changed nothing.
_UNTOUCHED = ("busy", "fence_reused", "invalid", "token", "not_found", "too_large")
_LOST = (aiohttp.ClientError, TimeoutError, OSError, ValueError)


class _Answer:
    """A whole answer: the status and the object that was sent."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status, self.body = status, body

    @property
    def error(self) -> str:
        return str(self.body.get("error", "")) if self.status != 200 else ""

    @property
    def message(self) -> str:
        said = self.body.get("message")
        return clean.line(said if isinstance(said, str) else f"HTTP {self.status}")


class _Lost(Exception):
    """No answer that makes sense; `sent` says whether the request had been written."""

    def __init__(self, message: str, *, sent: bool) -> None:
        self.sent = sent
        super().__init__(clean.line(message))


class _TooLarge(ValueError):
    """An answer that no agent gives."""


class AgentDriver(Driver):
    """Speaks to any number of agents over one pool of kept connections."""

    kind = "agent"
    # Not atomic: a configured command may end half way, and the agent says so.
    abilities = Abilities(checks_fence=True, probes=True, atomic=False)

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def problems(cls, address: str, settings: Mapping[str, object]) -> dict[str, str]:
        """Settings: `token`, a secret's name; `health_url`, which the worker asks."""
        found = {"address": reach.url_problem(address, path=False)}
        if "token" in settings:
            found["token"] = reach.secret_name_problem(settings["token"])
        if "health_url" in settings:
            found["health_url"] = reach.url_problem(settings["health_url"], path=True)
        for name in settings.keys() - {"token", "health_url"}:
            found[name] = "is not a setting of an agent"
        return {name: problem for name, problem in found.items() if problem}

    async def probe(
        self, target: TargetRef, *, fence: int | None, seconds: float
    ) -> Probe:
        """As `Driver.probe`; waits in the agent for a running effect to end."""
        query = {} if fence is None else {"fence": fence, "seconds": _inner(seconds)}
        try:
            answer = await self._call(target, "GET", "/v1/state", seconds, query=query)
        except _Lost as lost:
            raise ProbeFailed(str(lost)) from None
        if answer.error == "stale":
            raise _stale(answer)
        if answer.status != 200:
            raise ProbeFailed(answer.message)
        return _probe_in(answer.body)

    async def apply(
        self, target: TargetRef, *, version: str, fence: int, seconds: float
    ) -> Applied:
        """As `Driver.apply`; the agent gets a little less time than there is."""
        body = {"version": version, "fence": fence, "seconds": _inner(seconds)}
        try:
            answer = await self._call(target, "POST", "/v1/apply", seconds, body=body)
        except _Lost as lost:
            raise (OutcomeUnknown if lost.sent else NotSent)(str(lost)) from None
        if answer.status == 200:
            return _applied_in(answer.body, version, fence)
        if answer.error == "stale":
            raise _stale(answer)
        if answer.error in _UNTOUCHED:
            return Applied(ok=False, error=answer.message)
        raise OutcomeUnknown(answer.message)

    async def health(self, target: TargetRef, *, seconds: float) -> Probe:
        """What the agent says, and the `health_url` of the settings on top of it."""
        probe = await self.probe(target, fence=None, seconds=seconds)
        url = target.settings.get("health_url")
        if not probe.healthy or not isinstance(url, str):
            return probe
        try:
            status, raw = await self._fetch("GET", url, seconds, sent=[])
        except (aiohttp.ClientConnectorError, ConnectionError) as error:
            # Nobody listens yet: the target starts, and the check itself works.
            return Probe(probe.version, False, clean.line(_told(error)))
        except _LOST as error:
            raise ProbeFailed(clean.line(_told(error))) from None
        said = clean.line(raw[:2000])
        return Probe(probe.version, 200 <= status < 300, f"HTTP {status}: {said}")

    async def close(self) -> None:
        """Close the pool."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _call(
        self,
        target: TargetRef,
        method: str,
        path: str,
        seconds: float,
        *,
        query: Mapping[str, object] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> _Answer:
        problem, url = _place(target.address)
        if problem:
            raise _Lost(f"the address {problem}", sent=False)
        more: dict[str, Any] = {"headers": _authorization(target)}
        url += path
        if query:
            url += "?" + "&".join(f"{name}={value}" for name, value in query.items())
        if body:
            more["data"] = json.dumps(body).encode("ascii")
        sent: list[bool] = []
        try:
            status, raw = await self._fetch(method, url, seconds, sent=sent, **more)
            read = json.loads(raw)
        except (*_LOST, RecursionError) as error:
            raise _Lost(_told(error), sent=bool(sent)) from None
        if not isinstance(read, dict):
            raise _Lost(f"HTTP {status} without an agent's answer", sent=True)
        return _Answer(status, read)

    async def _fetch(
        self, method: str, url: str, seconds: float, *, sent: list[bool], **more: Any
    ) -> tuple[int, bytes]:
        """Return status and body; `sent` is not empty once the request was written."""
        async with (
            asyncio.timeout(seconds),
            self._pool().request(
                method, url, allow_redirects=False, trace_request_ctx=sent, **more
            ) as response,
        ):
            raw = bytearray()
            async for chunk in response.content.iter_any():
                raw += chunk
                if len(raw) > MAX_ANSWER_BYTES:
                    response.close()
                    raise _TooLarge(f"an answer of over {MAX_ANSWER_BYTES} bytes")
            return response.status, bytes(raw)

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            tracing = aiohttp.TraceConfig()
            tracing.on_request_headers_sent.append(_note_sent)
            self._session = aiohttp.ClientSession(
                auto_decompress=False,
                connector=aiohttp.TCPConnector(
                    limit=0,
                    keepalive_timeout=KEEPALIVE_SECONDS,
                    resolver=reach.CheckedResolver(),
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
                # The deadline of each call stands around it, connecting included.
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                trace_configs=[tracing],
                trust_env=False,
            )
        return self._session


async def _note_sent(
    session: aiohttp.ClientSession, context: SimpleNamespace, params: object
) -> None:
    # Called just before the first byte is written: from here on nobody can be sure.
    context.trace_request_ctx.append(True)


@lru_cache(maxsize=32_768)
def _place(address: str) -> tuple[str, str]:
    """Return what is wrong with an address, and the address without a last slash."""
    return reach.url_problem(address, path=False), address.rstrip("/")


def _inner(seconds: float) -> float:
    """Return what the agent gets, so that its answer is here in time."""
    return seconds - min(_MAX_MARGIN_SECONDS, seconds * _MARGIN)


def _authorization(target: TargetRef) -> dict[str, str]:
    name = target.settings.get("token")
    if name is None:
        return {}
    value = reach.secret(name) if isinstance(name, str) else None
    if value is None:
        message = f"this worker has no secret named {clean.line(str(name))}"
        raise _Lost(message, sent=False)
    return {"Authorization": f"Bearer {value}"}


def _told(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ValueError | RecursionError) and not isinstance(
        error, aiohttp.ClientError | _TooLarge
    ):
        return "the answer makes no sense"
    return str(error) or type(error).__name__


def _stale(answer: _Answer) -> StaleFence:
    heard = answer.body.get("fence")
    return StaleFence(answer.message, heard=heard if type(heard) is int else None)


def _probe_in(body: Mapping[str, Any]) -> Probe:
    version, healthy = body.get("version"), body.get("healthy")
    if not isinstance(healthy, bool) or not (
        version is None or (isinstance(version, str) and version)
    ):
        raise ProbeFailed("the answer makes no sense")
    detail = body.get("detail")
    return Probe(
        version=None if version is None else clean.line(version, limit=128),
        healthy=healthy,
        detail=clean.line(detail) if isinstance(detail, str) else "",
    )


def _applied_in(body: Mapping[str, Any], version: str, fence: int) -> Applied:
    """Read an apply's answer; one about another attempt says nothing about this."""
    same = body.get("fence") == fence and body.get("version") == version
    if not same or not isinstance(body.get("ok"), bool):
        raise OutcomeUnknown("the answer makes no sense")
    error, output = body.get("error"), body.get("output")
    return Applied(
        ok=body["ok"],
        error=clean.line(error) if isinstance(error, str) else "",
        output=clean.text(output) if isinstance(output, str) else "",
    )
