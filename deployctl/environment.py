"""Reads the environment into values of the right type; refuses to ask what for."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from psycopg import ProgrammingError
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


_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_DAY_SECONDS = 86_400


class Wrong(ValueError):
    """A variable is set to what it cannot be; a sentence that says what would do."""


def text(name: str, default: str = "") -> str:
    """The variable, or the default when it is unset or empty."""
    return os.environ.get(name) or default


def flag(name: str, *, default: bool = False) -> bool:
    """True for 1, true, yes, on; False for 0, false, no, off.

    Raises:
        Wrong: it is neither. What is mistyped must not switch off a protection.
    """
    value = text(name).lower()
    if value not in (*_YES, *_NO, ""):
        raise Wrong(f"{name} must be yes or no, not {value[:40]!r}.")
    return value in _YES if value else default


def chosen(name: str, default: str, among: Collection[str]) -> str:
    """One of a few words.

    Raises:
        Wrong: it is none of them.
    """
    value = text(name, default)
    if value not in among:
        raise Wrong(f"{name} must be one of {', '.join(among)}, not {value[:40]!r}.")
    return value


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


def seconds(name: str, default: float) -> float:
    """A duration: more than nothing, and a day at most.

    Raises:
        Wrong: it is none.
    """
    value = text(name, str(default))
    found = float(value) if _NUMBER.fullmatch(value) else math.nan
    if not 0 < found <= _DAY_SECONDS:
        raise Wrong(
            f"{name} must be a number of seconds above 0, {_DAY_SECONDS:,} at most, not"
            f" {value[:40]!r}."
        )
    return found


def count(name: str, default: int, *, least: int = 1, most: int = 100_000) -> int:
    """A whole number.

    Raises:
        Wrong: it is none, or out of bounds.
    """
    value = text(name, str(default))
    found = int(value) if _NUMBER.fullmatch(value) and "." not in value else -1
    if not least <= found <= most:
        raise Wrong(
            f"{name} must be a whole number from {least} to {most:,}, not"
            f" {value[:40]!r}."
        )
    return found


def address(name: str) -> str:
    """An address of pages, as https://deploy.example.com; "" when it is unset.

    Raises:
        Wrong: it is none.
    """
    value = text(name).rstrip("/")
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if value and not (good and value.isascii() and value.isprintable()):
        raise Wrong(
            f"{name} must be as https://deploy.example.com, not {value[:40]!r}."
        )
    return value


def content(name: str, path: Path) -> str:
    """What is in the file that a variable names; "" when there is none yet.

    Raises:
        Wrong: it is there and cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "It is no text"
        raise Wrong(f"{name} {path} cannot be read: {reason}.") from None


def noted(path: Path) -> str:
    """What another process of ours has noted; "" when it is not there or not for us."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def connection(name: str, default: str = "") -> str:
    """A PostgreSQL address or connection string.

    Raises:
        Wrong: it is neither. What is said of it holds nothing of it: it may be secret.
    """
    value = text(name, default)
    try:
        conninfo_to_dict(value)
    except ProgrammingError:
        raise Wrong(
            f"{name} must be a PostgreSQL address, as postgresql://user@host:5432/name,"
            " or a connection string. What it is set to is not shown here."
        ) from None
    return value


def database(url: str) -> dict[str, Any]:
    """One entry of DATABASES, from a PostgreSQL address or connection string."""
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


def of_worker(options: dict[str, Any], *, lock_seconds: float) -> dict[str, Any]:
    """Connection options under which nothing is endless, and what is named is found.

    A statement gets 15 s and a transaction that does nothing 30 s: a process that was
    stopped in the middle must not hold a deployment's lock for long. Rows are named by
    their ids, and PostgreSQL is told that to find some costs hardly more than to read
    on: while it has no statistics of a new fleet it reads all of it otherwise.
    """
    said = (
        f"-c lock_timeout={round(lock_seconds * 1000)}"
        " -c statement_timeout=15000 -c idle_in_transaction_session_timeout=30000"
        " -c random_page_cost=1.1"
    )
    return {**options, "options": f"{options.get('options', '')} {said}".strip()}
