"""A value in every place where a secret can be is found nowhere else, whatever happens.

Everything that is stored, logged, shown and given to processes is searched, and so are
the ways in which a value could be written there.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from django.contrib.auth.models import User
from django.test import Client
from psycopg import sql

from deployctl.launch import Addresses
from deployctl.models import Deployment, Target
from deployctl.services import fleet, secrets
from tests.engine.drivers.agents import Agents
from tests.support import nursery
from tests.support.fleet import Place, Workers, reached, rested, states
from tests.support.keys import new_key

pytestmark = pytest.mark.serial

#: Where each is put, and what it is; the last is not a secret, and must be found.
CANARIES = {
    "own": "canary-own-8c1f",
    "all": "canary-all-77e0",
    "file": "canary-file-19aa",
    "variable": "canary-variable-f3d4",
    "wrong": "canary-wrong-5b5b",
}
CONTROL = "no-secret-2e2e"


def ways(value: str) -> list[bytes]:
    """Return how a value may be written: as it is, in hex, in base64."""
    raw = value.encode()
    return [
        raw,
        raw.hex().encode(),
        base64.b64encode(raw).rstrip(b"=")[:-1],
        quote(value).encode(),
        json.dumps(value)[1:-1].encode(),
    ]


def told(text: bytes, values: Mapping[str, str]) -> list[str]:
    """Return which of these are in a text."""
    return [
        name
        for name, value in values.items()
        if any(way in text for way in ways(value))
    ]


class Onlooker:
    """Reads what every process was given on its command line, again and again."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    self.seen.add((folder / "cmdline").read_bytes())
                except OSError:
                    continue  # It has ended.

    def end(self) -> bytes:
        """Stop looking, and return all that was seen."""
        self._over.set()
        self._thread.join()
        return b"\n".join(self.seen)


@pytest.fixture
def onlooker() -> Iterator[Onlooker]:
    """Look from the start to the end of a test."""
    made = Onlooker()
    yield made
    made.end()


def dumped(superuser_url: str, name: str) -> bytes:
    """Return every row of every table as text, sealed values and all."""
    found: list[str] = []
    with psycopg.connect(superuser_url, dbname=name) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        for (table,) in tables:
            query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table))
            found += [row for (row,) in connection.execute(query).fetchall()]
    return "\n".join(found).encode()


def shown(deployments: list[Deployment], targets: list[Target]) -> bytes:
    """Return all pages, and the frames of these deployments, as a person gets them."""
    client = Client()
    client.force_login(User.objects.get(username="ana"))
    paths = ["/", "/fleet/", "/versions/", "/deployments/", "/deployments/new/"]
    paths += [f"/targets/{target.pk}/" for target in targets]
    for each in deployments:
        room = f"/deployments/{each.pk}/"
        paths += [room, f"{room}live?since=0", f"{room}actions/"]
    bodies = []
    for path in paths:
        answer = client.get(path)
        assert answer.status_code in (200, 204), (path, answer.status_code)
        bodies.append(answer.content + str(answer.headers).encode())
    return b"\n".join(bodies)


def set_by_command(name: str, value: str, *more: str, **environment: str) -> bytes:
    """Set a secret as a person does at a terminal; return what is said.

    By a process of its own: one that is forked shows the onlooker no argv.
    """
    argv = [sys.executable, nursery.MANAGE, "secret", "set", name, *more, "--by", "ana"]
    done = subprocess.run(
        argv, env=environment, input=value.encode(), capture_output=True, check=True
    )
    return done.stdout + done.stderr


def test_a_canary_is_found_nowhere(
    workers: Workers,
    agents: Callable[..., Agents],
    onlooker: Onlooker,
    keys: Path,
    tmp_path: Path,
    superuser_url: str,
    database: Addresses,
) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "file").write_text(CANARIES["file"])
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    names = ["own", "all", "file", "variable"]
    for name in names:
        (tokens / name).write_text(CANARIES[name])
    special = [{"token_file": str(tokens / name)} for name in names]
    # The last two are refused: by a wrong token, and by none.
    special += [{"token_file": str(tokens / "own")} for _ in range(2)]
    running = agents(6, *special, version="1.0")
    place = Place(
        fleet.NewTarget(
            f"a{number}",
            running.url(number),
            "agent",
            {"token": name},
            labels={"note": CONTROL},
            recorded_version="1.0",
        )
        for number, name in enumerate([*names, "wrong", "missing"])
    )
    surroundings = {
        "DEPLOYCTL_SECRETS_DIR": str(folder),
        "DEPLOYCTL_SECRET_VARIABLE": CANARIES["variable"],
        "DEPLOYCTL_SECRETS_KEY_FILE": str(keys),
        "LOG_LEVEL": "DEBUG",
    }
    given = {**workers.environment, **surroundings}
    said = set_by_command(
        "own", CANARIES["own"], "--env", place.environment.name, **given
    )
    said += set_by_command("all", CANARIES["all"], **given)
    secrets.set_secret("wrong", CANARIES["wrong"], place.environment, by=place.by)
    workers.start(2, **surroundings)
    good = rested(place.deploy(only=[t.pk for t in place.targets[:4]]))
    assert good.state == "completed", workers.said()
    bad = rested(place.deploy("3.0", max_failures=1, batch_size=3))
    assert states(bad)["failed"] == 2, states(bad)
    place.press(bad, "roll_back")
    reached(bad, "rollback_failed")  # The two that are refused stay refused.
    with pytest.raises(secrets.Refused) as refused:
        secrets.remove_secret("own", place.environment, by=place.by)
    said += str(refused.value).encode()
    key = keys.read_text().strip()
    keys.write_text(f"{new_key()}\n{key}")
    assert secrets.rotate(by=place.by).count == 3
    base = str(psycopg.conninfo.conninfo_to_dict(database.app)["dbname"])
    stored = dumped(superuser_url, base)
    pages = shown([good, bad], place.targets)
    everything = {
        "stored": stored,
        "shown": pages,
        "logged": workers.said().encode(),
        "said": said,
        "argv": onlooker.end(),
        "agents": b"\n".join(p.read_bytes() for p in running.directory.rglob("log*")),
    }
    for where, text in everything.items():
        assert told(text, {**CANARIES, "key": key}) == [], where
    # The search finds what is there: in each of the ways, and in each of the places.
    assert CONTROL.encode() in stored
    assert CONTROL.encode() in pages
    assert b"\0secret\0set\0own\0" in everything["argv"]
    assert b"worker.started" in everything["logged"]
    for way in ways(CANARIES["own"]):
        assert told(b"x" + way + b"x", CANARIES) == ["own"]
