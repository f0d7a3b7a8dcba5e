"""What is kept of an endless stream, how fast it is read, what is not sent again."""

from __future__ import annotations

import resource
import time

import asyncssh
import pytest

from deployctl.engine.reach import Reach
from deployctl.engine.ssh import Connections, Host, Lost
from deployctl.engine.ssh.sessions import FAST_BYTES, HEAD_BYTES, TAIL_BYTES, Kept
from tests.support.sshd import KEY, Sshd


def test_the_ends_of_an_endless_stream_are_kept() -> None:
    kept, before = Kept(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept.feed(b"first")
    for _ in range(2000):
        kept.feed(b"x" * 65_536)
    kept.feed(b"last\xff")
    text = kept.text()
    assert text.startswith("firstxxx")
    assert text.endswith("xxxlast\ufffd")
    assert "bytes cut" in text
    assert len(text) < HEAD_BYTES + TAIL_BYTES + 100
    assert not kept.whole
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@pytest.mark.asyncio
@pytest.mark.serial
async def test_who_writes_much_is_read_slowly(sshd: Sshd) -> None:
    connections, began = Connections(), time.monotonic()
    host = Host(sshd.user, "127.0.0.1", sshd.port, sshd.host_key, key=KEY)
    much = f"head -c {2 * FAST_BYTES} /dev/zero"
    ended = await connections.run(host, much, b"\n", reach=Reach(), seconds=30)
    assert ended.out.total == 2 * FAST_BYTES
    assert time.monotonic() - began > 1
    await connections.close()


@pytest.mark.asyncio
@pytest.mark.serial
async def test_a_request_that_was_cut_before_its_answer_is_not_sent_again() -> None:
    """Over a kept connection, too: the host may have begun."""
    ran: list[str] = []

    class Asked(asyncssh.SSHServerSession[bytes]):
        def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
            self.chan = chan

        def exec_requested(self, command: str) -> bool:
            ran.append(command)
            if command == "cut":
                self.chan.get_connection().abort()
            return True

        def session_started(self) -> None:
            self.chan.exit(0)

    class Server(asyncssh.SSHServer):
        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return True

        def session_requested(self) -> Asked:
            return Asked()

    key = asyncssh.generate_private_key("ssh-ed25519")
    listening = await asyncssh.create_server(
        Server, "127.0.0.1", 0, server_host_keys=[key]
    )
    line = key.export_public_key().decode().strip()
    port = listening.sockets[0].getsockname()[1]
    host, reach = Host("me", "127.0.0.1", port, line, password="p"), Reach({"p": "x"})
    connections = Connections()
    # It ends before it could take the line, which is an end like others.
    ended = await connections.run(host, "good", b"\n", reach=reach, seconds=5)
    assert ended.status == 0
    with pytest.raises(Lost) as lost:
        await connections.run(host, "cut", b"\n", reach=reach, seconds=5)
    assert lost.value.sent
    assert ran == ["good", "cut"]
    await connections.close()
    listening.close()
    await listening.wait_closed()
