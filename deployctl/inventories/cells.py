"""Values as cells of a table, for people and spreadsheets, and back again.

An empty cell is nothing. Text stands as it is, unless it would be read as something
else: then it is JSON. What a spreadsheet would take for a formula has a ' before it.
"""

from __future__ import annotations

import json
from typing import Any

#: With these a spreadsheet begins a formula, or splits a cell.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # noqa: RUF001
_GUARD = "'"


def text_of(cell: str) -> str | None:
    """Return the text in a cell, None if there is nothing."""
    bare = _bare(cell)
    if bare.startswith('"'):
        value = _json_of(bare)
        return value if isinstance(value, str) else bare
    return bare or None


def value_of(cell: str) -> Any:
    """Return the JSON in a cell, or else its text; None if there is nothing."""
    bare = _bare(cell)
    if not bare:
        return None
    value = _json_of(bare)
    return bare if value is _NO_JSON else value


def cell_of_text(value: str | None) -> str:
    """Return a cell in which `text_of` finds this text."""
    if value is None:
        return ""
    is_plain = value == value.strip() and value and not value.startswith('"')
    return _guarded(value if is_plain else json.dumps(value, ensure_ascii=False))


def cell_of_value(value: Any) -> str:
    """Return a cell in which `value_of` finds this value."""
    if value is None:
        return ""
    is_plain = isinstance(value, str) and value == value.strip() and value
    if is_plain and _json_of(value) is _NO_JSON:
        return _guarded(value)
    return _guarded(json.dumps(value, ensure_ascii=False, sort_keys=True))


class _NoJson:
    """What stands for text that is no JSON: None is a value of its own."""


_NO_JSON = _NoJson()


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


# Made once: a large fleet has a million cells.
_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _json_of(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return _NO_JSON


def _bare(cell: str) -> str:
    text = cell.strip()
    if text.startswith(_GUARD) and text[1:].startswith((*_FORMULA, _GUARD)):
        return text[1:].strip()
    return text


def _guarded(text: str) -> str:
    return _GUARD + text if text.startswith((*_FORMULA, _GUARD)) else text
