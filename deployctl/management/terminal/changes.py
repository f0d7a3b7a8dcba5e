"""Changes to targets as lines, or as objects for programs; it makes none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from deployctl.management.terminal.screen import Screen
from deployctl.services.changing import Change

#: So many changes are printed as lines; of more, only their number is.
MOST_LINES = 50


def show(screen: Screen, changes: Sequence[Change]) -> None:
    """Print changes: an object each, or lines for the first of them."""
    if screen.is_json:
        for change in changes:
            screen.record(record(change))
        return
    for line in lines(changes):
        screen.line(line)


def record(change: Change) -> dict[str, Any]:
    """Return a change for programs: what each field was, and becomes."""
    fields = {field: [before, after] for field, before, after in change.fields()}
    return {"target": change.name, "is_new": change.before is None, "fields": fields}


def lines(changes: Sequence[Change]) -> Iterator[str]:
    """Yield a line for each change: + for what is added, ~ for what is changed."""
    for change in changes[:MOST_LINES]:
        sign = "+" if change.before is None else "~"
        said = "; ".join(
            f"{field}: {_said(after)}"
            if change.before is None
            else f"{field}: {_said(before)} -> {_said(after)}"
            for field, before, after in change.fields()
        )
        yield f"  {sign} {change.name}  {said}"
    if len(changes) > MOST_LINES:
        yield f"  .. and {len(changes) - MOST_LINES:,} more"


def _said(value: Any) -> str:
    """Return a value on one line; "none" for nothing."""
    if value is None:
        return "none"
    if isinstance(value, str) and value.isprintable() and value:
        return value
    return json.dumps(value)
