"""Which TCP port is free; listens on none."""

from __future__ import annotations

import socket

from deployctl.launch.errors import LaunchError

FIRST_PORT = 8000
TRIES = 50


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a port that only has closing connections counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose_port(host: str, wanted: str) -> int:
    """The port that was asked for, or the first free one from 8000 on.

    Raises LaunchError when the one asked for is taken, or is no port, and when the host
    is not this machine.
    """
    refuse_foreign(host)
    if not wanted:
        tried = range(FIRST_PORT, FIRST_PORT + TRIES)
        found = next((port for port in tried if is_free(host, port)), None)
        if found is None:
            raise LaunchError(f"No free port from {FIRST_PORT} on. Set PORT.")
        return found
    port = read_port(wanted)
    if not is_free(host, port):
        raise LaunchError(
            f"PORT {wanted} on {host} is taken, or not allowed. Set PORT to another, or"
            " leave it out to get a free one."
        )
    return port


def read_port(text: str) -> int:
    """A port as it is typed; LaunchError when it is none."""
    digits = text.isascii() and text.isdigit() and len(text) < 6
    if not digits or not 0 < int(text) < 65536:
        raise LaunchError(f"PORT must be a number from 1 to 65535, not {text[:40]!r}.")
    return int(text)


def refuse_foreign(host: str) -> None:
    """LaunchError when no server of this machine could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, 0))
        except (OSError, ValueError):
            raise LaunchError(
                "HOST must be an address of this machine, as 127.0.0.1, or 0.0.0.0 for"
                f" all of them, not {host[:80]!r}."
            ) from None
