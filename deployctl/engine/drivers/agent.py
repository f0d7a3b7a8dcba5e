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

from deployctl.engine import clean, objects, reach
from deployctl.engine.drivers import answers
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
from deployctl.engine.effects import inner
from deployctl.engine.http import Http, Lost

#: 64 KiB from the front, 64 from the back, each byte six characters of JSON at worst.
MAX_ANSWER_BYTES = 1024 * 1024


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
        """Settings: `token`, a secret's name."""
        found = {"address": reach.url_problem(address, path=False)}
        if "token" in settings:
            found["token"] = reach.secret_name_problem(settings["token"])
        for name in settings.keys() - {"token"}:
            found[name] = "is not a setting of an agent"
        return {name: problem for name, problem in found.items() if problem}

    async def probe(
        self, target: TargetRef, *, fence: int | None, seconds: float
    ) -> Probe:
        """As `Driver.probe`; waits in the agent for a running effect to end."""
        query = {} if fence is None else {"fence": fence, "seconds": inner(seconds)}
        try:
            answer = await self._call(target, "GET", "/v1/state", seconds, query=query)
        except Lost as lost:
            raise ProbeFailed(clean.line(str(lost))) from None
        if answer.error == "stale":
            raise StaleFence(answer.message, heard=answer.body.get("fence"))
        if answer.status != 200:
            raise ProbeFailed(answer.message)
        return answers.probe_in(answer.body)

    async def apply(
        self, target: TargetRef, *, version: str, fence: int, seconds: float
    ) -> Applied:
        """As `Driver.apply`; the agent gets a little less time than there is."""
        body = {"version": version, "fence": fence, "seconds": inner(seconds)}
        try:
            answer = await self._call(target, "POST", "/v1/apply", seconds, body=body)
        except Lost as lost:
            kind = OutcomeUnknown if lost.sent else NotSent
            raise kind(clean.line(str(lost))) from None
        if answer.status == 200:
            return answers.applied_in(answer.body, version, fence)
        if answer.error == "stale":
            raise StaleFence(answer.message, heard=answer.body.get("fence"))
        if answer.error in answers.UNTOUCHED:
            return Applied(ok=False, error=answer.message)
        raise OutcomeUnknown(answer.message)

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
        if self._http is None:
            self._http = Http()
        status, raw = await self._http.request(
            method,
            url,
            reach=target.reach,
            seconds=seconds,
            most_bytes=MAX_ANSWER_BYTES,
            headers=headers,
            body=data,
        )
        read = objects.read(raw)
        if read is None:
            raise Lost(f"HTTP {status} without an agent's answer", sent=True)
        return _Answer(status, read)


@lru_cache(maxsize=32_768)
def _place(address: str) -> tuple[str, str]:
    """Return what is wrong with an address, and the address without a last slash."""
    return reach.url_problem(address, path=False), address.rstrip("/")


def _authorization(target: TargetRef) -> dict[str, str]:
    name = target.settings.get("token")
    if name is None:
        return {}
    value = target.reach.secret(name) if isinstance(name, str) else None
    if value is None:
        raise Lost(reach.no_secret(str(name)), sent=False)
    if not (value.isascii() and value.isprintable()):
        text = f"the secret {name} is no token: a header cannot hold what is in it"
        raise Lost(text, sent=False)
    return {"Authorization": f"Bearer {value}"}
