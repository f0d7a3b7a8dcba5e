"""Where one machine's data lies: folders, sockets, keys, one lock; starts nothing."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from deployctl.launch.errors import LaunchError

# A socket's path has 107 bytes; ".s.PGSQL.5432.lock" must fit behind the folder.
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432.lock")


@dataclass(frozen=True)
class Places:
    """The folders under DATA_DIR, which is made 0700 when it is missing."""

    data: Path

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own files."""
        return self.data / "postgres"

    @property
    def log(self) -> Path:
        """What PostgreSQL says."""
        return self.data / "postgres.log"

    @property
    def secret_key(self) -> Path:
        """The file with the key that signs sessions."""
        return self.data / "secret-key"

    @property
    def secrets_key(self) -> Path:
        """The file with the key that opens the secrets of drivers."""
        return self.data / "secrets-key"

    @property
    def url(self) -> Path:
        """The file that says where the pages are, while `up` serves them."""
        return self.data / "url"

    @property
    def sockets(self) -> Path:
        """A folder for PostgreSQL's socket: under DATA_DIR when its path is short.

        Always the same for one DATA_DIR, so that another command finds the server.
        """
        inside = self.data / "run"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET_FOLDER:
            return inside
        digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]
        return Path(f"/tmp/deployctl-{os.geteuid()}-{digest}")  # noqa: S108  checked below

    def make(self) -> None:
        """Make DATA_DIR and the socket folder, private; LaunchError if they are not."""
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_private(self.sockets)
        except OSError as error:
            raise LaunchError(
                f"DATA_DIR {self.data} cannot be used ({error.strerror}). Set DATA_DIR"
                " to a folder that you may write to."
            ) from error

    def lock(self) -> int:
        """Take DATA_DIR for this process; the lock ends with it. Returns its handle."""
        handle = os.open(self.data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode().strip() or "unknown"
            os.close(handle)
            raise LaunchError(
                f"deployctl already runs on {self.data} (process {holder}). Stop that"
                " one, or set DATA_DIR to another folder."
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        return handle

    def make_keys(self) -> None:
        """Write both keys at the first start; later starts keep them."""
        make_once(self.secret_key, secrets.token_urlsafe(50))
        make_once(self.secrets_key, secrets.token_urlsafe(32))


def make_once(path: Path, content: str) -> None:
    """Write a file that only this user reads, unless it is there."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w") as file:
        file.write(content + "\n")


def make_private(folder: Path) -> None:
    """Make a folder that only this user enters; LaunchError when it is another's."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), 0):
        raise LaunchError(
            f"{folder} belongs to somebody else. Set DATA_DIR to another folder."
        )
    if found.st_uid == os.geteuid():
        folder.chmod(0o700)
