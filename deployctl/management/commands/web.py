"""`manage.py web`: becomes the ASGI server; holds its options and no pages."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from deployctl import environment
from deployctl.launch import LaunchError
from deployctl.launch.ports import read_port, refuse_foreign
from deployctl.live.pace import Pace
from deployctl.management.base import OurCommand


class Command(OurCommand):
    """Serve pages and sockets. Any number of these share one PostgreSQL."""

    help = "Serve pages and sockets on HOST and PORT (127.0.0.1 and 8000)."

    def add_arguments(self, parser: CommandParser) -> None:
        """HOST and PORT, from the command line or the environment."""
        parser.add_argument("--host", default=environment.text("HOST", "127.0.0.1"))
        parser.add_argument("--port", default=environment.text("PORT", "8000"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Become daphne: one process fewer to supervise, and signals go to it."""
        if not settings.SECRET_KEY_FILE.is_file():
            raise CommandError(
                f"No signing key in {settings.SECRET_KEY_FILE}. `manage.py up` makes"
                " one; elsewhere set SECRET_KEY_FILE to a file with at least 50 random"
                " characters, the same for every web process."
            )
        Pace()  # What is wrong with it is said here, not by the server in its log.
        host, port = options["host"], options["port"]
        try:
            refuse_foreign(host)
            read_port(port)
        except LaunchError as error:
            raise CommandError(str(error)) from None
        # Many request threads share few connections.
        os.environ.setdefault("DATABASE_POOL", "10")
        os.environ["PYTHONPATH"] = os.pathsep.join(
            [str(settings.BASE_DIR), *environment.text("PYTHONPATH").split(os.pathsep)]
        ).rstrip(os.pathsep)
        argv = [sys.executable, "-m", "daphne", "--verbosity", "0"]
        argv += ["--bind", host, "--port", port]
        # Whoever sends this header says where a request came from: only a proxy that
        # always sets it may be between people and here.
        if header := environment.text("PROXY_HEADER"):
            argv += ["--proxy-headers", "--proxy-headers-host", header]
        argv += ["--no-server-name", "deployctl.asgi:application"]
        os.execv(argv[0], argv)
