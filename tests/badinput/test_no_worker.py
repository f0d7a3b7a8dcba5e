"""While no worker beats, every page says so, and since when; refusals do as well."""

from __future__ import annotations

import re
from typing import Any

import pytest

from deployctl.models import Worker
from tests.badinput.addresses import address, names
from tests.badinput.watching import undone
from tests.badinput.world import World, browser

#: Addresses whose answers are no whole pages: what scripts, programs and files get.
NO_PAGES = {
    *("healthz", "readyz", "sign-in", "deployment-live", "deployment-actions"),
    *("target-csv", "deployment-csv", "plan-json", "target-export"),
    *("target-import-preview", "target-edit-preview", "deployment-preview"),
}


def strip(answer: Any) -> str:
    """Return what stands in the strip of a page."""
    found = re.search(r'<div class="strip".*?</div>', answer.content.decode(), re.S)
    return re.sub(r"<[^>]*>", "", found[0]) if found else ""


@pytest.mark.parametrize("name", sorted(set(names()) - NO_PAGES))
def test_every_page_says_that_nobody_works_and_since_when(
    name: str, world: World
) -> None:
    """What takes a POST alone is asked too: its refusal is a page."""
    with undone():
        Worker.objects.update(beat_at="2026-01-02T03:04:05Z", left_at=None)
        answer = world.alice.get(address(name, world))
        assert answer.status_code in (200, 405)
        assert "No worker beats since 2026-01-02 03:04:05 UTC." in strip(answer)


@pytest.mark.parametrize("path", ["/nowhere", "/deployments/999999/"])
def test_so_does_a_page_that_is_not_there(path: str, world: World) -> None:
    with undone():
        Worker.objects.update(beat_at="2026-01-02T03:04:05Z")
        answer = world.alice.get(path)
        assert answer.status_code == 404
        assert "since 2026-01-02 03:04:05 UTC" in strip(answer)


def test_what_comes_first_is_that_nobody_works(world: World) -> None:
    """However much waits beside it."""
    with undone():
        world.doubt()
        Worker.objects.update(beat_at="2026-01-02T03:04:05Z")
        assert strip(world.alice.get("/")).strip().startswith("No worker beats")


def test_nobody_is_told_before_they_are_known(world: World) -> None:
    assert strip(browser().get("/sign-in/")) == ""
