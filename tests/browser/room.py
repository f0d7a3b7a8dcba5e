"""What a person does in the builder and in a room, in their words."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Page, Response, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

#: The answer to a page that was drawn before the latest change.
STALE = 409
#: What is spoken once, when it happens: a fresh page has nothing to announce.
SPOKEN = {"room-status", "room-alert", "room-banner"}


def deploy(
    page: Page,
    url: str,
    environment: str,
    *versions: str,
    application: str = "storefront",
    **fields: str,
) -> int:
    """Fill the builder, look at the plan, start it; return the deployment's number.

    Of several versions the first is taken that the fleet does not run already.
    """
    page.goto(f"{url}/deployments/new/")
    choose(page, "application", application)
    choose(page, "environment", environment)
    expect(page.locator("#id_version")).to_contain_text(versions[0])
    for health in page.locator("details.more").all():
        health.evaluate("element => element.open = true")
    quick = {"delay_seconds": "0", "health_interval_seconds": "1"}
    quick |= {"health_min_healthy_seconds": "1", "health_deadline_seconds": "6"}
    for name, value in (quick | fields).items():
        page.fill(f"#id_{name}", value)
    look_at_plan(page, versions)
    return start(page)


def look_at_plan(page: Page, versions: tuple[str, ...]) -> None:
    """Choose the first version that is not on most targets yet, and wait for its plan.

    One that was aborted near its end has one target left, and is over before a press.
    """
    for version in versions:
        choose(page, "version", version)
        # An answer to what was typed before may still come: only the plan tells.
        goal = page.locator('#plan dl.counters div:has(> dt:text-is("To")) dd')
        expect(goal).to_have_text(version, timeout=30_000)
        told = page.locator('#plan dl.counters div:has(> dt:text-is("Targets")) dd')
        part = re.search(r"(\d+)\s+of\s+(\d+)", told.inner_text())
        if part is None or 2 * int(part[1]) >= int(part[2]):
            break


def start(page: Page) -> int:
    """Start the plan that is shown; return the deployment's number."""
    page.click("#do-start")
    refused = page.locator(".note.is-failed[role=alert]")
    room = page.locator("#room")
    expect(room.or_(refused)).to_be_visible(timeout=30_000)
    assert not refused.count(), refused.inner_text()
    wait_for_scripts(page)
    return int(page.url.rstrip("/").rsplit("/", 1)[1])


def wait_for_scripts(page: Page) -> None:
    """Wait until the room's scripts run: they come after its text.

    Asked from here, since the page's policy forbids what `wait_for_function` does there
    when it has to ask twice.
    """
    until = time.monotonic() + 30
    while not page.evaluate("Boolean(window.controls)"):
        assert time.monotonic() < until, "the room's scripts never came"
        page.wait_for_timeout(50)


def choose(page: Page, name: str, label: str) -> None:
    """Choose an option by the start of its text."""
    options = page.locator(f"#id_{name} option").all_inner_texts()
    wanted = [option for option in options if option.strip().startswith(label)]
    assert wanted, (name, label, options)
    page.select_option(f"#id_{name}", label=wanted[0].strip())


def press(page: Page, verb: str, reason: str = "") -> None:
    """Press a button of the room, and confirm its dialog if it has one.

    What has changed since the page was drawn is refused; whoever then still wants it
    presses again.
    """
    for _ in range(3):
        try:
            with page.expect_response(is_command, timeout=10_000) as answered:
                press_once(page, verb, reason)
        except PlaywrightTimeout:
            continue  # The page knew that it was old, and asked nobody.
        if answered.value.status != STALE:
            return
    raise AssertionError(f"{verb} was refused again and again: {page.content()}")


def press_once(page: Page, verb: str, reason: str = "") -> None:
    """Press a button of the room and confirm its dialog, whatever comes of it."""
    page.click(f"#do-{verb}")
    dialog = page.locator(f"#ask-{verb}")
    if dialog.count() and dialog.is_visible():
        if reason:
            dialog.locator("textarea").fill(reason)
        dialog.locator(".ask-end button:not([data-closes])").click()


def is_command(response: Response) -> bool:
    """Whether this answers a command, not a look."""
    return response.request.method == "POST" and "/deployments/" in response.url


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
