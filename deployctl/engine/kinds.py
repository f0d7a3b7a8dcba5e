"""Kinds by name: of drivers, routers, checks and what leads traffic, for all alike.

It knows no kind from the inside. What there is of each stands beside it, in a table:
a row of the database never names code that is then imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar


class Holding(Protocol):
    """What holds something until it is closed."""

    async def close(self) -> None:
        """Give back what is held; it is not used afterwards."""


K = TypeVar("K", bound=Holding)


class Opened(Generic[K]):
    """Those that one event loop uses: one of each kind, made when first asked for."""

    def __init__(self, get: Callable[[str], type[K]]) -> None:
        self._get = get
        self._made: dict[str, K] = {}

    def of(self, kind: str) -> K:
        """Return the one of a kind; what `get` raises, if there is no such kind."""
        made = self._made.get(kind)
        if made is None:
            made = self._made[kind] = self._get(kind)()
        return made

    async def close(self) -> None:
        """Close them all; each kind that is asked for again is made anew."""
        while self._made:
            _, made = self._made.popitem()
            await made.close()


def listed_problem(
    given: object,
    known: Mapping[str, type],
    problems: Callable[[str, dict[str, Any]], Mapping[str, str]],
    *,
    most: int,
) -> str:
    """Return what is wrong with a setting that lists objects with kinds, or "".

    Args:
        problems: what is wrong with one, by its kind and its other settings.
    """
    if not isinstance(given, list) or len(given) > most:
        return f"must be a list of at most {most}"
    for number, each in enumerate(given, 1):
        kind = each.get("kind") if isinstance(each, dict) else None
        if not isinstance(kind, str) or kind not in known:
            names = ", ".join(sorted(known))
            return f"number {number}: must be an object whose kind is one of {names}"
        found = problems(kind, without_kind(each))
        if found:
            said = "; ".join(f"{name} {text}" for name, text in found.items())
            return f"number {number}: {said}"
    return ""


def without_kind(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of one in a list, but for its kind."""
    return {name: value for name, value in settings.items() if name != "kind"}
