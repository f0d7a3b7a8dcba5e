"""A router that is HAProxy: the weights of a backend's servers share its traffic.

Which targets are the first, and how much they get, is told with each reading; it knows
HAProxy's words for that, and no deployment.

Weights are whole numbers up to 256. What the configuration says of each server stays
known to HAProxy, so that "even" needs no memory of ours. Nothing here remembers: the
weights wanted are computed anew each time, and found or not.
"""

from __future__ import annotations

import asyncio
import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass

from deployctl.engine import clean
from deployctl.engine.effects import NotSent, OutcomeUnknown, ProbeFailed
from deployctl.engine.routers import runtime_api
from deployctl.engine.routers.base import (
    Applied,
    Member,
    Reading,
    Router,
    RouterAbilities,
    RouterRef,
)
from strategies.weights import EVEN, Weights

_SETTINGS = frozenset({"address", "backend"})
#: What is put into a command: no blank, and nothing that ends one.
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
#: The heaviest that HAProxy allows.
HEAVIEST = 256
#: So many weights are set with one command line; HAProxy reads 16 KiB at once.
MOST_AT_ONCE = 40
#: What is read where weights are not as the configuration has them.
UNEVEN = "uneven"


@dataclass(frozen=True)
class Server:
    """A server's weight now, and the one that its configuration gives it."""

    weight: int
    configured: int


class HaproxyWeightsRouter(Router):
    """Reads and sets the weights of a backend's servers over the runtime API.

    Many servers are set one after the other, and HAProxy checks no fence: what was
    begun and not ended is found, since every weight is either an old or a new one.
    """

    kind = "haproxy-weights"
    abilities = RouterAbilities(checks_fence=False, slots=False, shares=True)

    @classmethod
    def problems(cls, settings: Mapping[str, object]) -> dict[str, str]:
        """Settings: `address` of the API, and the `backend` that targets are in."""
        foreign = settings.keys() - _SETTINGS
        found = dict.fromkeys(foreign, "is not a setting of a haproxy-weights router")
        found["address"] = runtime_api.address_problem(settings.get("address"))
        backend = settings.get("backend")
        if not isinstance(backend, str) or not _WORD.fullmatch(backend):
            found["backend"] = "must be a backend's name, as the configuration has it"
        return {name: problem for name, problem in found.items() if problem}

    async def read(
        self, router: RouterRef, *, fence: int | None, seconds: float
    ) -> Reading:
        """Say which of the known shares its weights are, or that they are even.

        Between two known ones it is the earlier: it was begun, and may be done again.
        """
        servers = await _servers(router, _now() + seconds)
        now = {name: server.weight for name, server in servers.items()}
        known = {label: _wanted(router, servers, label) for label in router.groups}
        for label, wanted in reversed(known.items()):
            if now == wanted:
                return Reading(label)
        if now == _even(servers):
            return Reading(EVEN)
        odd = [
            name
            for name, weight in now.items()
            if weight not in {wanted[name] for wanted in known.values()}
        ]
        if known and not odd:
            return Reading(next(iter(known)), "some weights are set, and some are not")
        odd = odd or [n for n, weight in _even(servers).items() if weight != now[n]]
        said = ", ".join(f"{name} has weight {now[name]}" for name in odd[:3])
        more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""
        return Reading(None if known else UNEVEN, clean.line(f"{said}{more}"))

    async def switch(
        self, router: RouterRef, *, expected: str, slot: str, fence: int, seconds: float
    ) -> Applied:
        """Set the weights if they are what is expected, or what was begun of it."""
        until = _now() + seconds
        try:
            reading = await self.read(router, fence=fence, seconds=seconds)
            if expected and reading.serving not in (expected, slot):
                now = f"{UNEVEN} ({reading.detail})" if reading.detail else EVEN
                return Applied(ok=False, error=f"it is {now}, not {expected}")
            servers = await _servers(router, until)
        except ProbeFailed as error:
            text = f"it could not be read before the weights were set: {error}"
            raise NotSent(text) from None
        try:
            wanted = _wanted(router, servers, slot)
        except ProbeFailed as error:
            return Applied(ok=False, error=str(error))
        changes = [
            (name, weight)
            for name, weight in wanted.items()
            if weight != servers[name].weight
        ]
        # What loses traffic is first: so no share is ever larger than the one wanted.
        changes.sort(key=lambda change: change[1] > servers[change[0]].weight)
        return await _set(router, changes, until)


