"""Reads the environment into values of the right type; refuses to ask what for."""

from __future__ import annotations

import os
from typing import Any

from psycopg.conninfo import conninfo_to_dict

# A half-open connection is silent, not broken: without these a cut-off database is
# noticed after hours. libpq ignores them on a unix socket.
KEEPALIVES: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


def text(name: str, default: str = "") -> str:
    """The variable, or the default when it is unset or empty."""
    return os.environ.get(name) or default


def flag(name: str, *, default: bool = False) -> bool:
    """True for 1, true, yes, on; False for anything else that is set."""
    value = text(name)
    return value.lower() in {"1", "true", "yes", "on"} if value else default


def words(name: str, default: str) -> list[str]:
    """A comma-separated list, without blanks."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def origins(hosts: list[str]) -> list[str]:
    """The https origins of allowed hosts, as Django wants them said.

    A host that begins with a dot stands for a domain and all below it. `*` allows any
    name to be asked for, but makes no page of any other site one of ours.
    """
    named = [host for host in hosts if host != "*"]
    return [f"https://*{h}" if h.startswith(".") else f"https://{h}" for h in named]


def number(name: str, default: float) -> float:
    """A number; ValueError that names the variable when it is not one."""
    value = text(name)
    try:
        return float(value) if value else default
    except ValueError:
        raise ValueError(f"{name} must be a number, not {value!r}") from None


def database(url: str) -> dict[str, Any]:
    """One entry of DATABASES, from a PostgreSQL address or connection string.

    Raises psycopg.ProgrammingError when the text is neither.
    """
    parts = dict(conninfo_to_dict(url))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", "") or "",
        "USER": parts.pop("user", "") or "",
        "PASSWORD": parts.pop("password", "") or "",
        "HOST": parts.pop("host", "") or "",
        "PORT": str(parts.pop("port", "") or ""),
        "OPTIONS": {**KEEPALIVES, "application_name": "deployctl", **parts},
    }


def bounded(options: dict[str, Any], *, lock_seconds: float) -> dict[str, Any]:
    """Connection options under which no statement and no wait for a lock is endless.

    A statement gets 15 s and a transaction that does nothing 30 s: a process that was
    stopped in the middle must not hold a deployment's lock for long.
    """
    bounds = (
        f"-c lock_timeout={round(lock_seconds * 1000)}"
        " -c statement_timeout=15000 -c idle_in_transaction_session_timeout=30000"
    )
    return {**options, "options": f"{options.get('options', '')} {bounds}".strip()}
