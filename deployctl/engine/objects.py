"""Reads the JSON objects that a far side sent; their content is the reader's."""

from __future__ import annotations

import json
from typing import Any


def read(raw: bytes | str) -> dict[str, Any] | None:
    """Return the JSON object that these are, or None."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
