"""Which addresses and secrets a driver may use; it makes no request, asks no database.

Private networks are where targets live, so they are not refused, unless the environment
lists the networks that may be used. What never is a target is: the metadata services of
clouds (link-local), multicast, and no address. Every address that a name resolves to is
checked, and the checked one is connected to.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deployctl.engine import masking
from deployctl.networks import Network
from deployctl.services.secrets import NAME

# No program that a worker starts is given these, whatever its settings say.
_OWN = ("DEPLOYCTL_", "DATABASE_", "SECRET_KEY", "PG")

# Metadata services that are not link-local, as their clouds document them.
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        (
            *("fd00:ec2::254", "fd00:ec2::23"),  # Amazon, and its pods' identities
            "168.63.129.16",  # Azure
            "fd20:ce::254",  # Google
            "100.100.100.200",  # Alibaba
            *("192.0.0.192", "fd00:c1::a9fe:a9fe"),  # Oracle
            "fd00:42::42",  # Scaleway
        ),
    )
)
# Addresses of IPv6 whose last four bytes are one of IPv4, to which a network leads
# them: compatible and translated ones, NAT64 (RFC 6052), and its local kind (RFC 8215).
_CARRIERS = tuple(
    map(
        ipaddress.IPv6Network,
        ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"),
    )
)
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(OSError):
    """An address that no target may have. An OSError, as for one that is not there."""


def check_ip(text: str) -> None:
    """Raise `Refused` when an address is one that is never a target's."""
    address = _address(text)
    if any(map(_is_never, (address, *_carried(address)))):
        raise Refused(f"{text} is never a target")


def _is_never(address: _Address) -> bool:
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address in _METADATA
    )


def _address(text: str) -> _Address:
    address = ipaddress.ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _carried(address: _Address) -> list[ipaddress.IPv4Address]:
    """Return the addresses of IPv4 to which this one of IPv6 may be led."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.sixtofour, (address.teredo or (None, None))[1]]
    if any(address in each for each in _CARRIERS):
        found.append(ipaddress.IPv4Address(address.packed[-4:]))
    return [each for each in found if each is not None]


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


@dataclass
class Rights:
    """What targets and routers of one environment may use; its maker keeps it fresh.

    Attributes:
        secrets: by name, the environment's own before those of all; None for one that
            is set, and does not open here.
        allowed: the networks that may be connected to; None for all that may at all.
    """

    secrets: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    allowed: Collection[Network] | None = None


class Reach:
    """What one target or router may use, and what it was told.

    It is asked anew each time, since its environment's rights may have changed. What
    others were told is not looked for in what this one says: a fleet may have a secret
    for each of its targets.
    """

    def __init__(
        self,
        secrets: Mapping[str, str | None] | None = None,
        allowed: Collection[Network] | None = None,
    ) -> None:
        self._rights = Rights(secrets or {}, allowed)
        self._told: set[str] = set()

    @classmethod
    def having(cls, rights: Rights) -> Reach:
        """Return a new one that follows these rights."""
        made = cls.__new__(cls)
        made._rights, made._told = rights, set()
        return made

    def __repr__(self) -> str:
        return f"Reach({sorted(self._rights.secrets)})"  # Names only.

    def check(self, text: str) -> None:
        """Raise `Refused` when this address may not be connected to."""
        check_ip(text)
        address, allowed = _address(text), self._rights.allowed
        if allowed is not None and not any(address in network for network in allowed):
            raise Refused(
                f"{text} is in no network that this environment allows. Nothing was"
                " sent."
            )

    def masked(self, text: str) -> str:
        """Return a text without the secrets that were told: a target may say them."""
        return masking.masked(text, self._told) if text and self._told else text

    def secret(self, name: str) -> str | None:
        """Return a secret by name, or None.

        What was set for the environment comes first, then what was set for all, and
        last what this worker's surroundings have (`of_surroundings`): what people see
        to be set is what is used. One that does not open is not replaced.
        """
        secrets = self._rights.secrets
        value = secrets[name] if name in secrets else of_surroundings(name)
        if value:
            self._told.add(value)
        return value


def of_surroundings(name: str) -> str | None:
    """Return a secret that this process was started with, for every environment.

    It is the file of that name in `DEPLOYCTL_SECRETS_DIR`, else the variable
    `DEPLOYCTL_SECRET_<NAME>` in capitals with underscores. A file that is there and
    cannot be read is not replaced, as in `Reach.secret`.
    """
    if not NAME.fullmatch(name):
        return None
    directory = os.environ.get("DEPLOYCTL_SECRETS_DIR")
    if directory:
        try:
            return (Path(directory) / name).read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            pass  # It may still be in the environment.
        except (OSError, ValueError):
            return None
    variable = "DEPLOYCTL_SECRET_" + name.upper().replace("-", "_")
    return os.environ.get(variable, "").strip() or None


def is_own(variable: str) -> bool:
    """Whether a variable is the worker's own: a key, a secret, the database's."""
    return variable.startswith(_OWN)


def no_secret(name: str) -> str:
    """Say that a secret is not there, or does not open."""
    return f"this worker has no secret named {name}"


def secret_name_problem(name: Any) -> str:
    """Return what is wrong with the name of a secret, or an empty text."""
    if isinstance(name, str) and NAME.fullmatch(name):
        return ""
    return "must be the name of a secret: small letters, digits, - and _"
