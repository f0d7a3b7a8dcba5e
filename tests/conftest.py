"""One PostgreSQL server a run, one database a worker, the app's role in tests.

The controller starts the server; each xdist worker copies the migrated template. Tests
connect as the application, whose rights they thereby test. Without xdist the server is
started by the first test that needs it.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase

from deployctl.launch import Addresses
from tests.support import ROOT
from tests.support.keys import keys
from tests.support.servers import (
    Server,
    empty_database,
    make_database,
    use_database,
)

__all__ = ["keys"]  # A fixture.
SERVER = pytest.StashKey[Server]()
#: The group of the serial tests in a folder; those elsewhere are the group "others".
GROUPS = {
    "processes": "workers",
    "live": "workers",
    "browser": "whole",
    "launch": "whole",
}


def pytest_configure(config: pytest.Config) -> None:
    """Settings that only tests want."""
    settings.SECRET_KEY = "tests sign with this, and nothing else does"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell an xdist worker where the server is; the controller starts it."""
    server = shared_server(node.config)  # type: ignore[attr-defined]
    node.workerinput["server"] = str(server.folder)  # type: ignore[attr-defined]
    node.workerinput["superuser_url"] = server.superuser_url  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave no server behind."""
    if SERVER in config.stash:
        config.stash[SERVER].remove()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Put serial tests into groups, each of which one worker runs in line.

    Those that start and kill workers are one group; those that run the whole product,
    as `manage.py up` does, are another; and so are those that run what it talks to:
    agents, SSH servers and load balancers. The groups begin first, one on each worker:
    a line of many minutes that begins late is one for which all others wait.
    """
    for item in items:
        if item.get_closest_marker("serial"):
            place = item.path.relative_to(ROOT / "tests").parts[0]
            group = GROUPS.get(place, "others")
            item.add_marker(pytest.mark.xdist_group(group))
    yield  # They are shuffled.
    items.sort(key=lambda item: item.get_closest_marker("serial") is None)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Let no collection of garbage look again at what lives until the end.

    Thousands of tests and all that they import are a tenth of the time of a run.
    """
    gc.collect()
    gc.freeze()


def shared_server(config: pytest.Config) -> Server:
    """The run's own server, started when first asked for."""
    if SERVER not in config.stash:
        config.stash[SERVER] = Server()
        config.stash[SERVER].start()
    return config.stash[SERVER]


@pytest.fixture(scope="session")
def server_folder(request: pytest.FixtureRequest) -> Path:
    """The shared server's folder: a DATA_DIR with a signing key in it."""
    given = getattr(request.config, "workerinput", None)
    return Path(given["server"]) if given else shared_server(request.config).folder


@pytest.fixture(scope="session")
def superuser_url(request: pytest.FixtureRequest) -> str:
    """The shared server's address for making and emptying databases."""
    given = getattr(request.config, "workerinput", None)
    if given:
        return str(given["superuser_url"])
    return shared_server(request.config).superuser_url


@pytest.fixture(scope="session")
def database(superuser_url: str) -> Addresses:
    """This worker's database, copied from the migrated template: its two addresses."""
    return make_database(superuser_url)


@pytest.fixture(scope="session")
def django_db_setup(database: Addresses, superuser_url: str) -> Iterator[None]:
    """Point Django at this worker's database, as the application's role."""
    name = use_database(database)

    def empty(case: TransactionTestCase) -> None:
        empty_database(superuser_url, name)

    # Django's own way, `flush` as the application, is refused, as it should be.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
        yield


@pytest.fixture
def numbers_from_one(superuser_url: str, transactional_db: None) -> None:
    """Number deployments as a document does: tests that roll back use numbers up."""
    empty_database(superuser_url, str(connection.settings_dict["NAME"]))


@pytest.fixture
def child_environment(database: Addresses, server_folder: Path) -> dict[str, str]:
    """The environment for a process of ours that works on this worker's database."""
    given = {"DATABASE_URL": database.app, "DATABASE_LISTEN_URL": database.app}
    return {**os.environ, **given, "DATA_DIR": str(server_folder)}


@pytest.fixture
def own_server() -> Iterator[Callable[..., Server]]:
    """Starts servers for tests that stop or kill PostgreSQL: own_server(forgetful=...).

    make_database(server.superuser_url) makes a database on one.
    """
    servers: list[Server] = []

    def start(*, forgetful: bool = True) -> Server:
        servers.append(Server(forgetful=forgetful))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.remove()
