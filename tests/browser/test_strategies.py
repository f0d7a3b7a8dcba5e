"""A canary that halts, a gate promoted, traffic switched and switched back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import room
from tests.browser.conftest import Product
from tests.browser.room import choose, press, regions, says

pytestmark = pytest.mark.serial

Window = Callable[..., Page]
QUICK = {
    "health_interval_seconds": "1",
    "health_min_healthy_seconds": "1",
    "health_deadline_seconds": "6",
}


def start(
    page: Page,
    url: str,
    place: tuple[str, str],
    strategy: str,
    *versions: str,
    chosen: dict[str, str] | None = None,
    **fields: str,
) -> int:
    """Fill the builder for a strategy, look at the plan, start it; return its number.

    Of several versions the first is taken that the fleet does not run already.
    """
    page.goto(f"{url}/deployments/new/")
    choose(page, "application", place[0])
    choose(page, "environment", place[1])
    expect(page.locator("#id_version")).to_contain_text(versions[0])
    for details in page.locator("details.more").all():
        details.evaluate("element => element.open = true")
    for name, value in {"strategy": strategy, **(chosen or {})}.items():
        page.check(f'input[name="{name}"][value="{value}"]', force=True)
    for name, value in (QUICK | fields).items():
        page.fill(f"#id_{name}", value)
    room.look_at_plan(page, versions)
    expect(page.locator("#plan-stages")).to_be_visible()
    return room.start(page)


def test_a_canary_halts_and_says_by_which_threshold(
    product: Product, window: Window
) -> None:
    here, there = window(), window()
    number = start(
        here,
        product.url,
        ("storefront", "production"),
        "canary",
        "1.2.0",
        chosen={"on_failure": "halt"},
        stage_duration_seconds="1",
        stages="10, 100",
    )
    there.goto(f"{product.url}/deployments/{number}/")
    says(here, "halted", 60)
    says(there, "halted")
    expect(there.locator("#room-halt")).to_contain_text("success threshold")
    expect(there.locator("#room-stages")).to_contain_text("halted here")
    press(here, "roll_back", reason="it cannot run there")
    says(here, "rolled back", 60)
    says(there, "rolled back")
    assert regions(here) == regions(there)


def test_a_gate_is_promoted_in_one_window_and_seen_in_the_other(
    product: Product, window: Window
) -> None:
    here, there = window(), window()
    number = start(
        here,
        product.url,
        ("storefront", "staging"),
        "canary",
        *("1.1.0", "1.0.0"),
        chosen={"gates": "yes"},
        stage_duration_seconds="0",
        stages="20, 40, 60, 100",
    )
    there.goto(f"{product.url}/deployments/{number}/")
    says(here, "waits at a gate")
    says(there, "waits at a gate")
    expect(here.locator("#do-promote")).to_contain_text("Promote to 40 %")
    press(here, "promote")
    expect(there.locator("#do-promote")).to_contain_text(
        "Promote to 60 %", timeout=30_000
    )
    says(there, "waits at a gate")
    press(there, "promote_fully", reason="all is well")
    says(here, "complet", 60)
    expect(here.locator("#room-feed")).to_contain_text("promoted it")


def test_traffic_is_switched_by_a_person_and_switched_back(
    product: Product, window: Window
) -> None:
    here = window()
    place = "checkout", "production"
    start(here, product.url, place, "blue_green", "1.1.0", bake_seconds="0")
    says(here, "waits at a gate")
    blue, green = slot(here, "blue"), slot(here, "green")
    expect(blue).to_contain_text("gets all traffic")
    expect(here.locator("#do-promote")).to_contain_text("Switch traffic to green")
    press(here, "promote")
    says(here, "complet", 60)
    expect(green).to_contain_text("gets all traffic")
    expect(blue).to_contain_text("so that traffic can return")

    back = window()
    start(back, product.url, place, "blue_green", "1.0.0", bake_seconds="60")
    says(back, "waits at a gate")
    press(back, "promote")
    expect(slot(back, "blue")).to_contain_text("gets all traffic", timeout=30_000)
    press(back, "roll_back", reason="to where it was")
    says(back, "rolled back", 60)
    expect(slot(back, "green")).to_contain_text("gets all traffic")


def slot(page: Page, name: str) -> Locator:
    """Return the part of the room that tells of one slot."""
    return page.locator(f'#room-slots [aria-label="Slot {name}"]')
