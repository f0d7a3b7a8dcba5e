"""HAProxy's runtime API: one command, one answer, one connection.

It knows how a command is carried and when an answer is whole; it refuses to know what
any command means.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deployctl.engine import names
from deployctl.engine.effects import NotSent, OutcomeUnknown
from deployctl.engine.reach import Reach, Refused, check_ip

#: The states of some thousand servers; what is longer is no answer.
MOST_BYTES = 1024 * 1024
_HOST_AND_PORT = re.compile(r"\[?([A-Za-z0-9._:-]+?)\]?:([0-9]{1,5})")

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def address_problem(address: object) -> str:
    """Return what is wrong with where the API listens, or an empty text."""
    if not isinstance(address, str) or not address:
        return "is needed: the absolute path of a socket, or host:port"
    if address.startswith("/"):
        return "must be a path without a NUL" if "\0" in address else ""
    parts = _HOST_AND_PORT.fullmatch(address)
    if parts is None or not 0 < int(parts[2]) < 65_536:
        return "must be the absolute path of a socket, or host:port"
    try:
        check_ip(parts[1])
    except Refused as error:
        return str(error)
    except ValueError:
        return ""  # A name: its addresses are checked when it is resolved.
    return ""


async def asked(address: str, command: str, *, reach: Reach, seconds: float) -> str:
    """Return the answer to one command, without the blank line at its end.

    Raises:
        NotSent: nobody was there to hear it.
        OutcomeUnknown: it was written, and no whole answer came in time.
    """
    until = asyncio.get_running_loop().time() + seconds
    async with _connected(address, reach, until) as (reader, writer):
        try:
            async with asyncio.timeout_at(until):
                writer.write(command.encode("ascii") + b"\n")
                raw = await _rest(reader)
        except TimeoutError:
            raise OutcomeUnknown("gave no whole answer in time") from None
        except OSError as error:
            raise OutcomeUnknown(f"the connection broke: {error.strerror}") from None
    # A blank line ends each answer, and is all of it when there is nothing to say.
    if raw != b"\n" and not raw.endswith(b"\n\n"):
        raise OutcomeUnknown("the answer was cut off")
    return raw.decode("utf-8", "replace").rstrip("\n")


@asynccontextmanager
async def _connected(
    address: str, reach: Reach, until: float
) -> AsyncIterator[Streams]:
    try:
        async with asyncio.timeout_at(until):
            streams = await _opened(address, reach)
    except TimeoutError:
        raise NotSent("no connection in time") from None
    except OSError as error:
        why = error.strerror or error
        raise NotSent(f"there is no connection to {address}: {why}") from None
    try:
        yield streams
    finally:
        # Cut, not closed: nothing of it may wait for a peer that does not read.
        streams[1].transport.abort()


async def _opened(address: str, reach: Reach) -> Streams:
    """Connect to a path, or to the first checked address of a name that answers."""
    if address.startswith("/"):
        return await asyncio.open_unix_connection(address)
    host, _, port = address.rpartition(":")
    found = await names.places(host.strip("[]"), int(port))
    places = list(dict.fromkeys(str(each[4][0]) for each in found))
    for place in places:
        reach.check(place)
    for place in places[:-1]:
        try:
            return await asyncio.open_connection(place, int(port))
        except OSError:
            continue  # The last one's refusal is the one that is said.
    return await asyncio.open_connection(places[-1], int(port))


async def _rest(reader: asyncio.StreamReader) -> bytes:
    raw = bytearray()
    while chunk := await reader.read(65_536):
        raw += chunk
        if len(raw) > MOST_BYTES:
            raise OutcomeUnknown(f"an answer of over {MOST_BYTES} bytes")
    return bytes(raw)
