"""Fleets as JSON: a list of targets, or an object that has one; it knows no table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from deployctl.inventories.rows import TEXTS, Inventory, NoInventory, Row

_TARGETS = "targets"
_KNOWN = ("name", *TEXTS, "labels", "settings")


def read(text: str) -> Inventory:
    """Return the targets of `[..]` or `{"targets": [..]}`, each an object.

    Raises:
        NoInventory: it is no such JSON.
    """
    found = Inventory()
    try:
        for line, value in _items(text):
            _take(found, line, value)
    except json.JSONDecodeError as error:
        raise NoInventory(
            f"Line {error.lineno} is no JSON: {error.msg}, character {error.colno}."
        ) from None
    except RecursionError:
        raise NoInventory("It is nested too deep.") from None
    except ValueError as error:
        raise NoInventory(f"It is no JSON: {error}.") from None
    return found.finish()


def _items(text: str) -> Iterator[tuple[int, Any]]:
    """Yield each target with the line on which it begins, one after the other."""
    decoder = json.JSONDecoder(parse_constant=_no_number, object_pairs_hook=_once)
    at = _list_begins(text, decoder)
    line, counted = 1, 0
    while True:
        at = _space(text, at)
        if text.startswith("]", at):
            break
        line += text.count("\n", counted, at)
        counted = at
        value, at = decoder.raw_decode(text, at)
        yield line, value
        at = _space(text, at)
        if not text.startswith(",", at):
            break
        at += 1
    _end(text, at)


def _list_begins(text: str, decoder: json.JSONDecoder) -> int:
    at = _space(text, 0)
    if text.startswith("{", at):
        at = _space(text, at + 1)
        if not text.startswith('"', at):
            raise json.JSONDecodeError('"targets" is needed', text, at)
        key, at = decoder.raw_decode(text, at)
        at = _space(text, at)
        if key != _TARGETS or not text.startswith(":", at):
            raise json.JSONDecodeError('the one key is "targets"', text, at)
        at = _space(text, at + 1)
    if not text.startswith("[", at):
        raise json.JSONDecodeError("a list of targets is needed", text, at)
    return at + 1


def _end(text: str, at: int) -> None:
    if not text.startswith("]", at):
        raise json.JSONDecodeError(", or ] is needed", text, at)
    at = _space(text, at + 1)
    if text.lstrip().startswith("{"):
        if not text.startswith("}", at):
            raise json.JSONDecodeError('the one key is "targets"', text, at)
        at = _space(text, at + 1)
    if at < len(text):
        raise json.JSONDecodeError("nothing may follow", text, at)


def _space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice in one object")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _take(found: Inventory, line: int, value: Any) -> None:
    wrong = list(_wrong(value))
    for field, reason in wrong:
        found.problems.add(line, field, reason)
    if wrong:
        return
    texts = {name: value[name] or "" for name in TEXTS if name in value}
    labels, settings = value.get("labels") or {}, value.get("settings") or {}
    found.take(Row(line, value["name"], texts, labels, settings))


def _wrong(value: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield "", "a target is an object"
        return
    if not isinstance(value.get("name"), str):
        yield "name", "is needed, as text"
    for name in value.keys() - set(_KNOWN):
        yield name[:80], f"is not known: there are {', '.join(_KNOWN)}"
    for name in TEXTS:
        if not isinstance(value.get(name), str | None):
            yield name, "must be text, or null"
    for name in ("labels", "settings"):
        if not isinstance(value.get(name), dict | None):
            yield name, "must be an object"
    yield from _labels_wrong(value.get("labels"))


def _labels_wrong(labels: Any) -> Iterator[tuple[str, str]]:
    for name, label in labels.items() if isinstance(labels, dict) else ():
        if not isinstance(label, str | None):
            yield f"label.{name[:80]}", "must be text, or null"


def written(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the parts of a text in which `read` finds these rows, a line for each."""
    yield '{"targets": ['
    sign = "\n"
    for row in rows:
        texts = {name: row.texts.get(name) or None for name in TEXTS}
        content = {
            "name": row.name,
            **texts,
            "labels": row.labels,
            "settings": row.settings,
        }
        yield sign + json.dumps(content, ensure_ascii=False)
        sign = ",\n"
    yield "\n]}\n"
