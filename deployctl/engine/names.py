"""The addresses of a name, as this machine's resolver says them; it connects to none.

Which of them may be used is `reach`'s word, and is asked by whoever connects.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

#: So many names are looked up at once, more than a worker has places and looks: a
#: resolver that does not answer takes a thread for half a minute.
_RESOLVING = ThreadPoolExecutor(512, thread_name_prefix="names")


async def places(name: str, port: int) -> list[tuple[Any, ...]]:
    """Return what `socket.getaddrinfo` does for a stream.

    Raises:
        OSError: there is no such name, or it could not be one.
    """
    try:
        return _asked(name, port, socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass  # It is no address by itself.
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_RESOLVING, _asked, name, port, 0)


def _asked(name: str, port: int, flags: int) -> list[tuple[Any, ...]]:
    try:
        return list(
            socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=flags)
        )
    except UnicodeError:  # An empty label, or one of over 63 characters.
        raise OSError(errno.EINVAL, "it can be no name") from None
