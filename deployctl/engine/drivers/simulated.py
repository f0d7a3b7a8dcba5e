"""Targets that exist in memory only, with faults by share; nothing outside is touched.

They keep the fence as a real agent does, and count what is in flight, so that tests
and measurements have a witness. Each process has a fleet of its own; the log, when one
is asked for, is common to all processes that append to it.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from deployctl.engine.drivers.base import (
    Abilities,
    Applied,
    Driver,
    OutcomeUnknown,
    Probe,
    ProbeFailed,
    StaleFence,
    TargetRef,
)

#: The variable that names the log file of all simulated targets of a process.
LOG_VARIABLE = "DEPLOYCTL_SIMULATED_LOG"

#: What goes wrong, by setting: the share of targets, 0 to 1, that it happens on.
FAULTS = ("failing", "hanging", "flapping", "lying", "unreachable")
_SETTINGS = frozenset(
    {*FAULTS, "version", "latency_seconds", "seed", "unhealthy_versions"}
)
_DONE = Applied(ok=True)


@dataclass(slots=True)
class Device:
    """One simulated target: what it is at, what it promised, what is wrong with it."""

    settings: Mapping[str, Any]
    version: str | None
    latency_seconds: float
    faults: frozenset[str]
    unhealthy_versions: frozenset[str]
    promised: int = 0
    last_fence: int = 0
    last_version: str = ""
    last: Applied | None = None
    probes: int = 0
    running: asyncio.Future[None] | None = None

    def promise(self, fence: int) -> None:
        """Remember a fence; raise `StaleFence` for one that is too low."""
        if fence < self.promised:
            message = f"fence {self.promised} has been here"
            raise StaleFence(message, heard=self.promised)
        self.promised = fence

    async def quiet(self, seconds: float) -> bool:
        """Wait until no apply runs here; say whether that came in time."""
        end = time.monotonic() + seconds
        while (running := self.running) is not None:
            left = end - time.monotonic()
            if left <= 0:
                return False
            await asyncio.wait({running}, timeout=left)
        return True


@dataclass(slots=True)
class Fleet:
    """All simulated targets of this process, and what has been seen in flight."""

    devices: dict[str, Device] = field(default_factory=dict)
    applies: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    log: int | None = None

    def device(self, target: TargetRef) -> Device:
        """Return the device of a target, made when it is first heard of."""
        found = self.devices.get(target.id)
        if found is None:
            found = self.devices[target.id] = _made(target)
        elif found.settings is not target.settings:
            if found.settings != target.settings:
                fresh = _made(target)
                found.latency_seconds = fresh.latency_seconds
                found.faults = fresh.faults
                found.unhealthy_versions = fresh.unhealthy_versions
            found.settings = target.settings
        return found

    def started(self, target: TargetRef, version: str, fence: int) -> None:
        """Count and log an effect that begins."""
        self.applies += 1
        self.in_flight += 1
        if self.in_flight > self.max_in_flight:
            self.max_in_flight = self.in_flight
        self._write("started", target, version, fence)

    def ended(self, target: TargetRef, version: str, fence: int) -> None:
        """Count and log an effect that has ended, however it did."""
        self.in_flight -= 1
        self._write("ended", target, version, fence)

    def reset(self) -> None:
        """Forget every device and every count; stop logging."""
        if self.log is not None:
            os.close(self.log)
        self.devices, self.log = {}, None
        self.applies = self.in_flight = self.max_in_flight = 0

    def log_to(self, path: str) -> None:
        """Append one JSON line for each start and end to a file from now on."""
        if self.log is not None:
            os.close(self.log)
        self.log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _write(self, what: str, target: TargetRef, version: str, fence: int) -> None:
        if self.log is None:
            return
        line = (
            f'{{"at": {time.time()}, "what": "{what}", "agent": {_quoted(target.name)},'
            f' "fence": {fence}, "version": {_quoted(version)}}}\n'
        )
        os.write(self.log, line.encode("ascii"))


#: The fleet of this process.
FLEET = Fleet()


def most_in_flight(lines: Iterable[str]) -> int:
    """Return the most effects that ran at once, from a log's lines in their order."""
    running = most = 0
    for line in lines:
        what = json.loads(line)["what"]
        running += {"started": 1, "ended": -1}.get(what, 0)
        most = max(most, running)
    return most


