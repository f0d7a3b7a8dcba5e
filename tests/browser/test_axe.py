"""No page keeps anybody out: axe-core finds nothing serious, in light and in dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.browser import room
from tests.browser.conftest import Product, sign_in
from tests.browser.room import choose, says
from tests.browser.test_strategies import start

pytestmark = pytest.mark.serial

Window = Callable[..., Page]
Theme = Literal["light", "dark"]
#: What axe-core says of how bad it is.
BAD = {"serious", "critical"}


@pytest.fixture(scope="module")
def axe() -> Axe:
    """What looks at pages."""
    return Axe()


@pytest.fixture(scope="module")
def numbers() -> list[int]:
    """The deployments that the first test has made, for those after it."""
    return []


@pytest.fixture
def window(product: Product, browser: Browser) -> Iterator[Window]:
    """Open signed-in windows in which axe-core may style what it measures."""
    contexts: list[BrowserContext] = []

    def open_window(*, width: int = 1440, theme: Theme = "light") -> Page:
        size: ViewportSize = {"width": width, "height": 1000}
        contexts.append(
            browser.new_context(
                viewport=size,
                color_scheme=theme,
                reduced_motion="reduce",  # Half a colour is no contrast.
                bypass_csp=True,
                storage_state=product.cookies,
            )
        )
        page = contexts[-1].new_page()
        sign_in(page, product)
        return page

    yield open_window
    for context in contexts:
        context.close()


def found(axe: Axe, page: Page) -> list[str]:
    """Return what is bad on a page: the rule, what it asks, and where."""
    answer = axe.run(page, options={"resultTypes": ["violations"]}).response
    return [
        f"{page.url} {each['id']}: {each['help']}: {node['html'][:160]}"
        for each in answer["violations"]
        if each["impact"] in BAD
        for node in each["nodes"]
    ]


def made(page: Page, product: Product) -> list[int]:
    """Bring about one of each room: at a gate, halted, switched over."""
    waiting = start(
        page,
        product.url,
        ("storefront", "staging"),
        "canary",
        *("1.1.0", "1.0.0"),
        chosen={"gates": "yes"},
        stage_duration_seconds="0",
        stages="25, 50, 100",
    )
    says(page, "waits at a gate")
    halted = room.deploy(page, product.url, "production", "1.2.0", batch_size="8")
    says(page, "halted", seconds=60)
    switched = start(
        page, product.url, ("checkout", "production"), "blue_green", "1.1.0", "1.0.0"
    )
    says(page, "waits at a gate")
    return [waiting, halted, switched]


#: One fleet, chosen from by a query.
ONE = "application=storefront&environment=staging&where=name%3D*"


def paths(numbers: list[int]) -> list[str]:
    """Return every page that somebody who has signed in can see."""
    rooms = [f"/deployments/{number}/" for number in numbers]
    return [
        *("/", "/fleet/", "/fleet/?state=unhealthy", "/targets/1/", "/versions/"),
        "/fleet/places/",
        *("/deployments/", "/deployments/?q=nothing+is+like+this", "/nowhere/"),
        *(
            "/deployments/saved/",
            "/fleet/import/",
            "/fleet/edit/",
            "/fleet/?where=name%3D",
            f"/fleet/?{ONE}",
        ),
        *rooms,
        *(f"/fleet/?deployment={number}" for number in numbers[:1]),
    ]


@pytest.mark.parametrize(("theme", "width"), [("light", 390), ("dark", 1440)])
def test_every_page(
    theme: Theme,
    width: int,
    axe: Axe,
    numbers: list[int],
    product: Product,
    window: Window,
) -> None:
    page = window(width=width, theme=theme)
    numbers += [] if numbers else made(page, product)
    bad: list[str] = []
    for path in paths(numbers):
        page.goto(f"{product.url}{path}")
        bad += found(axe, page)
    page.goto(f"{product.url}/deployments/{numbers[0]}/")
    plan = page.locator("#room-meta a.mono").get_attribute("href")
    page.goto(f"{product.url}{plan}")
    bad += found(axe, page)
    page.goto(f"{product.url}/deployments/new/")
    bad += found(axe, page)
    choose(page, "application", "storefront")
    choose(page, "environment", "production")
    page.check('input[name="strategy"][value="canary"]', force=True)
    expect(page.locator("#id_version")).to_contain_text("1.1.0")
    choose(page, "version", "1.1.0")
    expect(page.locator("#plan-stages")).to_be_visible()
    page.click("summary:has-text('Keep for later')")
    bad += found(axe, page)
    page.fill("#saved-as", f"kept {width}")
    page.click("#do-draft")
    page.click("summary:has-text('Keep for later')")
    page.click("#do-template")
    expect(page.locator("#id_wanted")).to_be_visible()
    bad += found(axe, page)
    page.goto(f"{product.url}/deployments/saved/")
    page.locator("#templates summary").last.click()
    bad += found(axe, page)
    page.goto(f"{product.url}/deployments/{numbers[1]}/")
    page.locator("#do-roll_back").first.click()
    expect(page.locator("dialog[open]")).to_be_visible()
    bad += found(axe, page)
    assert bad == []


def test_the_way_in(axe: Axe, product: Product, browser: Browser) -> None:
    context = browser.new_context(bypass_csp=True, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{product.url}/sign-in/")
    bad = found(axe, page)
    page.fill("#id_username", "admin")
    page.fill("#id_password", "no")
    page.click("form button:has-text('Sign in')")
    bad += found(axe, page)
    context.close()
    assert bad == []


def test_what_keeps_people_out_is_found(
    axe: Axe, product: Product, window: Window
) -> None:
    """The control: a field without a name, and grey on grey."""
    page = window()
    page.evaluate(
        """() => {
            const field = document.createElement("input");
            const pale = document.createElement("p");
            pale.textContent = "nobody can read this";
            pale.style.color = "#999";
            pale.style.background = "#aaa";
            document.querySelector("main").append(field, pale);
        }"""
    )
    rules = {each.split(" ")[1] for each in found(axe, page)}
    assert {"label:", "color-contrast:"} <= rules
