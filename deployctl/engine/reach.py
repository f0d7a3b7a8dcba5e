"""Which addresses and secrets a driver may use; it makes no request itself.

Private networks are where targets live, so they are not refused. What never is a
target is: the metadata services of clouds (link-local), multicast, and no address.
Every address that a name resolves to is checked, and the checked one is connected to.
"""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

#: The name of a secret; its value is never in the database, a plan or a log.
SECRET_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

# Amazon's metadata service has this one beside its link-local address.
_METADATA = frozenset({ipaddress.ip_address("fd00:ec2::254")})


class Refused(OSError):
    """An address that no target may have. An OSError, as for one that is not there."""


def check_ip(text: str) -> None:
    """Raise `Refused` when an address is one that is never a target's."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address in _METADATA
    ):
        raise Refused(f"{text} is never a target")


def url_problem(text: object, *, path: bool) -> str:
    """Return what is wrong with an http URL, or an empty text.

    Args:
        path: whether a path and query may follow the host.
    """
    if not isinstance(text, str) or not text:
        return "is needed: http://host:port"
    if len(text) > 500 or not text.isascii() or re.search(r"[\x00-\x20\\]", text):
        return "must be a plain http:// or https:// address"
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError as error:
        return f"is not an address: {error}"
    if url.scheme not in ("http", "https") or not host:
        return "must begin with http:// or https://, then a host"
    if "@" in url.netloc:
        return "must hold no user name or password; a token is named in the settings"
    if url.fragment or (not path and (url.path not in ("", "/") or url.query)):
        return "must end after the host and port"
    return _literal_problem(host)


def _literal_problem(host: str) -> str:
    # A literal address is connected to without asking the resolver.
    try:
        check_ip(host)
    except Refused as error:
        return str(error)
    except ValueError:
        return ""  # A name: its addresses are checked when it is resolved.
    return ""


def secret(name: str) -> str | None:
    """Return a secret by name from this process's surroundings, or None.

    It is the file of that name in `DEPLOYCTL_SECRETS_DIR`, else the variable
    `DEPLOYCTL_SECRET_<NAME>` in capitals with underscores.
    """
    if not SECRET_NAME.fullmatch(name):
        return None
    directory = os.environ.get("DEPLOYCTL_SECRETS_DIR")
    if directory:
        try:
            return (Path(directory) / name).read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            pass  # It may still be in the environment.
    variable = "DEPLOYCTL_SECRET_" + name.upper().replace("-", "_")
    return os.environ.get(variable, "").strip() or None


def secret_name_problem(name: Any) -> str:
    """Return what is wrong with the name of a secret, or an empty text."""
    if isinstance(name, str) and SECRET_NAME.fullmatch(name):
        return ""
    return "must be the name of a secret: small letters, digits, - and _"
