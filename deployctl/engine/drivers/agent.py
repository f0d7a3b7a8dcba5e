"""Targets with the reference agent on them, spoken to over HTTP; see `deployctl.agent`.

It knows the agent's API and how a request can be lost, and nothing of deployments.
The agent keeps the promises of the fence; this side must only never claim to know
what it does not: a request that was written and not answered is `OutcomeUnknown`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from deployctl.engine import clean, reach
from deployctl.engine.drivers.answers import probe_in, read_object
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
from deployctl.engine.http import Http, Lost

#: 64 KiB from the front, 64 from the back, each byte six characters of JSON at worst.
MAX_ANSWER_BYTES = 1024 * 1024
#: Part of the time that is kept for the answer's way back, and its most.
_MARGIN, _MAX_MARGIN_SECONDS = 0.2, 3.0
#: Refusals by which an agent says that this attempt has changed nothing.
_UNTOUCHED = ("busy", "fence_reused", "invalid", "token", "not_found", "too_large")


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


class AgentDriver(Driver):
    """Speaks to any number of agents over one pool of kept connections."""

    kind = "agent"
    # Not atomic: a configured command may end half way, and the agent says so.
    abilities = Abilities(checks_fence=True, probes=True, atomic=False)

    def __init__(self) -> None:
        self._http: Http | None = None

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
        except Lost as lost:
            raise ProbeFailed(clean.line(str(lost))) from None
        if answer.error == "stale":
            raise _stale(answer)
        if answer.status != 200:
            raise ProbeFailed(answer.message)
        return probe_in(answer.body)

    async def apply(
        self, target: TargetRef, *, version: str, fence: int, seconds: float
    ) -> Applied:
        """As `Driver.apply`; the agent gets a little less time than there is."""
        body = {"version": version, "fence": fence, "seconds": _inner(seconds)}
        try:
            answer = await self._call(target, "POST", "/v1/apply", seconds, body=body)
        except Lost as lost:
            kind = OutcomeUnknown if lost.sent else NotSent
            raise kind(clean.line(str(lost))) from None
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
            status, raw = await self._fetch("GET", url, seconds)
        except Lost as lost:
            if lost.nobody:  # Not yet: the target starts, and the check itself works.
                return Probe(probe.version, False, clean.line(str(lost)))
            raise ProbeFailed(clean.line(str(lost))) from None
        said = clean.line(raw[:2000])
        return Probe(probe.version, 200 <= status < 300, f"HTTP {status}: {said}")

    async def close(self) -> None:
        """Close the connections."""
        http, self._http = self._http, None
        if http is not None:
            http.close()

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
            raise Lost(f"the address {problem}", sent=False)
        url += path
        if query:
            url += "?" + "&".join(f"{name}={value}" for name, value in query.items())
        data = None if body is None else json.dumps(body).encode("ascii")
        headers = _authorization(target)
        status, raw = await self._fetch(method, url, seconds, headers, data)
        read = read_object(raw)
        if read is None:
            raise Lost(f"HTTP {status} without an agent's answer", sent=True)
        return _Answer(status, read)

    async def _fetch(
        self,
        method: str,
        url: str,
        seconds: float,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> tuple[int, bytes]:
        if self._http is None:
            self._http = Http()
        return await self._http.request(
            method,
            url,
            seconds=seconds,
            most_bytes=MAX_ANSWER_BYTES,
            headers=headers,
            body=body,
        )


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
        message = f"this worker has no secret named {name}"
        raise Lost(message, sent=False)
    return {"Authorization": f"Bearer {value}"}


def _stale(answer: _Answer) -> StaleFence:
    heard = answer.body.get("fence")
    return StaleFence(answer.message, heard=heard if type(heard) is int else None)


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
