"""What a host that is reached by SSH is: address, pinned key, the secrets' names.

It reads texts and opens no connection; a secret's value never stands here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

import asyncssh

from deployctl.engine import reach

#: What settings say of a host besides its address.
HOST_SETTINGS = frozenset({"host_key", "key", "password", "post_quantum"})
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,63}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}|[0-9A-Fa-f:.]{2,45}")
#: Kinds of host keys that may be pinned, as their lines begin.
_KINDS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
_MOST_LINE_CHARS = 4096


@dataclass(frozen=True, slots=True)
class Host:
    """Where to sign in and how; equal ones share a kept connection.

    Attributes:
        host_key: the line of the pinned public key.
        key, password: names of secrets; one of them is empty.
        post_quantum: whether the keys of a connection must be agreed on by such means.
    """

    user: str
    name: str
    port: int
    host_key: str
    key: str = ""
    password: str = ""
    post_quantum: bool = False

    def __str__(self) -> str:
        return f"{self.user}@{self.name}:{self.port}"


def address_problem(text: str) -> str:
    """Return what is wrong with an address, or an empty text."""
    try:
        parts(text)
    except ValueError as error:
        return str(error)
    return ""


@lru_cache(maxsize=32_768)
def parts(address: str) -> tuple[str, str, int]:
    """Return user, host and port (22 unless said) of `ssh://user@host[:port]`.

    Raises:
        ValueError: with what is wrong, to be read after "the address".
    """
    wanted = "must be ssh://user@host or ssh://user@host:port, and no more"
    if len(address) > 500 or not address.isascii() or re.search(r"[\0- \\]", address):
        raise ValueError(wanted)
    try:
        url = urlsplit(address)
        user, name, port = url.username, url.hostname, url.port
    except ValueError as error:
        raise ValueError(f"is not an address: {error}") from None
    if url.scheme != "ssh" or url.path or url.query or url.fragment or not name:
        raise ValueError(wanted)
    if url.password is not None:
        raise ValueError("must hold no password; it is named in the settings")
    if not user or not _USER.fullmatch(user) or not _NAME.fullmatch(name):
        raise ValueError(wanted)
    _refuse_literal(name)
    return user, name, 22 if port is None else port


def _refuse_literal(name: str) -> None:
    try:
        reach.check_ip(name)
    except reach.Refused as error:
        raise ValueError(str(error)) from None
    except ValueError:
        return  # A name: its addresses are checked as they are connected to.


def host_key_problem(line: object) -> str:
    """Return what is wrong with the line of a pinned host key, or an empty text."""
    if not isinstance(line, str):
        return "must be the line of a public key"
    try:
        public_key(line)
    except ValueError as error:
        return str(error)
    return ""


@lru_cache(maxsize=32_768)
def public_key(line: str) -> asyncssh.SSHKey:
    """Return the key in a line such as `ssh-ed25519 AAAA..`.

    Raises:
        ValueError: with what is wrong.
    """
    if line.partition(" ")[0] not in _KINDS or len(line) > _MOST_LINE_CHARS:
        raise ValueError(f"must be one public key, of {', '.join(_KINDS)}")
    try:
        return asyncssh.import_public_key(line)
    except (asyncssh.KeyImportError, ValueError):
        raise ValueError("is not the line of a public key") from None


def signatures(key: asyncssh.SSHKey) -> list[str]:
    """Return the names under which a host may prove a key, this one's kind first.

    The others are there to be refused: else a host that has none of this kind would
    hang up, and nobody could say which key it has.
    """
    own = key.get_algorithm()
    kinds = [own, *(kind for kind in _KINDS if kind != own)]
    return [name for kind in kinds for name in _SIGNATURES.get(kind, (kind,))]


def algorithms_of_kinds() -> list[tuple[str, ...]]:
    """Return the names under which each kind of key may be proved, preferred first."""
    return [_SIGNATURES.get(kind, (kind,)) for kind in _KINDS]


def fingerprint(line: str) -> str:
    """Return `SHA256:..` of the key in a line; ValueError as `public_key`."""
    return public_key(line).get_fingerprint("sha256")


def host_problems(address: str, settings: Mapping[str, object]) -> dict[str, str]:
    """Return what is wrong with an address and `HOST_SETTINGS`, by name; {} if nothing.

    A missing `host_key` is no problem: it is pinned when the host is enrolled.
    """
    found = {"address": address_problem(address)}
    for name in settings.keys() & {"key", "password"}:
        found[name] = reach.secret_name_problem(settings[name])
    if ("key" in settings) == ("password" in settings):
        found["key"] = "is needed, or password: one of them, not both"
    if "host_key" in settings:
        found["host_key"] = host_key_problem(settings["host_key"])
    if not isinstance(settings.get("post_quantum", False), bool):
        found["post_quantum"] = "must be true or false"
    return {name: problem for name, problem in found.items() if problem}


def host_in(address: str, settings: Mapping[str, object]) -> Host:
    """Return the host of an address and settings that have no problems."""
    user, name, port = parts(address)
    return Host(
        user=user,
        name=name,
        port=port,
        host_key=str(settings["host_key"]),
        key=str(settings.get("key", "")),
        password=str(settings.get("password", "")),
        post_quantum=settings.get("post_quantum") is True,
    )
