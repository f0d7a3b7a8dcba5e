"""What a file says of one target, and what it may not; it knows no format, no table.

A row speaks of some fields of a target and is silent about the others, which then stay
as they are: absent is not empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

#: Names of targets and versions, as agents take them.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:@/-]{0,127}")
LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,62}")
#: The fields that are one text each.
TEXTS = ("address", "kind", "slot", "version")
_MOST_CHARS = {"address": 500, "kind": 32, "slot": 64, "version": 128}
MOST_VALUE_CHARS = 200
MOST_LABELS = 100
MOST_SETTINGS_CHARS = 16_000
#: So many problems are kept; of more, only their number is.
MOST_PROBLEMS = 100
_ENCODER = json.JSONEncoder(allow_nan=False)
#: What JSON in PostgreSQL cannot hold.
_UNKEPT_JSON = re.compile("[\0\ud800-\udfff]")
_UNKEPT = re.compile("[\0-\x1f\x7f\ud800-\udfff]")
_NO_NAME = (
    "must begin with a letter or digit, then letters, digits and ._+:@/-, at most 128"
)


class NoInventory(ValueError):
    """A file that cannot be read as a whole, and why; nothing was done with it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row is refused: on which line of the file, in which field."""

    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line else "the file"
        return (
            f"{where}, {self.field}: {self.reason}"
            if self.field
            else (f"{where}: {self.reason}")
        )


@dataclass
class Problems:
    """The first problems of a file, and how many there are."""

    first: list[Problem] = field(default_factory=list)
    count: int = 0

    def add(self, line: int, field: str, reason: str) -> None:
        """Enter one."""
        self.count += 1
        if len(self.first) < MOST_PROBLEMS:
            self.first.append(Problem(line, field, reason))

    @property
    def more(self) -> int:
        """How many are not among the first."""
        return self.count - len(self.first)


@dataclass(slots=True)
class Row:
    """One target as a file has it.

    Attributes:
        line: where it begins, from 1.
        texts: by the names of `TEXTS`; "" empties a field.
        labels: by name; None takes a label away.
        settings: by name; None takes a setting away.
    """

    line: int
    name: str
    texts: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str | None] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass
class Inventory:
    """The rows of a file that can be used, each name once, and what is wrong."""

    rows: list[Row] = field(default_factory=list)
    problems: Problems = field(default_factory=Problems)
    _lines: dict[str, int] = field(default_factory=dict)

    def take(self, row: Row) -> None:
        """Keep a row if it can be; enter what is wrong with it if not."""
        wrong = list(_wrong(row))
        first = self._lines.get(row.name)
        if first is not None:
            wrong.append(("name", f"{row.name[:80]} is on line {first} already"))
        self._lines.setdefault(row.name, row.line)
        for where, reason in wrong:
            self.problems.add(row.line, where, reason)
        if not wrong:
            self.rows.append(row)

    def finish(self) -> Inventory:
        """Return it; a file that names nothing is none.

        Raises:
            NoInventory: there is no target in it, and nothing wrong either.
        """
        if not self.rows and not self.problems.count:
            raise NoInventory("There is no target in it.")
        return self


def _wrong(row: Row) -> Iterator[tuple[str, str]]:
    if not NAME.fullmatch(row.name):
        yield "name", _NO_NAME if row.name else "is needed"
    for name, text in row.texts.items():
        if problem := _text_problem(name, text):
            yield name, problem
    yield from labels_wrong(row.labels)
    yield from _settings_wrong(row.settings)


def _text_problem(name: str, text: str) -> str:
    if len(text) > _MOST_CHARS[name]:
        return f"has more than {_MOST_CHARS[name]} characters"
    if _UNKEPT.search(text):
        return "has a character that is none of text"
    return _NO_NAME if name == "version" and text and not NAME.fullmatch(text) else ""


def labels_wrong(labels: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """Yield (field, reason) for what cannot be a label; None is no value."""
    if len(labels) > MOST_LABELS:
        yield "labels", f"are more than {MOST_LABELS}"
        return
    for name, value in labels.items():
        if not LABEL.fullmatch(name):
            yield (
                f"label.{name[:80]}",
                "a label's name has letters, digits and _./-, at most 63",
            )
        elif value is not None and len(value) > MOST_VALUE_CHARS:
            yield f"label.{name}", f"has more than {MOST_VALUE_CHARS} characters"
        elif value is not None and _UNKEPT.search(value):
            yield f"label.{name}", "has a character that is none of text"


def _settings_wrong(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not settings:
        return
    try:
        written = _ENCODER.encode(settings)
    except ValueError:
        yield "settings", "have a number that is none of JSON"
        return
    if len(written) > MOST_SETTINGS_CHARS:
        yield "settings", f"have more than {MOST_SETTINGS_CHARS} characters"
    if any(_UNKEPT_JSON.search(text) for text in _within(settings)):
        yield "settings", "have a character that is none of text"


def _within(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield every text in settings, however deep."""
    left: list[Any] = [settings]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            left += [*value, *value.values()]
        elif isinstance(value, list):
            left += value
