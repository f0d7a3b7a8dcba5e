"""A check that asks for a page; it knows no application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployctl.engine import clean, reach
from deployctl.engine.checks.base import Check, Finding, TargetRef
from deployctl.engine.effects import ProbeFailed
from deployctl.engine.http import Http, Lost

#: A page that says whether something works is small.
MOST_BYTES = 1024 * 1024
_SETTINGS = frozenset({"url", "status", "contains"})


class HttpCheck(Check):
    """Holds when the status is an expected one, and the text is in the body."""

    kind = "http"

    def __init__(self) -> None:
        self._http = Http()

    @classmethod
    def problems(cls, settings: Mapping[str, object]) -> dict[str, str]:
        """Settings: `url`; `status`, a list, else 200 to 299; `contains`, a text."""
        found = dict.fromkeys(settings.keys() - _SETTINGS, "is not a setting of it")
        found["url"] = reach.url_problem(settings.get("url"), path=True)
        status = settings.get("status", [200])
        if not isinstance(status, list) or not status or not all(map(_is_code, status)):
            found["status"] = "must be a list of HTTP status codes"
        text = settings.get("contains", "x")
        if not isinstance(text, str) or not 0 < len(text) <= 1000:
            found["contains"] = "must be a text of 1 to 1000 characters"
        return {name: problem for name, problem in found.items() if problem}

    async def ask(
        self, target: TargetRef, settings: Mapping[str, Any], *, seconds: float
    ) -> Finding:
        """As `Check.ask`; a redirect is not followed, and is a status like another."""
        try:
            status, raw = await self._http.request(
                "GET",
                settings["url"],
                reach=target.reach,
                seconds=seconds,
                most_bytes=MOST_BYTES,
            )
        except Lost as lost:
            if lost.nobody:
                return Finding(False, str(lost))
            raise ProbeFailed(str(lost)) from None
        said = f"HTTP {status}: {clean.line(raw[:2000])}"
        expected = settings.get("status") or range(200, 300)
        if status not in expected:
            return Finding(False, said)
        text = settings.get("contains", "")
        if text not in raw.decode("utf-8", "replace"):
            return Finding(False, f"does not contain {text!r}; {said}")
        return Finding(True, said)

    async def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _is_code(value: object) -> bool:
    return type(value) is int and 100 <= value <= 599
