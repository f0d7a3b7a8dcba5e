"""A fleet chosen from by a query: edited, exported, imported, and deployed to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser import room
from tests.browser.conftest import Product
from tests.browser.room import choose

pytestmark = pytest.mark.serial

Window = Callable[..., Page]


@pytest.fixture(scope="module")
def shelves(product: Product) -> str:
    """An application of these tests, with one target, as an address asks for it."""
    product.add_fleet("shelves", "name,kind,version", "first,simulated,1.0.0")
    return "application=shelves&environment=production"


def overflow(page: Page) -> int:
    """Return by how many pixels a page is wider than its window."""
    return int(
        page.evaluate("(e => e.scrollWidth - e.clientWidth)(document.documentElement)")
    )


@pytest.mark.parametrize(
    ("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light")]
)
def test_a_file_is_looked_at_and_imported(
    product: Product,
    window: Window,
    shelves: str,
    tmp_path: Path,
    width: int,
    theme: str,
) -> None:
    name = f"new-{width}-{theme}"
    file = tmp_path / "fleet.csv"
    file.write_text(f"name,kind,label.zone\n{name},simulated,eu\n")
    page = window(width=width, theme=theme)
    page.goto(f"{product.url}/fleet/import/?{shelves}")
    page.set_input_files("#id_file", file)
    preview = page.locator("#preview")
    expect(preview).to_contain_text(name)
    expect(preview).to_contain_text("Not in the file")
    assert overflow(page) <= 0
    page.click("#do-import")
    expect(page.locator(".flash")).to_contain_text("Imported: 1 added")
    expect(page.locator("main")).to_contain_text(name)
    assert overflow(page) <= 0


def test_mistakes_are_shown_with_their_lines(
    product: Product, window: Window, shelves: str
) -> None:
    page = window()
    page.goto(f"{product.url}/fleet/import/?{shelves}")
    page.select_option("#id_format", "csv")
    page.fill("#id_text", "name,kind\n<img src=x>,teapot\n")
    expect(page.locator("#preview")).to_contain_text("mistake")
    expect(page.locator("#preview tbody tr").first).to_contain_text("name")
    page.click("#do-import")
    expect(page.locator("#preview")).to_contain_text("Nothing was changed")


def test_a_query_chooses_is_saved_and_edited(product: Product, window: Window) -> None:
    page = window()
    address = "application=storefront&environment=staging"
    page.goto(f"{product.url}/fleet/?{address}")
    before = page.locator("tbody tr").count()
    assert before > 1
    first = page.locator("tbody tr b").first.get_attribute("title")
    page.fill('input[name="where"]', f"name={first}")
    page.click("form.filters button.btn")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.click("summary:has-text('Saved queries')")
    page.fill("#query-name", "the first")
    page.click("button:has-text('Save query')")
    expect(page.locator(".flash")).to_contain_text("the first is saved")
    page.goto(f"{product.url}/fleet/?{address}&where=name={first}")
    page.click("a:has-text('Edit…')")
    page.fill("#id_labels", "rack=r12")
    expect(page.locator("#preview")).to_contain_text("rack")
    page.click("#do-edit")
    expect(page.locator(".flash")).to_contain_text("1 target is changed")
    with page.expect_download() as download:
        page.click("a:has-text('CSV')")
    assert "label.rack" in download.value.path().read_text()
    page.goto(f"{product.url}/deployments/new/")
    choose(page, "application", "storefront")
    choose(page, "environment", "staging")
    saved = page.locator('#saved-queries option[label="the first"]')
    expect(saved).to_have_attribute("value", f"name={first}")
    page.fill("#id_where", "rack=r12")
    expect(page.locator("#id_version")).to_contain_text("1.1.0")
    choose(page, "version", "1.1.0")
    expect(page.locator("#plan-choice")).to_contain_text("The query chooses 1 of")


def started(page: Page, product: Product) -> int:
    """Return how many deployments of storefront to production there are."""
    address = "application=storefront&environment=production"
    page.goto(f"{product.url}/deployments/?{address}")
    return page.locator("tbody tr").count()


def test_a_draft_is_kept_reopened_and_started_once(
    product: Product, window: Window
) -> None:
    page = window()
    before = started(page, product)
    where = "name=*-prod-0* & !name=*-01"
    page.goto(f"{product.url}/fleet/?application=storefront&where={quote(where)}")
    page.click("summary:has-text('Saved queries')")
    page.fill("#query-name", "but the first")
    page.click("button:has-text('Save query')")

    page.goto(f"{product.url}/deployments/new/")
    choose(page, "application", "storefront")
    choose(page, "environment", "production")
    expect(page.locator("#id_version")).to_contain_text("1.1.0")
    choose(page, "version", "1.1.0")
    choice, stages = page.locator("#plan-choice"), page.locator("#plan-stages")
    page.fill("#id_where", "name=*-prod-01")
    expect(choice).to_contain_text("chooses 1 of")
    expect(page.locator("#query-select")).to_have_value("name=*-prod-01")
    page.select_option("#query-select", label="but the first")
    expect(page.locator("#id_where")).to_have_value(where)
    expect(choice).to_contain_text("chooses 8 of")
    expect(stages).to_have_count(0)
    page.check('input[name="strategy"][value="canary"]', force=True)
    expect(stages).to_be_visible()
    page.fill("#id_stages", "25, 100")
    expect(stages.locator("tbody tr")).to_have_count(2)

    page.click("summary:has-text('Keep for later')")
    page.fill("#saved-as", "tonight")
    page.click("#do-draft")
    expect(page.locator(".flash")).to_contain_text("The draft tonight is kept")
    assert started(page, product) == before
    page.goto(product.url)
    stale = page.context.new_page()
    stale.goto(product.url)
    for tab in (page, stale):
        tab.click("#drafts a:has-text('tonight')")
        expect(tab.locator("#id_stages")).to_have_value("25, 100")
        expect(tab.locator("#query-select")).to_have_value(where)
        expect(tab.locator("#plan-stages tbody tr")).to_have_count(2)

    page.dblclick("#do-start")
    expect(page.locator("#room")).to_be_visible(timeout=30_000)
    stale.click("#do-start")
    expect(stale.locator(".note.is-failed[role=alert]")).to_be_visible()
    expect(stale.locator("#id_stages")).to_have_value("25, 100")
    assert started(stale, product) == before + 1
    room.wait_for_scripts(page)
    room.press(page, "abort", reason="it was for the test alone")


#: Names as long as they may be, of which most have no place to break a line at.
LONGEST = "n" + 127 * "m"


def test_the_longest_names_make_no_page_wider_than_its_window(
    product: Product, window: Window
) -> None:
    product.manage("application", "add", LONGEST)
    product.manage("environment", "add", LONGEST)
    product.manage("version", "register", LONGEST, LONGEST, "--notes", LONGEST)
    text = f"name,kind,label.zone,version\n{LONGEST},simulated,{LONGEST},{LONGEST[1:]}"
    to = LONGEST, f"--env={LONGEST}"
    product.manage("import_targets", LONGEST, "-", to[1], "--format=csv", given=text)
    quick = "-ohealth_min_healthy_seconds=0", "--wait", "--json", f"--why={LONGEST}"
    said = product.manage("deploy", LONGEST, LONGEST, to[1], *quick)
    ran = json.loads(said.splitlines()[-1])
    page = window()
    page.goto(f"{product.url}/fleet/?application={LONGEST}")
    target = page.locator("tbody a").first.get_attribute("href")
    fleet = f"application={LONGEST}&environment={LONGEST}"
    wide = {}
    for path in (
        *("/", "/fleet/places/", f"/fleet/?{fleet}", f"/fleet/import/?{fleet}"),
        *(f"/fleet/edit/?{fleet}", target, "/versions/", "/deployments/"),
        *(f"/deployments/{ran['deployment']}/", f"/plans/{ran['plan']}/"),
        f"/deployments/new/?like={ran['deployment']}",
    ):
        answer = page.goto(f"{product.url}{path}")
        assert answer is not None
        assert answer.ok, path
        page.wait_for_load_state("networkidle")
        for width in (1440, 360):
            page.set_viewport_size({"width": width, "height": 1000})
            if more := overflow(page):
                wide[path, width] = more
    assert wide == {}
