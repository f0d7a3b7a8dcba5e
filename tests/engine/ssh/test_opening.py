"""Opening against servers that are silent, babble, are weak, or want something else."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncssh
import pytest

from deployctl.engine.reach import Reach
from deployctl.engine.ssh import Host, Lost, fingerprint, offered_keys, opening
from tests.support.sshd import KEY, KEY_VARIABLE, Sshd

pytestmark = [pytest.mark.asyncio, pytest.mark.serial]

PASSWORD = "S3cret-of-the-test"


class Server(asyncssh.SSHServer):
    """Lets in with the password, or whoever comes."""

    def __init__(self, *, anybody: bool = False) -> None:
        self.anybody = anybody

    def begin_auth(self, username: str) -> bool:
        return not self.anybody

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return password == PASSWORD


@contextlib.asynccontextmanager
async def server(anybody: bool = False, **options: Any) -> AsyncIterator[Host]:
    """A server of the client's own kind, for what Debian's cannot or will not do."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    listening = await asyncssh.create_server(
        lambda: Server(anybody=anybody),
        "127.0.0.1",
        0,
        server_host_keys=[key],
        **options,
    )
    line = key.export_public_key().decode().strip()
    try:
        port = listening.sockets[0].getsockname()[1]
        yield Host("me", "127.0.0.1", port, line, password="ssh-password")
    finally:
        listening.close()
        await listening.wait_closed()


async def opened(host: Host, password: str = PASSWORD) -> asyncssh.SSHClientConnection:
    """Open with the password, or with the key of the surroundings."""
    key = Reach().secret(KEY) or ""
    return await opening.opened(host, password if host.password else key, Reach())


async def test_a_password_of_the_secret_store() -> None:
    async with server() as host:
        connection = await opened(host)
        connection.close()
        await connection.wait_closed()


async def test_a_wrong_password_is_refused_and_never_told() -> None:
    async with server() as host:
        with pytest.raises(Lost, match="password ssh-password") as lost:
            await opened(host, "other-S3cret")
    assert "S3cret" not in str(lost.value)


async def test_a_host_that_lets_in_anybody_is_not_trusted() -> None:
    async with server(anybody=True) as host:
        with pytest.raises(Lost):
            await opened(host)


async def test_a_key_that_is_broken_inside_is_said() -> None:
    """asyncssh reads it, and only then finds that its numbers do not fit together."""
    der = bytearray(
        asyncssh.generate_private_key("ssh-rsa").export_private_key("pkcs1-der")
    )
    der[40] ^= 1
    body = base64.b64encode(der).decode()
    broken = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"
    async with server() as host:
        with pytest.raises(Lost, match="the secret mine is not a private key"):
            await opening.opened(
                replace(host, key="mine", password=""), broken, Reach()
            )


async def test_a_password_is_not_sent_to_another_host() -> None:
    seen: list[str] = []

    class Curious(Server):
        def validate_password(self, username: str, password: str) -> bool:
            seen.append(password)
            return True

    key = asyncssh.generate_private_key("ssh-ed25519")
    other = asyncssh.generate_private_key("ssh-ed25519")
    listening = await asyncssh.create_server(
        Curious, "127.0.0.1", 0, server_host_keys=[key]
    )
    port = listening.sockets[0].getsockname()[1]
    pinned = other.export_public_key().decode().strip()
    with pytest.raises(Lost, match="is not the pinned one") as lost:
        await opened(Host("me", "127.0.0.1", port, pinned, password="ssh-password"))
    assert fingerprint(key.export_public_key().decode()) in str(lost.value)
    assert seen == []
    listening.close()
    await listening.wait_closed()


async def test_another_kind_of_key_than_the_pinned_one(sshd: Sshd) -> None:
    other = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    line = other.export_public_key().decode().strip()
    with pytest.raises(Lost, match="is not the pinned one") as lost:
        await opened(Host(sshd.user, "127.0.0.1", sshd.port, line, key=KEY))
    assert fingerprint(line) in str(lost.value)
    assert fingerprint(sshd.host_key) in str(lost.value)


async def test_curve25519_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    telling = Sshd(config="LogLevel DEBUG1\n").start()
    monkeypatch.setenv(KEY_VARIABLE, telling.key)
    host = Host(telling.user, "127.0.0.1", telling.port, telling.host_key, key=KEY)
    try:
        connection = await opened(host)
        connection.close()
        await connection.wait_closed()
        assert "kex: algorithm: curve25519-sha256" in telling.said()
    finally:
        telling.remove()


async def test_post_quantum_is_had_or_refused() -> None:
    async with server(kex_algs=["mlkem768x25519-sha256", "curve25519-sha256"]) as host:
        connection = await opened(replace(host, post_quantum=True))
        connection.close()
        await connection.wait_closed()
    async with server(kex_algs=["curve25519-sha256"]) as host:
        with pytest.raises(Lost, match="no way in common"):
            await opened(replace(host, post_quantum=True))


@pytest.mark.parametrize(
    "sends", [b"", b"\0" * 300, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"x" * 100_000]
)
async def test_what_does_not_speak_ssh(
    monkeypatch: pytest.MonkeyPatch, sshd: Sshd, sends: bytes
) -> None:
    """Silence ends with the time to open; babble at once or then."""
    monkeypatch.setattr(opening, "OPEN_SECONDS", 0.5)

    async def babble(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(sends)
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        host = Host("me", "127.0.0.1", port, sshd.host_key, key=KEY)
        with pytest.raises(Lost) as lost:
            await asyncio.wait_for(opened(host), 3)
        assert not lost.value.sent
        with pytest.raises(Lost):
            await asyncio.wait_for(offered_keys("127.0.0.1", port, Reach()), 5)


async def test_a_metadata_service_is_never_asked() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with pytest.raises(Lost, match="never a target"):
        await opened(Host("me", "169.254.169.254", 22, key.strip(), key=KEY))


async def test_the_keys_of_a_host_are_read_without_signing_in(sshd: Sshd) -> None:
    assert await offered_keys("127.0.0.1", sshd.port, Reach()) == [sshd.host_key]
