"""A WebSocket client of a few lines, which can misbehave; knows nothing of ours."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from typing import Any

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


class Refused(Exception):
    """The handshake was answered with another status than 101."""


class RawSocket:
    """One connection, from its handshake on; every wait ends after ten seconds."""

    def __init__(self, port: int, path: str, **headers: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.file = self.socket.makefile("rb")
        given = {
            "Host": f"127.0.0.1:{port}",
            "Origin": f"http://127.0.0.1:{port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            **{name.capitalize(): value for name, value in headers.items()},
        }
        lines = [f"{name}: {value}" for name, value in given.items() if value]
        request = "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""])
        self.socket.sendall(request.encode())
        status = self.file.readline().decode()
        while self.file.readline().strip():
            pass
        if " 101 " not in status:
            self.close()
            raise Refused(status.strip())

    def send(self, kind: int, content: bytes) -> None:
        """Send one masked frame of this kind, whatever it holds."""
        count = len(content)
        if count < 126:
            size = bytes([0x80 | count])
        else:
            size = bytes([0x80 | 127]) + struct.pack("!Q", count)
        # A mask of zeros leaves the content as it is.
        self.socket.sendall(bytes([0x80 | kind]) + size + bytes(4) + content)

    def hear(self) -> dict[str, Any]:
        """Return the next message; {"kind": "closed", "code": n} for the end.

        1006 is a connection that was dropped without a word.
        """
        while True:
            try:
                head = self.file.read(2)
            except ConnectionResetError:
                head = b""
            if len(head) < 2:
                return {"kind": "closed", "code": 1006}
            count = head[1] & 0x7F
            if count == 126:
                (count,) = struct.unpack("!H", self.file.read(2))
            elif count == 127:
                (count,) = struct.unpack("!Q", self.file.read(8))
            content = self.file.read(count)
            if head[0] & 0x0F == CLOSE:
                code = struct.unpack("!H", content[:2])[0] if content else 1005
                return {"kind": "closed", "code": code}
            if head[0] & 0x0F == TEXT:
                return dict(json.loads(content))

    def ended(self) -> int:
        """Return the code with which it is closed, whatever comes before."""
        while (message := self.hear())["kind"] != "closed":
            pass
        return int(message["code"])

    def close(self) -> None:
        """Hang up without a word."""
        self.file.close()
        self.socket.close()
