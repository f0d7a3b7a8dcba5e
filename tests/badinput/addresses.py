"""Every address of the URL conf, with real numbers in it; it knows no page."""

from __future__ import annotations

from django.urls import URLPattern, get_resolver, reverse

from tests.badinput.world import World


def _patterns() -> list[URLPattern]:
    found = get_resolver().url_patterns
    return [pattern for pattern in found if isinstance(pattern, URLPattern)]


def names() -> list[str]:
    """Return the names of all addresses; every pattern of ours has one."""
    return [str(pattern.name) for pattern in _patterns()]


def parts(name: str) -> list[str]:
    """Return what stands in an address for a row, a hash or a format."""
    (found,) = (pattern for pattern in _patterns() if pattern.name == name)
    return list(found.pattern.converters)


def address(name: str, world: World, **other: object) -> str:
    """Return an address with this world's numbers, or others, in it."""
    return reverse(name, kwargs={p: {**world.ids, **other}[p] for p in parts(name)})
