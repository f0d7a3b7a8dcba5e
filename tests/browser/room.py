"""What a person does in the builder and in a room, in their words."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

#: What is spoken once, when it happens: a fresh page has nothing to announce.
SPOKEN = {"room-status", "room-alert", "room-banner"}


def deploy(
    page: Page, url: str, environment: str, *versions: str, **fields: str
) -> int:
    """Fill the builder, look at the plan, start it; return the deployment's number.

    Of several versions the first is taken that the fleet does not run already.
    """
    page.goto(f"{url}/deployments/new/")
    choose(page, "application", "storefront")
    choose(page, "environment", environment)
    expect(page.locator("#id_version")).to_contain_text(versions[0])
    for health in page.locator("details.more").all():
        health.evaluate("element => element.open = true")
    quick = {"delay_seconds": "0", "health_interval_seconds": "1"}
    quick |= {"health_min_healthy_seconds": "1", "health_deadline_seconds": "6"}
    for name, value in (quick | fields).items():
        page.fill(f"#id_{name}", value)
    for version in versions:
        with page.expect_response(re.compile(r"/deployments/preview/$")):
            choose(page, "version", version)
        page.wait_for_timeout(300)  # htmx swaps after the answer
        if page.locator("#plan").get_by_text("Nothing to do").count() == 0:
            break
    page.click("#do-start")
    page.wait_for_url(re.compile(r"/deployments/\d+/$"))
    return int(page.url.rstrip("/").rsplit("/", 1)[1])


def choose(page: Page, name: str, label: str) -> None:
    """Choose an option by the start of its text."""
    options = page.locator(f"#id_{name} option").all_inner_texts()
    wanted = [option for option in options if option.strip().startswith(label)]
    assert wanted, (name, label, options)
    page.select_option(f"#id_{name}", label=wanted[0].strip())


def press(page: Page, verb: str, reason: str = "") -> None:
    """Press a button of the room, and confirm its dialog if it has one."""
    page.click(f"#do-{verb}")
    dialog = page.locator(f"#ask-{verb}")
    if dialog.count() and dialog.is_visible():
        if reason:
            dialog.locator("textarea").fill(reason)
        dialog.locator(".ask-end button:not([data-closes])").click()


def says(page: Page, text: str, seconds: float = 30) -> None:
    """Wait until the chip of the room says this."""
    chip = page.locator("#room-title .chip")
    expect(chip).to_contain_text(
        re.compile(text, re.IGNORECASE), timeout=seconds * 1000
    )


def regions(page: Page) -> dict[str, str]:
    """The text of every live region, without clocks, for comparing two windows."""
    script = """() => Object.fromEntries([...document.querySelectorAll("[id^=room-]")]
        .map(e => [e.id, e.innerText.replace(/\\s+/g, " ").trim()]))"""
    found: dict[str, str] = page.evaluate(script)
    clock = re.compile(r"\d+ ?(h|min|s|ms|hours?|minutes?|seconds?)( ago)?\b|just now")
    return {
        name: clock.sub("TIME", text)
        for name, text in found.items()
        if name not in SPOKEN
    }


def cells(page: Page) -> list[str]:
    """The words of the grid's cells, in plan order."""
    script = """() => [...document.querySelectorAll("[data-p]")]
        .sort((a, b) => a.dataset.p - b.dataset.p)
        .map(e => e.className)"""
    found: list[str] = page.evaluate(script)
    return found
