"""`manage.py up`: the whole product on one machine, in one terminal; holds the list."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from deployctl import environment
from deployctl.launch import (
    Addresses,
    Child,
    LaunchError,
    Places,
    Postgres,
    Supervisor,
    prepare_database,
)
from deployctl.launch.ports import choose_port
from deployctl.launch.signals import signals
from deployctl.management.base import OurCommand

# What runs before anything is served, in order; only the first is given the owner.
PREPARE = (("migrate", "--verbosity=0"), ("make_admin",))
PREPARE_DEMO: tuple[tuple[str, ...], ...] = (("demo",),)
# What is kept running. Demo agents come first: a worker's first probes find them.
DEMO_CHILDREN: tuple[tuple[str, ...], ...] = (("demo_agents",),)
WEB = ("web",)
WORKER = ("worker",)


class Command(OurCommand):
    """Supervise PostgreSQL, web, workers and the demo's agents."""

    help = (
        "Start everything on this machine. Environment: PORT, HOST, DATABASE_URL,"
        " DATA_DIR, DEMO=0, WORKERS."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGINT or SIGTERM; leave no process behind."""
        try:
            with signals() as caught:
                supervisor = Supervisor(caught, {}, self.say)
                try:
                    self.supervise(supervisor)
                finally:
                    supervisor.stop()
        except (LaunchError, environment.Wrong) as error:
            raise CommandError(str(error)) from None
        self.say("Stopped; nothing is left running.")

    def supervise(self, supervisor: Supervisor) -> None:
        """Prepare, start, announce, keep running."""
        places = Places(settings.DATA_DIR)
        places.make()
        places.lock()
        places.make_keys()
        host = environment.text("HOST", "127.0.0.1")
        port = choose_port(host, environment.text("PORT"))
        addresses = self.find_database(supervisor, places)
        base = {
            **os.environ,
            "DATA_DIR": str(places.data),
            "DATABASE_URL": addresses.app,
        }
        base.pop("DATABASE_OWNER_URL", None)
        base.setdefault("DEPLOYCTL_SECRETS_DIR", str(places.data / "secrets"))
        supervisor.environment = {**base, "HOST": host, "PORT": str(port)}
        demo = environment.flag("DEMO", default=True)
        for step, command in enumerate((*PREPARE, *(PREPARE_DEMO if demo else ()))):
            owner = {"DATABASE_OWNER_URL": addresses.owner} if step == 0 else {}
            supervisor.run_once(manage(command), {**supervisor.environment, **owner})
        supervisor.keep(children(demo=demo, workers=worker_count()))
        announcement = Announcement(host, port, places.url, self.say)
        try:
            supervisor.run(announcement)
        finally:
            places.url.unlink(missing_ok=True)

    def find_database(self, supervisor: Supervisor, places: Places) -> Addresses:
        """The database that was given, or an embedded one, which is started."""
        if settings.DATABASE_URL:
            return Addresses(settings.DATABASE_URL, settings.DATABASE_OWNER_URL)
        postgres = Postgres(places)
        self.say(f"Starting PostgreSQL on {places.cluster} ...")
        postgres.start()
        supervisor.postgres = postgres
        return prepare_database(postgres.superuser_url)

    def say(self, text: str) -> None:
        """Tell the person at the terminal, at once."""
        self.stdout.write(text)
        self.stdout.flush()


class Announcement:
    """Says once, when the server answers, where it is and how to sign in.

    It is written into `file` too, so that commands in other terminals can say it.
    """

    def __init__(self, host: str, port: int, file: Path, say: Any) -> None:
        self.host, self.port, self.file, self.say = host, port, file, say
        self.said = False

    def __call__(self) -> None:
        """Look whether the server takes connections; speak the first time."""
        if self.said:
            return
        try:
            socket.create_connection((self.host, self.port), timeout=0.5).close()
        except OSError:
            return
        self.said = True
        name = f"[{self.host}]" if ":" in self.host else self.host
        url = f"http://{name}:{self.port}/"
        self.file.write_text(url)
        self.say(
            f"deployctl is at {url}\n"
            "Sign in as admin; its password was printed at the first start, and\n"
            f"`{sys.executable} {manage_py()} changepassword admin` sets another.\n"
            "Ctrl-C stops everything."
        )


def manage_py() -> Path:
    """This project's manage.py."""
    return Path(settings.BASE_DIR) / "manage.py"


def manage(command: Sequence[str]) -> list[str]:
    """The argv of one of our commands."""
    return [sys.executable, str(manage_py()), *command]


def children(*, demo: bool, workers: int) -> list[Child]:
    """All processes that are kept running, in the order of their start."""
    demos = [Child(argv[0], manage(argv)) for argv in DEMO_CHILDREN] if demo else []
    names = [f"worker {number}" for number in range(1, workers + 1)]
    return [
        *demos,
        *(Child(name, manage(WORKER)) for name in names),
        Child("web", manage(WEB)),
    ]


def worker_count() -> int:
    """WORKERS, 2 when unset."""
    return environment.count("WORKERS", 2, least=0, most=64)
