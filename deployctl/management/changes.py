"""Changes to targets as lines for a terminal; it makes none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from deployctl.services.changing import Change

#: So many changes are printed; of more, only their number is.
MOST_LINES = 50


def lines(changes: Sequence[Change]) -> Iterator[str]:
    """Yield a line for each change: + for what is added, ~ for what is changed."""
    for change in changes[:MOST_LINES]:
        sign = "+" if change.before is None else "~"
        said = "; ".join(
            f"{field}: {said_value(after)}"
            if change.before is None
            else f"{field}: {said_value(before)} -> {said_value(after)}"
            for field, before, after in change.fields()
        )
        yield f"  {sign} {change.name}  {said}"
    if len(changes) > MOST_LINES:
        yield f"  .. and {len(changes) - MOST_LINES:,} more"


def said_value(value: Any) -> str:
    """Return a value on one line that a terminal can show; "none" for nothing."""
    if value is None:
        return "none"
    if isinstance(value, str) and value.isprintable() and value:
        return value
    return json.dumps(value)
