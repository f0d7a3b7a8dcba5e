#!/usr/bin/env python3
"""The reference agent: changes one host on request and remembers it over its restart.

It knows nothing of deployctl: this file and Python 3.8 or newer are all it needs.

    agent.py --config agent.json          one agent, or many in one process
    agent.py --state-dir DIR --port N     one agent from flags (see --help)

**The API**, HTTP/1.1 and JSON, `Authorization: Bearer <token>`:

    GET  /healthz                      the agent is up; needs no token
    GET  /v1/state[?fence=N&seconds=S] {version, healthy, detail, fence, busy}
    POST /v1/apply {version, fence, seconds}   {ok, error, output, version, fence}
    GET  /v1/stats                     effects in flight, of this agent and process

A refusal is {error, message, fence} with `error` one of: stale, busy, interrupted,
fence_reused, invalid, token, not_found, too_large, storage.

**The fence.** The highest fence heard, from a state request or an apply, is on disk
before it is answered. A lower one is refused as `stale`. A state request with a fence
waits until no effect runs, so that what it reads stays true. An apply with the fence
of the last attempt gets that attempt's stored answer.

**A death in the middle.** "Begun" is on disk before the effect starts, "ended" with
its answer after it. An attempt found begun and not ended is never run again by its
own fence: it is answered `interrupted`, and the state says what is true: the release
link or version file is read again, else the version is unknown (null). Processes that
an effect left behind are ended before the agent listens.

**The log**, `log.jsonl` in the state directory, is only ever appended to: one line
for each thing heard, refused, started and ended, with wall-clock time and fence.

One file, against this project's habit of short ones, because it is copied to hosts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import hmac
import json
import math
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

VERSION_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:@/-]{0,127}")
PLACEHOLDER = "{version}"
MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 64 * 1024
KEPT_BYTES = 64 * 1024
#: The state is kept as a line for each change, and begun anew when they are so many.
MAX_STATE_BYTES = 256 * 1024
IDLE_SECONDS = 75.0
GRACE_SECONDS = 2.0
#: Its socket, log and lock, and connections to it.
FILES_EACH = 8
MAX_FENCE = 2**63 - 1
REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    409: "Conflict",
    413: "Payload Too Large",
    500: "Internal Server Error",
}


class Refused(Exception):
    """A request that is answered with an error; nothing was changed by it."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status, self.error, self.message = status, error, message


class Outcome(NamedTuple):
    """How an effect ended, and the version that it leaves; None is unknown."""

    ok: bool
    error: str
    output: str
    version: str | None


class Clipped:
    """The first and last bytes of an output that may be endless, and their count."""

    def __init__(self, kept: int = KEPT_BYTES) -> None:
        self.kept, self.total = kept, 0
        self.head, self.tail = bytearray(), bytearray()

    def feed(self, data: bytes) -> None:
        self.total += len(data)
        room = self.kept - len(self.head)
        self.head += data[:room]
        self.tail += data[room:]
        if len(self.tail) > 4 * self.kept:
            del self.tail[: -self.kept]

    def text(self) -> str:
        tail = bytes(self.tail[-self.kept :])
        cut = self.total - len(self.head) - len(tail)
        note = b"\n[... %d bytes cut ...]\n" % cut if cut else b""
        return (bytes(self.head) + note + tail).decode("utf-8", "replace")


class Stats:
    """Effects in flight, counted where they happen."""

    def __init__(self) -> None:
        self.in_flight = self.max_in_flight = self.applies = self.requests = 0

    def enter(self) -> None:
        self.applies += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def leave(self) -> None:
        self.in_flight -= 1

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


# --- what is kept -------------------------------------------------------------------


