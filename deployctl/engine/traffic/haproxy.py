"""HAProxy leads traffic to a target: as one server or several of its backends.

`drain` takes a server out without cutting anything, `ready` leads back to it. `maint`
is a person's word, and is left alone. It knows the runtime API's words.
"""

from __future__ import annotations

import asyncio
import csv
import re
from typing import NamedTuple

from deployctl.engine import clean
from deployctl.engine.effects import NotSent, OutcomeUnknown, ProbeFailed
from deployctl.engine.routers import runtime_api
from deployctl.engine.traffic.base import Settings, TargetRef, Traffic

_SETTINGS = frozenset({"address", "servers"})
#: `backend/server`: no blank, and nothing that ends a command.
_SERVER = re.compile(r"[A-Za-z0-9_.:-]{1,128}/[A-Za-z0-9_.:-]{1,128}")
#: A target is a server of so many backends at most.
MOST_SERVERS = 16
#: How a status begins of a server that gets requests, and of one that gets none.
_GETS, _BY_A_PERSON = ("UP", "no check"), "MAINT"


class _Server(NamedTuple):
    """What HAProxy says of a server."""

    status: str
    sessions: int

    @property
    def is_kept_out(self) -> bool:
        """Whether a person has taken it out."""
        return self.status.startswith(_BY_A_PERSON)

    @property
    def gets_requests(self) -> bool:
        """Whether new requests are sent to it."""
        return self.status.startswith(_GETS)


class HaproxyTraffic(Traffic):
    """Sets and reads the states of servers over the runtime API.

    HAProxy forgets them when it restarts or reloads, unless it loads a state file.
    """

    kind = "haproxy"

    @classmethod
    def problems(cls, settings: Settings) -> dict[str, str]:
        """Settings: `address` of the API, `servers` as `backend/server`."""
        foreign = settings.keys() - _SETTINGS
        found = dict.fromkeys(foreign, "is not a setting of traffic by haproxy")
        found["address"] = runtime_api.address_problem(settings.get("address"))
        servers = settings.get("servers")
        if not isinstance(servers, list) or not 0 < len(servers) <= MOST_SERVERS:
            found["servers"] = f"must be a list of 1 to {MOST_SERVERS} servers"
        elif not all(isinstance(each, str) and _is_server(each) for each in servers):
            found["servers"] = "must each be backend/server, as the configuration has"
        return {name: problem for name, problem in found.items() if problem}

    async def take_out(
        self, target: TargetRef, settings: Settings, *, seconds: float
    ) -> None:
        """As `Traffic.take_out`, one server after the other."""
        await _set(target, settings, "drain", seconds)

    async def under_way(
        self, target: TargetRef, settings: Settings, *, seconds: float
    ) -> int:
        """Count sessions. As `Traffic.under_way`."""
        found = await _states(target, settings, seconds)
        for name, server in found.items():
            if server.gets_requests:
                raise ProbeFailed(f"{name} is {server.status}, and gets requests still")
        return sum(server.sessions for server in found.values())

    async def lead_back(
        self, target: TargetRef, settings: Settings, *, seconds: float
    ) -> None:
        """As `Traffic.lead_back`, one server after the other."""
        await _set(target, settings, "ready", seconds)

    async def missing(
        self, target: TargetRef, settings: Settings, *, seconds: float
    ) -> str:
        """As `Traffic.missing`: HAProxy's own checks of the servers must hold."""
        for name, server in (await _states(target, settings, seconds)).items():
            if not server.is_kept_out and not server.gets_requests:
                return f"{name} is {server.status}"
        return ""


async def _set(
    target: TargetRef, settings: Settings, state: str, seconds: float
) -> None:
    until = _now() + seconds
    try:
        found = await _states(target, settings, seconds)
    except ProbeFailed as error:
        raise NotSent(str(error)) from None
    sent = False
    for name, server in found.items():
        if server.is_kept_out:
            continue
        try:
            said = await runtime_api.asked(
                str(settings["address"]),
                f"set server {name} state {state}",
                reach=target.reach,
                seconds=until - _now(),
            )
        except NotSent as error:
            raise (OutcomeUnknown if sent else NotSent)(str(error)) from None
        sent = True
        if said:
            raise OutcomeUnknown(clean.line(f"{name}: {said}"))


async def _states(
    target: TargetRef, settings: Settings, seconds: float
) -> dict[str, _Server]:
    """Return what HAProxy says of each server, by its name in the settings."""
    until = _now() + seconds
    servers = settings["servers"]
    assert isinstance(servers, list)
    said: dict[str, _Server] = {}
    for backend in dict.fromkeys(name.partition("/")[0] for name in servers):
        command = f"show stat {backend} 4 -1"
        try:
            answer = await runtime_api.asked(
                str(settings["address"]),
                command,
                reach=target.reach,
                seconds=until - _now(),
            )
        except (NotSent, OutcomeUnknown) as error:
            raise ProbeFailed(str(error)) from None
        said |= _servers_in(answer)
    for name in servers:
        if name not in said:
            raise ProbeFailed(f"HAProxy has no server {name}")
    return {name: said[name] for name in servers}


def _servers_in(answer: str) -> dict[str, _Server]:
    """Read the table that `show stat` prints."""
    try:
        rows = list(csv.DictReader(answer.removeprefix("# ").splitlines()))
        return {
            f"{row['pxname']}/{row['svname']}": _Server(
                row["status"], int(row["scur"]) + int(row["qcur"])
            )
            for row in rows
        }
    except (csv.Error, KeyError, TypeError, ValueError):
        raise ProbeFailed(f"the answer makes no sense: {clean.line(answer)}") from None


def _is_server(name: str) -> bool:
    return _SERVER.fullmatch(name) is not None


def _now() -> float:
    return asyncio.get_running_loop().time()
