"""Opens one SSH connection, to the host that has the pinned key and to nobody else.

Nothing of the machine that it runs on takes part: no configuration, list of known
hosts, agent, key file or variable; what is needed stands in `Host`. It never adds a
key to anything, and keeps no connection.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import asyncssh

from deployctl.engine import names
from deployctl.engine.reach import Reach
from deployctl.engine.ssh.hosts import (
    Host,
    algorithms_of_kinds,
    fingerprint,
    public_key,
    signatures,
)

#: A host that has not let us in by then never will.
OPEN_SECONDS = 20.0
#: A host that answers nothing for three of these is gone.
KEEPALIVE_SECONDS, KEEPALIVES = 15, 3
#: Exchanges that a quantum computer of later years does not undo; the second one
#: is there only where liboqs is installed.
_POST_QUANTUM = ("mlkem768x25519-sha256", "sntrup761x25519-sha512@openssh.com")
_EXCHANGES = (
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group14-sha256",
)


class Lost(Exception):
    """The command's end was not seen.

    Attributes:
        sent: whether the host had been asked to run it: it may have been.
        nobody: whether there was nobody to connect to.
    """

    def __init__(self, message: str, *, sent: bool, nobody: bool = False) -> None:
        self.sent, self.nobody = sent, nobody
        super().__init__(message)


class _Client(asyncssh.SSHClient):
    """Notes which key a host offers when it is not the pinned one."""

    def __init__(self) -> None:
        self.offered = ""

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Refuse: asyncssh asks only about keys that are not the pinned one."""
        self.offered = key.get_fingerprint("sha256")
        return False


async def opened(host: Host, secret: str, reach: Reach) -> asyncssh.SSHClientConnection:
    """Return a connection, signed in with the value of the host's secret.

    Raises:
        Lost: with why not; certainly nothing was sent.
    """
    client = _Client()
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            sock = await _connected(host.name, host.port, reach)
            try:
                return await asyncssh.connect(
                    host.name,
                    host.port,
                    sock=sock,
                    client_factory=lambda: client,
                    **_options(host, secret),
                )
            except BaseException:
                sock.close()
                raise
    except asyncssh.HostKeyNotVerifiable:
        raise Lost(_other_key(host, client.offered), sent=False) from None
    except (OSError, asyncssh.Error) as error:
        nobody = isinstance(error, ConnectionRefusedError)
        raise Lost(_why_not(host, error), sent=False, nobody=nobody) from None


async def offered_keys(name: str, port: int, reach: Reach) -> list[str]:
    """Return the lines of all host keys that a host has; nobody signs in.

    One of each kind, the one to be preferred first.

    Raises:
        Lost: it could not be asked, or has none that may be pinned.
    """
    asked = await asyncio.gather(
        *(_offered_key(name, port, reach, each) for each in algorithms_of_kinds())
    )
    found = [key for key in asked if isinstance(key, str)]
    if not found:
        raise Lost(f"{name}:{port} shows no host key: {asked[0]}", sent=False)
    return found


async def _offered_key(
    name: str, port: int, reach: Reach, algorithms: Sequence[str]
) -> str | Exception:
    """Return the key that a host has for these algorithms, or why it shows none."""
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            sock = await _connected(name, port, reach)
            try:
                key = await asyncssh.get_server_host_key(
                    name,
                    port,
                    sock=sock,
                    config=None,
                    kex_algs=list(_EXCHANGES),
                    server_host_key_algs=list(algorithms),
                )
            finally:
                sock.close()
    except TimeoutError:
        return TimeoutError("no answer in time")
    except (OSError, asyncssh.Error) as error:
        return error
    if key is None:
        return LookupError("it has none of this kind")
    return key.export_public_key("openssh").decode("ascii").strip()


async def _connected(name: str, port: int, reach: Reach) -> socket.socket:
    """Connect to the first address that answers; each is checked before."""
    loop = asyncio.get_running_loop()
    found = await names.places(name, port)
    failed: OSError = OSError(f"{name} has no address")
    for family, kind, protocol, _, place in found:
        reach.check(str(place[0]))
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            await loop.sock_connect(sock, place)
        except OSError as error:
            sock.close()
            failed = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failed


def _options(host: Host, secret: str) -> dict[str, Any]:
    pinned = public_key(host.host_key)
    return {
        "username": host.user,
        "known_hosts": ([pinned], [], []),
        "server_host_key_algs": signatures(pinned),
        "kex_algs": _exchanges(host),
        "compression_algs": None,
        "keepalive_interval": KEEPALIVE_SECONDS,
        "keepalive_count_max": KEEPALIVES,
        "login_timeout": OPEN_SECONDS,
        # A host that lets in without asking is not the one that was enrolled.
        "disable_trivial_auth": True,
        "config": None,
        "agent_path": None,
        "agent_forwarding": False,
        "x11_forwarding": False,
        "x509_trusted_certs": None,
        "x509_trusted_cert_paths": None,
        "gss_host": None,
        **_proof(host, secret),
    }


def _proof(host: Host, secret: str) -> dict[str, Any]:
    """Return what we sign in with: one key, or one password, and nothing else."""
    if host.password:
        return {
            "password": secret,
            "client_keys": None,
            "preferred_auth": "password",
        }
    try:
        key = asyncssh.import_private_key(secret + "\n")
    except Exception:
        # A broken key has many ways to be one, and asyncssh as many errors for them.
        text = f"the secret {host.key} is not a private key without a passphrase"
        raise Lost(text, sent=False) from None
    return {"client_keys": [key], "preferred_auth": "publickey"}


def _exchanges(host: Host) -> list[str]:
    """Return what may be agreed on; who wants post-quantum gets nothing less."""
    if not host.post_quantum:
        return list(_EXCHANGES)
    here = {name.decode("ascii") for name in asyncssh.kex.get_kex_algs()}
    return [name for name in _POST_QUANTUM if name in here]


def _other_key(host: Host, offered: str) -> str:
    return (
        f"the host key of {host.name}:{host.port} is not the pinned one: expected"
        f" {fingerprint(host.host_key)}, offered {offered}. Nothing was sent. If the"
        " host was set up anew, enrol it again with --replace; if not, somebody else"
        " may be answering in its place."
    )


def _why_not(host: Host, error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"{host.name}:{host.port} gave no answer in time"
    if isinstance(error, asyncssh.PermissionDenied):
        what = f"password {host.password}" if host.password else f"key {host.key}"
        return f"{host.name}:{host.port} did not let in {host.user} with the {what}"
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return (
            f"{host.name}:{host.port} and this worker have no way in common to agree on"
            f" keys. Nothing was sent. {error}"
        )
    said = str(error) or type(error).__name__
    return f"{host.name}:{host.port} could not be reached: {said}"
