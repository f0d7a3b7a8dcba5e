"""What docs/production.md shows: its units, its proxy, its backup as it is typed."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import ExitStack, closing
from functools import partial
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User

from deployctl.launch import Addresses, prepare_database
from deployctl.launch.binaries import find_binaries
from deployctl.models import Attempts
from tests.support import ROOT, truth
from tests.support.balancers import PATH
from tests.support.certificates import server_tls
from tests.support.fleet import Place, kill, simulated, until
from tests.support.ports import free_ports
from tests.support.rooms import Hand

EXAMPLES = ROOT / "docs" / "examples" / "production"
DOCUMENT = (ROOT / "docs" / "production.md").read_text()


def blocks(title: str, language: str) -> list[str]:
    """Return the blocks of a language under a heading."""
    part = DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", part, re.DOTALL)


# -- files -----------------------------------------------------------------------------


def test_every_file_that_is_named_is_there_and_the_other_way_round() -> None:
    for path in EXAMPLES.iterdir():
        assert f"`{path.name}`" in DOCUMENT, path.name


@pytest.mark.parametrize("name", ["deployctl-web.service", "deployctl-worker@.service"])
def test_a_unit_starts_what_there_is(name: str) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(EXAMPLES / name)
    words = unit["Service"]["ExecStart"].split()
    assert words[1].endswith("/manage.py")
    assert (ROOT / "deployctl/management/commands" / f"{words[2]}.py").exists()
    assert unit["Service"]["User"] == "deployctl"
    assert unit["Service"]["CapabilityBoundingSet"] == ""


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
@pytest.mark.parametrize("name", ["deployctl-web.service", "deployctl-worker@.service"])
def test_systemd_knows_every_word_of_a_unit(name: str, tmp_path: Path) -> None:
    """But for the program, which is installed elsewhere."""
    text = (EXAMPLES / name).read_text()
    text = re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", text)
    file = tmp_path / name.replace("@", "@1")
    file.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Unknown" not in done.stderr, done.stderr
    assert file.name not in done.stderr, done.stderr


def test_the_environment_names_what_the_settings_read() -> None:
    code = "".join(path.read_text() for path in (ROOT / "deployctl").rglob("*.py"))
    for line in (EXAMPLES / "environment").read_text().splitlines():
        name = line.partition("=")[0]
        if not line.startswith("#"):
            assert f'"{name}"' in code, name
            assert f"`{name}" in DOCUMENT, name


# -- the proxy -------------------------------------------------------------------------


@pytest.mark.serial
@pytest.mark.django_db(transaction=True)
def test_behind_the_proxy_people_are_who_they_are(
    child_environment: dict[str, str], tmp_path: Path
) -> None:
    """TLS, cookies and forms; and each address is counted by itself."""
    program = shutil.which("haproxy", path=PATH)
    if program is None:
        pytest.skip("there is no haproxy: install it (see tests/run.sh)")
    web_port, port = free_ports(2)
    # As the web process hashes it, and not as tests do.
    hashed = PBKDF2PasswordHasher().encode("a long enough password", "salt")
    User.objects.create(username="ada", password=hashed)
    server_tls(tmp_path)
    pem = tmp_path / "both.pem"
    pem.write_text(
        (tmp_path / "cert.pem").read_text() + (tmp_path / "key.pem").read_text()
    )
    text = (EXAMPLES / "haproxy.cfg").read_text()
    for old, new in {
        "bind :443": f"bind 127.0.0.1:{port}",
        "/etc/haproxy/deployctl.pem": str(pem),
        "127.0.0.1:8000": f"127.0.0.1:{web_port}",
        "deployctl.example.org": "localhost",
    }.items():
        assert old in text
        text = text.replace(old, new)
    config = tmp_path / "haproxy.cfg"
    config.write_text(text)
    given = {"HTTPS": "1", "ALLOWED_HOSTS": "localhost", "PROXY_HEADER": "X-Real-IP"}
    web = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "web", "--port", str(web_port)],
        env={**child_environment, **given},
    )
    with ExitStack() as running:
        running.callback(kill, web)
        # Else HAProxy may be about to find that nobody listens, and say it is down.
        until(partial(listens, web_port), 30, "the web process listens")
        proxy = subprocess.Popen([program, "-db", "-f", str(config)])
        running.callback(proxy.wait, 20)
        running.callback(proxy.send_signal, signal.SIGTERM)
        asked = Visitor(port, tmp_path / "cert.pem")
        until(asked.is_up, 30, "the web answers through the proxy")
        status, _ = asked.get("/")
        assert status == 302
        assert asked.sign_in("wrong") == 422
        # The proxy says where it came from, whatever the visitor claims.
        claim = {"X-Real-IP": "203.0.113.9"}
        assert asked.sign_in("wrong", name="somebody", **claim) == 422
        assert max(Attempts.objects.values_list("count", flat=True)) == 2
        assert asked.sign_in("a long enough password") == 302
        status, page = asked.get("/")
        assert (status, "Sign out" in page) == (200, True)
        assert "Secure" in asked.last_cookie


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Visitor:
    """A browser without pages: cookies are kept, and sent over TLS only."""

    def __init__(self, port: int, certificate: Path) -> None:
        self.port = port
        self.tls = ssl.create_default_context(cafile=str(certificate))
        self.cookies: dict[str, str] = {}
        self.last_cookie = ""

    def is_up(self) -> bool:
        """Whether a web process answers."""
        try:
            return self.get("/healthz")[0] == 200
        except (OSError, ssl.SSLError):
            return False

    def get(self, path: str) -> tuple[int, str]:
        """Ask for a page."""
        return self._ask("GET", path)

    def sign_in(self, password: str, *, name: str = "ada", **headers: str) -> int:
        """Send the form, with its token; return the status."""
        _, page = self.get("/sign-in/")
        token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        fields = {"username": name, "password": password, "csrfmiddlewaretoken": token}
        return self._ask("POST", "/sign-in/", urlencode(fields), **headers)[0]

    def _ask(
        self, method: str, path: str, body: str = "", **headers: str
    ) -> tuple[int, str]:
        sent = {
            "Host": "localhost",
            "Origin": "https://localhost",
            "Referer": "https://localhost/",
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()),
            **headers,
        }
        with closing(self._line()) as line:
            line.request(method, path, body or None, sent)
            answer = line.getresponse()
            for name, value in answer.getheaders():
                if name.lower() == "set-cookie":
                    self.last_cookie = value
                    key, _, rest = value.partition("=")
                    self.cookies[key] = rest.split(";")[0]
            return answer.status, answer.read().decode()

    def _line(self) -> HTTPSConnection:
        line = HTTPSConnection("localhost", self.port, timeout=10, context=self.tls)
        line._create_connection = lambda *_, **__: socket.create_connection(  # type: ignore[attr-defined]
            ("127.0.0.1", self.port), 10
        )
        return line


# -- backup and restore ----------------------------------------------------------------


@pytest.mark.serial
@pytest.mark.django_db(transaction=True)
def test_what_was_backed_up_is_restored_with_its_rights(
    database: Addresses, superuser_url: str, tmp_path: Path
) -> None:
    place = Place(simulated(4))
    done = place.deploy("2.0", batch_size=2)
    Hand(done).finish()
    live = place.deploy("3.0", batch_size=2)
    truth.check(live.pk)
    dump, restore = blocks("Backup and restore", "sh")
    typed(dump, database, tmp_path)
    anew = prepare_database(superuser_url, "restored")
    typed(restore.replace("manage.py", str(ROOT / "manage.py")), anew, tmp_path)
    assert contents(anew) == contents(database)
    for statement in (
        "UPDATE deployctl_event SET kind = ''",
        "DELETE FROM deployctl_audit",
        "TRUNCATE deployctl_plan CASCADE",
    ):
        for to in (anew.app, anew.owner):
            with psycopg.connect(to) as one, pytest.raises(psycopg.Error):
                one.execute(statement)
    with psycopg.connect(anew.app) as one:
        one.execute("UPDATE deployctl_target SET labels = '{}'")
    with psycopg.connect(anew.owner) as one:
        for statement in blocks("Backup and restore", "sql")[0].strip().split("\n"):
            one.execute(statement)
        found = one.execute("SELECT min(fence) FROM deployctl_target").fetchone()
        assert found is not None
        assert found[0] >= 1_000_000


def typed(commands: str, to: Addresses, folder: Path) -> None:
    """Type commands at a shell that has the two addresses in its environment."""
    tools = f"{find_binaries()}:{Path(sys.executable).parent}"
    given = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "DATABASE_URL": to.app,
        "DATABASE_OWNER_URL": to.owner,
        "DATA_DIR": str(folder),
    }
    subprocess.run(["bash", "-euc", commands], env=given, cwd=folder, check=True)


def contents(to: Addresses) -> dict[str, tuple[int, str]]:
    """Return how many rows each table has, and a digest of them."""
    found = {}
    with psycopg.connect(to.owner) as one:
        tables = one.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        for (table,) in tables:
            row = one.execute(
                f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text))"
                f" FROM {table} t"
            ).fetchone()
            assert row is not None
            found[table] = (row[0], row[1] or "")
    return found
