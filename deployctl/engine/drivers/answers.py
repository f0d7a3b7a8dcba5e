"""What answers for a target says, as values: agent, wrapper, command and webhook.

It reads objects that were sent, and believes no more than what makes sense; it knows
no way by which they came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployctl.engine import clean, objects
from deployctl.engine.drivers.base import (
    Applied,
    OutcomeUnknown,
    Probe,
    ProbeFailed,
)

#: Characters of a version.
VERSION_CHARS = 128
#: Refusals by which the target says that this attempt has changed nothing.
UNTOUCHED = ("busy", "fence_reused", "invalid", "token", "not_found", "too_large")


def probe_in(body: Mapping[str, Any]) -> Probe:
    """Return what a target says of itself.

    Raises:
        ProbeFailed: it makes no sense.
    """
    version, healthy = body.get("version"), body.get("healthy")
    if not isinstance(healthy, bool) or not (
        version is None or (isinstance(version, str) and version)
    ):
        raise ProbeFailed("the answer makes no sense")
    detail = body.get("detail")
    return Probe(
        version=None if version is None else clean.line(version, limit=VERSION_CHARS),
        healthy=healthy,
        detail=clean.line(detail) if isinstance(detail, str) else "",
    )


def printed(said: str) -> Probe:
    """Return what a probe of one's own printed: the version alone, or an object.

    Raises:
        ProbeFailed: it makes no sense.
    """
    said = said.strip()
    if said.startswith("{"):
        return probe_in(objects.read(said) or {})
    if not said:
        return Probe(None, healthy=False, detail="the probe printed nothing")
    if "\n" in said or len(said) > VERSION_CHARS:
        raise ProbeFailed(f"printed more than a version: {clean.line(said)}")
    return Probe(clean.line(said), healthy=True)


def applied_in(body: Mapping[str, Any], version: str, fence: int) -> Applied:
    """Return an apply's answer; one about another attempt says nothing about this.

    Raises:
        OutcomeUnknown: it makes no sense.
    """
    same = body.get("fence") == fence and body.get("version") == version
    if not same or not isinstance(body.get("ok"), bool):
        raise OutcomeUnknown("the answer makes no sense")
    error, output = body.get("error"), body.get("output")
    return Applied(
        ok=body["ok"],
        error=clean.line(error) if isinstance(error, str) else "",
        output=clean.text(output) if isinstance(output, str) else "",
    )
