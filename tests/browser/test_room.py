"""Two windows on one deployment: live, paused, halted, rolled back, cut off."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser import large
from tests.browser.conftest import Product, until
from tests.browser.room import cells, deploy, press, regions, says

pytestmark = pytest.mark.serial

Window = Callable[..., Page]
#: Every staging target can run both; a test takes the one that is not there.
GOOD = ("1.1.0", "1.0.0")


def test_deploy_pause_resume_in_two_windows(product: Product, window: Window) -> None:
    here, there = window(), window()
    number = deploy(here, product.url, "staging", *GOOD, batch_size="2")
    there.goto(f"{product.url}/deployments/{number}/")
    icon(there, "running")
    press(here, "pause")
    says(here, "paus")
    says(there, "paused")
    icon(there, "paused")
    press(there, "resume")
    says(here, "complet", 60)
    icon(here, "done")
    says(there, "complet")
    assert regions(here) == regions(there)


def icon(page: Page, name: str) -> None:
    """Wait until the tab shows this picture, and see that it can be drawn."""
    link = page.locator("#favicon")
    expect(link).to_have_attribute("href", f"/static/favicon-{name}.svg")
    draws = """async (href) => { const image = new Image(); image.src = href;
        await image.decode(); return image.naturalWidth > 0; }"""
    assert page.evaluate(draws, link.get_attribute("href"))


def test_halt_is_explained_and_rolled_back(product: Product, window: Window) -> None:
    here, there = window(), window()
    number = deploy(here, product.url, "production", "1.2.0", batch_size="4")
    there.goto(f"{product.url}/deployments/{number}/")
    says(here, "halted|failed", 60)
    says(there, "halted|failed")
    icon(there, "failed")
    expect(there.locator("#do-roll_back.btn-primary")).to_be_visible(timeout=30_000)
    band = there.locator("#room-halt")
    expect(band).to_contain_text("Halted")
    expect(band).to_contain_text("1.2.0")
    press(there, "roll_back", reason="it cannot run on prod-06")
    says(here, "rolled back", 60)
    icon(here, "returned")
    fresh = window()
    fresh.goto(f"{product.url}/deployments/{number}/")
    assert regions(fresh) == regions(here)
    assert cells(fresh) == cells(here)


def test_a_dropped_socket_catches_up(product: Product, window: Window) -> None:
    here = window()
    number = deploy(here, product.url, "staging", *GOOD, batch_size="2")
    web = product.pids("web") or product.pids("daphne")
    for pid in web:
        os.kill(pid, signal.SIGKILL)
    says(here, "complet", 90)
    fresh = window()
    fresh.goto(f"{product.url}/deployments/{number}/")
    says(fresh, "complet")
    until(lambda: regions(fresh)["room-feed"] == regions(here)["room-feed"], 30)
    assert regions(fresh) == regions(here)
    assert cells(fresh) == cells(here)


def test_a_killed_worker_is_no_event(product: Product, window: Window) -> None:
    here = window()
    deploy(here, product.url, "staging", *GOOD, batch_size="4")
    os.kill(product.pids("worker")[0], signal.SIGKILL)
    says(here, "complet", 60)
    expect(here.locator("#room-halt")).not_to_contain_text("Halted")


def test_a_room_of_ten_thousand_is_light(
    product: Product, window: Window, browser: Browser, tmp_path: Path
) -> None:
    """Its page is small, and while events stream in no task of it is a long one."""
    large.add_fleet(product, "museum")
    page = window()
    number = deploy(
        page,
        product.url,
        "production",
        "1.1.0",
        application="museum",
        batch_size="500",
        max_failures="20",
        health_min_healthy_seconds="0",
    )
    room = f"{product.url}/deployments/{number}/"
    with large.tasks(browser, page, tmp_path / "trace.json") as tasks:
        page.wait_for_timeout(2000)
        press(page, "pause")
        says(page, "paused", 60)
        # What was drawn bit by bit, in the midst of it all, is what a fresh page draws.
        half = letters(page, product.url)
        assert {"p", "s"} <= set(half), "it was not in its midst"
        fresh = window()
        fresh.goto(room)
        assert drawn(page) == drawn(fresh)
        press(page, "resume")
        says(page, "complet", 120)
    over = letters(page, product.url)
    assert over.count("s") == large.MANY - large.MANY // large.BROKEN
    assert over.count("f") == large.MANY // large.BROKEN
    fresh.reload()
    assert drawn(page) == drawn(fresh)
    assert page.locator("*").count() < 5000
    assert len(page.request.get(room).body()) < 60_000
    assert max(tasks) < large.LONG, sorted(tasks)[-5:]


def letters(page: Page, url: str) -> str:
    """Return the letter of each target as the rows have it now."""
    live = page.get_attribute("#room", "data-live")
    return str(page.request.get(f"{url}{live}?since=0").json()["grid"])


def drawn(page: Page) -> str:
    """Return the picture of the heatmap."""
    return str(page.evaluate("document.getElementById('heat').toDataURL()"))


def test_abort_asks_first_and_says_what_it_does(
    product: Product, window: Window
) -> None:
    here = window()
    deploy(here, product.url, "staging", *GOOD, batch_size="1")
    here.click("#do-abort")
    expect(here.locator("#ask-abort")).to_be_visible()
    here.locator("#ask-abort [data-closes]").click()
    expect(here.locator("#ask-abort")).not_to_be_visible()
    press(here, "abort", reason="wrong version")
    expect(here.locator("#do-roll_back.btn-primary")).to_be_visible(timeout=30_000)
    says(here, "abort")
    press(here, "roll_back", reason="back to what it was")
    says(here, "rolled back", 60)


def test_a_dialog_is_not_taken_away_by_a_change(
    product: Product, window: Window
) -> None:
    here, there = window(), window()
    number = deploy(here, product.url, "staging", *GOOD, batch_size="1")
    there.goto(f"{product.url}/deployments/{number}/")
    asked: list[Route] = []
    # The first answer comes when the test says so.
    here.route(
        "**/actions/",
        lambda route: route.continue_() if asked else asked.append(route),
    )
    press(there, "pause")
    # Its page has heard of the change, and waits for the buttons that go with it.
    for _ in range(300):
        if asked:
            break
        here.wait_for_timeout(100)
    here.click("#do-abort")
    with here.expect_response("**/actions/"):
        asked[0].continue_()
    here.wait_for_timeout(300)
    expect(here.locator("#ask-abort [data-changed]")).to_be_visible()
    here.locator("#ask-abort [data-closes]").click()
    expect(here.locator("#do-resume")).to_be_visible()
    press(here, "abort", reason="enough")
    says(here, "abort")
