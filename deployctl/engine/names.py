"""The addresses of a name, as this machine's resolver says them; it connects to none.

Which of them may be used is `reach`'s word, and is asked by whoever connects.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any


async def places(name: str, port: int) -> list[tuple[Any, ...]]:
    """Return what `socket.getaddrinfo` does for a stream.

    Raises:
        OSError: there is no such name, or it could not be one.
    """
    loop = asyncio.get_running_loop()
    try:
        return list(await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM))
    except UnicodeError:  # An empty label, or one of over 63 characters.
        raise socket.gaierror(socket.EAI_NONAME, "it can be no name") from None
