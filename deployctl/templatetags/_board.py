"""Lays grid cells out by zone and column; knows no colours and no HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

MOST_COLUMNS = 8
# Two cells share a column of 26 px; a head needs four of them, or it clips.
MOST_CELL_COLUMNS = 34
LEAST_CELL_COLUMNS = 5
BAD = frozenset("fFgxX")
DONE = frozenset("sS")

Cell = Mapping[str, Any]


def lay_out(cells: Iterable[Cell]) -> dict[str, Any]:
    """Cells (`position`, `name`, `zone`, `column`, `letter`) as zones of columns.

    `mode` is "board" when the columns fit beside each other, else "flow". `columns`
    are their numbers in order; each of `zones` has `name`, `count`, `done`, `bad` and
    `groups`, one list of cells a column, empty ones kept for the board and left out of
    the flow.
    """
    ordered = sorted(cells, key=lambda cell: cell["position"])
    columns = sorted({cell["column"] for cell in ordered})
    by_zone = {
        zone: list(members)
        for zone, members in groupby(
            sorted(ordered, key=lambda cell: cell["zone"]),  # stable: order is kept
            key=lambda cell: cell["zone"],
        )
    }
    zones = [_zone(name, members, columns) for name, members in by_zone.items()]
    mode = "board" if _fits(zones, len(columns)) else "flow"
    if mode == "flow":
        for zone in zones:
            zone["groups"] = [group for group in zone["groups"] if group]
    return {"mode": mode, "columns": columns, "zones": zones}


def _zone(name: str, members: list[Cell], columns: list[int]) -> dict[str, Any]:
    groups: dict[int, list[Cell]] = {column: [] for column in columns}
    for cell in members:
        groups[cell["column"]].append(cell)
    return {
        "name": name,
        "count": len(members),
        "done": sum(cell["letter"] in DONE for cell in members),
        "bad": sum(cell["letter"] in BAD for cell in members),
        "groups": list(groups.values()),
    }


def _fits(zones: list[dict[str, Any]], columns: int) -> bool:
    if not 0 < columns <= MOST_COLUMNS:
        return False
    widest = (
        max((len(zone["groups"][column]) + 1) // 2 for zone in zones)
        for column in range(columns)
    )
    return sum(max(LEAST_CELL_COLUMNS, wide) for wide in widest) <= MOST_CELL_COLUMNS