async def _set(
    router: RouterRef, changes: list[tuple[str, int]], until: float
) -> Applied:
    backend, sent = router.settings["backend"], False
    for at in range(0, len(changes), MOST_AT_ONCE):
        commands = [
            f"set server {backend}/{name} weight {weight}"
            for name, weight in changes[at : at + MOST_AT_ONCE]
        ]
        try:
            said = await _asked(router, "; ".join(commands), until)
        except NotSent as error:
            raise (OutcomeUnknown if sent else NotSent)(str(error)) from None
        sent = True
        if said.strip():
            return Applied(ok=False, error=clean.line(said))
    return Applied(ok=True)


def weights(
    configured: Mapping[str, int], first: frozenset[str], basis_points: int
) -> dict[str, int]:
    """Return the weight of each server, so that the first get that much, or just less.

    Among the first, and among the others, the configured weights say who gets what.

    Args:
        configured: by server; those with weight 0 get nothing, as before.
        first: servers that together get `basis_points` of the traffic.
        basis_points: from 0 to 10,000.

    Raises:
        ValueError: no weights that HAProxy has come near enough.
    """
    ours = sum(weight for name, weight in configured.items() if name in first)
    others = sum(configured.values()) - ours
    if not ours or not others:
        gets = "none of the first targets" if not ours else "no other server"
        raise ValueError(f"{gets} has a weight, so traffic cannot be shared")
    part, rest = basis_points * others, (10_000 - basis_points) * ours
    heaviest = max(
        weight * (part if name in first else rest)
        for name, weight in configured.items()
    )
    found = {}
    for name, weight in configured.items():
        scaled = weight * (part if name in first else rest) * HEAVIEST
        # The first are rounded down and all others up: never more than was allowed.
        found[name] = scaled // heaviest if name in first else -(-scaled // heaviest)
        if part and weight and not found[name]:
            share = basis_points / 100
            raise ValueError(
                f"{name} would need less than a weight of 1 of {HEAVIEST}: HAProxy"
                f" cannot give the first targets as little as {share:g} %"
            )
    return found


def _wanted(
    router: RouterRef, servers: Mapping[str, Server], label: str
) -> dict[str, int]:
    """Return the weights that a label means.

    Raises:
        ProbeFailed: there are no such servers, or no such weights.
    """
    wanted = Weights.read(label)
    if not wanted.count:
        return _even(servers)
    backend = str(router.settings["backend"])
    first = frozenset(_server_of(each, backend) for each in router.groups[label])
    missing = sorted(first - servers.keys())
    if missing:
        raise ProbeFailed(
            clean.line(
                f"backend {backend} has no server {missing[0]}: name servers as targets"
                " are named, or in the target's setting traffic"
            )
        )
    configured = {name: server.configured for name, server in servers.items()}
    try:
        return weights(configured, first, wanted.basis_points)
    except ValueError as error:
        raise ProbeFailed(clean.line(str(error))) from None


def _even(servers: Mapping[str, Server]) -> dict[str, int]:
    return {name: server.configured for name, server in servers.items()}


def _server_of(member: Member, backend: str) -> str:
    """Return a target's server: what its setting traffic says, or its own name."""
    for entry in member.traffic:
        for server in entry.get("servers") or ():
            where, _, name = str(server).partition("/")
            if where == backend:
                return name
    return member.name


async def _servers(router: RouterRef, until: float) -> dict[str, Server]:
    """Return the servers of the backend by name; those that only stand by are not."""
    backend = router.settings["backend"]
    try:
        said = await _asked(router, f"show stat {backend} 4 -1", until)
        rows = list(csv.DictReader(said.removeprefix("# ").splitlines()))
        stand_by = {row["svname"] for row in rows if row["bck"] == "1"}
        said = await _asked(router, f"show servers state {backend}", until)
        # The number of the format comes first, then the names behind a #.
        lines = [line.removeprefix("# ") for line in said.splitlines()[1:]]
        states = list(csv.DictReader(lines, delimiter=" "))
        found = {
            row["srv_name"]: Server(int(row["srv_uweight"]), int(row["srv_iweight"]))
            for row in states
            if row["srv_name"] not in stand_by
        }
    except (NotSent, OutcomeUnknown) as error:
        raise ProbeFailed(str(error)) from None
    except (csv.Error, KeyError, TypeError, ValueError):
        raise ProbeFailed(f"the answer makes no sense: {clean.line(said)}") from None
    if not found:
        raise ProbeFailed(clean.line(f"backend {backend} has no server: {said}"))
    return found


async def _asked(router: RouterRef, command: str, until: float) -> str:
    return await runtime_api.asked(
        str(router.settings["address"]),
        command,
        reach=router.reach,
        seconds=until - _now(),
    )


def _now() -> float:
    return asyncio.get_running_loop().time()
