"""What settings say to run: words with places for values, and how such a run ended.

Targets, routers and checks of the kind `command` share it. Which places there are and
what an output means is theirs; how a program is run and killed is `processes`'.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deployctl.engine import clean, reach
from deployctl.engine.effects import Applied, NotSent, OutcomeUnknown, ProbeFailed
from deployctl.engine.processes import Ended, Lost, NotRun, Overdue, Processes, Program

#: What a command finds in its environment besides what the settings name.
_PASSED_ON = ("PATH", "HOME", "LANG", "TZ")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
_PLACE = re.compile(r"\{([a-z]+)\}")
#: A value stays inside its word; this keeps that word from becoming an option (-x), a
#: file to read (@x), several words of a program that splits, or a way up a path.
_VALUE = re.compile(r"(?!.*\.\.)[A-Za-z0-9/\[][\x21-\x7e]{0,499}")
#: What is kept of a command's output.
_KEPT_BYTES = 16_384


@dataclass(frozen=True)
class Command:
    """An argv of the settings, with what is known when it is run.

    Attributes:
        argv: `{name}` stands for a value inside one word; other braces are left alone.
        passed_on: variables of this process that it may see, by name.
        values: for the places, and as variables `DEPLOYCTL_<NAME>`.
    """

    argv: object
    passed_on: object = field(default_factory=list)
    values: Mapping[str, str] = field(default_factory=dict)

    def program(self) -> Program:
        """Return what is run.

        Raises:
            NotRun: the settings are no command, or a value has no business in one.
        """
        problem = argv_problem(self.argv) or passed_on_problem(self.passed_on)
        if problem:
            raise NotRun(f"the command {problem}. Nothing was run.")
        assert isinstance(self.argv, list)
        assert isinstance(self.passed_on, list)
        for name, value in self.values.items():
            if value and not _VALUE.fullmatch(value):
                raise NotRun(_bad_value(name, value))
        words = [_PLACE.sub(self._filled, word) for word in self.argv]
        wanted = (*_PASSED_ON, *self.passed_on)
        seen = {name: os.environ[name] for name in wanted if name in os.environ}
        given = {f"DEPLOYCTL_{key.upper()}": text for key, text in self.values.items()}
        return Program(words, seen | given, kept_bytes=_KEPT_BYTES)

    def _filled(self, place: re.Match[str]) -> str:
        name = place[1]
        if self.values.get(name) == "":
            raise NotRun(f"there is no {name} to put for {place[0]}. Nothing was run.")
        return self.values.get(name, place[0])


class Commands:
    """Runs commands of one owner, and says how they ended in the words of effects."""

    def __init__(self) -> None:
        self._processes = Processes()

    async def run(self, command: Command, *, seconds: float) -> Ended:
        """Run to the end; `NotRun`, `Overdue` and `Lost` as `Processes.run`."""
        return await self._processes.run(command.program(), seconds=seconds)

    async def read(self, command: Command, *, seconds: float) -> str:
        """Return what a command prints, without blanks around it.

        Raises:
            ProbeFailed: it could not be run, did not end in time or did not end well.
        """
        try:
            ended = await self.run(command, seconds=seconds)
        except Overdue:
            raise ProbeFailed(f"gave no answer within {seconds:.3g} s") from None
        except (NotRun, Lost) as error:
            raise ProbeFailed(str(error)) from None
        if ended.status != 0:
            raise ProbeFailed(clean.line(f"{how(ended)}: {ended.output}"))
        return ended.output.strip()

    async def change(self, command: Command, *, seconds: float) -> Applied:
        """Run a command that changes something; its exit status says whether it did.

        Raises:
            NotSent, OutcomeUnknown: as they say.
        """
        try:
            ended = await self.run(command, seconds=seconds)
        except NotRun as error:
            raise NotSent(str(error)) from None
        except Overdue as error:
            printed = error.output.strip().rpartition("\n")[2]
            last = f"; the last that it printed: {printed}" if printed else ""
            raise OutcomeUnknown(clean.line(f"{error}{last}")) from None
        except Lost as error:
            raise OutcomeUnknown(str(error)) from None
        if ended.status < 0:
            raise OutcomeUnknown(f"it {how(ended)}")
        refusal = how(ended) if ended.status else ""
        return Applied(ok=not refusal, error=refusal, output=ended.output)

    async def close(self) -> None:
        """Kill what still runs."""
        await self._processes.close()


def how(ended: Ended) -> str:
    """Say how a program ended that did not end well."""
    if ended.status < 0:
        return f"was ended by signal {-ended.status}"
    return f"exit status {ended.status}"


def argv_problem(argv: object, *, unknown: Sequence[str] = (), needed: str = "") -> str:
    """Return what is wrong with a setting that is an argv, or an empty text.

    Args:
        unknown: values that nobody knows yet when it is run.
        needed: a value that it must say somewhere.
    """
    if not isinstance(argv, list) or not all(map(_is_word, argv)):
        return "must be a list of words"
    if not argv or not argv[0].startswith("/"):
        return "must begin with an absolute path"
    if _PLACE.search(argv[0]):
        return "must name the program itself, without a value"
    said = {place for word in argv for place in _PLACE.findall(word)}
    for name in said & set(unknown):
        return f"cannot say {{{name}}}, which nobody knows then"
    if needed and needed not in said:
        return f"must say {{{needed}}} somewhere"
    return ""


def passed_on_problem(names: object) -> str:
    """Return what is wrong with a list of variables to pass on, or an empty text."""
    if not isinstance(names, list) or not all(
        isinstance(name, str) and _VARIABLE.fullmatch(name) for name in names
    ):
        return "must be a list of variables' names"
    for name in names:
        if reach.is_own(name):
            return f"must not name {name}, which is the worker's own"
    return ""


def _is_word(word: object) -> bool:
    return isinstance(word, str) and 0 < len(word) <= 4096 and "\0" not in word


def _bad_value(name: str, value: str) -> str:
    return (
        f"the {name} {clean.line(value, limit=80)!r} cannot be put into a command: it"
        " must begin with a letter or digit and hold neither blanks nor two dots in a"
        " row. Nothing was run."
    )
