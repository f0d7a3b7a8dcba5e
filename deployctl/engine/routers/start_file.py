"""A file that a load balancer reads when it starts: replaced whole, by one at a time.

It knows files alone: what stands in one, and who reads it, it refuses to know.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from deployctl.engine.effects import NotSent

#: How often somebody who waits for a folder tries again.
TRY_SECONDS = 0.05
#: Puts a successor into its place; raises `NotSent` when that cannot be done.
Put = Callable[[], None]
#: A file of some ten thousand entries; what is longer is not read.
MOST_BYTES = 4 * 1024 * 1024


def text_of(path: Path) -> str:
    """Return what the file says.

    Raises:
        NotSent: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise NotSent(f"{path} could not be read: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise NotSent(f"{path} has over {MOST_BYTES} bytes. Nothing was changed")
    return raw.decode("utf-8", "surrogateescape")


@contextmanager
def prepared(path: Path, text: str) -> Iterator[Put]:
    """Write a successor beside the file, and give what puts it into its place.

    Not put there, it is removed. It has the mode and the owner of the file.

    Raises:
        NotSent: it could not be written, or not be put there; the file is as it was.
    """
    place = path.resolve()
    beside = place.with_name(f".{place.name}.deployctl")
    try:
        _write(beside, text, os.stat(place))
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        why = f"{error.strerror}. The worker's user must be able to write there"
        raise NotSent(f"{path} could not be written: {why}") from None

    def put() -> None:
        try:
            os.replace(beside, place)
        except OSError as error:
            why = f"{error.strerror}. A file that is mounted by itself cannot be"
            raise NotSent(f"{path} could not be replaced: {why}") from None

    try:
        yield put
    finally:
        beside.unlink(missing_ok=True)


@asynccontextmanager
async def alone(path: Path, *, seconds: float) -> AsyncIterator[None]:
    """Keep everybody else of this machine off the file's folder meanwhile.

    Raises:
        NotSent: somebody else held it for so long, or there is no such folder.
    """
    until = asyncio.get_running_loop().time() + seconds
    try:
        folder = _opened(path)
    except OSError as error:
        raise NotSent(f"{path.parent} could not be opened: {error.strerror}") from None
    try:
        while not _locked(folder):
            if asyncio.get_running_loop().time() >= until:
                raise NotSent(f"somebody else is at work in {path.parent}")
            await asyncio.sleep(TRY_SECONDS)
        yield
    finally:
        os.close(folder)  # This lets go of the lock too, as does a death.


def _opened(path: Path) -> int:
    return os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY)


def _locked(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(path: Path, text: str, like: os.stat_result) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if os.geteuid() == 0:
            os.fchown(descriptor, like.st_uid, like.st_gid)
        os.fchmod(descriptor, like.st_mode & 0o7777)
        file.write(text.encode("utf-8", "surrogateescape"))
        file.flush()
        os.fsync(descriptor)
