"""Fleets as CSV: a column for each field, label and setting; it knows no table.

`name` is needed; `address`, `kind`, `slot`, `version`, `label.zone`, `settings.port`
may be there, and `settings`, with an object of JSON. A column that is not there says
nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from deployctl.inventories import cells
from deployctl.inventories.rows import (
    TEXTS,
    Inventory,
    NoInventory,
    Problems,
    Row,
)
from deployctl.inventories.texts import MOST_LINE_CHARS, refuse_long_lines

LABEL = "label."
SETTING = "settings."
_SETTINGS = "settings"
MOST_COLUMNS = 500
_SIGNS = ",;\t"
#: Puts what a cell says into a row; raises ValueError with what is wrong with it.
_Put = Callable[[Row, str], None]


def read(text: str) -> Inventory:
    """Return the rows of a table; its columns are divided as its first line is.

    Raises:
        NoInventory: it is no such table.
    """
    refuse_long_lines(text)
    csv.field_size_limit(MOST_LINE_CHARS)
    first = text.split("\n", 1)[0]
    sign = max(_SIGNS, key=first.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
    found = Inventory()
    try:
        columns = _columns(next(lines), found.problems)
        if not found.problems.count:
            _read_rows(lines, columns, found)
    except csv.Error as error:
        raise NoInventory(f"Line {lines.line_num} is no CSV: {error}.") from None
    return found.finish()


def _read_rows(lines: Any, columns: list[tuple[str, _Put]], found: Inventory) -> None:
    last = lines.line_num
    for given in lines:
        line, last = last + 1, lines.line_num
        if not any(given):
            continue
        if len(given) != len(columns):
            reason = f"has {len(given)} cells, and the first line has {len(columns)}"
            found.problems.add(line, "", reason)
            continue
        row, wrong = Row(line, ""), found.problems.count
        for (name, put), cell in zip(columns, given, strict=True):
            try:
                put(row, cell)
            except ValueError as error:
                found.problems.add(line, name, str(error))
        if found.problems.count == wrong:
            found.take(row)


def _columns(header: list[str], problems: Problems) -> list[tuple[str, _Put]]:
    names = [name.strip() for name in header]
    if len(names) > MOST_COLUMNS:
        raise NoInventory(f"It has more than {MOST_COLUMNS} columns.")
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            problems.add(1, name[:80], "is the name of two columns")
    if "name" not in names:
        problems.add(1, "name", "is needed: no column is called so")
    known = ", ".join(("name", *TEXTS, _SETTINGS, "label.NAME", "settings.NAME"))
    for name in names:
        if _put(name) is None:
            problems.add(1, name[:80], f"is no known column; there are {known}")
    return [(name, put) for name in names if (put := _put(name))]


def _put(name: str) -> _Put | None:
    if name == "name":
        return _put_name
    if name in TEXTS:
        return lambda row, cell: row.texts.update({name: cells.text_of(cell) or ""})
    if name == _SETTINGS:
        return _put_settings
    if name.startswith(LABEL):
        label = name.removeprefix(LABEL)
        return lambda row, cell: row.labels.update({label: cells.text_of(cell)})
    if name.startswith(SETTING):
        setting = name.removeprefix(SETTING)
        return lambda row, cell: row.settings.update({setting: cells.value_of(cell)})
    return None


def _put_name(row: Row, cell: str) -> None:
    row.name = cell.strip()


def _put_settings(row: Row, cell: str) -> None:
    found = cells.value_of(cell)
    if not isinstance(found, dict | None):
        raise ValueError('must be an object of JSON, as {"port": 8080}, or empty')
    row.settings.update(found or {})


def written(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of a table in which `read` finds these rows."""
    kept = list(rows)
    labels = sorted({name for row in kept for name in row.labels})
    settings = sorted({name for row in kept for name in row.settings})
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        [
            *("name", *TEXTS),
            *(LABEL + name for name in labels),
            *(SETTING + name for name in settings),
        ]
    )
    for row in kept:
        writer.writerow(
            [
                row.name,
                *(cells.cell_of_text(row.texts.get(name) or None) for name in TEXTS),
                *(cells.cell_of_text(row.labels.get(name)) for name in labels),
                *(cells.cell_of_value(row.settings.get(name)) for name in settings),
            ]
        )
        if out.tell() > 65_536:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()
