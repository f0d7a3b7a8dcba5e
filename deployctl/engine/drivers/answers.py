"""Reads what a target says of itself as JSON; how it was asked is not known here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from deployctl.engine import clean
from deployctl.engine.drivers.base import Probe, ProbeFailed

#: Characters of a version.
VERSION_CHARS = 128


def read_object(raw: bytes | str) -> dict[str, Any] | None:
    """Return the JSON object that these are, or None."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def probe_in(said: Mapping[str, Any] | None) -> Probe:
    """Read `version`, a text or null; `healthy`, true or false; `detail`, if any.

    Raises:
        ProbeFailed: they are something else.
    """
    version, healthy = (said or {}).get("version"), (said or {}).get("healthy")
    if said is None or not isinstance(healthy, bool) or not _is_version(version):
        raise ProbeFailed("the answer makes no sense")
    detail = said.get("detail")
    return Probe(
        version=None if version is None else clean.line(version, limit=VERSION_CHARS),
        healthy=healthy,
        detail=clean.line(detail) if isinstance(detail, str) else "",
    )


def _is_version(version: object) -> bool:
    return version is None or (isinstance(version, str) and bool(version))