class SimulatedDriver(Driver):
    """Changes devices of `FLEET`, or of a fleet of its own."""

    kind = "simulated"
    abilities = Abilities(checks_fence=True, probes=True, atomic=True, common=False)

    def __init__(self, fleet: Fleet | None = None) -> None:
        self._fleet = FLEET if fleet is None else fleet
        path = os.environ.get(LOG_VARIABLE)
        if path and self._fleet.log is None:
            self._fleet.log_to(path)

    @classmethod
    def problems(cls, address: str, settings: Mapping[str, object]) -> dict[str, str]:
        """Settings: `FAULTS` by share; what it is at first; how long an apply takes."""
        foreign = settings.keys() - _SETTINGS
        found = dict.fromkeys(foreign, "is not a setting of a simulated target")
        for name in (*FAULTS, "latency_seconds"):
            value = settings.get(name, 0)
            most = 3600 if name == "latency_seconds" else 1
            if isinstance(value, bool) or not isinstance(value, int | float):
                found[name] = "must be a number"
            elif not 0 <= value <= most:
                found[name] = f"must be between 0 and {most}"
        if not isinstance(settings.get("version"), str | None):
            found["version"] = "must be a version"
        if not isinstance(settings.get("unhealthy_versions", []), list):
            found["unhealthy_versions"] = "must be a list of versions"
        return found

    async def probe(
        self, target: TargetRef, *, fence: int | None, seconds: float
    ) -> Probe:
        """As `Driver.probe`; costs no latency."""
        device = self._fleet.device(target)
        if "unreachable" in device.faults:
            raise ProbeFailed("simulated: it does not answer")
        if fence is not None:
            device.promise(fence)
            if not await device.quiet(seconds):
                raise ProbeFailed("an earlier apply is still running")
            device.promise(fence)
        device.probes += 1
        if "flapping" in device.faults and device.probes % 2 == 0:
            return Probe(device.version, False, "simulated: it flaps")
        if device.version in device.unhealthy_versions:
            return Probe(device.version, False, "simulated: this version is unhealthy")
        return Probe(device.version, True)

    async def apply(
        self, target: TargetRef, *, version: str, fence: int, seconds: float
    ) -> Applied:
        """As `Driver.apply`; without latency it never gives way to another task."""
        device = self._fleet.device(target)
        device.promise(fence)
        if device.running is not None:
            if not await device.quiet(seconds):
                return Applied(ok=False, error="an earlier apply is still running")
            device.promise(fence)
        if fence == device.last_fence:
            return _stored(device, version)
        device.last_fence, device.last_version, device.last = fence, version, None
        self._fleet.started(target, version, fence)
        try:
            if device.latency_seconds or "hanging" in device.faults:
                await _delayed(device, seconds)
            device.last = _effect(device, version)
        finally:
            self._fleet.ended(target, version, fence)
        return device.last


def _stored(device: Device, version: str) -> Applied:
    """Return the answer of the attempt that had this fence, without a second effect."""
    if device.last_version != version:
        used = f"fence {device.last_fence} was used for {device.last_version}"
        return Applied(ok=False, error=used)
    if device.last is None:
        raise OutcomeUnknown("simulated: nobody heard how this attempt ended")
    return device.last


def _effect(device: Device, version: str) -> Applied:
    if "failing" in device.faults:
        return Applied(ok=False, error=f"simulated: {version} does not install here")
    if "lying" not in device.faults:
        device.version = version
    return _DONE


async def _delayed(device: Device, seconds: float) -> None:
    """Hold the device for its latency; it changes nothing when that is too long."""
    device.running = asyncio.get_running_loop().create_future()
    hangs = "hanging" in device.faults or device.latency_seconds > seconds
    try:
        await asyncio.sleep(max(0.0, seconds) if hangs else device.latency_seconds)
    finally:
        device.running.set_result(None)
        device.running = None
    if hangs:
        raise OutcomeUnknown("no answer in time")


def _made(target: TargetRef) -> Device:
    settings: Mapping[str, Any] = target.settings
    seed = settings.get("seed", 0)
    return Device(
        settings=settings,
        version=settings.get("version"),
        latency_seconds=float(settings.get("latency_seconds", 0)),
        faults=frozenset(
            fault
            for fault in FAULTS
            if (share := settings.get(fault))
            and _part(f"{seed}:{fault}:{target.name}") < share
        ),
        unhealthy_versions=frozenset(settings.get("unhealthy_versions", ())),
    )


@lru_cache(maxsize=32_768)
def _quoted(text: str) -> str:
    """Return a text as JSON; the same few come again and again."""
    return json.dumps(text)


def _part(text: str) -> float:
    """Return a number from 0 to just under 1 that a text always has."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) / 2**32
