"""Ansible's inventories as YAML; nothing in a file names code, and nothing grows in it.

The text becomes nodes, not objects: an alias stays a reference, a tag a word. What is
needed of them is then read, and counted as it is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml

from deployctl.inventories.ansible import KEPT, Fleet
from deployctl.inventories.rows import Inventory, NoInventory

MOST_DEPTH = 50
#: So many values may be read of all variables.
MOST_VALUES = 1_000_000
_MERGE = "tag:yaml.org,2002:merge"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(text: str) -> Inventory:
    """Return the hosts of an inventory, as rows.

    Raises:
        NoInventory: it is no YAML, or none that is an inventory.
    """
    try:
        _refuse_deep(text)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"Line {mark.line + 1}" if mark else "It"
        said = getattr(error, "problem", None) or "cannot be read"
        raise NoInventory(f"{where} is no YAML: {said}.") from None
    except ValueError as error:
        raise NoInventory(f"It is no YAML: {error}.") from None
    if not isinstance(root, yaml.MappingNode):
        raise NoInventory("It is no inventory: groups by their names are needed.")
    return _Reader().whole(root)


def _refuse_deep(text: str) -> None:
    """Refuse what is nested deep before anything recurses into it."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MOST_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise NoInventory(f"Line {line} is nested deeper than {MOST_DEPTH}.")


class _Reader:
    """Reads groups from their nodes."""

    def __init__(self) -> None:
        self._fleet, self._found = Fleet(), Inventory()
        self._values = yaml.SafeLoader("")
        self._left = MOST_VALUES

    def whole(self, root: yaml.MappingNode) -> Inventory:
        for name, _, node in self._pairs(root, 0):
            self._group(name, node, 0)
        return self._fleet.rows(self._found)

    def _group(self, name: str, node: yaml.Node, depth: int) -> None:
        group = self._fleet.group(name)
        if depth > MOST_DEPTH:
            raise NoInventory(f"Group {name[:80]} is nested deeper than {MOST_DEPTH}.")
        for key, line, part in self._pairs(node, depth):
            if key == "vars":
                group.variables |= self._kept(part, depth)
            elif key == "children":
                for child, _, below in self._pairs(part, depth):
                    self._fleet.group(child).parents.add(name)
                    self._group(child, below, depth + 1)
            elif key == "hosts":
                self._hosts(name, part, depth)
            else:
                said = "a group has hosts, children and vars, and nothing else"
                self._found.problems.add(line, key[:80], said)

    def _hosts(self, group: str, node: yaml.Node, depth: int) -> None:
        for pattern, line, given in self._pairs(node, depth):
            try:
                self._fleet.add(pattern, group, line, self._kept(given, depth))
            except NoInventory:
                raise
            except ValueError as error:
                self._found.problems.add(line, "", str(error))

    def _kept(self, node: yaml.Node, depth: int) -> dict[str, Any]:
        pairs = self._pairs(node, depth)
        return {key: self._plain(each, 0) for key, _, each in pairs if key in KEPT}

    def _pairs(
        self, node: yaml.Node, depth: int
    ) -> Iterator[tuple[str, int, yaml.Node]]:
        """Yield (key, line, value) of a mapping; nothing of null, a text is a key."""
        self._spend()
        if isinstance(node, yaml.ScalarNode):
            if node.value and not node.tag.endswith(":null"):
                yield node.value, node.start_mark.line + 1, yaml.ScalarNode("", "")
            return
        if not isinstance(node, yaml.MappingNode) or depth > MOST_DEPTH:
            line = node.start_mark.line + 1
            self._found.problems.add(line, "", "names with values are needed here")
            return
        for key, value in node.value:
            if key.tag == _MERGE:
                many = isinstance(value, yaml.SequenceNode)
                for each in reversed(value.value) if many else [value]:
                    yield from self._merged(node, each, depth + 1)
            elif isinstance(key, yaml.ScalarNode):
                yield key.value, key.start_mark.line + 1, value
            else:
                line = key.start_mark.line + 1
                self._found.problems.add(line, "", "a name must be text")

    def _merged(
        self, into: yaml.MappingNode, node: yaml.Node, depth: int
    ) -> Iterator[tuple[str, int, yaml.Node]]:
        """Yield what a mapping gets from another one and has not itself."""
        own = {key.value for key, _ in into.value if isinstance(key, yaml.ScalarNode)}
        for pair in self._pairs(node, depth):
            self._spend()
            if pair[0] not in own:
                yield pair

    def _plain(self, node: yaml.Node, depth: int) -> Any:
        """Return a variable's value; what has a tag of its own is only text."""
        self._spend()
        if depth > MOST_DEPTH:
            raise NoInventory(f"A variable is nested deeper than {MOST_DEPTH}.")
        if isinstance(node, yaml.MappingNode):
            return {
                k: self._plain(v, depth + 1) for k, _, v in self._pairs(node, depth)
            }
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(each, depth + 1) for each in node.value]
        try:
            found = self._values.construct_object(node)
            json.dumps(found, allow_nan=False)
        except (yaml.YAMLError, ValueError, TypeError):
            return node.value
        return found

    def _spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise NoInventory(f"It has more than {MOST_VALUES:,} names and values.")
