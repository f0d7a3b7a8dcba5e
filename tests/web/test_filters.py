"""Filters of templates: what they draw of numbers that a page has."""

from __future__ import annotations

import re

import pytest

from deployctl.templatetags.deployctl import stack, thin_stack


@pytest.mark.parametrize(
    ("counts", "total", "bars"),
    [
        ({}, 0, []),
        ({"is-ok": 0}, 5, []),
        ({"is-ok": 5}, 5, [("is-ok", 0, 100)]),
        ({"is-ok": 1, "is-failed": 1}, 4, [("is-ok", 0, 25), ("is-failed", 25, 25)]),
        # One of 10,000 is seen, and what is seen of it is taken from the widest.
        (
            {"is-ok": 9999, "is-failed": 1},
            10_000,
            [("is-ok", 0, 99.2), ("is-failed", 99.2, 0.8)],
        ),
    ],
)
def test_a_bar_shows_every_part(
    counts: dict[str, int], total: int, bars: list[tuple[str, float, float]]
) -> None:
    parts = [{"css": css, "count": count} for css, count in counts.items()]
    for draw, css in ((stack, "stack"), (thin_stack, "stack stack-thin")):
        drawn = draw(parts, total)
        assert drawn.startswith(f'<svg class="{css}" ')
        found = re.findall(r'class="(\S+)" x="(\S+)%" width="(\S+)%"', drawn)
        assert [(name, float(x), float(width)) for name, x, width in found] == bars
