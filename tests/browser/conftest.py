"""The whole product as `make run` starts it, and real browser windows on it.

One product is enough for all browser tests: each leaves behind what can be deployed to
again, and those that need a fleet of their own add one.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    StorageState,
    sync_playwright,
)

from tests.support import ROOT, nursery
from tests.support.ports import free_port

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
#: Chromium must not look for anything outside this machine.
FLAGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say loudly of browser tests that there is no browser."""
    here = Path(__file__).parent
    missing = not Path(CHROMIUM).exists()
    for item in items:
        if missing and here in item.path.parents:
            why = f"there is no Chromium at {CHROMIUM}; name one with CHROMIUM"
            item.add_marker(pytest.mark.skip(reason=why))


@dataclass
class Product:
    """One running `manage.py up`: its address, and how to sign in.

    `cookies` are those of a window that has signed in, once one has.
    """

    process: subprocess.Popen[bytes]
    data: Path
    port: int
    password: str
    cookies: StorageState | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def ran(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run one of its commands, with this on its stdin."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("DATABASE_")}
        env = {**clean, "DATA_DIR": str(self.data), "USER": "admin"}
        return nursery.run([nursery.MANAGE, *words], env=env, given=given)

    def manage(self, *words: str, given: str = "") -> str:
        """Run one of its commands, which must go well; return what it says."""
        done = self.ran(*words, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def add_fleet(self, application: str, *lines: str) -> None:
        """Add an application in production, with 1.1.0 and the targets of a file."""
        self.manage("application", "add", application)
        self.manage("version", "register", application, "1.1.0")
        words = "--env=production", "--format=csv"
        self.manage("import_targets", application, "-", *words, given="\n".join(lines))

    def pids(self, word: str) -> list[int]:
        """Processes of this product with this word on their command line."""
        mark = f"DATA_DIR={self.data}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if mark not in (entry / "environ").read_bytes():
                        continue
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if word.encode() in words:
                    found.append(int(entry.name))
        return found


def until(says: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is so; fail when it is not in time."""
    end = time.monotonic() + seconds
    while not says():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    """The product with its demo fleet."""
    with tempfile.TemporaryDirectory(prefix="dctl-browser-") as folder:
        data, said = Path(folder), Path(folder) / "said.txt"
        given = {k: v for k, v in os.environ.items() if not k.startswith("DATABASE_")}
        given |= {
            "DATA_DIR": str(data),
            "PORT": str(free_port()),
            "WORKERS": "2",
            "DEMO": "1",
        }
        with said.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "up"],
                env=given,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            at = re.compile(r"deployctl is at http://127\.0\.0\.1:(\d+)/")
            until(lambda: at.search(said.read_text()) or process.poll() is not None)
            text = said.read_text()
            port, password = at.search(text), re.search(r"password (\S+)\n", text)
            assert port is not None, text
            assert password is not None, text
            product = Product(process, data, int(port[1]), password[1])
            until(lambda: healthy(product.port))
            yield product
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(40)


@pytest.fixture(scope="module", autouse=True)
def as_it_began(product: Product) -> Iterator[None]:
    """End what the tests of a module have left live, and bring 1.0.0 back."""
    yield
    for line in product.manage("status", "--json").splitlines():
        number = str(json.loads(line)["deployment"])
        product.manage("abort", number, "--reason=its tests are over")
    at_once = (
        "-obatch_size=100%",
        "-omax_failures=100",
        "-ohealth_min_healthy_seconds=0",
    )
    for environment in ("staging", "production"):
        words = "storefront", "1.0.0", f"--env={environment}", "--wait"
        done = product.ran("deploy", *words, *at_once)
        assert done.returncode == 0 or "Nothing to do" in done.stderr, done


def healthy(port: int) -> bool:
    """Whether /readyz says that database and workers are there."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


# While it is open its event loop counts as running in this thread, and no test that
# has a loop of its own can run: so it is closed with its module.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a module; each window is a context of its own."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def window(product: Product, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open signed-in windows: window(width=1440, theme="light").

    A script error or a breach of the content policy in any of them fails the test.
    """
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_window(*, width: int = 1440, theme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 1000},
            color_scheme="dark" if theme == "dark" else "light",
            storage_state=product.cookies,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "console",
            lambda said: (
                wrong.append(said.text)
                if "Content Security Policy" in said.text
                else None
            ),
        )
        sign_in(page, product)
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert wrong == []


def sign_in(page: Page, product: Product) -> None:
    """Sign in as the administrator of the first start, or show that this one has."""
    page.goto(f"{product.url}/")
    if product.cookies is None:
        page.fill("#id_username", "admin")
        page.fill("#id_password", product.password)
        page.click("form button:has-text('Sign in')")
        page.wait_for_url(f"{product.url}/")
        product.cookies = page.context.storage_state()
