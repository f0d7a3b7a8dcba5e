"""What docs/tutorial.md types does what it says, on two hosts that are played here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from deployctl.models import Application, Deployment
from tests.support import ROOT
from tests.support.fleet import Workers, person, until
from tests.support.ports import free_ports
from tests.support.terminals import Desk, Terminal, Typed

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]

DOCUMENT = (ROOT / "docs" / "tutorial.md").read_text()
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
#: The hosts, and where the document says they are.
HOSTS = {"web-1": "10.0.0.11", "web-2": "10.0.0.12"}
#: What a host says of the version that is not well, in the document too.
SAID = "cat: shop/current/ready: No such file or directory"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Terminals that are closed when the test is over."""
    made = Desk(tmp_path, monkeypatch)
    yield made
    made.close()


class Reader:
    """Follows the document block by block; each is typed once, in its order."""

    def __init__(self, desk: Desk) -> None:
        self.blocks = BLOCK.findall(DOCUMENT)
        ports = free_ports(2)
        self.hosts: dict[str, Terminal] = {}
        addresses: dict[str, str] = {}
        for name, port in zip(HOSTS, ports, strict=True):
            # On the second host, too, the block of the first one is typed.
            own = {HOSTS["web-1"]: "127.0.0.1", "7000": str(port)}
            self.hosts[name] = desk.terminal(name, own)
            addresses[f"{HOSTS[name]}:7000"] = f"127.0.0.1:{port}"
        # `make` only says what it would do: that it installs and starts, others try.
        self.own = desk.terminal("machine", addresses, MAKEFLAGS="n")

    def next(self) -> Typed:
        """Type the next block at the machine; it ends as it says that it does."""
        block = self.blocks.pop(0)
        told = self.own.type(block)
        ends = re.search(r"# ends with (\d+)$", block, re.MULTILINE)
        assert told.code == (int(ends[1]) if ends else 0), (block, told.out)
        return told

    def on_hosts(self) -> None:
        """Type the next block on each host."""
        block = self.blocks.pop(0)
        for name, host in self.hosts.items():
            told = host.type(block)
            assert told.code == 0, (name, block, told.out)

    def runs(self, name: str) -> str:
        """Return the release that a host serves."""
        return os.readlink(self.hosts[name].home / "shop" / "current")


def started_on(reader: Reader, name: str) -> int:
    """Count the changes that a host's agent has begun, as it wrote them down."""
    log = reader.hosts[name].home / "agent" / "log.jsonl"
    return log.read_text().count('"started"')


@pytest.mark.usefixtures("numbers_from_one")
def test_the_tutorial_is_typed(
    workers: Workers, desk: Desk, keys: Path, client: Client
) -> None:
    person("admin")
    client.force_login(User.objects.get(username="admin"))
    workers.start(1, DEPLOYCTL_SECRETS_KEY_FILE=str(keys))
    reader = Reader(desk)
    begins(reader)
    brings_the_hosts(reader, client)
    halts(reader, client)
    returns_and_goes_on(reader)
    tells_who_did_what(reader, client)
    reader.on_hosts()
    for host in reader.hosts.values():
        assert list(host.home.iterdir()) == []
    assert reader.blocks == []


def begins(reader: Reader) -> None:
    """Clone, start, and name the commands."""
    would = reader.next().out
    assert "-m venv" in would
    assert would.splitlines()[-1].endswith("manage.py up")
    reader.next()
    where = reader.own.home / "deployctl"
    (alias,) = reader.own.type("alias deployctl").out.splitlines()
    assert alias == (f"alias deployctl='{where}/.venv/bin/python {where}/manage.py'")
    assert Application.objects.get().name == "shop"


def brings_the_hosts(reader: Reader, client: Client) -> None:
    """Agents, targets and versions: both hosts are seen to be well."""
    reader.next()
    reader.on_hosts()
    reader.on_hosts()
    logs = [host.home / "agent.log" for host in reader.hosts.values()]
    ready = '"ready": true'
    until(lambda: all(ready in log.read_text() for log in logs), 20, "both agents")
    assert "2 added" in reader.next().out

    def both_are_well() -> bool:
        page = client.get("/fleet/?state=healthy").content.decode()
        return "2\u00a0targets" in page

    until(both_are_well, 30, "the page of the fleet says so")
    said = reader.next().out
    assert said.count("runs 1.0.0 and is well: 1.0.0 is ready") == 2


def halts(reader: Reader, client: Client) -> None:
    """One host is changed and is not well, the other left alone; a record says why."""
    assert f"`{SAID}`" in DOCUMENT
    looked = reader.next().out
    assert started_on(reader, "web-1") + started_on(reader, "web-2") == 0
    assert not Deployment.objects.exists()
    assert "halt" in looked
    reader.next()
    row = Deployment.objects.get()
    assert (row.pk, row.state) == (1, "failed")
    assert (started_on(reader, "web-1"), started_on(reader, "web-2")) == (1, 0)
    assert (reader.runs("web-1"), reader.runs("web-2")) == (
        *("releases/1.1.0", "releases/1.0.0"),
    )
    said = reader.next().out
    for words in (
        "Halted: 0 %",
        f"web-1: deadline: {SAID}",
        "1 target was never claimed",
    ):
        assert words in said, words
    room = client.get("/deployments/1/").content.decode()
    for words in ("Halted by rule", "Threshold", SAID):
        assert words in room, words


def returns_and_goes_on(reader: Reader) -> None:
    """The one host goes back, and both go to the version that works."""
    reader.next()
    assert {reader.runs(name) for name in HOSTS} == {"releases/1.0.0"}
    assert (started_on(reader, "web-1"), started_on(reader, "web-2")) == (2, 0)
    reader.next()
    assert {reader.runs(name) for name in HOSTS} == {"releases/1.2.0"}


def tells_who_did_what(reader: Reader, client: Client) -> None:
    """The audit has each act with its reason; a target's page, what was done there."""
    said = reader.next().out
    for words in (
        *("deployment.halted", "deployment.roll_back_asked", "secret."),
        *("nobody made it ready", "targets.imported", "application.added"),
    ):
        assert words in said, words
    page = client.get("/fleet/").content.decode()
    (first,) = re.findall(r'href="(/targets/\d+/)"><b[^>]*title="web-1"', page)
    history = client.get(first).content.decode()
    for words in ("1.1.0", "1.2.0", SAID):
        assert words in history, words
