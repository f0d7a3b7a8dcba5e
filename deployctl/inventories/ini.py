"""Ansible's inventories as INI files: sections of hosts, children and variables."""

from __future__ import annotations

import ast
import json
import re
import shlex
import warnings
from typing import Any

from deployctl.inventories.ansible import KEPT, UNGROUPED, Fleet
from deployctl.inventories.rows import Inventory, NoInventory
from deployctl.inventories.texts import refuse_long_lines

_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_KINDS = ("hosts", "children", "vars")
#: Longer ones are not read as anything but text: what they nest could be deep.
_MOST_VALUE_CHARS = 20_000


def read(text: str) -> Inventory:
    """Return the hosts of an inventory, as rows.

    Raises:
        NoInventory: it is none.
    """
    refuse_long_lines(text)
    return _Reader().whole(text)


class _Reader:
    """Reads line by line; a section says what its lines are."""

    def __init__(self) -> None:
        self._fleet, self._found = Fleet(), Inventory()
        self._group, self._kind = UNGROUPED, "hosts"
        #: Groups that were named by others, with the line; they must be somewhere.
        self._awaited: dict[str, int] = {}
        self._declared: set[str] = set(self._fleet.groups)

    def whole(self, text: str) -> Inventory:
        for number, line in enumerate(text.splitlines(), 1):
            bare = line.strip()
            if not bare or bare[0] in "#;":
                continue
            try:
                self._line(number, bare)
            except NoInventory:
                raise
            except ValueError as error:
                self._found.problems.add(number, "", str(error))
        for name, number in self._awaited.items():
            if name not in self._declared:
                said = f"group {name[:80]} is nowhere declared"
                self._found.problems.add(number, "", said)
        return self._fleet.rows(self._found)

    def _line(self, number: int, line: str) -> None:
        section = _SECTION.fullmatch(line)
        if section:
            self._begin(number, section[1], section[2] or "hosts")
        elif line.startswith("[") and line.endswith("]"):
            raise ValueError(f"{line[:80]} is no section")
        elif self._kind == "hosts":
            self._host(number, line)
        elif self._kind == "vars":
            name, value = _assigned(line)
            if name in KEPT:
                self._fleet.group(self._group).variables[name] = value
        else:
            child = line.partition("#")[0].strip()
            self._awaited.setdefault(child, number)
            self._fleet.group(child).parents.add(self._group)

    def _begin(self, number: int, group: str, kind: str) -> None:
        if kind not in _KINDS:
            raise ValueError(f"[{group[:80]}:{kind[:80]}] is no section of {_KINDS}")
        self._group, self._kind = group, kind
        self._fleet.group(group)
        if kind == "vars":
            self._awaited.setdefault(group, number)
        else:
            self._declared.add(group)

    def _host(self, number: int, line: str) -> None:
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise ValueError(f"its quotes are wrong: {error}") from None
        given = dict(_assigned(word) for word in words[1:])
        kept = {name: value for name, value in given.items() if name in KEPT}
        self._fleet.add(words[0], self._group, number, kept)


def _assigned(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign:
        raise ValueError(f"{text[:80]} is not name=value")
    return name.strip(), _value(value.strip())


def _value(text: str) -> Any:
    """Return what a value is in Python's words, else its text, as Ansible does."""
    if len(text) > _MOST_VALUE_CHARS:
        return text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            found = ast.literal_eval(text)
        return json.loads(json.dumps(found, allow_nan=False))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return text