class Store:
    """The state of one agent in its own directory, held by one process at a time."""

    def __init__(self, directory: Path, name: str, fsync: bool) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory, self.name, self.fsync = directory, name, fsync
        self.guard = os.open(str(directory / "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self.guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self.guard)
            raise SystemExit(f"{directory} is in use by another agent") from None
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self.journal = os.open(str(directory / "log.jsonl"), flags, 0o600)
        self.path = directory / "state.json"
        self.room = 0

    def load(self, version: str | None) -> dict[str, Any]:
        """Return what was kept, or begin; a fence that was lost is never guessed."""
        try:
            state = last_state(self.path.read_bytes())
        except FileNotFoundError:
            if os.fstat(self.journal).st_size:
                text = f"{self.path} is missing, and the fence with it"
                raise SystemExit(text) from None
            state = {"version": version, "promised": 0, "last": None}
        except ValueError as error:
            raise SystemExit(f"{self.path} cannot be read: {error}") from None
        self.save(state)
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Add the state as the last line; it is on disk when this returns."""
        line = (json.dumps(state) + "\n").encode("ascii")
        # What is not known to be whole is never added to.
        room, self.room = self.room, 0
        if len(line) > room:
            self._begin_anew(line)
            room = MAX_STATE_BYTES
        else:
            self._write(self.path, os.O_APPEND, line)
        self.room = room - len(line)

    def _begin_anew(self, line: bytes) -> None:
        """Replace the file by one that holds this line only, in one step."""
        new = self.directory / "state.new"
        self._write(new, os.O_CREAT | os.O_TRUNC, line)
        os.replace(str(new), str(self.path))
        if self.fsync:
            sync_directory(self.directory)

    def _write(self, path: Path, flags: int, line: bytes) -> None:
        descriptor = os.open(str(path), os.O_WRONLY | flags, 0o600)
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError("the disk took a part of it only")
            if self.fsync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def log(self, what: str, **more: Any) -> None:
        line = dict(at=time.time(), agent=self.name, what=what, **more)
        os.write(self.journal, (json.dumps(line) + "\n").encode("ascii"))

    def close(self) -> None:
        os.close(self.journal)
        os.close(self.guard)


def last_state(content: bytes) -> dict[str, Any]:
    """Return the state in the last whole line; what a crash cut off was never answered.

    Raises:
        ValueError: there is none, or it makes no sense.
    """
    *lines, rest = content.split(b"\n")
    if lines and not rest and b"\0" in lines[-1]:
        lines.pop()  # It has its end, and a hole that never reached the disk.
    # An agent that kept one line only wrote no end.
    return dict(json.loads((lines[-1] if lines else rest).decode("ascii")))


def sync_directory(directory: Path) -> None:
    """Put a rename in `directory` on disk."""
    descriptor = os.open(str(directory), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- effects ------------------------------------------------------------------------


class Sleep:
    """Waits, then is at the version: for demonstrations and measurements."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.apply_seconds = float(config.get("apply_seconds", 0))
        self.failing = set(config.get("failing_versions", []))

    def while_running(self, version: str | None) -> str | None:
        return version

    def version(self, stored: str | None) -> str | None:
        return stored

    async def run(self, version: str, old: str | None, seconds: float) -> Outcome:
        if self.apply_seconds > seconds:
            await asyncio.sleep(max(0.0, seconds))
            return Outcome(False, f"not done within {seconds:.3g} s", "", old)
        if self.apply_seconds:
            await asyncio.sleep(self.apply_seconds)
        if version in self.failing:
            return Outcome(False, f"{version} does not install here", "", old)
        return Outcome(True, "", f"now at {version}", version)


class Symlink:
    """Points `current` at `releases/<version>` under one root, in one rename."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.root = Path(config["release_root"])

    def while_running(self, version: str | None) -> str | None:
        return version

    def version(self, stored: str | None) -> str | None:
        try:
            link = os.readlink(str(self.root / "current"))
        except OSError:
            return None
        first, _, version = link.partition("/")
        return version if first == "releases" and version else None

    async def run(self, version: str, old: str | None, seconds: float) -> Outcome:
        del old, seconds
        releases = self.root / "releases"
        release = releases / version
        if not release.is_dir() or releases.resolve() not in release.resolve().parents:
            return Outcome(False, f"there is no release {version}", "", None)
        new = self.root / "current.new"
        with contextlib.suppress(FileNotFoundError):
            new.unlink()  # Left by a switch that died in the middle.
        os.symlink(f"releases/{version}", str(new))
        os.replace(str(new), str(self.root / "current"))
        sync_directory(self.root)
        return Outcome(True, "", f"current is now {version}", version)


class Command:
    """Runs a configured argv, never a shell, in a process group of its own."""

    def __init__(self, config: dict[str, Any], directory: Path) -> None:
        self.argv = checked_argv(config["argv"])
        self.version_file = config.get("version_file")
        self.lock = str(directory / "effect.lock")

    def while_running(self, version: str | None) -> str | None:
        del version  # A command that was killed in the middle leaves who knows what.
        return None

    def version(self, stored: str | None) -> str | None:
        if not self.version_file:
            return stored
        try:
            with open(self.version_file, encoding="utf-8", errors="replace") as file:
                return file.readline(200).strip() or None
        except OSError:
            return None

    async def run(self, version: str, old: str | None, seconds: float) -> Outcome:
        del old
        clipped = Clipped()
        argv = [version if part == PLACEHOLDER else part for part in self.argv]
        try:
            code = await self._spawned(argv, version, seconds, clipped)
        except OSError as error:
            return Outcome(False, f"cannot start: {error}", "", None)
        if code == 0:
            return Outcome(True, "", clipped.text(), version)
        killed = f"killed: not done within {seconds:.3g} s"
        why = killed if code is None else f"ended with {code}"
        return Outcome(False, why, clipped.text(), None)

    async def _spawned(
        self, argv: list[str], version: str, seconds: float, clipped: Clipped
    ) -> int | None:
        lock = self._fresh_lock()
        try:
            environment = dict(command_environment(), DEPLOYCTL_VERSION=version)
            return await ran(argv, environment, seconds, clipped, lock)
        finally:
            os.close(lock)

    def _fresh_lock(self) -> int:
        # Whoever inherits this descriptor holds the lock, so that a restarted agent
        # sees an effect that has outlived it. A new file each time: a service that an
        # earlier command started may hold the old one for ever, and rightly.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.lock)
        lock = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock

    def end_leftovers(self) -> str:
        """End what an interrupted effect left running; say none, ended or remain."""
        try:
            lock = os.open(self.lock, os.O_RDWR)
        except FileNotFoundError:
            return "none"
        try:
            if taken(lock):
                return "none"
            group = os.pread(lock, 20, 0)
            if group.isdigit() and int(group) > 1:
                kill_group(int(group), signal.SIGKILL)
            for _ in range(100):
                if taken(lock):
                    return "ended"
                time.sleep(0.02)
            # Only what left its group can be here: a service, not the effect.
            return "remain"
        finally:
            os.close(lock)


def taken(lock: int) -> bool:
    """Try to take a file lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class Output(asyncio.Protocol):
    """Takes what a process writes, until its last holder has closed the pipe."""

    def __init__(self, clipped: Clipped) -> None:
        self.clipped = clipped
        self.ended = asyncio.get_event_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.clipped.feed(data)

    def connection_lost(self, error: Exception | None) -> None:
        del error
        self.ended.set_result(None)


async def ran(
    argv: list[str],
    environment: dict[str, str],
    seconds: float,
    clipped: Clipped,
    lock: int | None = None,
) -> int | None:
    """Run an argv in its own process group; return its exit code.

    None: the deadline came, and the whole group was killed. `lock` is inherited, and
    the group's id written into it by the child itself, before it becomes the command.
    """
    source, sink = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            pass_fds=() if lock is None else (lock,),
            preexec_fn=lambda: lock and os.pwrite(lock, b"%d" % os.getpid(), 0),
        )
    except BaseException:
        os.close(source)
        raise
    finally:
        os.close(sink)
    loop = asyncio.get_event_loop()
    transport, output = await loop.connect_read_pipe(
        lambda: Output(clipped), os.fdopen(source, "rb", 0)
    )
    try:
        return await ended_or_killed(process, seconds)
    finally:
        # A service that the command started may hold the pipe: do not wait for it.
        await asyncio.wait({output.ended}, timeout=0.5)
        transport.close()


async def ended_or_killed(process: Any, seconds: float) -> int | None:
    """Return the exit code, or None when the deadline came and the group was killed."""
    waiting = asyncio.ensure_future(process.wait())
    await asyncio.wait({waiting}, timeout=max(0.0, seconds))
    if waiting.done():
        return int(waiting.result())
    kill_group(process.pid, signal.SIGTERM)
    await asyncio.wait({waiting}, timeout=GRACE_SECONDS)
    # The leader may have gone and left children that ignored the first signal.
    kill_group(process.pid, signal.SIGKILL)
    await waiting
    return None


def kill_group(group: int, number: int) -> None:
    """Signal a process group, which may have gone, or by now be another's."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def command_environment() -> dict[str, str]:
    """Return the few variables that a command may see; never the token."""
    names = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "TMPDIR")
    return {name: os.environ[name] for name in names if name in os.environ}


def checked_argv(argv: Any) -> list[str]:
    """Return an argv of whole strings, or end with what is wrong."""
    good = isinstance(argv, list) and argv and all(isinstance(a, str) for a in argv)
    if not good:
        raise SystemExit("argv must be a list of strings")
    if any(PLACEHOLDER in part and part != PLACEHOLDER for part in argv):
        raise SystemExit(f"{PLACEHOLDER} must be a whole argument")
    return list(argv)


# --- health -------------------------------------------------------------------------


class Check:
    """How the agent tells whether its host works: always, by HTTP, or by a command."""

    def __init__(self, config: dict[str, Any]) -> None:
        health = config.get("health", {})
        self.unhealthy = set(config.get("unhealthy_versions", []))
        self.url = health.get("url")
        self.argv = checked_argv(health["argv"]) if "argv" in health else None
        self.timeout = float(health.get("timeout_seconds", 5))

    async def __call__(self, version: str | None) -> tuple[bool, str]:
        if version in self.unhealthy:
            return False, f"health check answered 503 at version {version}"
        if self.url:
            loop = asyncio.get_event_loop()
            return await loop.run_in_executor(None, self._by_http)
        if self.argv:
            return await self._by_command(self.argv)
        return True, ""

    def _by_http(self) -> tuple[bool, str]:
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), NoRedirect()
        )
        try:
            with opener.open(self.url, timeout=self.timeout) as answer:
                body = answer.read(500).decode("utf-8", "replace")
                return True, f"{answer.status} {body}"
        except urllib.error.HTTPError as error:
            body = error.read(500).decode("utf-8", "replace")
            return False, f"{error.code} {body}"
        except (OSError, ValueError) as error:
            return False, f"{type(error).__name__}: {error}"

    async def _by_command(self, argv: list[str]) -> tuple[bool, str]:
        clipped = Clipped(500)
        try:
            code = await ran(argv, command_environment(), self.timeout, clipped)
        except OSError as error:
            return False, f"cannot start the health check: {error}"
        if code is None:
            return False, f"no answer within {self.timeout:.3g} s"
        return code == 0, clipped.text()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A health check that points elsewhere has not said that this host works."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


# --- the agent ----------------------------------------------------------------------


class Agent:
    """One host's version, fence and health. All methods run on one event loop."""

    def __init__(self, config: dict[str, Any], process: Stats) -> None:
        directory = Path(config["state_dir"])
        self.name = str(config.get("name") or directory.name)
        self.max_seconds = float(config.get("max_apply_seconds", 3600))
        self.store = Store(directory, self.name, bool(config.get("fsync", True)))
        self.effect = chosen_effect(config, directory)
        self.check = Check(config)
        self.stats, self.process = Stats(), process
        self.running: asyncio.Future[None] | None = None
        self.state = self.store.load(config.get("version"))
        self._open()

    def _open(self) -> None:
        last = self.state["last"]
        interrupted = bool(last) and not last["ended"]
        leftovers = "none"
        if interrupted and isinstance(self.effect, Command):
            leftovers = self.effect.end_leftovers()
        self.store.log(
            "opened",
            fence=self.state["promised"],
            version=self.effect.version(self.state["version"]),
            interrupted=last["fence"] if interrupted else None,
            leftovers=leftovers,
        )

    def _save(self, **changes: Any) -> None:
        # On disk first: what the disk refused has not happened in memory either.
        state = dict(self.state, **changes)
        try:
            self.store.save(state)
        except OSError as error:
            raise Refused(500, "storage", f"cannot keep its state: {error}") from None
        self.state = state

    def _promise(self, fence: int, by: str) -> None:
        promised = self.state["promised"]
        if fence < promised:
            self.store.log("stale", by=by, fence=fence, promised=promised)
            raise Refused(409, "stale", f"fence {promised} has been here")
        if fence > promised:
            self._save(promised=fence)
            self.store.log("promised", by=by, fence=fence)

    async def _quiet(self, deadline: float) -> None:
        """Wait until no effect runs."""
        while self.running is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Refused(409, "busy", "an earlier apply is still running")
            await asyncio.wait({self.running}, timeout=left)

    async def probe(self, fence: int | None, seconds: float) -> dict[str, Any]:
        """Say version and health; with a fence, promise it and wait for quiet."""
        if fence is not None:
            self._promise(fence, "probe")
            await self._quiet(time.monotonic() + seconds)
            self._promise(fence, "probe")
        version = self.effect.version(self.state["version"])
        healthy, detail = await self.check(version)
        last = self.state["last"]
        if last and not last["ended"] and self.running is None:
            attempt = f"{last['version']} with fence {last['fence']}"
            text = f"the apply of {attempt} was interrupted"
            detail = f"{text}; {detail}" if detail else text
        return {
            "version": version,
            "healthy": healthy,
            "detail": detail[:2000],
            "fence": self.state["promised"],
            "busy": self.running is not None,
        }

    async def apply(self, version: str, fence: int, seconds: float) -> dict[str, Any]:
        """Bring the host to a version, once for each fence."""
        self.store.log("heard", fence=fence, version=version)
        deadline = time.monotonic() + min(seconds, self.max_seconds)
        self._promise(fence, "apply")
        await self._quiet(deadline)
        # Whoever waited may have been overtaken by a newer fence.
        self._promise(fence, "apply")
        last = self.state["last"]
        if last and last["fence"] == fence:
            return self._stored(last, version)
        # From here to `running` nothing awaits: no second effect can slip in.
        self.running = asyncio.get_event_loop().create_future()
        try:
            await self._run(version, fence, deadline)
        finally:
            self.running.set_result(None)
            self.running = None
        return self._stored(self.state["last"], version)

    def _stored(self, last: dict[str, Any], version: str) -> dict[str, Any]:
        if last["version"] != version:
            message = f"fence {last['fence']} was used for {last['version']}"
            raise Refused(409, "fence_reused", message)
        if not last["ended"]:
            message = "the agent died while it applied this; how it ended is unknown"
            raise Refused(409, "interrupted", message)
        self.store.log("answered", fence=last["fence"], ok=last["ok"])
        keys = ("ok", "error", "output", "version", "fence")
        return {key: last[key] for key in keys}

    async def _run(self, version: str, fence: int, deadline: float) -> None:
        old = self.state["version"]
        begun = {"fence": fence, "version": version, "ended": False}
        self._save(version=self.effect.while_running(old), last=begun)
        self.store.log("started", fence=fence, version=version)
        for stats in (self.stats, self.process):
            stats.enter()
        try:
            left = deadline - time.monotonic()
            outcome = await self.effect.run(version, old, left)
        finally:
            for stats in (self.stats, self.process):
                stats.leave()
        answer = {"ok": outcome.ok, "error": outcome.error, "output": outcome.output}
        self._save(version=outcome.version, last=dict(begun, ended=True, **answer))
        self.store.log(
            "ended", fence=fence, version=version, ok=outcome.ok, error=outcome.error
        )

    def statistics(self) -> dict[str, Any]:
        return {"agent": self.stats.as_json(), "process": self.process.as_json()}


def chosen_effect(config: dict[str, Any], directory: Path) -> Any:
    """Return the one effect that a configuration names."""
    if "argv" in config and "release_root" in config:
        raise SystemExit("configure argv or release_root, not both")
    if "argv" in config:
        return Command(config, directory)
    if "release_root" in config:
        return Symlink(config)
    return Sleep(config)


# --- HTTP ---------------------------------------------------------------------------


class Request(NamedTuple):
    """What was asked; header names are in lower case."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


class Endpoint:
    """Serves one agent on one port."""

    def __init__(self, agent: Agent, token: str | None) -> None:
        self.agent = agent
        self.token = token.encode() if token else None
        self.server: Any = None
        self.port = 0
        self.writers: set[Any] = set()

    async def listen(self, host: str, port: int) -> None:
        self.server = await asyncio.start_server(
            self._connected, host, port, limit=MAX_HEAD_BYTES, backlog=128
        )
        self.port = self.server.sockets[0].getsockname()[1]

    def stop_listening(self) -> None:
        if self.server is not None:
            self.server.close()

    async def close(self) -> None:
        """Let a running effect end and its answer leave, then close."""
        while self.agent.running is not None:
            await asyncio.wait({self.agent.running})
        await asyncio.sleep(0)
        for writer in list(self.writers):
            writer.close()
        self.agent.store.close()

    async def _connected(self, reader: Any, writer: Any) -> None:
        self.writers.add(writer)
        try:
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while await self._served(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # The other side has gone; an effect that it asked for has ended.
        finally:
            self.writers.discard(writer)
            writer.close()

    async def _served(self, reader: Any, writer: Any) -> bool:
        """Answer one request; return whether the connection goes on."""
        loop = asyncio.get_event_loop()
        idle = loop.call_later(IDLE_SECONDS, writer.transport.abort)
        try:
            request = await read_request(reader)
        except Refused as refused:
            writer.write(response(refused.status, self._refusal(refused), False))
            await writer.drain()
            return False
        finally:
            idle.cancel()
        status, answer = await self._answer(request)
        keep = request.headers.get("connection", "").lower() != "close"
        writer.write(response(status, answer, keep))
        await writer.drain()
        return keep

    async def _answer(self, request: Request) -> tuple[int, dict[str, Any]]:
        self.agent.stats.requests += 1
        self.agent.process.requests += 1
        try:
            return 200, await self._routed(request)
        except Refused as refused:
            return refused.status, self._refusal(refused)
        except Exception as error:
            # One request that we did not foresee must not end the agent.
            message = f"{type(error).__name__}: {error}"
            self.agent.store.log("error", message=message)
            return 500, {"error": "internal", "message": message}

    def _refusal(self, refused: Refused) -> dict[str, Any]:
        answer = {"error": refused.error, "message": refused.message}
        if refused.error != "token":
            answer["fence"] = self.agent.state["promised"]
        return answer

    async def _routed(self, request: Request) -> dict[str, Any]:
        call = (request.method, request.path)
        if call == ("GET", "/healthz"):
            return {"ok": True}
        self._allowed(request.headers.get("authorization", ""))
        if call == ("GET", "/v1/state"):
            fence, seconds = probe_arguments(request.query)
            return await self.agent.probe(fence, seconds)
        if call == ("POST", "/v1/apply"):
            return await self.agent.apply(*apply_arguments(request.body))
        if call == ("GET", "/v1/stats"):
            return self.agent.statistics()
        raise Refused(404, "not_found", "there is no such call")

    def _allowed(self, header: str) -> None:
        given = header.encode("utf-8", "surrogateescape")
        if self.token and not hmac.compare_digest(given, b"Bearer " + self.token):
            raise Refused(401, "token", "a bearer token is needed")


async def read_request(reader: Any) -> Request:
    """Read one request; whatever is not plain and small is refused."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise Refused(413, "too_large", "the head is too large") from None
    try:
        first, *rest = head[:-4].decode("latin-1").split("\r\n")
        method, target, protocol = first.split(" ")
        pairs = [line.split(":", 1) for line in rest]
        headers = {name.lower(): value.strip() for name, value in pairs}
        length = int(headers.get("content-length", "0"))
        url = urllib.parse.urlsplit(target)
        query = urllib.parse.parse_qs(url.query, strict_parsing=bool(url.query))
    except ValueError:
        raise Refused(400, "invalid", "not an HTTP request") from None
    # Two lengths, or a chunked body, are how requests are smuggled.
    doubled = len(headers) != len(pairs) or "transfer-encoding" in headers
    if doubled or protocol != "HTTP/1.1" or length < 0:
        raise Refused(400, "invalid", "only plain HTTP/1.1 with a length is read")
    if length > MAX_BODY_BYTES:
        raise Refused(413, "too_large", "the body is too large")
    body = await reader.readexactly(length) if length else b""
    return Request(method, url.path, query, headers, body)


def response(status: int, answer: dict[str, Any], keep: bool) -> bytes:
    """Return a whole response."""
    body = json.dumps(answer).encode("ascii")
    head = (
        f"HTTP/1.1 {status} {REASONS[status]}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
    )
    return head.encode("ascii") + body


def probe_arguments(query: dict[str, list[str]]) -> tuple[int | None, float]:
    """Return fence and seconds of a state request."""
    fence, seconds = query.get("fence"), query.get("seconds", ["5"])
    try:
        number = checked_fence(int(fence[0])) if fence else None
        return number, checked_seconds(float(seconds[0]))
    except ValueError:
        raise Refused(400, "invalid", "fence and seconds must be numbers") from None


def apply_arguments(body: bytes) -> tuple[str, int, float]:
    """Return version, fence and seconds of an apply."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "invalid", "the body must be JSON") from None
    if not isinstance(given, dict) or set(given) != {"version", "fence", "seconds"}:
        raise Refused(400, "invalid", "give version, fence and seconds, no more")
    version = given["version"]
    if not isinstance(version, str) or not allowed_version(version):
        raise Refused(400, "invalid", "this is not a version that may be applied")
    return version, checked_fence(given["fence"]), checked_seconds(given["seconds"])


def allowed_version(version: str) -> bool:
    """Say whether a version may become an argument and a path."""
    return bool(VERSION_PATTERN.fullmatch(version)) and ".." not in version


def checked_fence(fence: Any) -> int:
    """Return a fence from 1 to the largest of 64 bits."""
    if type(fence) is not int or not 1 <= fence <= MAX_FENCE:
        raise Refused(400, "invalid", "fence must be a whole number of at least 1")
    return fence


def checked_seconds(seconds: Any) -> float:
    """Return a finite number of seconds above 0."""
    good = type(seconds) in (int, float) and math.isfinite(seconds) and seconds > 0
    if not good:
        raise Refused(400, "invalid", "seconds must be a number above 0")
    return float(seconds)


# --- starting -----------------------------------------------------------------------


class Fleet:
    """Any number of agents in one process, each real, on its own port."""

    def __init__(self) -> None:
        self.stats = Stats()
        self.endpoints: list[Endpoint] = []

    @property
    def ports(self) -> list[int]:
        return [endpoint.port for endpoint in self.endpoints]

    async def open(self, configs: list[dict[str, Any]]) -> Fleet:
        """Start one agent for each configuration, all or none."""
        try:
            for config in configs:
                host = config.get("host", "127.0.0.1")
                token = token_of(config, host)
                endpoint = Endpoint(Agent(config, self.stats), token)
                self.endpoints.append(endpoint)
                await endpoint.listen(host, int(config.get("port", 0)))
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """Take no more requests, let running effects end, and close."""
        for endpoint in self.endpoints:
            endpoint.stop_listening()
        for endpoint in self.endpoints:
            await endpoint.close()


def token_of(config: dict[str, Any], host: str) -> str | None:
    """Return the token from its file or the environment, never from a flag."""
    token = os.environ.get("DEPLOYCTL_AGENT_TOKEN", "")
    if config.get("token_file"):
        token = Path(config["token_file"]).read_text(encoding="utf-8").strip()
    if not token and host not in ("127.0.0.1", "::1"):
        raise SystemExit("without a token an agent listens on 127.0.0.1 only")
    return token or None


def configured(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Return one configuration for each agent, from a file or from flags."""
    if arguments.config:
        with open(arguments.config, encoding="utf-8") as file:
            given = json.load(file)
        common = given.get("defaults", {})
        return [dict(common, **each) for each in given.get("agents", [given])]
    if not arguments.state_dir:
        raise SystemExit("give --config or --state-dir")
    common = {
        "host": arguments.host,
        "token_file": arguments.token_file,
        "version": arguments.version,
        "apply_seconds": arguments.apply_seconds,
        "fsync": not arguments.no_fsync,
    }
    if arguments.count == 1:
        return [dict(common, state_dir=arguments.state_dir, port=arguments.port)]
    return [
        dict(
            common,
            state_dir=os.path.join(arguments.state_dir, f"agent-{number:04d}"),
            port=arguments.port + number if arguments.port else 0,
        )
        for number in range(arguments.count)
    ]


def flags() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="The deployctl agent.")
    parser.add_argument("--config", help="JSON: one agent, or {defaults, agents}")
    parser.add_argument("--state-dir", help="where version, fence and log are kept")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--count", type=int, default=1, help="agents in this process")
    parser.add_argument("--token-file")
    parser.add_argument("--version", help="the version at the very first start")
    parser.add_argument("--apply-seconds", type=float, default=0.0)
    parser.add_argument("--no-fsync", action="store_true", help="for measurements")
    return parser


def make_room(agents: int) -> None:
    """Open as many files as so many agents need, if the system lets this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = agents * FILES_EACH
    if soft in (resource.RLIM_INFINITY, max(soft, wanted)):
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def serve(configs: list[dict[str, Any]]) -> None:
    """Run agents until SIGTERM or SIGINT; say on stdout when and where they listen."""
    loop, stopped = asyncio.get_event_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    make_room(len(configs))
    fleet = await Fleet().open(configs)
    sys.stdout.write(json.dumps({"ready": True, "ports": fleet.ports}) + "\n")
    sys.stdout.flush()
    await stopped.wait()
    await fleet.close()


def main() -> None:
    asyncio.run(serve(configured(flags().parse_args())))


if __name__ == "__main__":
    main()
