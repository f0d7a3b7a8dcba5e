"""Targets reached by SSH: `ssh` with our wrapper on the host, `ssh-command` without it.

Both run a fixed command of the settings and write what is wanted as a line of JSON
into it, never into the command line. The wrapper (`deployctl-host`) keeps the promises
of the fence; a command of one's own cannot, and its kind says so.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any, ClassVar

from deployctl.engine import clean, objects
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
from deployctl.engine.ssh import (
    HOST_SETTINGS,
    NO_COMMAND,
    Connections,
    Ended,
    Host,
    Lost,
    guarded,
    host_in,
    host_problems,
    words_problem,
)

_WRAPPER = ["deployctl-host"]


class _Ssh(Driver):
    """What both kinds share: settings, and one command asked over kept connections."""

    #: Settings that are commands, each with its words when it is left out.
    commands: ClassVar[Mapping[str, list[str]]]

    def __init__(self) -> None:
        self._connections: Connections | None = None

    @classmethod
    def problems(cls, address: str, settings: Mapping[str, object]) -> dict[str, str]:
        """Settings: `host_key`; `key` or `password`, a secret's name; the commands.

        A missing `host_key` is none: it is pinned when the host is enrolled.
        """
        foreign = settings.keys() - HOST_SETTINGS - cls.commands.keys()
        found = dict.fromkeys(foreign, f"is not a setting of the kind {cls.kind}")
        found |= host_problems(address, settings)
        for name, words in cls.commands.items():
            found[name] = words_problem(settings.get(name, words))
        return {name: problem for name, problem in found.items() if problem}

    async def close(self) -> None:
        """Close the connections."""
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.close()

    async def _ask(
        self, target: TargetRef, command: str, request: str, seconds: float
    ) -> Ended:
        """Run a command with a request; raise `Lost` as `Connections.run`."""
        if self._connections is None:
            self._connections = Connections()
        return await self._connections.run(
            _host(target),
            command,
            request.encode("ascii"),
            reach=target.reach,
            seconds=seconds,
        )

    def _words(self, target: TargetRef, name: str) -> str:
        """Return a command of the settings as a shell reads it.

        Raises:
            Lost: the settings are not fit to be used; nothing was sent.
        """
        for field, problem in self.problems(target.address, target.own).items():
            raise Lost(f"{field} {problem}. Nothing was sent.", sent=False)
        words = target.settings.get(name, self.commands[name])
        assert isinstance(words, list)
        return shlex.join(words)


class SshDriver(_Ssh):
    """Hosts with `deployctl-host` on them."""

    kind = "ssh"
    # Not atomic: a configured command may end half way, and the wrapper says so.
    abilities = Abilities(checks_fence=True, probes=True, atomic=False)
    commands = {"command": _WRAPPER}

    async def probe(
        self, target: TargetRef, *, fence: int | None, seconds: float
    ) -> Probe:
        """As `Driver.probe`; waits on the host for a running effect to end."""
        asked: dict[str, object] = {} if fence is None else {"fence": fence}
        try:
            said = _answer(await self._asked(target, seconds, do="probe", **asked))
        except Lost as lost:
            raise ProbeFailed(clean.line(str(lost))) from None
        if said.get("refused") == "stale":
            raise StaleFence(_message(said), heard=said.get("fence"))
        if "refused" in said:
            raise ProbeFailed(_message(said))
        return answers.probe_in(said)

    async def apply(
        self, target: TargetRef, *, version: str, fence: int, seconds: float
    ) -> Applied:
        """As `Driver.apply`; the wrapper gets a little less time than there is."""
        asked: dict[str, object] = {"version": version, "fence": fence}
        try:
            ended = await self._asked(target, seconds, do="apply", **asked)
            if ended.status in NO_COMMAND:
                return Applied(ok=False, error=_no_command(ended))
            said = _answer(ended)
        except Lost as lost:
            kind = OutcomeUnknown if lost.sent else NotSent
            raise kind(clean.line(str(lost))) from None
        if "refused" not in said:
            return answers.applied_in(said, version, fence)
        if said["refused"] == "stale":
            raise StaleFence(_message(said), heard=said.get("fence"))
        if said["refused"] in answers.UNTOUCHED:
            return Applied(ok=False, error=_message(said))
        raise OutcomeUnknown(_message(said))

    async def _asked(
        self, target: TargetRef, seconds: float, **request: object
    ) -> Ended:
        # The wrapper counts in thousandths.
        request["seconds"] = round(inner(seconds), 3)
        command = self._words(target, "command")
        return await self._ask(target, command, _line(request), seconds)


class SshCommandDriver(_Ssh):
    """Hosts with commands of one's own, which can say how they ended, and no more."""

    kind = "ssh-command"
    abilities = Abilities(checks_fence=False, probes=True, atomic=False)
    commands = {"apply": [], "probe": []}

    async def probe(
        self, target: TargetRef, *, fence: int | None, seconds: float
    ) -> Probe:
        """Run `probe`; it prints the version alone, or an object as an agent does."""
        try:
            ended = await self._guarded(target, "probe", seconds)
        except Lost as lost:
            raise ProbeFailed(clean.line(str(lost))) from None
        if ended.status != 0:
            raise ProbeFailed(ended.how())
        return answers.printed(ended.out.text())

    async def apply(
        self, target: TargetRef, *, version: str, fence: int, seconds: float
    ) -> Applied:
        """Run `apply`; its exit status alone says how it ended. It hears the fence."""
        try:
            ended = await self._guarded(
                target, "apply", seconds, version=version, fence=fence
            )
        except Lost as lost:
            kind = OutcomeUnknown if lost.sent else NotSent
            raise kind(clean.line(str(lost))) from None
        if ended.status is None:
            raise OutcomeUnknown(ended.how())
        output = clean.text(ended.out.text() + ended.err.text())
        error = f"exit status {ended.status}" if ended.status else ""
        return Applied(ok=not error, error=error, output=output)

    async def _guarded(
        self, target: TargetRef, name: str, seconds: float, **request: object
    ) -> Ended:
        """Run a command that is over when the time is, on the host as well."""
        left = inner(seconds)
        command, lines = guarded(
            self._words(target, name), _line({"do": name, **request}), left
        )
        return await self._ask(target, command, lines, left)


def _host(target: TargetRef) -> Host:
    """Return where the settings lead; raise `Lost` when nobody has enrolled it."""
    if "host_key" not in target.settings:
        raise Lost(
            f"no host key is pinned for {target.name}, so that nobody knows who would"
            f" answer. Nothing was sent. Run `manage.py enrol {target.name}` first.",
            sent=False,
        )
    return host_in(target.address, target.settings)


def _line(request: Mapping[str, object]) -> str:
    return json.dumps(request, separators=(",", ":")) + "\n"


def _answer(ended: Ended) -> dict[str, Any]:
    """Return the wrapper's answer; raise `Lost`, as sent, when there is none."""
    said = objects.read(ended.out.text()) if ended.out.whole else None
    if said is not None and ended.status == 0:
        return said
    if ended.status in NO_COMMAND:
        raise Lost(_no_command(ended), sent=True)
    raise Lost(f"not an answer of deployctl-host: {ended.how()}", sent=True)


def _no_command(ended: Ended) -> str:
    return clean.line(f"the command of the settings is not on the host: {ended.how()}")


def _message(said: Mapping[str, Any]) -> str:
    text = said.get("message")
    return clean.line(text if isinstance(text, str) and text else str(said["refused"]))
