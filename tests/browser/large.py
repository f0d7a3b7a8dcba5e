"""A very large fleet in a room: its targets, and what the browser's main thread did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from tests.browser.conftest import Product

MANY = 10_000
#: Milliseconds from which on a task keeps people waiting.
LONG = 100
SLOW = """() => {
    performance.mark("over");
    const until = performance.now() + 600;
    while (performance.now() < until);
}"""
#: Every thousandth cannot run the new version.
BROKEN = 1000
ZONES = ("eu", "us", "asia")
COLUMNS = "name,kind,version,label.zone,settings.version,settings.unhealthy_versions"


def add_fleet(product: Product, application: str) -> None:
    """Add `MANY` simulated targets, in three zones."""
    rows = [COLUMNS]
    for n in range(MANY):
        wrong = '"[""1.1.0""]"' if n % BROKEN == BROKEN - 1 else "[]"
        zone = ZONES[n % len(ZONES)]
        rows.append(f"big-{n:05},simulated,1.0.0,{zone},1.0.0,{wrong}")
    product.add_fleet(application, *rows)


@contextmanager
def tasks(browser: Browser, page: Page, file: Path) -> Iterator[list[float]]:
    """Collect the milliseconds of CPU of each task of the page's main thread.

    `PerformanceObserver` counts by the clock, which goes on while a machine that others
    use too does not run the page at all; a trace has the CPU time of the same tasks.
    One slow task is seeded last: a trace that does not show it shows nothing.
    """
    found: list[float] = []
    categories = ["toplevel", "blink.user_timing", "__metadata"]
    browser.start_tracing(page=page, path=file, categories=categories)
    try:
        yield found
    finally:
        page.evaluate(SLOW)
        browser.stop_tracing()
    events = json.loads(file.read_text())["traceEvents"]
    over = next(event for event in events if event["name"] == "over")
    own = [
        event
        for event in events
        if (event["pid"], event["tid"]) == (over["pid"], over["tid"])
        and "tdur" in event
    ]
    seeded = [event for event in own if event["ts"] + event["dur"] >= over["ts"]]
    assert max(map(_milliseconds, seeded)) > LONG, "a slow task is not seen"
    found += [_milliseconds(event) for event in own if event not in seeded]


def _milliseconds(event: dict[str, Any]) -> float:
    return float(event["tdur"]) / 1000
