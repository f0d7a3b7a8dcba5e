"""An inventory of Ansible as hosts, groups and variables, and as rows; no file is read.

Groups become labels. Of the variables these are used, and no other is kept: where
Ansible connects to (`ansible_host`, `_port`, `_user`), and what is meant for us
(`deployctl_..`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from deployctl.inventories.hosts import expanded, parted
from deployctl.inventories.rows import TEXTS, Inventory, NoInventory, Row

OURS = "deployctl_"
_LABELS, _SETTINGS = f"{OURS}labels", f"{OURS}settings"
KEPT = frozenset(
    {
        *("ansible_host", "ansible_port", "ansible_user", "ansible_ssh_host"),
        *("ansible_ssh_port", "ansible_ssh_user", "ansible_group_priority"),
        *(OURS + name for name in TEXTS),
        *(_LABELS, _SETTINGS),
    }
)
#: In these is every host, so that they say nothing of one.
ALL, UNGROUPED = "all", "ungrouped"
#: What a host has for each of its groups.
YES = "yes"
#: So many hosts, groups and their memberships; ranges and aliases make more of few.
MOST = 500_000
_KIND = "ssh"


@dataclass
class Group:
    """A group: who is in it, and what its hosts have."""

    parents: set[str] = field(default_factory=set)
    variables: dict[str, Any] = field(default_factory=dict)


@dataclass
class Host:
    """A host: on which line it came first, its groups, and what it has itself."""

    line: int
    groups: set[str] = field(default_factory=set)
    variables: dict[str, Any] = field(default_factory=dict)


class Fleet:
    """What a file says, in any order; `rows` makes one whole of it."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {ALL: Group(), UNGROUPED: Group({ALL})}
        self.hosts: dict[str, Host] = {}
        self._left = MOST

    def group(self, name: str) -> Group:
        """Return the group of a name, made if need be."""
        self.spend()
        return self.groups.setdefault(name, Group())

    def add(
        self, pattern: str, group: str, line: int, variables: Mapping[str, Any]
    ) -> None:
        """Add the hosts of a pattern such as `web[01:10:2]:2222` to a group.

        Raises:
            ValueError: with what is wrong with the pattern.
        """
        name, port = parted(pattern)
        given = dict(variables)
        if port is not None:
            given.setdefault("ansible_port", port)
        for each in expanded(name):
            self.spend()
            host = self.hosts.setdefault(each, Host(line))
            host.groups.add(group)
            host.variables.update(given)

    def spend(self) -> None:
        """Count one more of what a file may name.

        Raises:
            NoInventory: it names too much.
        """
        self._left -= 1
        if self._left < 0:
            raise NoInventory(f"It names more than {MOST:,} hosts and groups.")

    def rows(self, found: Inventory) -> Inventory:
        """Put a row for each host into what was found, and return it.

        Raises:
            NoInventory: a group is within itself.
        """
        order = _Order(self.groups)
        for name, host in self.hosts.items():
            names, given = order.of(frozenset(host.groups))
            row = Row(host.line, name)
            for field_, reason in _fill(row, names, {**given, **host.variables}):
                found.problems.add(host.line, field_, reason)
            found.take(row)
        return found.finish()


class _Order:
    """Which groups a host is in, and whose variables win: the nearer, then by name."""

    def __init__(self, groups: Mapping[str, Group]) -> None:
        self._groups = groups
        self._depths: dict[str, int] = {}
        self.of = cache(self._of)
        for name in groups:
            self._depth(name, ())

    def _depth(self, name: str, below: tuple[str, ...]) -> int:
        if name in below or len(below) > 200:
            raise NoInventory(f"Group {name[:80]} is within itself.")
        if name not in self._depths:
            ups = [
                self._depth(each, (*below, name)) for each in self._groups[name].parents
            ]
            least = 0 if name == ALL else 1
            self._depths[name] = max([least, *(up + 1 for up in ups)])
        return self._depths[name]

    def _of(self, direct: frozenset[str]) -> tuple[list[str], dict[str, Any]]:
        names, left = {ALL}, list(direct)
        while left:
            name = left.pop()
            if name not in names:
                names.add(name)
                left += self._groups[name].parents
        given: dict[str, Any] = {}
        for name in sorted(names, key=self._rank):
            given |= self._groups[name].variables
        return sorted(names - {ALL, UNGROUPED}), given

    def _rank(self, name: str) -> tuple[int, int, str]:
        priority = self._groups[name].variables.get("ansible_group_priority", 1)
        whole = isinstance(priority, int | str) and str(priority).isdecimal()
        return self._depths[name], int(priority) if whole else 1, name


def _fill(
    row: Row, groups: list[str], given: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Put into a row what its host has; yield (field, reason) for what cannot be."""
    row.texts, row.labels = {"kind": _KIND}, dict.fromkeys(groups, YES)
    for name in TEXTS:
        value = given.get(OURS + name)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            row.texts[name] = str(value)
        elif value is not None:
            yield OURS + name, "must be text"
    for name in (_LABELS, _SETTINGS):
        value = given.get(name) or {}
        if not isinstance(value, dict):
            yield name, "must be an object"
        elif name == _LABELS:
            row.labels |= {k: v if v is None else str(v) for k, v in value.items()}
        else:
            row.settings = value
    yield from _place(row, given)


def _place(row: Row, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "address" not in row.texts and row.texts["kind"].startswith(_KIND):
        if not _asked(given, "user"):
            yield "ansible_user", "is needed: as whom to sign in at it"
        row.texts["address"] = _address(row.name, given)


def _address(name: str, given: Mapping[str, Any]) -> str:
    host = str(_asked(given, "host") or name)
    shown = f"[{host}]" if ":" in host else host
    port = _asked(given, "port")
    at = f"ssh://{_asked(given, 'user')}@{shown}"
    return at if port in (None, "", 22, "22") else f"{at}:{port}"


def _asked(given: Mapping[str, Any], name: str) -> Any:
    """Return a variable of a connection, also by the name that it once had."""
    return given.get(f"ansible_{name}", given.get(f"ansible_ssh_{name}"))
